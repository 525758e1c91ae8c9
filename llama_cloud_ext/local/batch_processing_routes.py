"""`/api/v1/beta/batch-processing`: batches as they were before Batches v2. Here they parse, and do nothing else."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.routing import Route

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.batch_items import ITEM_STATUSES, BatchItem, parameters_hash
from llama_cloud_ext.local.batch_store import PARSE, BatchRecord, NoSuchFileError
from llama_cloud_ext.local.batch_tables import BETA_API
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directories_routes import existing_directory
from llama_cloud_ext.local.older_parameters import configuration_of, without_effect
from llama_cloud_ext.local.pipeline_answers import without_secrets
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import check_configuration, number, parse_json, problems_of, text_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud

logger = logging.getLogger(__name__)

JOB_TYPES = ("parse", "extract", "classify")
STATUSES = ("pending", "running", "dispatched", "completed", "failed", "cancelled")
_OVER = ("completed", "failed", "cancelled")
_OF_BATCHES = {"PENDING": "pending", "RUNNING": "running", "FAILED": "failed", "CANCELLED": "cancelled"}

PARSE_JOB = "parse_raw_file_job"
_ELSEWHERE = (
    "http_proxy",
    "input_s3_path",
    "input_url",
    "outputBucket",
    "output_s3_path_prefix",
    "webhook_configurations",
    "webhook_url",
)
"""Parameters that lead out of this machine: better refused than passed over."""

_MOST_RECORDS = 100_000

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class _Progress:
    """A batch with how far its files have come."""

    batch: BatchRecord
    items: Sequence[BatchItem]

    @property
    def status(self) -> str:
        """Its status: dispatched while all files have their jobs, and some of these go on."""
        if self.batch.status != "COMPLETED":
            return _OF_BATCHES[self.batch.status]
        unfinished = any(item.status in ("pending", "processing") for item in self.items)
        return "dispatched" if unfinished else "completed"

    @property
    def processed(self) -> int:
        """Files whose work is over, well or not."""
        return sum(1 for item in self.items if item.status not in ("pending", "processing"))


async def create_batch(request: Request) -> Response:
    """POST /api/v1/beta/batch-processing: parse all files of a directory, or some files."""
    check_scope(request)
    cloud = cloud_of(request)
    body = parse_json(await receive_body(request))
    configuration = _configuration(body)
    directory_id, item_ids = text_in(body, "directory_id", required=False), body.get("item_ids")
    if (directory_id is None) == (item_ids is None):
        raise invalid(["body", "directory_id"], "Either directory_id or item_ids must be provided", directory_id)
    if directory_id is not None:
        directory = await existing_directory(cloud, directory_id)
        batch = await wait_for(cloud.batches.accept(directory, configuration, api=BETA_API))
    else:
        if not isinstance(item_ids, list) or not item_ids or not all(isinstance(one, str) for one in item_ids):
            raise invalid(["body", "item_ids"], "Input should be a list of ids", item_ids, "list_type")
        try:
            batch = await wait_for(cloud.batches.accept_items(item_ids, configuration))
        except NoSuchFileError as error:
            raise RequestError(404, f"Item {error.args[0]} not found") from None
    cloud.batch_runner.wake()
    return json_answer(_job(cloud, await _progress(cloud, batch)))


async def list_batches(request: Request) -> Response:
    """GET /api/v1/beta/batch-processing: newest first, by directory, kind of job and status."""
    check_scope(request)
    cloud = cloud_of(request)
    status = _one_of(request, "status", STATUSES)
    filters: list[tuple[str, list[str]]] = [("api", [BETA_API])]
    if (directory_id := request.query_params.get("directory_id")) is not None:
        filters.append(("source_directory_id", [directory_id]))
    page = await wait_for(
        cloud.batches.page(filters, created_from=None, created_to=None, before=None, limit=_MOST_RECORDS)
    )
    batches = page.rows if _one_of(request, "job_type", JOB_TYPES) in (None, "parse") else []
    if status is None:
        asked = _cut(request, batches)
        records = [_job(cloud, await _progress(cloud, batch)) for batch in asked]
        return json_answer({"items": records, "total_size": len(batches)})
    found = [await _progress(cloud, batch) for batch in batches]
    return json_answer(_page(request, [_job(cloud, one) for one in found if one.status == status]))


async def get_status(request: Request) -> Response:
    """GET /api/v1/beta/batch-processing/{id}: how far a batch has come."""
    check_scope(request)
    cloud = cloud_of(request)
    progress = await _progress(cloud, await _known_batch(request))
    total = len(progress.items)
    percentage = 100.0 * progress.processed / total if total else float(100 * (progress.status in _OVER))
    return json_answer({"job": _job(cloud, progress), "progress_percentage": round(percentage, 1)})


async def cancel_batch(request: Request) -> Response:
    """POST /api/v1/beta/batch-processing/{id}/cancel: stop what waits and what runs."""
    check_scope(request)
    cloud = cloud_of(request)
    batch = await _known_batch(request)
    before = await _progress(cloud, batch)
    running = await wait_for(cloud.batch_items.cancel(batch.id))
    if running is None:
        raise RequestError(409, f"Batch job is already {before.status} and cannot be cancelled")
    cloud.batch_runner.stop_batch(batch.id)
    for job_id in running:
        if await wait_for(cloud.parse_jobs.cancel(job_id)) is not None:
            cloud.runner.stop_job(job_id)
    answer = {
        "job_id": batch.id,
        "message": "Batch job was cancelled",
        "processed_items": before.processed,
        "status": "cancelled",
    }
    return json_answer(answer)


async def list_items(request: Request) -> Response:
    """GET /api/v1/beta/batch-processing/{id}/items: the files of a batch, by status."""
    check_scope(request)
    status = _one_of(request, "status", ITEM_STATUSES)
    progress = await _progress(cloud_of(request), await _known_batch(request))
    records = [_item(item) for item in progress.items if status is None or item.status == status]
    return json_answer(_page(request, records))


async def get_processing_results(request: Request) -> Response:
    """GET /api/v1/beta/batch-processing/items/{id}/processing-results: what was done with a file."""
    check_scope(request)
    cloud = cloud_of(request)
    item_id = request.path_params["item_id"]
    items = await wait_for(cloud.batch_items.of_file(item_id))
    if not items:
        raise RequestError(404, f"Item {item_id} not found")
    wanted = _one_of(request, "job_type", JOB_TYPES) in (None, "parse")
    results = [_result(item) for item in items if wanted and item.status == "completed"]
    return json_answer({"item_id": item_id, "item_name": items[-1].name, "processing_results": results})


def _configuration(body: dict[str, Any]) -> dict[str, Any]:
    """What a batch is created with: the request's words, and what they mean to the parse engine."""
    job_config = body.get("job_config")
    if not isinstance(job_config, dict):
        raise invalid(["body", "job_config"], "Field required", job_config, "missing")
    if "rules" in job_config or job_config.get("job_name", PARSE_JOB) not in (None, PARSE_JOB):
        raise RequestError(501, "This local LlamaCloud processes batches of parse jobs only")
    parameters = job_config.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid(["body", "job_config", "parameters"], "Input should be an object", parameters, "dict_type")
    for name in _ELSEWHERE:
        if parameters.get(name) or (name == "webhook_url" and job_config.get(name)):
            raise RequestError(501, f"This local LlamaCloud cannot do what {name} asks for")
    # Its model costs pydantic time that only this needs.
    from llama_cloud_ext.wire.models.older_parse_parameters import BatchParseParameters

    place: list[str | int] = ["body", "job_config", "parameters"]
    try:
        given = BatchParseParameters(**parameters).to_body()
    except ConfigurationError as error:
        raise RequestError(422, problems_of(error, parameters, place)) from error
    configuration = check_configuration(configuration_of(given))
    if idle := without_effect(given):
        logger.warning("parameters without effect on this local LlamaCloud: %s", ", ".join(idle))
    # Sorted: the order in which things are said makes no other configuration.
    job_config = json.loads(json.dumps(without_secrets({**job_config, "parameters": given}), sort_keys=True))
    return {"job": {"type": PARSE, "configuration": configuration}, "job_config": job_config}


