"""Parse jobs as the job watcher sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from llama_cloud_ext.wire import parse
from llama_cloud_ext.wire.models.parse_response import ParseStatus
from llama_cloud_ext.wire.product_jobs import ProductJobs
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import LIST_BUDGET_SECONDS, JobRecord


async def _get(connection: Connection, job_id: str) -> JobRecord:
    response = await parse.get(connection, job_id)
    record = response.get("job") if isinstance(response, dict) else None
    return record if isinstance(record, dict) else {}


def _list(connection: Connection, job_ids: Sequence[str]) -> AsyncIterator[JobRecord]:
    return parse.list_jobs(connection, job_ids=job_ids, budget=LIST_BUDGET_SECONDS)


PARSE_JOBS = ProductJobs(
    product="parse",
    get=_get,
    list_jobs=_list,
    terminal=frozenset(status.value for status in ParseStatus if status.terminal),
    cancel=parse.cancel,
    delete=parse.delete,
)
