"""Parse jobs as the job watcher sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from llama_cloud_ext.wire import parse
from llama_cloud_ext.wire.models.parse_response import ParseStatus
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import JobKind, JobRecord

# A list that keeps failing is not worth a long wait: each job can be asked for by itself.
_LIST_BUDGET_SECONDS = 8.0


async def _get(connection: Connection, job_id: str) -> JobRecord:
    response = await parse.get(connection, job_id)
    record = response.get("job") if isinstance(response, dict) else None
    return record if isinstance(record, dict) else {}


def _list(connection: Connection, job_ids: Sequence[str]) -> AsyncIterator[JobRecord]:
    return parse.list_jobs(connection, job_ids=job_ids, budget=_LIST_BUDGET_SECONDS)


PARSE_JOBS = JobKind(
    product="parse",
    get=_get,
    list_jobs=_list,
    terminal=frozenset(status.value for status in ParseStatus if status.terminal),
)
