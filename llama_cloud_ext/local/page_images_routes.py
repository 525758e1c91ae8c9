"""`/api/v1/files/{id}/page_screenshots` and `/page-figures`: images of the pages of uploaded files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.page_image_nodes import describe_figure, describe_screenshot
from llama_cloud_ext.local.request_errors import RequestError, invalid

if TYPE_CHECKING:
    from starlette.requests import Request

    from llama_cloud_ext.local.page_images import Kind, PageImage
    from llama_cloud_ext.local.store import FileRecord


async def list_page_screenshots(request: Request) -> Response:
    """GET /api/v1/files/{id}/page_screenshots: one a page, in their order."""
    file, images = await _images(request, "screenshots")
    return json_answer([describe_screenshot(file, image) for image in images])


async def page_screenshot(request: Request) -> Response:
    """GET /api/v1/files/{id}/page_screenshots/{page_index}: a JPEG file."""
    return await _content(request, "screenshots", None, "Page screenshot not found")


async def list_page_figures(request: Request) -> Response:
    """GET /api/v1/files/{id}/page-figures: the pictures on the pages, in their order."""
    file, images = await _images(request, "figures")
    return json_answer([describe_figure(file, image) for image in images])


async def page_figure(request: Request) -> Response:
    """GET /api/v1/files/{id}/page-figures/{page_index}/{figure_name}: a picture as the document holds it."""
    return await _content(request, "figures", request.path_params["figure_name"], "Page figure not found")


async def _images(request: Request, kind: Kind) -> tuple[FileRecord, list[PageImage]]:
    file = await _file(request)
    try:
        return file, await cloud_of(request).page_images.listing(file, kind)
    except FileNotFoundError:
        raise RequestError(404, "File not found") from None


async def _content(request: Request, kind: Kind, name: str | None, not_found: str) -> Response:
    index = request.path_params["page_index"]
    if not index.removeprefix("-").isdecimal():
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise invalid(["path", "page_index"], message, index, "int_parsing")
    file = await _file(request)
    try:
        found = await cloud_of(request).page_images.content(file, kind, int(index), name)
    except FileNotFoundError:
        raise RequestError(404, "File not found") from None
    if found is None:
        raise RequestError(404, not_found)
    image, content = found
    return Response(content, media_type=image.content_type)


async def _file(request: Request) -> FileRecord:
    check_scope(request)
    file = await wait_for(cloud_of(request).store.file(request.path_params["file_id"]))
    if file is None:
        raise RequestError(404, "File not found")
    return file


ROUTES = [
    Route("/api/v1/files/{file_id}/page_screenshots", list_page_screenshots, methods=["GET"]),
    Route("/api/v1/files/{file_id}/page_screenshots/{page_index}", page_screenshot, methods=["GET"]),
    Route("/api/v1/files/{file_id}/page-figures", list_page_figures, methods=["GET"]),
    Route("/api/v1/files/{file_id}/page-figures/{page_index}/{figure_name}", page_figure, methods=["GET"]),
]
