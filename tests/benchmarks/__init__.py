"""Speed and request counts, measured against a simulated cloud."""
