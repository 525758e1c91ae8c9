"""The files of batches of the beta API, each with what its job came to.

Every method returns a future, as those of `Store` do.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.batch_store import BatchFile, BatchRecord
from llama_cloud_ext.local.batch_tables import BETA_API
from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.job_table import CANCELLED, COMPLETED, FAILED, UNFINISHED

ITEM_STATUSES = ("pending", "processing", "completed", "failed", "skipped", "cancelled")

_OF_JOBS = {
    "PENDING": "pending",
    "RUNNING": "processing",
    COMPLETED: "completed",
    FAILED: "failed",
    CANCELLED: "cancelled",
}

_FROM = (
    "FROM batch_files AS files JOIN batches ON batches.id = files.batch_id "
    "LEFT JOIN jobs ON jobs.id = files.job_id "
    "LEFT JOIN directory_files AS named ON named.id = files.directory_file_id"
)
_COLUMNS = (
    "files.directory_file_id, files.job_id, files.error_message, files.skip_reason, batches.status AS batch_status, "
    "jobs.status AS job_status, jobs.error_message AS job_error, jobs.created_at, jobs.updated_at, named.display_name, "
    "batches.configuration"
)


@dataclass(frozen=True)
class BatchItem:
    """A file of a batch.

    Attributes:
        item_id: Its id in its directory.
        name: Its name there.
        status: One of `ITEM_STATUSES`.
        job_id: Its parse job, once there is one.
        error_message: Why it failed.
        skip_reason: Why it was passed over.
        started_at: When its job was accepted.
        completed_at: When its job ended.
        job_config: What the batch was asked to do.
    """

    item_id: str
    name: str
    status: str
    job_id: str | None
    error_message: str | None
    skip_reason: str | None
    started_at: str | None
    completed_at: str | None
    job_config: dict[str, Any]


class BatchItems:
    """The files of the batches in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_batch(self, batch_id: str) -> Future[list[BatchItem]]:
        """The files of a batch, in their order."""
        return self._selected("batches.id = ? ORDER BY files.sequence", [batch_id])

    def of_file(self, item_id: str) -> Future[list[BatchItem]]:
        """A file in every batch that had it, the first one first; empty where there is no such file."""
        condition = "files.directory_file_id = ? AND batches.api = ? ORDER BY files.sequence"
        return self._selected(condition, [item_id, BETA_API])

    def processed_before(self, batch: BatchRecord, file: BatchFile) -> Future[str | None]:
        """The job of an earlier batch that did the same with the same file; None where there is none."""
        select = (
            f"SELECT files.job_id {_FROM} WHERE files.directory_file_id = ? AND files.file_id = ? "
            "AND batches.api = ? AND batches.sequence < ? AND batches.configuration = ? AND jobs.status = ? "
            "AND files.skip_reason IS NULL LIMIT 1"
        )
        configuration = json.dumps(batch.configuration)
        values = (file.directory_file_id, file.file_id, BETA_API, batch.sequence, configuration, COMPLETED)

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(select, values).fetchone()
            return None if row is None else str(row["job_id"])

        return self._database.read(work)

    def cancel(self, batch_id: str) -> Future[list[str] | None]:
        """Cancel a batch whose work is not all done: the jobs that still have to be stopped; None when it is over."""
        jobs = (
            "SELECT job_id FROM batch_files JOIN jobs ON jobs.id = job_id WHERE batch_id = ? AND jobs.status IN (?, ?)"
        )
        update = (
            "UPDATE batches SET status = ?, owner = NULL, lease_expires = NULL WHERE id = ? "
            "AND (status IN (?, ?) OR (status = ? AND ?))"
        )

        def work(connection: sqlite3.Connection) -> list[str] | None:
            running = [str(row["job_id"]) for row in connection.execute(jobs, (batch_id, *UNFINISHED))]
            values = (CANCELLED, batch_id, *UNFINISHED, COMPLETED, bool(running))
            return running if connection.execute(update, values).rowcount else None

        return self._database.write(work)

    def _selected(self, condition: str, values: Sequence[Any]) -> Future[list[BatchItem]]:
        select = f"SELECT {_COLUMNS} {_FROM} WHERE {condition}"
        return self._database.read(lambda connection: [_item(row) for row in connection.execute(select, values)])


def parameters_hash(job_config: dict[str, Any]) -> str:
    """What tells one configuration from another.

    Args:
        job_config: The configuration of a batch.
    """
    return hashlib.sha256(json.dumps(job_config, sort_keys=True).encode()).hexdigest()


def _item(row: sqlite3.Row) -> BatchItem:
    status = _status(row)
    is_over = status in ("completed", "failed", "cancelled")
    return BatchItem(
        item_id=row["directory_file_id"],
        name=row["display_name"] or row["directory_file_id"],
        status=status,
        job_id=row["job_id"],
        error_message=row["error_message"] or row["job_error"],
        skip_reason=row["skip_reason"],
        started_at=row["created_at"],
        completed_at=row["updated_at"] if is_over else None,
        job_config=json.loads(row["configuration"])["job_config"],
    )


def _status(row: sqlite3.Row) -> str:
    if row["skip_reason"]:
        return "skipped"
    if row["error_message"]:
        return "failed"
    if row["job_id"] is None:
        return {CANCELLED: "cancelled", FAILED: "failed"}.get(row["batch_status"], "pending")
    # A job that was deleted had ended.
    return _OF_JOBS.get(row["job_status"], "completed")