async def _known_batch(request: Request) -> BatchRecord:
    batch = await wait_for(cloud_of(request).batches.get(request.path_params["job_id"]))
    if batch is None or batch.api != BETA_API:
        raise RequestError(404, "Batch job not found")
    return batch


async def _progress(cloud: LocalCloud, batch: BatchRecord) -> _Progress:
    items = await wait_for(cloud.batch_items.of_batch(batch.id))
    return _Progress(batch, items)


def _one_of(request: Request, name: str, known: Sequence[str]) -> str | None:
    value = request.query_params.get(name)
    if value is not None and value not in known:
        raise invalid(["query", name], f"Input should be one of: {', '.join(known)}", value, "enum")
    return value


def _page(request: Request, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"items": _cut(request, records), "total_size": len(records)}


def _cut(request: Request, found: Sequence[_Found]) -> Sequence[_Found]:
    limit = number(request, "limit", 100, least=1, most=1000)
    offset = number(request, "offset", 0)
    return found[offset : offset + limit]


def _job(cloud: LocalCloud, progress: _Progress) -> dict[str, Any]:
    batch, counts = progress.batch, Counter(item.status for item in progress.items)
    ended = [item.completed_at for item in progress.items if item.completed_at is not None]
    started = [item.started_at for item in progress.items if item.started_at is not None]
    completed_at = max([*ended, batch.updated_at]) if progress.status in _OVER else None
    return {
        "id": batch.id,
        "job_type": "parse",
        "project_id": cloud.project.id,
        "status": progress.status,
        "total_items": len(progress.items),
        "processed_items": progress.processed,
        "failed_items": counts["failed"],
        "skipped_items": counts["skipped"],
        "directory_id": batch.source_directory_id or None,
        "error_message": batch.error_message,
        "created_at": batch.created_at,
        "updated_at": max([*ended, batch.updated_at]),
        "started_at": min(started) if started else None,
        "completed_at": completed_at,
        "effective_at": batch.created_at,
        "job_record_id": None,
        "workflow_id": None,
    }


