"""`/api/v1/beta/directories/{id}/files`: the files of a directory."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directories_routes import existing_directory, known_directory, writable
from llama_cloud_ext.local.directory_index_sync import sync_on_change
from llama_cloud_ext.local.directory_records import DirectoryFileRecord
from llama_cloud_ext.local.directory_store import UniqueIdTakenError
from llama_cloud_ext.local.files_routes import expand_of, keep_upload, presigned_url
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import (
    flag,
    load_json,
    moment,
    page_size,
    parse_json,
    read_cursor,
    text_in,
    write_cursor,
)

if TYPE_CHECKING:
    from starlette.requests import Request

FILTERS = {
    "display_name": "display_name = ?",
    "display_name_contains": "instr(lower(display_name), lower(?)) > 0",
    "unique_id": "unique_id = ?",
    "file_id": "file_id = ?",
}
"""Filters of the list, each with its condition."""
TIMES = {"updated_at_on_or_after": "updated_at >= ?", "updated_at_on_or_before": "updated_at <= ?"}


async def upload_file(request: Request) -> Response:
    """POST …/files/upload: keep an upload, and put it into the directory."""
    directory = writable(await known_directory(request))
    cloud = cloud_of(request)
    record, fields = await keep_upload(request, "upload_file", purpose="user_data")
    try:
        metadata = load_json(fields["metadata"].encode()) if fields.get("metadata") else {}
        file = await _put(
            request,
            directory.id,
            record.id,
            display_name=fields.get("display_name") or record.name,
            unique_id=fields.get("unique_id") or record.external_file_id or record.name,
            metadata=checked_metadata(metadata),
            uploaded=True,
        )
    except BaseException:
        await wait_for(cloud.store.delete_file(record.id))
        await cloud.in_thread(cloud.blobs.forget, [record.id])
        raise
    return json_answer(describe_directory_file(request, file))


async def add_file(request: Request) -> Response:
    """POST …/files: put an upload of before into the directory."""
    directory = writable(await known_directory(request))
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    record = await wait_for(cloud.store.file(str(text_in(body, "file_id"))))
    if record is None:
        raise RequestError(404, f"File {body['file_id']} not found")
    file = await _put(
        request,
        directory.id,
        record.id,
        display_name=text_in(body, "display_name", required=False) or record.name,
        unique_id=text_in(body, "unique_id", required=False) or record.external_file_id or record.name,
        metadata=checked_metadata(body.get("metadata")),
        uploaded=False,
    )
    return json_answer(describe_directory_file(request, file))


async def list_files(request: Request) -> Response:
    """GET …/files: by names, ids and time of change, page by page."""
    directory = await known_directory(request)
    query, expand = request.query_params, expand_of(request)
    conditions = [(condition, query[name]) for name, condition in FILTERS.items() if name in query]
    conditions += [(condition, moment(name, query[name]) or "") for name, condition in TIMES.items() if name in query]
    after = read_cursor(query.get("page_token"), [int])
    page = await wait_for(
        cloud_of(request).directories.files(
            directory.id,
            conditions,
            include_deleted=flag(request, "include_deleted"),
            after=after[0] if after else 0,
            limit=page_size(query.get("page_size")),
        )
    )
    return json_answer(
        {
            "items": [describe_directory_file(request, row, expand) for row in page.rows],
            "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
            "total_size": page.total,
        }
    )


async def get_file(request: Request) -> Response:
    """GET …/files/{id}."""
    return json_answer(describe_directory_file(request, await _known_file(request), expand_of(request)))


async def update_file(request: Request) -> Response:
    """PATCH …/files/{id}: its names and metadata, and the directory it is in."""
    writable(await known_directory(request))
    file = await _known_file(request)
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    values: dict[str, Any] = {
        name: text_in(body, name) for name in ("display_name", "unique_id") if body.get(name) is not None
    }
    if body.get("metadata") is not None:
        values["metadata"] = json.dumps(checked_metadata(body["metadata"]))
    if body.get("target_directory_id") is not None:
        target = writable(await existing_directory(cloud, str(text_in(body, "target_directory_id"))))
        values["directory_id"] = target.id
    try:
        changed = await wait_for(cloud.directories.update_file(file.id, values))
    except UniqueIdTakenError:
        raise _taken(values.get("unique_id", file.unique_id)) from None
    if changed is None:
        raise _not_found(file.id)
    for directory_id in {file.directory_id, changed.directory_id}:
        await sync_on_change(cloud, directory_id)
    return json_answer(describe_directory_file(request, changed))


async def delete_file(request: Request) -> Response:
    """DELETE …/files/{id}: 204; an index keeps it until the next sync."""
    directory = writable(await known_directory(request))
    cloud = cloud_of(request)
    file = await _known_file(request)
    unneeded = await wait_for(cloud.directories.delete_file(file.id))
    await cloud.in_thread(cloud.blobs.forget, unneeded)
    await sync_on_change(cloud, directory.id)
    return Response(status_code=204)


def describe_directory_file(request: Request, file: DirectoryFileRecord, expand: list[str] | None = None) -> Any:
    """A file of a directory as the API shows it."""
    url = None
    if "download_url" in (expand or ()):
        url = presigned_url(request, f"files/{file.blob_id}", name=file.display_name)
    return {
        "id": file.id,
        "directory_id": file.directory_id,
        "display_name": file.display_name,
        "project_id": cloud_of(request).project.id,
        "unique_id": file.unique_id,
        "file_id": file.file_id,
        "metadata": file.metadata,
        "download_url": url,
        "created_at": file.created_at,
        "updated_at": file.updated_at,
        "deleted_at": file.deleted_at,
    }


def checked_metadata(value: Any) -> Mapping[str, Any]:
    """The metadata of a file: strings, numbers, booleans, null and lists of strings.

    Raises:
        RequestError: 422 for anything else, naming its key.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(["body", "metadata"], "Input should be a valid dictionary", value, "dict_type")
    for key, one in value.items():
        is_list = isinstance(one, list) and all(isinstance(item, str) for item in one)
        if not (
            is_list or one is None or isinstance(one, str | int) or (isinstance(one, float) and math.isfinite(one))
        ):
            raise invalid(
                ["body", "metadata", key], "Input should be a string, number, boolean, null or list of strings", one
            )
    return value


