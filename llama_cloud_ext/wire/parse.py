"""The endpoints of Parse v2, one function each. All run on the I/O loop and return decoded JSON.

The service's own reference: https://developers.llamaindex.ai/reference/resources/parsing/
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.answers import may_be_of_create
from llama_cloud_ext.wire.job_lists import iterate_jobs
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.sources import Source
    from llama_cloud_ext.wire.transport import Connection

_JOBS = "/api/v2/parse"

Recover = Callable[[], Awaitable[dict[str, Any] | None]]
"""Looks for what a lost answer may have created."""

Permit = Callable[[], Awaitable[None]]
"""Raises where something must no longer be sent."""


async def create(
    connection: Connection, body: dict[str, Any], *, recover: Recover | None = None, permit: Permit | None = None
) -> dict[str, Any]:
    """Start a job on a file that the service has, or fetches.

    Args:
        connection: Where to ask.
        body: `ParseConfiguration.to_body()`, with `file_id` or `source_url`.
        recover: Called before a create whose answer was lost is repeated.
        permit: Asked right before each send; what it raises ends the create.

    Returns:
        The job's record.
    """
    is_answer = partial(_may_be_of, body)
    return _record(
        await connection.request("POST", _JOBS, json=body, recover=recover, permit=permit, is_answer=is_answer)
    )


async def upload(
    connection: Connection,
    body: dict[str, Any],
    source: Source,
    *,
    recover: Recover | None = None,
    permit: Permit | None = None,
) -> dict[str, Any]:
    """Upload a file and start a job on it, in one request.

    Args:
        connection: Where to ask.
        body: `ParseConfiguration.to_body()`; sent whole, with `configuration_id`, `user_metadata` and
            `webhook_configuration_ids` where they are set.
        source: The file.
        recover: Called before a create whose answer was lost is repeated.
        permit: Asked right before each send; what it raises ends the create.

    Returns:
        The job's record.
    """
    from llama_cloud_ext.wire.multipart import MultipartBody

    form = MultipartBody([("configuration", json.dumps(body))], "file", source)
    is_answer = partial(_may_be_of, body)
    return _record(
        await connection.request(
            "POST", f"{_JOBS}/upload", body=form, recover=recover, permit=permit, is_answer=is_answer
        )
    )


def _record(answer: Any) -> dict[str, Any]:
    """The job's record. The service's types have it bare, its REST guide within `job`: both are read."""
    record = as_mapping(answer)
    return record if "id" in record else as_mapping(record.get("job")) or record


def _may_be_of(body: Mapping[str, Any], answer: Any) -> bool:
    """Whether an answer can be one to a create with this body."""
    record = _record(answer)
    sent, shown = (as_mapping(one.get("user_metadata")).get(RECOVERY_KEY) for one in (body, record))
    return may_be_of_create(record, sent=sent, shown=shown)


async def get(
    connection: Connection, job_id: str, *, expand: Sequence[str] = (), image_filenames: Sequence[str] = ()
) -> dict[str, Any]:
    """A job and the parts of its result that are asked for.

    Args:
        connection: Where to ask.
        job_id: The job.
        expand: Parts such as "markdown", "items" or "images_content_metadata"; none for the record alone.
        image_filenames: Images to describe; all when empty.

    Returns:
        `{"job": …}` and one entry for each part.
    """
    params = {"expand": list(expand), "image_filenames": ",".join(image_filenames) or None}
    return as_mapping(await connection.request("GET", path_with(f"{_JOBS}/", job_id), params=params))


async def list_jobs(
    connection: Connection,
    *,
    status: str | None = None,
    job_ids: Sequence[str] | None = None,
    created_at_on_or_after: datetime | str | None = None,
    created_at_on_or_before: datetime | str | None = None,
    page_size: int | None = None,
    budget: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's jobs.

    Args:
        connection: Where to ask.
        status: PENDING, RUNNING, COMPLETED, FAILED or CANCELLED.
        job_ids: Only these; asked for in as many requests as addresses of a sane length take. An empty list gives
            nothing.
        created_at_on_or_after: Only jobs from this time on.
        created_at_on_or_before: Only jobs up to this time.
        page_size: Records in one answer; the service decides by default, and with `job_ids` their number is used.
        budget: Seconds for each answer with its retries; None for the settings'.

    Yields:
        One record a job.
    """
    filters = {
        "status": status,
        "created_at_on_or_after": created_at_on_or_after,
        "created_at_on_or_before": created_at_on_or_before,
        "page_size": page_size,
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


async def delete(connection: Connection, job_id: str) -> dict[str, Any]:
    """Delete a job that has ended, with its results.

    Args:
        connection: Where to ask.
        job_id: The job.

    Returns:
        The ids of what was deleted.
    """
    return as_mapping(await connection.request("DELETE", path_with(f"{_JOBS}/", job_id)))


async def versions(connection: Connection) -> dict[str, Any]:
    """The versions of every tier, and what "latest" means for each.

    Args:
        connection: Where to ask.

    Returns:
        A list of versions for each tier, and `latest` by tier.
    """
    return as_mapping(await connection.request("GET", f"{_JOBS}/versions", scoped=False))