def _item(item: BatchItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "item_name": item.name,
        "status": item.status,
        "job_id": item.job_id,
        "job_record_id": None,
        "error_message": item.error_message,
        "skip_reason": item.skip_reason,
        "started_at": item.started_at,
        "completed_at": item.completed_at,
        "effective_at": item.started_at,
    }


def _result(item: BatchItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "job_type": "parse",
        "job_config": {"job_name": PARSE_JOB, **item.job_config},
        "output_s3_path": f"local://parse/{item.job_id}",
        "output_metadata": None,
        "parameters_hash": parameters_hash(item.job_config),
        "processed_at": item.completed_at,
        "result_id": item.job_id,
    }


_BATCHES = "/api/v1/beta/batch-processing"
ROUTES = [
    Route(_BATCHES, create_batch, methods=["POST"]),
    Route(_BATCHES, list_batches, methods=["GET"]),
    Route(f"{_BATCHES}/items/{{item_id}}/processing-results", get_processing_results, methods=["GET"]),
    Route(f"{_BATCHES}/{{job_id}}", get_status, methods=["GET"]),
    Route(f"{_BATCHES}/{{job_id}}/cancel", cancel_batch, methods=["POST"]),
    Route(f"{_BATCHES}/{{job_id}}/items", list_items, methods=["GET"]),
]
