"""`/api/v2/batches`: create, list, get, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.batch_store import EXTRACT, PARSE, BatchFile, BatchRecord, TooManyFilesError
from llama_cloud_ext.local.batch_tables import CURRENT_API
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directories_routes import existing_directory
from llama_cloud_ext.local.job_table import STATUSES_TO_ASK_FOR
from llama_cloud_ext.local.parse_versions import PRESETS
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.results import NOT_DELIVERED
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import (
    expansions,
    moment,
    page_size,
    parse_json,
    read_cursor,
    text_in,
    write_cursor,
)
from llama_cloud_ext.wire.models.batch import MOST_FILES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud

RESULTS = "results"


async def create_batch(request: Request) -> Response:
    """POST /api/v2/batches: have a job made for every file of a directory."""
    check_scope(request)
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    _refuse_webhooks(body)
    job = await _job(cloud, body)
    directory = await existing_directory(cloud, str(text_in(body, "source_directory_id")))
    try:
        batch = await wait_for(cloud.batches.accept(directory, {"job": job}))
    except TooManyFilesError as error:
        (count,) = error.args
        message = f"Directory {directory.id} has {count} files; a batch takes at most {MOST_FILES}"
        raise RequestError(400, message) from None
    cloud.batch_runner.wake()
    return json_answer(_batch(cloud, batch))


async def list_batches(request: Request) -> Response:
    """GET /api/v2/batches: newest first, by status, directory and creation."""
    check_scope(request)
    query = request.query_params
    filters: list[tuple[str, list[str]]] = [("api", [CURRENT_API])]
    if (status := query.get("status")) is not None:
        if status not in STATUSES_TO_ASK_FOR:
            message = f"Input should be one of: {', '.join(STATUSES_TO_ASK_FOR)}"
            raise invalid(["query", "status"], message, status, "enum")
        filters.append(("status", [status]))
    if (directory_id := query.get("source_directory_id")) is not None:
        filters.append(("source_directory_id", [directory_id]))
    before = read_cursor(query.get("page_token"), [int])
    cloud = cloud_of(request)
    page = await wait_for(
        cloud.batches.page(
            filters,
            created_from=moment("created_at_on_or_after", query.get("created_at_on_or_after")),
            created_to=moment("created_at_on_or_before", query.get("created_at_on_or_before")),
            before=before[0] if before else None,
            limit=page_size(query.get("page_size")),
        )
    )
    return json_answer(
        {
            "items": [_batch(cloud, batch) for batch in page.rows],
            "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
            "total_size": page.total,
        }
    )


async def get_batch(request: Request) -> Response:
    """GET /api/v2/batches/{id}: the batch, and with `expand=results` which job each file got, once that is settled."""
    check_scope(request)
    cloud = cloud_of(request)
    expand = expansions(request, [RESULTS])
    batch = await settled(
        lambda: _known_batch(request), cloud.batch_runner.ends, lambda one: one.finished, lambda one: one.created_at
    )
    files: list[BatchFile] | None = None
    if RESULTS in expand and batch.finished:
        files = await wait_for(cloud.batches.files(batch.id))
    return json_answer(_batch(cloud, batch, files))


async def cancel_batch(request: Request) -> Response:
    """POST /api/v2/batches/{id}/cancel: make no more jobs; those that there are go on."""
    check_scope(request)
    cloud = cloud_of(request)
    batch = await _known_batch(request)
    cancelled = await wait_for(cloud.batches.cancel(batch.id))
    if cancelled is None:
        batch = await _known_batch(request)
        raise RequestError(409, f"Batch is already {batch.status} and cannot be cancelled")
    cloud.batch_runner.stop_batch(batch.id)
    return json_answer(_batch(cloud, cancelled))


async def _job(cloud: LocalCloud, body: dict[str, Any]) -> dict[str, str]:
    """The job that a request wants made for each file."""
    place: list[str | int] = ["body", "config", "job"]
    config = body.get("config")
    job = config.get("job") if isinstance(config, dict) else None
    if not isinstance(job, dict):
        raise invalid(place, "Field required: the type and the configuration_id of a job", config, "missing")
    product, config_id = job.get("type"), job.get("configuration_id")
    if product not in (PARSE, EXTRACT):
        raise invalid([*place, "type"], f"Input should be '{PARSE}' or '{EXTRACT}'", product, "literal_error")
    if not isinstance(config_id, str):
        raise invalid([*place, "configuration_id"], "Input should be a valid string", config_id, "string_type")
    if not (product == PARSE and config_id in PRESETS):
        saved = await wait_for(cloud.configurations.get(config_id))
        if saved is None:
            raise RequestError(404, f"Configuration {config_id} not found")
        if saved.product_type != product:
            message = f"Configuration {saved.name!r} is of product type {saved.product_type}, not {product}"
            raise invalid([*place, "configuration_id"], message, config_id)
    return {"type": product, "configuration_id": config_id}


def _refuse_webhooks(body: dict[str, Any]) -> None:
    """A batch's record has no place to say that nobody is told, as those of jobs have."""
    for name in NOT_DELIVERED:
        if not isinstance(body.get(name) or [], list):
            raise invalid(["body", name], "Input should be a valid list", body[name], "list_type")
        if body.get(name):
            raise RequestError(501, f"Local LlamaCloud delivers no webhooks: leave out {name}")


async def _known_batch(request: Request) -> BatchRecord:
    batch = await wait_for(cloud_of(request).batches.get(request.path_params["batch_id"]))
    if batch is None or batch.api != CURRENT_API:
        raise RequestError(404, "Batch not found")
    return batch


def _batch(cloud: LocalCloud, batch: BatchRecord, files: list[BatchFile] | None = None) -> dict[str, Any]:
    return {
        "id": batch.id,
        "project_id": cloud.project.id,
        "source_directory_id": batch.source_directory_id,
        "config": batch.configuration,
        "status": batch.status,
        "results": None if files is None else [_result(batch, file) for file in files],
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
    }


def _result(batch: BatchRecord, file: BatchFile) -> dict[str, Any]:
    return {
        "source_directory_file_id": file.directory_file_id,
        "job_reference": None if file.job_id is None else {"type": batch.product, "id": file.job_id},
        "error_message": file.error_message,
    }


_BATCHES = "/api/v2/batches"
ROUTES = [
    Route(_BATCHES, create_batch, methods=["POST"]),
    Route(_BATCHES, list_batches, methods=["GET"]),
    Route(f"{_BATCHES}/{{batch_id}}", get_batch, methods=["GET"]),
    Route(f"{_BATCHES}/{{batch_id}}/cancel", cancel_batch, methods=["POST"]),
]
