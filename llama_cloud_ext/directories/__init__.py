"""Directories: where files are put together for batches and indexes, and the class that users import.

What an index does with its directory stays in `index`, and what a batch does in `batch`.
"""
