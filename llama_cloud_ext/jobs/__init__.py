"""What the products whose work is jobs share: the way of one job, of a call with many files, and of a handle.

Parse and Extract build on it. Nothing here knows what a result looks like; how jobs travel is in `wire`.
"""
