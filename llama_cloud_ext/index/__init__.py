"""Managed indexes for users: `LlamaCloudIndex`, its retrievers, and the conversions between the service and LlamaIndex.

What belongs here: the LlamaIndex classes that users import, and pure conversions of documents, filters and nodes.
What does not: HTTP (that is `wire/`), and anything about how local LlamaCloud retrieves (that is `local/`).
"""
