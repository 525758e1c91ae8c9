"""The endpoints of what an index keeps beside a file's text: page screenshots and items. All run on the I/O loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_ATTACHMENTS = "/api/v1/beta/attachments"


def list_attachments(
    connection: Connection, source_id: str, *, page_size: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The attachments of a file.

    Args:
        connection: Where to ask.
        source_id: The file: its id in the index, or the upload's.
        page_size: Records in one answer.

    Yields:
        `{"name", "size", "last_modified"}` each.
    """
    params = {"page_size": page_size, "source_id": source_id}
    return iterate_pages(connection, _ATTACHMENTS, params=params)


async def get(connection: Connection, source_id: str, attachment_name: str) -> dict[str, Any]:
    """Where to download an attachment.

    Args:
        connection: Where to ask.
        source_id: The file.
        attachment_name: Its name, such as "screenshots/page_7.jpg".

    Returns:
        `{"url": …, "expires_at": …}`.
    """
    path = path_with(f"{_ATTACHMENTS}/", attachment_name)
    return as_mapping(await connection.request("GET", path, params={"source_id": source_id}))
