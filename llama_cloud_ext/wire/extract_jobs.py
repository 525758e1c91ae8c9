"""Extract jobs as the job watcher sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from llama_cloud_ext.errors import BadRequestError, ConflictError, UnprocessableError
from llama_cloud_ext.wire import extract
from llama_cloud_ext.wire.product_jobs import ProductJobs
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import LIST_BUDGET_SECONDS, JobRecord


def _list(connection: Connection, job_ids: Sequence[str]) -> AsyncIterator[JobRecord]:
    return extract.list_jobs(connection, job_ids=job_ids, budget=LIST_BUDGET_SECONDS)


async def _delete(connection: Connection, job_id: str) -> None:
    try:
        await extract.delete(connection, job_id)
    except (BadRequestError, ConflictError, UnprocessableError):
        # It was cancelled before. One whose workflow is gone never ends, and goes away by force alone.
        await extract.delete(connection, job_id, force=True)


EXTRACT_JOBS = ProductJobs(
    product="extract",
    get=extract.get,
    list_jobs=_list,
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
    cancel=extract.cancel,
    delete=_delete,
)
