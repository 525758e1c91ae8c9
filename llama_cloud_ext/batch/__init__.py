"""Batches: whole folders through Parse and Extract, a thousand files to a batch, and the class that users import.

Results are those of the products themselves; what is theirs stays in `parse` and `extract`.
"""
