"""The endpoints of indexes over directories, one function each. All run on the I/O loop and return decoded JSON.

These are the service's newer indexes; the older ones are `pipelines`. The service's own guide:
https://developers.llamaindex.ai/llamaparse/cloud-index-v2/getting_started/
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with
from llama_cloud_ext.wire.recovery import look_up_repeatedly

if TYPE_CHECKING:
    from llama_cloud_ext.wire.models.directory_index import DirectoryIndexOptions
    from llama_cloud_ext.wire.transport import Connection

_INDEXES = "/api/v1/indexes"


def _path(index_id: str, suffix: str = "") -> str:
    return path_with(f"{_INDEXES}/", index_id, suffix)


async def create(connection: Connection, source_directory_id: str, options: DirectoryIndexOptions) -> dict[str, Any]:
    """Create an index over a directory; its first sync begins at once.

    One whose answer was lost is looked up by its directory, which has one index at most, before it is created again.

    Args:
        connection: Where to ask.
        source_directory_id: The directory.
        options: What the index is called, what is made of the files, and when.

    Returns:
        The index's record.
    """

    async def find() -> dict[str, Any] | None:
        async for record in list_indexes(connection, source_directory_id=source_directory_id):
            if record.get("source_directory_id") == source_directory_id:
                return record
        return None

    async def recover() -> dict[str, Any] | None:
        return await look_up_repeatedly(find)

    body = {"source_directory_id": source_directory_id, **options.to_body()}
    return as_mapping(await connection.request("POST", _INDEXES, json=body, recover=recover))


def list_indexes(
    connection: Connection, *, source_directory_id: str | None = None, page_size: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The indexes of the project.

    Args:
        connection: Where to ask.
        source_directory_id: Only the index over this directory.
        page_size: Records in one answer.

    Yields:
        One record an index.
    """
    params = {"page_size": page_size, "source_directory_id": source_directory_id}
    return iterate_pages(connection, _INDEXES, params=params)


async def get(connection: Connection, index_id: str, *, sync_in_progress: bool = False) -> dict[str, Any]:
    """An index's record.

    Args:
        connection: Where to ask.
        index_id: The index.
        sync_in_progress: Whether the record is to tell if a sync is running.
    """
    params = {"expand": ["sync_in_progress"] if sync_in_progress else None}
    return as_mapping(await connection.request("GET", _path(index_id), params=params))


async def delete(connection: Connection, index_id: str) -> None:
    """Delete an index; the directory with its files stays.

    Args:
        connection: Where to ask.
        index_id: The index.
    """
    await connection.request("DELETE", _path(index_id))


async def sync(connection: Connection, index_id: str) -> Any:
    """Have an index parse what has changed in its directory. Asking twice does no more than asking once.

    Args:
        connection: Where to ask.
        index_id: The index.

    Returns:
        What the service says, which it does not define.
    """
    return await connection.request("POST", _path(index_id, "/sync"), idempotent=True)


async def cancel_sync(connection: Connection, index_id: str) -> Any:
    """Have an index stop its running sync.

    Args:
        connection: Where to ask.
        index_id: The index.

    Returns:
        What the service says, which it does not define.

    Raises:
        ConflictError: None is running.
    """
    return await connection.request("POST", _path(index_id, "/sync/cancel"), idempotent=True)
