"""The README, docstrings and notebooks run as written."""
