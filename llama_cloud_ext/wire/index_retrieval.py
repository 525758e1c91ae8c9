"""The endpoints that answer from an index over a directory, one function each. All run on the I/O loop.

The service's own guides: https://developers.llamaindex.ai/llamaparse/cloud-index-v2/retrieval/ and
https://developers.llamaindex.ai/llamaparse/cloud-index-v2/file_operations/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_RETRIEVAL = "/api/v1/retrieval"


async def retrieve(
    connection: Connection, index_id: str, query: str, settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Search an index by meaning and words.

    Args:
        connection: Where to ask.
        index_id: The index.
        query: The question.
        settings: The body of `DirectoryRetrievalSettings`, or None for the service's defaults.

    Returns:
        `{"results": [{"content", "score", "rerank_score", "metadata", "static_fields"}, …]}`, the best first.
    """
    body = {"index_id": index_id, "query": query, **(settings or {})}
    path = f"{_RETRIEVAL}/retrieve"
    return as_mapping(await connection.request("POST", path, json=body, idempotent=True))


def find(
    connection: Connection,
    index_id: str,
    *,
    file_name: str | None = None,
    file_name_contains: str | None = None,
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The files of an index.

    Args:
        connection: Where to ask.
        index_id: The index.
        file_name: Only files of exactly this name.
        file_name_contains: Only files with this in their name, whatever the case.
        page_size: Files in one answer; the service takes 1,000 at most.

    Yields:
        `{"file_id", "file_name"}` each.
    """
    body = {
        "index_id": index_id,
        "file_name": file_name,
        "file_name_contains": file_name_contains,
        "page_size": page_size,
    }
    return iterate_pages(connection, f"{_RETRIEVAL}/files/find", json=body)


def grep(
    connection: Connection,
    index_id: str,
    file_id: str,
    pattern: str,
    *,
    context_chars: int | None = None,
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Where a pattern stands in the text of a file.

    Args:
        connection: Where to ask.
        index_id: The index.
        file_id: The file, by the id that `find` and `retrieve` give.
        pattern: A regular expression.
        context_chars: Characters before and after a match that `content` has as well.
        page_size: Matches in one answer.

    Yields:
        `{"content", "start_char", "end_char"}` each, in the order of the text.
    """
    body = {
        "file_id": file_id,
        "index_id": index_id,
        "pattern": pattern,
        "context_chars": context_chars,
        "page_size": page_size,
    }
    return iterate_pages(connection, f"{_RETRIEVAL}/files/grep", json=body)


async def read(
    connection: Connection, index_id: str, file_id: str, *, offset: int | None = None, max_length: int | None = None
) -> dict[str, Any]:
    """The text of a file, or a part of it.

    Args:
        connection: Where to ask.
        index_id: The index.
        file_id: The file, by the id that `find` and `retrieve` give.
        offset: The first character, from 0.
        max_length: The most characters.

    Returns:
        `{"content": …}`.
    """
    body = {"file_id": file_id, "index_id": index_id, "max_length": max_length, "offset": offset}
    sent = {name: value for name, value in body.items() if value is not None}
    path = f"{_RETRIEVAL}/files/read"
    return as_mapping(await connection.request("POST", path, json=sent, idempotent=True))
