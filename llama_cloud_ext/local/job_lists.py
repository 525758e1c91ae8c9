"""Lists of jobs, newest first: what their queries may ask for, and how their pages are answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.job_table import JobRecord, JobTable
from llama_cloud_ext.local.request_errors import invalid
from llama_cloud_ext.local.validation import moment, page_size, read_cursor, split_values, write_cursor

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from llama_cloud_ext.local.store import Page

J = TypeVar("J", bound=JobRecord)


async def job_page(
    query: QueryParams, jobs: JobTable[J], statuses: Sequence[str], filters: Sequence[tuple[str, list[str]]] = ()
) -> Page:
    """The page of jobs that a query asks for: by status, ids and creation, and by the product's own filters.

    Args:
        query: The request's query.
        jobs: The product's jobs.
        statuses: Those that can be asked for.
        filters: Columns with the values that they may have.

    Raises:
        RequestError: A value of the query cannot be read.
    """
    conditions = list(filters)
    if (status := query.get("status")) is not None:
        if status not in statuses:
            raise invalid(["query", "status"], f"Input should be one of: {', '.join(statuses)}", status, "enum")
        conditions.append(("status", [status]))
    if job_ids := split_values(query.getlist("job_ids")):
        conditions.append(("id", job_ids))
    before = read_cursor(query.get("page_token"), [int])
    return await wait_for(
        jobs.page(
            conditions,
            created_from=moment("created_at_on_or_after", query.get("created_at_on_or_after")),
            created_to=moment("created_at_on_or_before", query.get("created_at_on_or_before")),
            before=before[0] if before else None,
            limit=page_size(query.get("page_size")),
        )
    )


def page_of(items: Sequence[Any], page: Page) -> dict[str, Any]:
    """The answer for a page.

    Args:
        items: Its records as they are answered.
        page: The page.
    """
    return {
        "items": list(items),
        "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
        "total_size": page.total,
    }
