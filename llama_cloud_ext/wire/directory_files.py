"""The endpoints of a directory's files, one function each. All run on the I/O loop and return decoded JSON.

A file has an id of its own in each directory (`dfl-…`); `file_id` is the upload behind it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.directories import directory_path
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llama_cloud_ext.wire.models.directory import DirectoryFileOptions
    from llama_cloud_ext.wire.sources import Source
    from llama_cloud_ext.wire.transport import Connection


def _path(directory_id: str, directory_file_id: str) -> str:
    return path_with(directory_path(directory_id, "/files/"), directory_file_id)


async def upload(
    connection: Connection,
    directory_id: str,
    source: Source,
    options: DirectoryFileOptions,
    *,
    external_file_id: str | None = None,
) -> dict[str, Any]:
    """Upload a file into a directory. One whose answer was lost is looked up by its unique id before it is sent again.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        source: The file.
        options: What it is called, and its metadata. Without a `unique_id` a lost answer is not recovered from.
        external_file_id: The caller's own id of the upload.

    Returns:
        The file's record in the directory.
    """
    from llama_cloud_ext.wire.multipart import MultipartBody

    body = options.to_body()
    fields: list[tuple[str, str]] = [(name, body[name]) for name in ("display_name", "unique_id") if name in body]
    if external_file_id is not None:
        fields.append(("external_file_id", external_file_id))
    if "metadata" in body:
        fields.append(("metadata", json.dumps(body["metadata"])))
    form = MultipartBody(fields, "upload_file", source)
    path = directory_path(directory_id, "/files/upload")
    recover = _recovery(connection, directory_id, options)
    return as_mapping(await connection.request("POST", path, body=form, recover=recover))


async def add(connection: Connection, directory_id: str, file_id: str, options: DirectoryFileOptions) -> dict[str, Any]:
    """Put a file that was uploaded before into a directory.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        file_id: The upload.
        options: What it is called, and its metadata.

    Returns:
        The file's record in the directory.
    """
    path = directory_path(directory_id, "/files")
    body = {"file_id": file_id, **options.to_body()}
    recover = _recovery(connection, directory_id, options)
    return as_mapping(await connection.request("POST", path, json=body, recover=recover))


def _recovery(
    connection: Connection, directory_id: str, options: DirectoryFileOptions
) -> Callable[[], Awaitable[dict[str, Any] | None]] | None:
    from llama_cloud_ext.wire.recovery import look_up_repeatedly

    unique_id = options.unique_id
    if unique_id is None:
        return None

    async def find() -> dict[str, Any] | None:
        async for record in list_files(connection, directory_id, unique_id=unique_id):
            if record.get("unique_id") == unique_id:
                return record
        return None

    async def recover() -> dict[str, Any] | None:
        return await look_up_repeatedly(find)

    return recover


def list_files(
    connection: Connection,
    directory_id: str,
    *,
    display_name: str | None = None,
    display_name_contains: str | None = None,
    unique_id: str | None = None,
    file_id: str | None = None,
    include_deleted: bool | None = None,
    updated_at_on_or_after: datetime | None = None,
    updated_at_on_or_before: datetime | None = None,
    expand: Sequence[str] = (),
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The files of a directory.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        display_name: Only files of exactly this name.
        display_name_contains: Only files with this in their name.
        unique_id: Only the file of this unique id.
        file_id: Only files with this upload behind them.
        include_deleted: Whether deleted ones are listed, too.
        updated_at_on_or_after: Only files that changed then or later.
        updated_at_on_or_before: Only files that did not change later.
        expand: Parts to add to each record: "download_url".
        page_size: Records in one answer; the service takes 1,000 at most.

    Yields:
        One record a file.
    """
    params = {
        "display_name": display_name,
        "display_name_contains": display_name_contains,
        "expand": list(expand),
        "file_id": file_id,
        "include_deleted": include_deleted,
        "page_size": page_size,
        "unique_id": unique_id,
        "updated_at_on_or_after": updated_at_on_or_after,
        "updated_at_on_or_before": updated_at_on_or_before,
    }
    return iterate_pages(connection, directory_path(directory_id, "/files"), params=params)


async def get(
    connection: Connection, directory_id: str, directory_file_id: str, *, expand: Sequence[str] = ()
) -> dict[str, Any]:
    """A file's record in its directory.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        directory_file_id: The file, by its id in there.
        expand: Parts to add: "download_url".
    """
    path = _path(directory_id, directory_file_id)
    return as_mapping(await connection.request("GET", path, params={"expand": list(expand)}))


async def update(
    connection: Connection,
    directory_id: str,
    directory_file_id: str,
    options: DirectoryFileOptions,
    *,
    target_directory_id: str | None = None,
) -> dict[str, Any]:
    """Rename a file, give it other metadata, or move it.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        directory_file_id: The file, by its id in there.
        options: What changes; `metadata` replaces all of what the user gave before.
        target_directory_id: The directory it moves to; None to leave it where it is.

    Returns:
        The file's record.
    """
    body = options.to_body()
    if target_directory_id is not None:
        body["target_directory_id"] = target_directory_id
    path = _path(directory_id, directory_file_id)
    return as_mapping(await connection.request("PATCH", path, json=body, idempotent=target_directory_id is None))


async def delete(connection: Connection, directory_id: str, directory_file_id: str) -> None:
    """Take a file out of a directory.

    Args:
        connection: Where to ask.
        directory_id: The directory.
        directory_file_id: The file, by its id in there.
    """
    await connection.request("DELETE", _path(directory_id, directory_file_id))
