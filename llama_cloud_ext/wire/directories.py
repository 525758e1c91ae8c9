"""The endpoints of directories, one function each. All run on the I/O loop and return decoded JSON.

A directory holds files that indexes and batches work on; the module `directory_files` has the endpoints of those. The
service's own reference: https://developers.llamaindex.ai/reference/resources/beta/subresources/directories/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import TransportError
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_text
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.models.directory import DirectoryOptions
    from llama_cloud_ext.wire.transport import Connection

_DIRECTORIES = "/api/v1/beta/directories"


def directory_path(directory_id: str, suffix: str = "") -> str:
    """The path of one directory, or of something in it.

    Args:
        directory_id: The directory.
        suffix: What follows it.

    Raises:
        ConfigurationError: This cannot be an id.

    Example:
        >>> directory_path("dir-7", "/files")
        '/api/v1/beta/directories/dir-7/files'
    """
    return path_with(f"{_DIRECTORIES}/", directory_id, suffix)


async def create(connection: Connection, options: DirectoryOptions) -> dict[str, Any]:
    """Create a directory.

    One whose answer was lost is created again. Names are not unique, so that it could not be told from somebody else's,
    whose files would then be worked on, and paid for, along with one's own; an empty directory too many costs nothing.

    Args:
        connection: Where to ask.
        options: Its name, and what else is known of it.

    Returns:
        The directory's record.

    Raises:
        TransportError: The answer has no id.
    """
    record = as_mapping(await connection.request("POST", _DIRECTORIES, json=options.to_body(), idempotent=True))
    if as_text(record.get("id")) is None:
        raise TransportError("the answer says nothing of what was created", request=f"POST {_DIRECTORIES}", sent=True)
    return record


def list_directories(
    connection: Connection,
    *,
    name: str | None = None,
    type: str | None = None,
    types: Sequence[str] | None = None,
    include_deleted: bool | None = None,
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The directories of the project.

    Args:
        connection: Where to ask.
        name: Only directories of this name.
        type: Only directories of this type: "user", "ephemeral" or "index" (what an index has made of another one).
        types: The same for several types.
        include_deleted: Whether deleted ones are listed, too.
        page_size: Records in one answer.

    Yields:
        One record a directory.
    """
    params = {
        "name": name,
        "type": type,
        "types": types,
        "include_deleted": include_deleted,
        "page_size": page_size,
    }
    return iterate_pages(connection, _DIRECTORIES, params=params)


async def get(connection: Connection, directory_id: str) -> dict[str, Any]:
    """A directory's record.

    Args:
        connection: Where to ask.
        directory_id: The directory.
    """
    return as_mapping(await connection.request("GET", directory_path(directory_id)))


async def update(
    connection: Connection, directory_id: str, *, name: str | None = None, description: str | None = None
) -> dict[str, Any]:
    """Rename or describe a directory.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        name: Its new name; None to keep it.
        description: Its new description; None to keep it.

    Returns:
        The directory's record.
    """
    body = {key: value for key, value in (("name", name), ("description", description)) if value is not None}
    path = directory_path(directory_id)
    return as_mapping(await connection.request("PATCH", path, json=body, idempotent=True))


async def delete(connection: Connection, directory_id: str) -> None:
    """Delete a directory with its files.

    Args:
        connection: Where to ask.
        directory_id: The directory.
    """
    await connection.request("DELETE", directory_path(directory_id))
