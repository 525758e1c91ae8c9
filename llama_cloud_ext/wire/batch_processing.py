"""The endpoints of the beta batch-processing API, one function each. All run on the I/O loop and return decoded JSON.

The SDK has them up to 1.6.0; Batches v2 came after them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_offsets, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.models.batch_processing import BatchProcessingOptions
    from llama_cloud_ext.wire.parse import Recover
    from llama_cloud_ext.wire.transport import Connection

_BATCHES = "/api/v1/beta/batch-processing"
_PAGE_SIZE = 100


async def create(
    connection: Connection, options: BatchProcessingOptions, *, recover: Recover | None = None
) -> dict[str, Any]:
    """Start a batch.

    Args:
        connection: Where to ask.
        options: The files, and how they are parsed.
        recover: Called before a create whose answer was lost is repeated.

    Returns:
        The batch's record.
    """
    return as_mapping(await connection.request("POST", _BATCHES, json=options.to_body(), recover=recover))


async def get_status(connection: Connection, job_id: str) -> dict[str, Any]:
    """A batch.

    Args:
        connection: Where to ask.
        job_id: The batch.

    Returns:
        The batch's record, with its `progress_percentage`.
    """
    answer = as_mapping(await connection.request("GET", path_with(f"{_BATCHES}/", job_id)))
    return {**as_mapping(answer.get("job")), "progress_percentage": answer.get("progress_percentage")}


def list_batches(
    connection: Connection,
    *,
    directory_id: str | None = None,
    job_type: str | None = None,
    status: str | None = None,
    page_size: int = _PAGE_SIZE,
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's batches.

    Args:
        connection: Where to ask.
        directory_id: Only batches over this directory.
        job_type: "parse", "extract" or "classify".
        status: Only batches in this state.
        page_size: Records in one answer.

    Yields:
        One record a batch.
    """
    params = {"directory_id": directory_id, "job_type": job_type, "status": status}
    return iterate_offsets(connection, _BATCHES, key="items", offset="offset", params=params, page_size=page_size)


async def cancel(connection: Connection, job_id: str, *, reason: str | None = None) -> dict[str, Any]:
    """Stop a batch: what waits is not begun, what runs may still end.

    Args:
        connection: Where to ask.
        job_id: The batch.
        reason: For those who look at it later.

    Returns:
        What the service says of it.
    """
    body = {} if reason is None else {"reason": reason}
    return as_mapping(await connection.request("POST", path_with(f"{_BATCHES}/", job_id, "/cancel"), json=body))


def list_items(
    connection: Connection, job_id: str, *, status: str | None = None, page_size: int = _PAGE_SIZE
) -> AsyncIterator[dict[str, Any]]:
    """The files of a batch.

    Args:
        connection: Where to ask.
        job_id: The batch.
        status: Only those in this state.
        page_size: Records in one answer.

    Yields:
        One record a file.
    """
    path = path_with(f"{_BATCHES}/", job_id, "/items")
    return iterate_offsets(
        connection, path, key="items", offset="offset", params={"status": status}, page_size=page_size
    )


async def processing_results(connection: Connection, item_id: str, *, job_type: str | None = None) -> dict[str, Any]:
    """What was done with a file.

    Args:
        connection: Where to ask.
        item_id: The file's id in its directory.
        job_type: Only this kind of work.

    Returns:
        The file, with its `processing_results`.
    """
    path = path_with(f"{_BATCHES}/items/", item_id, "/processing-results")
    return as_mapping(await connection.request("GET", path, params={"job_type": job_type}))
