"""`/api/v1/beta/attachments`: what an index keeps beside the texts of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.attachments import Attachment, attachments_of
from llama_cloud_ext.local.engine import EngineError
from llama_cloud_ext.local.files_routes import presigned_url
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.validation import page_size, read_cursor, write_cursor

if TYPE_CHECKING:
    from starlette.requests import Request


async def list_attachments(request: Request) -> Response:
    """GET /api/v1/beta/attachments?source_id=…, page by page."""
    found = await _attachments(request)
    query = request.query_params
    after = read_cursor(query.get("page_token"), [int])
    start = after[0] if after else 0
    end = start + page_size(query.get("page_size"))
    return json_answer(
        {
            "items": [
                {"name": one.name, "size": one.size, "last_modified": one.last_modified} for one in found[start:end]
            ],
            "next_page_token": write_cursor([end]) if end < len(found) else None,
            "total_size": len(found),
        }
    )


async def get_attachment(request: Request) -> Response:
    """GET /api/v1/beta/attachments/{name}?source_id=…: a presigned URL."""
    name: str = request.path_params["attachment_name"]
    for one in await _attachments(request):
        if one.name == name:
            file_name = name.rpartition("/")[2]
            return json_answer(presigned_url(request, one.blob, name=file_name, content_type=one.content_type))
    raise RequestError(404, f"Attachment {name} not found")


async def _attachments(request: Request) -> list[Attachment]:
    check_scope(request)
    source_id = request.query_params.get("source_id")
    if not source_id:
        raise invalid(["query", "source_id"], "Field required", None, "missing")
    try:
        found = await attachments_of(cloud_of(request), source_id)
    except (EngineError, FileNotFoundError) as error:
        raise RequestError(404, f"File {source_id} cannot be read: {error}") from error
    if found is None:
        raise RequestError(404, f"File {source_id} not found")
    return found


_ATTACHMENTS = "/api/v1/beta/attachments"
ROUTES = [
    Route(_ATTACHMENTS, list_attachments, methods=["GET"]),
    Route(f"{_ATTACHMENTS}/{{attachment_name:path}}", get_attachment, methods=["GET"]),
]
