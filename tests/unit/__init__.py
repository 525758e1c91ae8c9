"""Pure functions: no network, no files."""
