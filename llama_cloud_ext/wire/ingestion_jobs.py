"""Ingestions as the job watcher sees them: of a whole index, of all of its documents or files, of a single one.

The sync of an index over a directory is one of them.

There are no lists by id for these, so that each is asked for by itself; for many documents or files their counts are,
which costs one request whatever their number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from llama_cloud_ext.wire import indexes, pipeline_documents, pipeline_files, pipelines
from llama_cloud_ext.wire.models.ingestion_status import FINAL
from llama_cloud_ext.wire.models.tolerant import as_boolean, as_integer, as_mapping, as_text
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import JobKind, JobRecord


def _kind(product: str, get: Callable[[Connection, str], Awaitable[JobRecord]]) -> JobKind:
    return JobKind(product=product, get=get, list_jobs=None, terminal=FINAL)


async def _pipeline(connection: Connection, pipeline_id: str) -> JobRecord:
    return {**await pipelines.status(connection, pipeline_id), "id": pipeline_id}


def _one(read: Callable[[Connection, str, str], Awaitable[JobRecord]]) -> Callable[..., Awaitable[JobRecord]]:
    async def get(connection: Connection, job_id: str) -> JobRecord:
        pipeline_id, _, identifier = job_id.partition("/")
        return {**await read(connection, pipeline_id, identifier), "id": job_id}

    return get


def _all(read: Callable[[Connection, str], Awaitable[JobRecord]]) -> Callable[..., Awaitable[JobRecord]]:
    async def get(connection: Connection, job_id: str) -> JobRecord:
        counts = (await read(connection, job_id)).get("counts")
        # An answer without counts tells nothing, and above all not that all is done.
        status = counted_status(counts) if isinstance(counts, dict) else None
        return {"id": job_id, "status": status, "counts": as_mapping(counts)}

    return get


async def _directory_sync(connection: Connection, index_id: str) -> JobRecord:
    record = await indexes.get(connection, index_id, sync_in_progress=True)
    return {**record, "id": index_id, "status": synced_status(record)}


def synced_status(record: dict[str, Any]) -> str:
    """The state of an index over a directory.

    Its `metadata` tells "ready" or "failed" when a sync has ended. A deployment that tells nothing there is believed
    when it says that no sync is running and when the last one ended.

    Args:
        record: The index's record, with `sync_in_progress`.

    Example:
        >>> synced_status({"sync_in_progress": True, "metadata": {"status": "ready"}})
        'IN_PROGRESS'
        >>> synced_status({"sync_in_progress": False, "metadata": {"status": "ready"}})
        'SUCCESS'
    """
    running = as_boolean(record.get("sync_in_progress"))
    status = (as_text(as_mapping(record.get("metadata")).get("status")) or "").upper()
    if running:
        return "IN_PROGRESS"
    if status:
        return {"READY": "SUCCESS", "FAILED": "ERROR", "CANCELED": "CANCELLED"}.get(status, status)
    ended = record.get("last_exported_at") or record.get("last_synced_at")
    return "SUCCESS" if running is False and ended else "IN_PROGRESS"


def counted_status(counts: dict[str, Any]) -> str:
    """The state of a whole whose parts are so many in each state.

    Example:
        >>> counted_status({"SUCCESS": 5, "ERROR": 1}), counted_status({"SUCCESS": 5, "QUEUED": 1})
        ('PARTIAL_SUCCESS', 'IN_PROGRESS')
    """
    present = {str(status).upper() for status, count in counts.items() if as_integer(count)}
    if not present <= FINAL:
        return "IN_PROGRESS"
    if not present & {"ERROR", "CANCELLED", "PARTIAL_SUCCESS"}:
        return "SUCCESS"
    return "ERROR" if present == {"ERROR"} else "CANCELLED" if present == {"CANCELLED"} else "PARTIAL_SUCCESS"


PIPELINE_INGESTION = _kind("ingestion", _pipeline)
"""The job id is the pipeline's."""

DOCUMENT_COUNTS = _kind("ingestion of documents", _all(pipeline_documents.status_counts))
"""The job id is the pipeline's; the record has the `counts`."""

FILE_COUNTS = _kind("ingestion of files", _all(pipeline_files.status_counts))
"""The job id is the pipeline's; the record has the `counts`."""

DOCUMENT_INGESTION = _kind("ingestion of a document", _one(pipeline_documents.status))
"""The job id is "pipeline id/document id"; the latter may contain slashes."""

FILE_INGESTION = _kind("ingestion of a file", _one(pipeline_files.status))
"""The job id is "pipeline id/file id"."""

DIRECTORY_SYNC = _kind("index sync", _directory_sync)
"""The job id is that of an index over a directory; the record is the index's, and has its `metadata`."""