async def _put(request: Request, directory_id: str, file_id: str, **values: Any) -> DirectoryFileRecord:
    cloud = cloud_of(request)
    try:
        file = await wait_for(cloud.directories.add_file(directory_id, file_id, **values))
    except UniqueIdTakenError:
        raise _taken(values["unique_id"]) from None
    if file is None:
        raise RequestError(404, f"Directory {directory_id} not found")
    await sync_on_change(cloud, directory_id)
    return file


async def _known_file(request: Request) -> DirectoryFileRecord:
    directory = await known_directory(request)
    file_id = request.path_params["directory_file_id"]
    file = await wait_for(cloud_of(request).directories.file(file_id, directory.id))
    if file is None:
        raise _not_found(file_id)
    return file


def _not_found(directory_file_id: str) -> RequestError:
    return RequestError(404, f"Directory file {directory_file_id} not found")


def _taken(unique_id: str) -> RequestError:
    return RequestError(409, f"A file with unique_id {unique_id} is in this directory already")


_FILES = "/api/v1/beta/directories/{directory_id}/files"
ROUTES = [
    Route(f"{_FILES}/upload", upload_file, methods=["POST"]),
    Route(_FILES, add_file, methods=["POST"]),
    Route(_FILES, list_files, methods=["GET"]),
    Route(f"{_FILES}/{{directory_file_id}}", get_file, methods=["GET"]),
    Route(f"{_FILES}/{{directory_file_id}}", update_file, methods=["PATCH"]),
    Route(f"{_FILES}/{{directory_file_id}}", delete_file, methods=["DELETE"]),
]
