"""Waiting for the sync of an index over a directory, and what failed in it. Everything here runs on the I/O loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import FailedItem, IngestionError, JobCancelledError, JobDeadlineError, JobFailedError
from llama_cloud_ext.index.retrieval import is_name
from llama_cloud_ext.wire import directory_files, index_retrieval, indexes
from llama_cloud_ext.wire.ingestion_jobs import DIRECTORY_SYNC
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects, as_text
from llama_cloud_ext.wire.watcher import watcher_for

if TYPE_CHECKING:
    from llama_cloud_ext.errors import LlamaCloudError
    from llama_cloud_ext.index.reference import FoundIndex

logger = logging.getLogger(__name__)

_PAGE_SIZE = 1000
# What the service says just after a sync was asked for may still be of the sync before: it is asked again, for so long.
_STALE = (0.1, 0.4, 1.0)
_TIMES = ("last_synced_at", "last_exported_at")


async def sync_and_wait(
    found: FoundIndex, *, timeout: float | None, raise_on_error: bool, names: Collection[str] | None = None
) -> dict[str, Any]:
    """Have an index follow its directory, and wait until it has.

    Args:
        found: The index.
        timeout: The most seconds to wait; None waits for ever.
        raise_on_error: Whether files that failed raise; else they are logged.
        names: Only failures of files of these names count; None for all.

    Returns:
        The index's record.

    Raises:
        As `wait_for_sync`.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    before = await indexes.get(found.connection, found.index_id)
    await indexes.sync(found.connection, found.index_id)
    record = await _finished(found, deadline)
    for pause in _STALE:
        if any(record.get(name) != before.get(name) for name in _TIMES):
            break
        await asyncio.sleep(pause)
        record = await _finished(found, deadline)
    await _conclude(found, record, raise_on_error, names)
    return record


async def wait_for_sync(found: FoundIndex, *, timeout: float | None, raise_on_error: bool) -> dict[str, Any]:
    """Wait until no sync of an index is running.

    Args:
        found: The index.
        timeout: The most seconds to wait; None waits for ever.
        raise_on_error: Whether files that failed raise; else they are logged.

    Returns:
        The index's record.

    Raises:
        IngestionError: Files could not be parsed; each is named with its reason.
        JobFailedError: The sync itself failed.
        JobCancelledError: It was cancelled.
        JobDeadlineError: It was not done in time; it goes on, and can be waited for again.
    """
    record = await _finished(found, None if timeout is None else time.monotonic() + timeout)
    await _conclude(found, record, raise_on_error, None)
    return record


async def _finished(found: FoundIndex, deadline: float | None) -> dict[str, Any]:
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        return await watcher_for(found.connection, DIRECTORY_SYNC).wait(found.index_id, timeout=left)
    except JobDeadlineError as error:
        raise JobDeadlineError(
            f"index {found.index_id} was still syncing at the deadline",
            product="index sync",
            job_id=found.index_id,
            status=error.status,
            job=error.job,
            hint="It goes on: wait_for_completion() waits again; timeout= allows more time.",
        ) from error


async def _conclude(
    found: FoundIndex, record: dict[str, Any], raise_on_error: bool, names: Collection[str] | None
) -> None:
    """Raise or log what failed."""
    status = as_text(record.get("status"))
    reason = as_text(as_mapping(record.get("metadata")).get("error_message"))
    facts: dict[str, Any] = {
        "product": "index sync",
        "job_id": found.index_id,
        "status": status,
        "job": {name: value for name, value in record.items() if name != "status"},
    }
    failures = await _failures(found, record, names) if status != "CANCELLED" else []
    error: LlamaCloudError | None = None
    if failures:
        error = IngestionError(failures=failures, hint="Mend or delete them, then sync again.", **facts)
    elif status == "CANCELLED":
        error = JobCancelledError(reason=reason, **facts)
    elif status != "SUCCESS":
        error = JobFailedError(reason=reason or "the service gives no reason", **facts)
    if error is None:
        return
    if raise_on_error:
        raise error
    logger.warning("%s", error)


async def _failures(found: FoundIndex, record: dict[str, Any], names: Collection[str] | None) -> list[FailedItem]:
    """The files that are not in the index, each with the service's reason where it tells one.

    An index calls itself ready with files in it that failed, so that what it has is compared with its directory.
    """
    told = as_mapping(record.get("metadata")).get("failed_files")
    reasons = {str(one.get("file_name")): as_text(one.get("error_message")) for one in as_objects(told)}
    missing = list(reasons) if isinstance(told, list) else await _missing(found, record)
    return [
        FailedItem(
            name,
            JobFailedError(
                product="index sync",
                job_id=found.index_id,
                status="ERROR",
                reason=reasons.get(name) or "the service gives no reason",
                file=name,
            ),
        )
        for name in missing
        if names is None or name in names
    ]


async def _missing(found: FoundIndex, record: dict[str, Any]) -> list[str]:
    directory_id = as_text(record.get("source_directory_id"))
    if directory_id is None or not is_name(directory_id):
        return []
    wanted: Counter[str] = Counter()
    async for file in directory_files.list_files(found.connection, directory_id, page_size=_PAGE_SIZE):
        wanted[str(file.get("display_name"))] += 1
    present: Counter[str] = Counter()
    async for file in index_retrieval.find(found.connection, found.index_id, page_size=_PAGE_SIZE):
        present[str(file.get("file_name"))] += 1
    if present and not wanted.keys() & present.keys():
        logger.debug(
            "index %s calls its files otherwise than its directory does; they are not compared", found.index_id
        )
        return []
    return list((wanted - present).elements())
