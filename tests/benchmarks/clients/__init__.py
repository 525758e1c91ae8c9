"""The clients that benchmarks measure, one script each, run by the Python of that client's own virtual environment."""
