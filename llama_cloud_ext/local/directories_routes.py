"""`/api/v1/beta/directories`: the directories of a data folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directory_records import EPHEMERAL, INDEX, TYPES, USER, DirectoryRecord
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import (
    flag,
    moment,
    page_size,
    parse_json,
    read_cursor,
    split_values,
    text_in,
    write_cursor,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from llama_cloud_ext.local.cloud import LocalCloud


async def create_directory(request: Request) -> Response:
    """POST /api/v1/beta/directories."""
    check_scope(request)
    cloud = cloud_of(request)
    await delete_expired(cloud)
    body = parse_json(await receive_body(request))
    kind = body.get("type") or USER
    if kind not in (USER, EPHEMERAL):
        raise invalid(["body", "type"], f"Input should be '{USER}' or '{EPHEMERAL}'", kind, "literal_error")
    if body.get("connector_subscription_id") is not None:
        raise invalid(
            ["body", "connector_subscription_id"],
            "Local LlamaCloud has no connectors; upload files",
            body["connector_subscription_id"],
        )
    system = body.get("system_metadata")
    if system is not None and not isinstance(system, dict):
        raise invalid(["body", "system_metadata"], "Input should be a valid dictionary", system, "dict_type")
    values = {
        "name": text_in(body, "name"),
        "description": text_in(body, "description", required=False),
        "type": kind,
        "system_metadata": None if system is None else json.dumps(system),
        "expires_at": moment("expires_at", text_in(body, "expires_at", required=False)),
    }
    return json_answer(describe_directory(cloud, await wait_for(cloud.directories.create(values))))


async def list_directories(request: Request) -> Response:
    """GET /api/v1/beta/directories: by name and types, page by page."""
    check_scope(request)
    cloud = cloud_of(request)
    await delete_expired(cloud)
    query = request.query_params
    types = split_values([*query.getlist("type"), *query.getlist("types")])
    for kind in types:
        if kind not in TYPES:
            raise invalid(["query", "types"], f"Input should be one of: {', '.join(TYPES)}", kind, "enum")
    after = read_cursor(query.get("page_token"), [int])
    page = await wait_for(
        cloud.directories.directories(
            name=query.get("name"),
            types=types,
            include_deleted=flag(request, "include_deleted"),
            after=after[0] if after else 0,
            limit=page_size(query.get("page_size")),
        )
    )
    return json_answer(
        {
            "items": [describe_directory(cloud, row) for row in page.rows],
            "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
            "total_size": page.total,
        }
    )


async def get_directory(request: Request) -> Response:
    """GET /api/v1/beta/directories/{id}."""
    return json_answer(describe_directory(cloud_of(request), await known_directory(request)))


async def update_directory(request: Request) -> Response:
    """PATCH /api/v1/beta/directories/{id}: its name and description."""
    directory = await known_directory(request)
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    values = {
        name: text_in(body, name, required=name == "name")
        for name in ("name", "description")
        if body.get(name) is not None
    }
    changed = await wait_for(cloud.directories.update(directory.id, values))
    if changed is None:
        raise _not_found(directory.id)
    return json_answer(describe_directory(cloud, changed))


async def delete_directory(request: Request) -> Response:
    """DELETE /api/v1/beta/directories/{id}: 204; its files go with it, and indexes keep theirs until the next sync."""
    directory = writable(await known_directory(request))
    cloud = cloud_of(request)
    unneeded = await wait_for(cloud.directories.delete(directory.id))
    await cloud.in_thread(cloud.blobs.forget, unneeded)
    return Response(status_code=204)


async def known_directory(request: Request) -> DirectoryRecord:
    """The directory that a request's path names.

    Raises:
        RequestError: 404 when there is none.
    """
    check_scope(request)
    return await existing_directory(cloud_of(request), request.path_params["directory_id"])


async def existing_directory(cloud: LocalCloud, directory_id: str) -> DirectoryRecord:
    """A directory by its id.

    Raises:
        RequestError: 404 when there is none.
    """
    await delete_expired(cloud)
    directory = await wait_for(cloud.directories.directory(directory_id))
    if directory is None:
        raise _not_found(directory_id)
    return directory


def writable(directory: DirectoryRecord) -> DirectoryRecord:
    """The directory, unless an index writes it.

    Raises:
        RequestError: 400 when one does.
    """
    if directory.type == INDEX:
        raise RequestError(
            400, f"Directory {directory.id} is written by its index; change the index's source directory"
        )
    return directory


async def delete_expired(cloud: LocalCloud) -> None:
    """Delete the directories whose time is over."""
    unneeded = await wait_for(cloud.directories.delete_expired())
    await cloud.in_thread(cloud.blobs.forget, unneeded)


def describe_directory(cloud: LocalCloud, directory: DirectoryRecord) -> Mapping[str, Any]:
    """A directory as the API shows it."""
    return {
        "id": directory.id,
        "name": directory.name,
        "project_id": cloud.project.id,
        "connector_subscription_id": None,
        "description": directory.description,
        "type": directory.type,
        "system_metadata": directory.system_metadata,
        "expires_at": directory.expires_at,
        "created_at": directory.created_at,
        "updated_at": directory.updated_at,
        "deleted_at": directory.deleted_at,
    }


def _not_found(directory_id: str) -> RequestError:
    return RequestError(404, f"Directory {directory_id} not found")


_DIRECTORIES = "/api/v1/beta/directories"
ROUTES = [
    Route(_DIRECTORIES, create_directory, methods=["POST"]),
    Route(_DIRECTORIES, list_directories, methods=["GET"]),
    Route(f"{_DIRECTORIES}/{{directory_id}}", get_directory, methods=["GET"]),
    Route(f"{_DIRECTORIES}/{{directory_id}}", update_directory, methods=["PATCH"]),
    Route(f"{_DIRECTORIES}/{{directory_id}}", delete_directory, methods=["DELETE"]),
]
