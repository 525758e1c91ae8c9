"""The endpoints of Batches v2, one function each. All run on the I/O loop and return decoded JSON.

A batch runs one product's job on every file of a directory. The service's own reference:
https://developers.llamaindex.ai/reference/resources/batches/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.models.batch import BatchOptions
    from llama_cloud_ext.wire.parse import Permit, Recover
    from llama_cloud_ext.wire.transport import Connection

_BATCHES = "/api/v2/batches"


async def create(
    connection: Connection, options: BatchOptions, *, recover: Recover | None = None, permit: Permit | None = None
) -> dict[str, Any]:
    """Start a batch over all files of a directory.

    Args:
        connection: Where to ask.
        options: The directory, and what is done with each file.
        recover: Called before a create whose answer was lost is repeated.
        permit: Asked right before each send; what it raises ends the create.

    Returns:
        The batch's record.
    """
    return as_mapping(
        await connection.request("POST", _BATCHES, json=options.to_body(), recover=recover, permit=permit)
    )


async def get(connection: Connection, batch_id: str, *, expand: Sequence[str] = ()) -> dict[str, Any]:
    """A batch.

    Args:
        connection: Where to ask.
        batch_id: The batch.
        expand: "results": which job each file got. They may be null while the batch is running.

    Returns:
        The batch's record. COMPLETED says that every file was mapped to a job, not how the jobs ended.
    """
    params = {"expand": list(expand)}
    return as_mapping(await connection.request("GET", path_with(f"{_BATCHES}/", batch_id), params=params))


def list_batches(
    connection: Connection,
    *,
    status: str | None = None,
    source_directory_id: str | None = None,
    created_at_on_or_after: datetime | str | None = None,
    created_at_on_or_before: datetime | str | None = None,
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's batches, the newest first.

    Args:
        connection: Where to ask.
        status: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED.
        source_directory_id: Only batches over this directory.
        created_at_on_or_after: Only batches from this time on.
        created_at_on_or_before: Only batches up to this time.
        page_size: Records in one answer; the service decides by default.

    Yields:
        One record a batch, without results.
    """
    params = {
        "created_at_on_or_after": created_at_on_or_after,
        "created_at_on_or_before": created_at_on_or_before,
        "page_size": page_size,
        "source_directory_id": source_directory_id,
        "status": status,
    }
    return iterate_pages(connection, _BATCHES, params=params)


async def cancel(connection: Connection, batch_id: str) -> dict[str, Any]:
    """Stop a batch. Jobs that it has made already go on.

    Args:
        connection: Where to ask.
        batch_id: The batch.

    Returns:
        The batch's record.
    """
    return as_mapping(await connection.request("POST", path_with(f"{_BATCHES}/", batch_id, "/cancel")))
