"""`/api/v1/beta/files`, and the presigned downloads of files and results."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import PiecesResponse, check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.presigned import DEFAULT_EXPIRY, LONGEST_EXPIRY, ROUTE
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.store import FileRecord, timestamp
from llama_cloud_ext.local.uploads import display_name, receive_body, receive_upload
from llama_cloud_ext.local.validation import (
    LARGEST_PAGE_SIZE,
    page_size,
    parse_json,
    read_cursor,
    split_values,
    write_cursor,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from llama_cloud_ext.local.cloud import LocalCloud

PURPOSES = ("user_data", "parse", "extract", "split", "classify", "sheet", "agent_app")

ORDERS = {"name": ("name", False), "id": ("id", False), "created_at": ("created_at", True)}
"""`order_by` of the list, each with its fixed direction."""

QUERY_COLUMNS = {"name": "name", "id": "id", "created_at": "created_at", "last_modified_at": "created_at"}
"""Fields that the deprecated query can be ordered by."""

EPOCH_FROM = 10 * 365 * 24 * 3600
"""`expires_at_seconds` above this many seconds (ten years) is a moment, below it a duration: the name allows both."""

OCTETS = "application/octet-stream"

NAMELESS = "upload"
"""What HTTP clients call a stream that has no name; the external id, where there is one, says more."""


async def create_file(request: Request) -> Response:
    """POST /api/v1/beta/files: keep an upload, on disk before the answer."""
    record, _ = await keep_upload(request, "file", purpose=None)
    return json_answer(_file(request, record, []))


async def create_file_v1(request: Request) -> Response:
    """POST /api/v1/files: the older form, as clients of before the beta send it, with its options in the query."""
    record, _ = await keep_upload(request, "upload_file", purpose="user_data")
    return json_answer(_file(request, record, []))


async def keep_upload(
    request: Request, field_name: str, *, purpose: str | None
) -> tuple[FileRecord, Mapping[str, str]]:
    """Keep an upload, on disk before the answer.

    Args:
        request: The request, its body unread.
        field_name: The field of the form that holds the file.
        purpose: What it is for; None for what the form says.

    Returns:
        The file, and the other fields of the form.

    Raises:
        RequestError: 400 or 422 for a form that lacks something, 413 for too large a file.
    """
    check_scope(request)
    cloud = cloud_of(request)
    incoming = cloud.blobs.new_incoming()
    try:
        upload = await receive_upload(request, incoming, cloud.threads, field_name=field_name)
        upload.check()
        purpose = purpose or upload.fields.get("purpose")
        if purpose is None:
            raise invalid(["body", "purpose"], "Field required", None, "missing")
        if purpose not in PURPOSES:
            raise invalid(["body", "purpose"], f"Input should be one of: {', '.join(PURPOSES)}", purpose, "enum")
        external_id = upload.fields.get("external_file_id") or request.query_params.get("external_file_id") or None
        nameless = upload.file_name == NAMELESS and external_id is not None
        record = FileRecord(
            id=str(uuid.uuid4()),
            name=display_name(str(external_id if nameless else upload.file_name)),
            size=upload.size,
            purpose=purpose,
            external_file_id=external_id,
            created_at=timestamp(),
        )
        await cloud.in_thread(cloud.blobs.keep, incoming, cloud.blobs.file(record.id))
    finally:
        await cloud.in_thread(cloud.blobs.delete, incoming)
    await wait_for(cloud.store.add_file(record))
    return record, upload.fields


async def list_files(request: Request) -> Response:
    """GET /api/v1/beta/files: by external id, ids or name, in one of three orders."""
    check_scope(request)
    query = request.query_params
    expand = expand_of(request)
    order_by = query.get("order_by", "created_at")
    if order_by not in ORDERS:
        raise invalid(["query", "order_by"], f"Must be one of: {', '.join(ORDERS)}", order_by)
    filters: dict[str, Sequence[Any]] = {}
    if (external := query.get("external_file_id")) is not None:
        filters["external_file_id"] = [external]
    if ids := split_values(query.getlist("file_ids")):
        filters["id"] = ids
    if (name := query.get("file_name")) is not None:
        filters["name"] = [name]
    return await _page(
        request,
        filters,
        [ORDERS[order_by]],
        size=page_size(query.get("page_size")),
        token=query.get("page_token"),
        expand=expand,
    )


async def query_files(request: Request) -> Response:
    """POST /api/v1/beta/files/query: the deprecated form of the list."""
    check_scope(request)
    body = await receive_body(request)
    asked = parse_json(body) if body else {}
    given = asked.get("filter") or {}
    if not isinstance(given, dict):
        raise invalid(["body", "filter"], "Input should be a valid dictionary", given, "dict_type")
    filters: dict[str, Sequence[Any]] = {}
    for name, column in (("external_file_id", "external_file_id"), ("file_name", "name")):
        if (value := given.get(name)) is not None:
            filters[column] = [value]
    if (ids := given.get("file_ids")) is not None:
        filters["id"] = ids
    # Every file here was uploaded by hand into the one project.
    if given.get("data_source_id") is not None or given.get("project_id", cloud_of(request).project.id) not in {
        None,
        cloud_of(request).project.id,
    }:
        filters["id"] = []
    size = asked.get("page_size")
    if size is not None and (not isinstance(size, int) or size < 1):
        raise invalid(["body", "page_size"], "Input should be a positive number", size)
    return await _page(
        request,
        filters,
        _query_order(asked.get("order_by") or "created_at desc"),
        size=min(size or page_size(None), LARGEST_PAGE_SIZE),
        token=asked.get("page_token"),
        expand=[],
    )


async def get_file(request: Request) -> Response:
    """GET /api/v1/beta/files/{id}."""
    check_scope(request)
    expand = expand_of(request)
    return json_answer(_file(request, await _known_file(request), expand))


async def delete_file(request: Request) -> Response:
    """DELETE /api/v1/beta/files/{id}: 204. Jobs that were accepted before keep their copy."""
    check_scope(request)
    cloud = cloud_of(request)
    record = await _known_file(request)
    if not await wait_for(cloud.store.delete_file(record.id)):
        raise RequestError(404, "File not found")
    await cloud.in_thread(cloud.blobs.forget, [record.id])
    return Response(status_code=204)


async def file_content(request: Request) -> Response:
    """GET /api/v1/beta/files/{id}/content: a presigned URL."""
    check_scope(request)
    text = request.query_params.get("expires_at_seconds")
    if text is not None and not text.isdecimal():
        raise invalid(["query", "expires_at_seconds"], "Input should be a number of seconds", text, "int_parsing")
    record = await _known_file(request)
    return json_answer(_presigned(request, record, int(text) if text is not None else None))


async def download(request: Request) -> Response:
    """GET of a presigned URL: the content of a file or result, if signature and time allow."""
    cloud = cloud_of(request)
    blob: str = request.path_params["blob"]
    cloud.signer.check(blob, request.query_params)
    try:
        stream = await cloud.in_thread(_open_blob, cloud.root / PurePosixPath(blob))
    except FileNotFoundError:
        raise RequestError(404, "The content behind this download URL has been deleted.") from None
    name = request.query_params["name"]
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return PiecesResponse(cloud, [stream], request.query_params["type"], headers)


def _open_blob(path: Path) -> IO[bytes]:
    return path.open("rb")


def download_expiry(cloud: LocalCloud) -> float:
    """When a download URL signed now expires: Unix time."""
    pretended = cloud.simulation.download_seconds if cloud.simulation is not None else None
    return time.time() + (pretended or DEFAULT_EXPIRY)


def base_url(request: Request) -> str:
    """Scheme and host under which the client reached this server."""
    return str(request.base_url).rstrip("/")


async def _known_file(request: Request) -> FileRecord:
    record = await wait_for(cloud_of(request).store.file(request.path_params["file_id"]))
    if record is None:
        raise RequestError(404, "File not found")
    return record


def expand_of(request: Request) -> list[str]:
    """What a request for files wants added to them: "download_url", or nothing.

    Raises:
        RequestError: 422 for anything else.
    """
    expand = split_values(request.query_params.getlist("expand"))
    for index, value in enumerate(expand):
        if value != "download_url":
            raise invalid(
                ["query", "expand", index], f"Unsupported expand value: {value}. Must be: download_url", value
            )
    return expand


async def _page(
    request: Request,
    filters: Mapping[str, Sequence[Any]],
    order: list[tuple[str, bool]],
    *,
    size: int,
    token: str | None,
    expand: list[str],
) -> Response:
    order = [*order, ("sequence", order[-1][1])]
    after = read_cursor(token, [int if column == "sequence" else str for column, _ in order])
    page = await wait_for(cloud_of(request).store.files(filters.items(), order=order, after=after, limit=size))
    last = [getattr(page.rows[-1], column) for column, _ in order] if page.more else None
    return json_answer(
        {
            "items": [_file(request, record, expand) for record in page.rows],
            "next_page_token": write_cursor(last) if last is not None else None,
            "total_size": page.total,
        }
    )


def _query_order(text: Any) -> list[tuple[str, bool]]:
    order = []
    for part in str(text).split(","):
        words = part.split()
        if not words or words[0] not in QUERY_COLUMNS or words[1:] not in ([], ["asc"], ["desc"]):
            raise invalid(["body", "order_by"], f"Fields must be of: {', '.join(QUERY_COLUMNS)}", text)
        order.append((QUERY_COLUMNS[words[0]], words[1:] == ["desc"]))
    return order


def _file(request: Request, record: FileRecord, expand: list[str]) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "project_id": cloud_of(request).project.id,
        "external_file_id": record.external_file_id,
        "file_type": Path(record.name).suffix.removeprefix(".").lower() or None,
        "last_modified_at": record.created_at,
        "purpose": record.purpose,
        "expires_at": None,
        "download_url": _presigned(request, record, None) if "download_url" in expand else None,
    }


def _presigned(request: Request, record: FileRecord, seconds: int | None) -> dict[str, Any]:
    return presigned_url(request, f"files/{record.id}", name=record.name, seconds=seconds)


def presigned_url(
    request: Request, blob: str, *, name: str, content_type: str = OCTETS, seconds: int | None = None
) -> dict[str, Any]:
    """Where to download a content, as the API shows it.

    Args:
        request: Whoever asks; the URL leads to the host it asked.
        blob: The content's path below the data folder.
        name: File name to offer to the downloader.
        content_type: MIME type to answer with.
        seconds: How long the URL is to work, or until which moment; None for the default.
    """
    cloud = cloud_of(request)
    if seconds is None:
        expires = download_expiry(cloud)
    else:
        now = time.time()
        expires = min(seconds if seconds > EPOCH_FROM else now + seconds, now + LONGEST_EXPIRY)
    url = cloud.signer.url(base_url(request), blob, name=name, content_type=content_type, expires=expires)
    expires_at = timestamp(datetime.fromtimestamp(int(expires), timezone.utc))
    return {"url": url, "expires_at": expires_at, "form_fields": None}


ROUTES = [
    Route("/api/v1/files", create_file_v1, methods=["POST"]),
    Route("/api/v1/beta/files", create_file, methods=["POST"]),
    Route("/api/v1/beta/files", list_files, methods=["GET"]),
    Route("/api/v1/beta/files/query", query_files, methods=["POST"]),
    Route("/api/v1/beta/files/{file_id}", get_file, methods=["GET"]),
    Route("/api/v1/beta/files/{file_id}", delete_file, methods=["DELETE"]),
    Route("/api/v1/beta/files/{file_id}/content", file_content, methods=["GET"]),
    Route(f"{ROUTE}/{{blob:path}}", download, methods=["GET", "HEAD"]),
]
