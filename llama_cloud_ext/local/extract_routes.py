"""`/api/v2/extract`: create, list, get, cancel, delete."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.extract_documents import abandon, accepted, document_of
from llama_cloud_ext.local.extract_jobs import NewExtraction
from llama_cloud_ext.local.extract_records import FILE, ExtractJobRecord
from llama_cloud_ext.local.extract_validation import check_extract_configuration
from llama_cloud_ext.local.job_lists import job_page, page_of
from llama_cloud_ext.local.job_table import COMPLETED, STATUSES_TO_ASK_FOR
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.results import NOT_DELIVERED
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import (
    expansions,
    flag,
    parse_json,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud

NOT_FOUND = "Extract job not found"

EXPAND_IN_LIST = ("configuration", "extract_metadata")
EXPAND = (*EXPAND_IN_LIST, "usage")

NOT_APPLIED = ("advanced_citations", "tier", "version")
"""Options about models of the service, which has others than this machine."""

CREDITS = {"credits": 0.0, "extract_credits": 0.0, "parse_credits": 0.0}
"""What anything costs on one's own machine."""

_FILTERS = {
    "configuration_id": "configuration_id",
    "file_input": "file_input",
    "document_input_value": "file_input",  # its deprecated name
    "document_input_type": "document_input_type",
}


async def create_job(request: Request) -> Response:
    """POST /api/v2/extract: extract from a stored file or from what a parse job has parsed."""
    check_scope(request)
    cloud = cloud_of(request)
    body = {name: value for name, value in parse_json(await receive_body(request)).items() if value is not None}
    return json_answer(_job(cloud, await accept_extraction(cloud, body, f"ext-{uuid.uuid4()}")))


async def accept_extraction(cloud: LocalCloud, body: dict[str, Any], job_id: str) -> ExtractJobRecord:
    """Accept a job on a stored file or on what a parse job has parsed.

    Args:
        cloud: The data folder.
        body: The request's, without None entries.
        job_id: The id that the job gets.

    Raises:
        RequestError: The configuration is refused, or there is no such input.
    """
    file_input = body.get("file_input")
    if not isinstance(file_input, str) or not file_input:
        raise invalid(["body", "file_input"], "Field required: a file id or a parse job id", body, "missing")
    configuration = await _configuration(cloud, body)
    _check_webhooks(body)
    document = await document_of(cloud, file_input, configuration)
    job = await wait_for(
        cloud.extract_jobs.accept(
            NewExtraction(
                job_id=job_id,
                name=document.name,
                configuration=configuration,
                configuration_id=body.get("configuration_id"),
                file_input=file_input,
                document_input_type=document.kind,
                options_not_applied=[name for name in NOT_DELIVERED if body.get(name)],
                parsing=document.parsing,
            )
        )
    )
    await accepted(cloud, document, job.parse_job_id)
    cloud.extraction.wake()
    return job


async def list_jobs(request: Request) -> Response:
    """GET /api/v2/extract: newest first, by input, configuration, status, ids and creation."""
    check_scope(request)
    query = request.query_params
    expand = expansions(request, EXPAND_IN_LIST)
    filters = [(column, [query[name]]) for name, column in _FILTERS.items() if name in query]
    cloud = cloud_of(request)
    page = await job_page(query, cloud.extract_jobs, STATUSES_TO_ASK_FOR, filters)
    tiers = await _parse_tiers(cloud, page.rows)
    return json_answer(page_of([_job(cloud, job, expand, tiers.get(job.parse_job_id)) for job in page.rows], page))


async def get_job(request: Request) -> Response:
    """GET /api/v2/extract/{id}: the job with its result, and what `expand` asks for."""
    check_scope(request)
    expand = expansions(request, EXPAND)
    cloud = cloud_of(request)
    job = await _settling_job(request)
    tiers = await _parse_tiers(cloud, [job])
    return json_answer(_job(cloud, job, expand, tiers.get(job.parse_job_id)))


async def cancel_job(request: Request) -> Response:
    """POST /api/v2/extract/{id}/cancel: stop an unfinished job, and the parsing that only it waits for."""
    check_scope(request)
    cloud = cloud_of(request)
    job = await _known_job(request)
    cancelled = await wait_for(cloud.extract_jobs.cancel(job.id))
    if cancelled is None:
        job = await _known_job(request)
        raise RequestError(409, f"Extract job is already {job.status} and cannot be cancelled")
    await _stop(cloud, cancelled)
    return json_answer(_job(cloud, cancelled))


