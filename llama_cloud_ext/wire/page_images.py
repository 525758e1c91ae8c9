"""The endpoints of page screenshots and figures of uploaded files, one function each. All run on the I/O loop.

`page_index` counts from 0, as the service has it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_objects
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.downloads import Download
    from llama_cloud_ext.wire.transport import Connection

_FILES = "/api/v1/files/"


async def list_screenshots(connection: Connection, file_id: str) -> list[dict[str, Any]]:
    """The page screenshots that the service has of a file.

    Args:
        connection: Where to ask.
        file_id: The file.

    Returns:
        `{"file_id", "page_index", "image_size", "metadata"}` each.
    """
    return list(as_objects(await connection.request("GET", path_with(_FILES, file_id, "/page_screenshots"))))


async def list_figures(connection: Connection, file_id: str) -> list[dict[str, Any]]:
    """The figures that the service has cut out of a file's pages.

    Args:
        connection: Where to ask.
        file_id: The file.

    Returns:
        `{"file_id", "page_index", "figure_name", "figure_size", "confidence", …}` each.
    """
    return list(as_objects(await connection.request("GET", path_with(_FILES, file_id, "/page-figures"))))


async def screenshot(connection: Connection, file_id: str, page_index: int) -> Download:
    """One page's screenshot.

    Args:
        connection: Where to ask.
        file_id: The file.
        page_index: The page, from 0.

    Returns:
        The picture.
    """
    return await connection.content(path_with(_FILES, file_id, f"/page_screenshots/{page_index:d}"))


async def figure(connection: Connection, file_id: str, page_index: int, figure_name: str) -> Download:
    """One figure.

    Args:
        connection: Where to ask.
        file_id: The file.
        page_index: The page, from 0.
        figure_name: The figure, as the service names it.

    Returns:
        The picture.
    """
    return await connection.content(
        path_with(path_with(_FILES, file_id, f"/page-figures/{page_index:d}/"), figure_name)
    )
