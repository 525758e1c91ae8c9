"""The endpoints of Extract v2, one function each. All run on the I/O loop and return decoded JSON.

The service's own reference: https://developers.llamaindex.ai/reference/resources/extract/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.job_lists import iterate_jobs
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.parse import Permit, Recover
    from llama_cloud_ext.wire.transport import Connection

_JOBS = "/api/v2/extract"


async def create(
    connection: Connection, body: dict[str, Any], *, recover: Recover | None = None, permit: Permit | None = None
) -> dict[str, Any]:
    """Start a job on a file, or on what a parse job made of one.

    Args:
        connection: Where to ask.
        body: `file_input` (the id of a file or of a completed parse job), and `configuration` or `configuration_id`;
            webhooks where they are set.
        recover: Called before a create whose answer was lost is repeated.
        permit: Asked right before each send; what it raises ends the create.

    Returns:
        The job's record.
    """
    return as_mapping(await connection.request("POST", _JOBS, json=body, recover=recover, permit=permit))


async def get(connection: Connection, job_id: str, *, expand: Sequence[str] = ()) -> dict[str, Any]:
    """A job, with its result once it has completed.

    Args:
        connection: Where to ask.
        job_id: The job.
        expand: "configuration", "extract_metadata" (citations and confidence), "usage" (credits).

    Returns:
        The job's record.
    """
    params = {"expand": list(expand)}
    return as_mapping(await connection.request("GET", path_with(f"{_JOBS}/", job_id), params=params))


async def list_jobs(
    connection: Connection,
    *,
    status: str | None = None,
    job_ids: Sequence[str] | None = None,
    file_input: str | None = None,
    configuration_id: str | None = None,
    document_input_type: str | None = None,
    created_at_on_or_after: datetime | str | None = None,
    created_at_on_or_before: datetime | str | None = None,
    expand: Sequence[str] = (),
    page_size: int | None = None,
    budget: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's jobs, the newest first.

    Args:
        connection: Where to ask.
        status: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED.
        job_ids: Only these; asked for in as many requests as addresses of a sane length take.
        file_input: Only jobs on this file or parse job.
        configuration_id: Only jobs with this saved configuration.
        document_input_type: "file_id" or "parse_job_id".
        created_at_on_or_after: Only jobs from this time on.
        created_at_on_or_before: Only jobs up to this time.
        expand: "configuration", "extract_metadata".
        page_size: Records in one answer; the service decides by default, and with `job_ids` their number is used.
        budget: Seconds for each answer with its retries; None for the settings'.

    Yields:
        One record a job.
    """
    filters = {
        "configuration_id": configuration_id,
        "created_at_on_or_after": created_at_on_or_after,
        "created_at_on_or_before": created_at_on_or_before,
        "document_input_type": document_input_type,
        "expand": list(expand),
        "file_input": file_input,
        "page_size": page_size,
        "status": status,
    }
    async for job in iterate_jobs(connection, _JOBS, filters, job_ids=job_ids, budget=budget):
        yield job


async def cancel(connection: Connection, job_id: str) -> dict[str, Any]:
    """Stop a job.

    Args:
        connection: Where to ask.
        job_id: The job.

    Returns:
        The job's record.
    """
    return as_mapping(await connection.request("POST", path_with(f"{_JOBS}/", job_id, "/cancel")))


async def delete(connection: Connection, job_id: str, *, force: bool | None = None) -> None:
    """Delete a job with its result.

    Args:
        connection: Where to ask.
        job_id: The job.
        force: Delete it even if it has not ended.
    """
    await connection.request("DELETE", path_with(f"{_JOBS}/", job_id), params={"force": force})


async def validate_schema(connection: Connection, data_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Have the service check a schema.

    Args:
        connection: Where to ask.
        data_schema: The JSON schema.

    Returns:
        The schema as jobs will use it.
    """
    body = {"data_schema": data_schema}
    path = f"{_JOBS}/schema/validation"
    answer = await connection.request("POST", path, json=body, scoped=False, idempotent=True)
    return as_mapping(as_mapping(answer).get("data_schema"))


async def generate_schema(
    connection: Connection,
    *,
    prompt: str | None = None,
    file_id: str | None = None,
    data_schema: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Have the service make a schema.

    Args:
        connection: Where to ask.
        prompt: What is to be extracted, in words.
        file_id: A file such as those to come.
        data_schema: A schema to refine or extend.
        name: The name of the configuration that the answer holds.

    Returns:
        `{"name": …, "parameters": {"product_type": "extract_v2", "data_schema": …, …}}`: what
        `configurations.upsert` takes.
    """
    body = {"data_schema": data_schema, "file_id": file_id, "name": name, "prompt": prompt}
    sent = {key: value for key, value in body.items() if value is not None}
    # Nothing is kept of it, so that asking again is safe.
    return as_mapping(await connection.request("POST", f"{_JOBS}/schema/generate", json=sent, idempotent=True))