async def delete_job(request: Request) -> Response:
    """DELETE /api/v2/extract/{id}: forget a job and its result; one that is not finished only with `force`."""
    check_scope(request)
    cloud = cloud_of(request)
    force = flag(request, "force")
    job = await _known_job(request)
    if not await wait_for(cloud.extract_jobs.delete(job.id, unfinished=force)):
        job = await _known_job(request)
        raise RequestError(409, f"Extract job is {job.status}; cancel it before deleting it, or pass force=true")
    if not job.finished:
        await _stop(cloud, job)
    return json_answer({})


async def _stop(cloud: LocalCloud, job: ExtractJobRecord) -> None:
    cloud.extraction.stop_job(job.id)
    if job.document_input_type == FILE:
        await abandon(cloud, job.parse_job_id)


async def _configuration(cloud: LocalCloud, body: dict[str, Any]) -> dict[str, Any]:
    """What is to be done: the inline configuration, or the saved one as it is now."""
    given, config_id = body.get("configuration"), body.get("configuration_id")
    if (given is None) == (config_id is None):
        raise invalid(["body"], "Provide exactly one of configuration and configuration_id", None)
    if config_id is None:
        return check_extract_configuration(given, ["body", "configuration"])
    saved = await wait_for(cloud.configurations.get(config_id)) if isinstance(config_id, str) else None
    if saved is None:
        raise RequestError(404, f"Configuration {config_id} not found")
    if saved.product_type != "extract_v2":
        message = f"Configuration {saved.name!r} is of product type {saved.product_type}, not extract_v2"
        raise invalid(["body", "configuration_id"], message, config_id)
    return saved.options


def _check_webhooks(body: dict[str, Any]) -> None:
    for name in NOT_DELIVERED:
        if not isinstance(body.get(name, []), list):
            raise invalid(["body", name], "Input should be a valid list", body[name], "list_type")


async def _settling_job(request: Request) -> ExtractJobRecord:
    """The job, after a moment in which it may end."""
    cloud = cloud_of(request)
    if cloud.simulation is not None:  # a simulation answers as the service
        return await _known_job(request)
    return await settled(
        lambda: _known_job(request), cloud.extraction.ends, lambda job: job.finished, lambda job: job.created_at
    )


async def _known_job(request: Request) -> ExtractJobRecord:
    job = await wait_for(cloud_of(request).extract_jobs.get(request.path_params["job_id"]))
    if job is None:
        raise RequestError(404, NOT_FOUND)
    return job


async def _parse_tiers(cloud: LocalCloud, jobs: Collection[ExtractJobRecord]) -> dict[str, str]:
    """The tiers of the parse jobs behind extract jobs, as far as they still exist."""
    ids = list({job.parse_job_id for job in jobs})
    page = await wait_for(
        cloud.parse_jobs.page([("id", ids)], created_from=None, created_to=None, before=None, limit=len(ids) or 1)
    )
    return {job.id: job.configuration["tier"] for job in page.rows}


def _job(
    cloud: LocalCloud, job: ExtractJobRecord, expand: Collection[str] = (), parse_tier: str | None = None
) -> dict[str, Any]:
    outcome, configuration = job.outcome, job.configuration
    completed = job.status == COMPLETED
    asked = configuration.get("cite_sources") or configuration.get("confidence_scores")
    # What turbo parses is nobody's to use, as it has no parse output with the service.
    hidden = configuration.get("tier") == "turbo" and job.document_input_type == FILE
    metadata = {
        "field_metadata": outcome.get("field_metadata"),
        "parse_job_id": None if hidden else job.parse_job_id,
        "parse_tier": None if hidden else parse_tier,
    }
    notes = {**outcome.get("notes", {})}
    ignored = [*json.loads(job.options_not_applied), *(name for name in NOT_APPLIED if configuration.get(name))]
    if ignored:
        notes["options_not_applied"] = sorted({*notes.get("options_not_applied", ()), *ignored})
    usage = {"num_pages_extracted": outcome.get("pages"), "num_pages_billed": 0} if completed else None
    return {
        "id": job.id,
        "project_id": cloud.project.id,
        "status": job.status,
        "file_input": job.file_input,
        "configuration_id": job.configuration_id,
        "configuration": configuration if "configuration" in expand else None,
        "error_message": job.error_message,
        "extract_result": outcome.get("data"),
        "extract_metadata": metadata if "extract_metadata" in expand or (completed and asked) else None,
        "metadata": {"usage": usage, **notes} if completed or notes else None,
        "usage": CREDITS if "usage" in expand else None,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


ROUTES = [
    Route("/api/v2/extract", create_job, methods=["POST"]),
    Route("/api/v2/extract", list_jobs, methods=["GET"]),
    Route("/api/v2/extract/{job_id}", get_job, methods=["GET"]),
    Route("/api/v2/extract/{job_id}", delete_job, methods=["DELETE"]),
    Route("/api/v2/extract/{job_id}/cancel", cancel_job, methods=["POST"]),
]
