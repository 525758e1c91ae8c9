"""Lists of jobs that take `job_ids`: asked for in as many requests as addresses of a sane length take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llama_cloud_ext.wire.paging import iterate_pages

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_LONGEST_QUERY = 6000
"""Characters of `job_ids` in one request: proxies commonly refuse addresses beyond 8,000."""

_MOST_IDS = 100
"""Ids in one request, so that their records surely fit on one page."""


async def iterate_jobs(
    connection: Connection,
    path: str,
    filters: Mapping[str, Any],
    *,
    job_ids: Sequence[str] | None,
    budget: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The records of a product's jobs.

    Args:
        connection: Where to ask.
        path: The list's path.
        filters: The other filters, `page_size` among them; with `job_ids` their number stands for a missing one.
        job_ids: Only these; None for all, and an empty list gives nothing.
        budget: Seconds for each answer with its retries; None for the settings'.

    Yields:
        One record a job.
    """
    if job_ids is None:
        async for job in iterate_pages(connection, path, params=filters, budget=budget):
            yield job
        return
    for some in _portions(job_ids):
        params = {**filters, "job_ids": some, "page_size": filters.get("page_size") or len(some)}
        async for job in iterate_pages(connection, path, params=params, budget=budget):
            yield job


def _portions(job_ids: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    length = 0
    for job_id in job_ids:
        cost = len("&job_ids=") + len(quote(job_id, safe=""))
        if some and (length + cost > _LONGEST_QUERY or len(some) == _MOST_IDS):
            yield some
            some, length = [], 0
        some.append(job_id)
        length += cost
    if some:
        yield some
