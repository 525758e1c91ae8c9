"""`/api/v1/indexes`: the indexes over directories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directories_routes import existing_directory, writable
from llama_cloud_ext.local.directory_index_sync import SyncState, sync_index, sync_state
from llama_cloud_ext.local.directory_records import DirectoryIndexRecord
from llama_cloud_ext.local.parse_versions import PRESETS
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import page_size, parse_json, read_cursor, split_values, text_in, write_cursor

if TYPE_CHECKING:
    from starlette.requests import Request

    from llama_cloud_ext.local.cloud import LocalCloud

FREQUENCIES = ("manual", "daily", "on_source_change")
"""`daily` is accepted and runs no clock: nothing here outlives the process."""
TARGETS = ("DEFAULT", "DISABLED")
ATTACHMENTS = ("screenshots", "items")
IN_PROGRESS = "sync_in_progress"


async def create_index(request: Request) -> Response:
    """POST /api/v1/indexes: create an index over a directory, and begin its first sync."""
    check_scope(request)
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    configuration = _configuration(body)
    directory = writable(await existing_directory(cloud, str(text_in(body, "source_directory_id"))))
    index = await wait_for(
        cloud.directory_indexes.create(
            directory,
            name=text_in(body, "name", required=False) or directory.name,
            description=text_in(body, "description", required=False),
            configuration=configuration,
        )
    )
    if index is None:
        raise RequestError(409, f"There is an index over directory {directory.id} already")
    await sync_index(cloud, index)
    return json_answer(await describe_index(cloud, await _again(cloud, index)))


async def list_indexes(request: Request) -> Response:
    """GET /api/v1/indexes: by directory, page by page."""
    check_scope(request)
    cloud = cloud_of(request)
    query = request.query_params
    after = read_cursor(query.get("page_token"), [int])
    page = await wait_for(
        cloud.directory_indexes.indexes(
            source_directory_id=query.get("source_directory_id"),
            after=after[0] if after else 0,
            limit=page_size(query.get("page_size")),
        )
    )
    return json_answer(
        {
            "items": [await describe_index(cloud, index) for index in page.rows],
            "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
            "total_size": page.total,
        }
    )


async def get_index(request: Request) -> Response:
    """GET /api/v1/indexes/{id}."""
    index = await _known_index(request)
    cloud = cloud_of(request)
    expand = split_values(request.query_params.getlist("expand"))
    for value in expand:
        if value != IN_PROGRESS:
            raise invalid(["query", "expand"], f"Input should be '{IN_PROGRESS}'", value, "literal_error")

    async def look() -> SyncState:
        return await sync_state(cloud, index)

    state = await settled(
        look,
        cloud.ingestion.ends,
        lambda now: not now.in_progress,
        lambda _: index.sync_requested_at or index.created_at,
    )
    return json_answer(await describe_index(cloud, index, state, expanded=bool(expand)))


async def delete_index(request: Request) -> Response:
    """DELETE /api/v1/indexes/{id}: 204; its directory stays."""
    index = await _known_index(request)
    cloud = cloud_of(request)
    unneeded = await wait_for(cloud.directory_indexes.delete(index))
    await wait_for(cloud.pipelines.delete(index.pipeline_id))
    await cloud.in_thread(cloud.blobs.forget, unneeded)
    return Response(status_code=204)


async def start_sync(request: Request) -> Response:
    """POST /api/v1/indexes/{id}/sync."""
    index = await _known_index(request)
    cloud = cloud_of(request)
    await sync_index(cloud, index)
    return json_answer(await describe_index(cloud, await _again(cloud, index)), 202)


async def cancel_sync(request: Request) -> Response:
    """POST /api/v1/indexes/{id}/sync/cancel: 409 where none is running."""
    index = await _known_index(request)
    cloud = cloud_of(request)
    if not (await sync_state(cloud, index)).in_progress:
        raise RequestError(409, f"No sync of index {index.id} is running")
    await wait_for(cloud.pipelines.cancel_ingestion(index.pipeline_id))
    cloud.ingestion.ends.tell()
    return json_answer(await describe_index(cloud, index), 202)


async def index_named(cloud: LocalCloud, index_id: str) -> DirectoryIndexRecord:
    """An index by its id, or by that of its export configuration, as the SDK's examples have it.

    Raises:
        RequestError: 404 when there is none.
    """
    index = await wait_for(cloud.directory_indexes.index(index_id))
    if index is None:
        raise RequestError(404, f"Index {index_id} not found")
    return index


async def describe_index(
    cloud: LocalCloud, index: DirectoryIndexRecord, state: SyncState | None = None, *, expanded: bool = False
) -> dict[str, Any]:
    """An index as the API shows it.

    Args:
        cloud: The data folder.
        index: The index.
        state: How far it is, where that is known already.
        expanded: Whether it tells if a sync is running.
    """
    state = state or await sync_state(cloud, index)
    return {
        "id": index.id,
        "name": index.name,
        "description": index.description,
        "project_id": cloud.project.id,
        "source_directory_id": index.source_directory_id,
        "output_directory_id": index.output_directory_id,
        "sync_config_id": index.sync_config_id,
        "export_config_id": index.export_config_id,
        "last_synced_at": state.synced_at,
        "last_exported_at": state.synced_at,
        "metadata": await _metadata(cloud, state),
        "sync_in_progress": state.in_progress if expanded else None,
        "created_at": index.created_at,
        "updated_at": index.updated_at,
    }


async def _metadata(cloud: LocalCloud, state: SyncState) -> dict[str, Any]:
    failed = []
    for file_id, reason in state.failures:
        file = await wait_for(cloud.directories.file(file_id))
        name = file_id if file is None else file.display_name
        failed.append({"file_id": file_id, "file_name": name, "error_message": reason})
    message = "; ".join(f"{one['file_name']}: {one['error_message']}" for one in failed) or None
    return {"status": state.status, "error_message": message, "file_counts": state.counts, "failed_files": failed}


async def _known_index(request: Request) -> DirectoryIndexRecord:
    check_scope(request)
    return await index_named(cloud_of(request), request.path_params["index_id"])


async def _again(cloud: LocalCloud, index: DirectoryIndexRecord) -> DirectoryIndexRecord:
    return await wait_for(cloud.directory_indexes.index(index.id)) or index


def _configuration(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body says of how the index works, checked."""
    configuration: dict[str, Any] = {}
    for name, known in (("sync_frequency", FREQUENCIES), ("vector_target", TARGETS)):
        if (value := body.get(name)) is not None:
            if value not in known:
                raise invalid(["body", name], f"Input should be one of: {', '.join(known)}", value, "enum")
            configuration[name] = value
    attachments = _list(body, "store_attachments")
    for kind in attachments:
        if kind not in ATTACHMENTS:
            raise invalid(["body", "store_attachments"], f"Input should be of: {', '.join(ATTACHMENTS)}", kind, "enum")
    for place, product in enumerate(_list(body, "products")):
        _check_product(product, ["body", "products", place])
    return {**configuration, "store_attachments": attachments}


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise invalid(["body", name], "Input should be a valid list", value, "list_type")
    return value


def _check_product(product: Any, place: list[str | int]) -> None:
    if not isinstance(product, dict):
        raise invalid(place, "Input should be a valid dictionary", product, "dict_type")
    if product.get("product_type") != "parse":
        message = "Input should be 'parse': local LlamaCloud indexes what it parses"
        raise invalid([*place, "product_type"], message, product.get("product_type"), "literal_error")
    # All tiers are one engine here, so that any of them will do.
    if product.get("product_config_id") not in PRESETS:
        message = f"Input should be one of: {', '.join(PRESETS)}"
        raise invalid([*place, "product_config_id"], message, product.get("product_config_id"), "enum")


_INDEXES = "/api/v1/indexes"
ROUTES = [
    Route(_INDEXES, create_index, methods=["POST"]),
    Route(_INDEXES, list_indexes, methods=["GET"]),
    Route(f"{_INDEXES}/{{index_id}}", get_index, methods=["GET"]),
    Route(f"{_INDEXES}/{{index_id}}", delete_index, methods=["DELETE"]),
    Route(f"{_INDEXES}/{{index_id}}/sync", start_sync, methods=["POST"]),
    Route(f"{_INDEXES}/{{index_id}}/sync/cancel", cancel_sync, methods=["POST"]),
]
