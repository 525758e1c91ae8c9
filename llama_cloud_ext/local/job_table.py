"""The tables of jobs: what is known of each job, and the queue of those that wait.

Parse jobs and extract jobs have a table each, with the same columns at least: `sequence`, `id`, `status`, `name`,
`configuration`, `error_message`, `created_at`, `updated_at`, `owner`, `lease_expires`, `attempts`.
Every method returns a future, as those of `Store` do.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from llama_cloud_ext.local import work_leases
from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.store import Page, timestamp, where

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"
STATUSES = (PENDING, RUNNING, COMPLETED, FAILED, CANCELLED)
STATUSES_TO_ASK_FOR = (*STATUSES, "THROTTLED")
"""THROTTLED is one of the service's that nothing has here."""
UNFINISHED = (PENDING, RUNNING)


@dataclass(frozen=True)
class JobRecord:
    """One job. `configuration` is the request's."""

    id: str
    status: str
    name: str
    configuration: dict[str, Any]
    error_message: str | None
    created_at: str
    updated_at: str
    attempts: int
    sequence: int

    @property
    def finished(self) -> bool:
        """Whether the job is in a terminal state."""
        return self.status not in UNFINISHED


J = TypeVar("J", bound=JobRecord)


class JobTable(Generic[J]):
    """The jobs of one product.

    Args:
        database: The database.
        table: The table; a name of ours.
        record: The class of its rows: those of its columns that the class has are read.
        ready: The condition under which a pending job can be worked on, in SQL of ours; empty for always.

    Example:
        >>> import pathlib, tempfile
        >>> from llama_cloud_ext.local.jobs import ParseJobRecord
        >>> database = Database(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> jobs = JobTable(database, "jobs", ParseJobRecord)
        >>> jobs.add("pjb-1", "report.pdf", {"tier": "fast"}).result().status
        'PENDING'
        >>> queue = jobs.queue("me")
        >>> queue.claim(5.0).result().status
        'RUNNING'
        >>> queue.finish("pjb-1", error_message="PDF_IS_BROKEN: no pages").result()
        True
        >>> jobs.get("pjb-1").result().status
        'FAILED'
        >>> database.close()
    """

    def __init__(self, database: Database, table: str, record: type[J], *, ready: str = "") -> None:
        self._database = database
        self._table = table
        self._columns = [column.name for column in fields(record)]
        self._record = record
        self._ready = f" AND {ready}" if ready else ""

    def queue(self, owner: str) -> JobQueue[J]:
        """The queue of pending jobs, for one owner."""
        return JobQueue(self._database, self._table, self.read, self._ready, owner)

    def read(self, row: sqlite3.Row) -> J:
        """The record of a row."""
        values = {column: row[column] for column in self._columns}
        return self._record(**{**values, "configuration": json.loads(row["configuration"])})

    def insert(self, connection: sqlite3.Connection, job_id: str, name: str, configuration: Any, **more: Any) -> J:
        """Accept a job.

        Args:
            connection: Inside a write transaction.
            job_id: Its id.
            name: What it is about: the file's name.
            configuration: The request's.
            **more: Further columns.
        """
        now = timestamp()
        values = {
            "id": job_id,
            "status": PENDING,
            "name": name,
            "configuration": json.dumps(configuration),
            "created_at": now,
            "updated_at": now,
            **more,
        }
        row = connection.execute(
            f"INSERT INTO {self._table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) RETURNING *",  # noqa: S608 - the parts are ours, values are bound
            list(values.values()),
        ).fetchone()
        return self.read(row)

    def add(self, job_id: str, name: str, configuration: dict[str, Any]) -> Future[J]:
        """Accept a job whose source is already on disk; once the future is done it survives a crash."""
        return self._database.write(lambda connection: self.insert(connection, job_id, name, configuration))

    def get(self, job_id: str) -> Future[J | None]:
        """One job, or None."""

        def work(connection: sqlite3.Connection) -> J | None:
            row = connection.execute(f"SELECT * FROM {self._table} WHERE id = ?", (job_id,)).fetchone()  # noqa: S608 - a name of ours
            return None if row is None else self.read(row)

        return self._database.read(work)

    def page(
        self,
        filters: Iterable[tuple[str, Sequence[Any]]],
        *,
        created_from: str | None,
        created_to: str | None,
        before: int | None,
        limit: int,
    ) -> Future[Page]:
        """List jobs, newest first.

        Args:
            filters: Pairs of column and accepted values.
            created_from: Earliest creation, inclusive, written as `timestamp` writes it.
            created_to: Latest creation, inclusive.
            before: Only jobs accepted before this sequence number (the cursor).
            limit: Most rows to return.
        """
        condition, values = where(filters, [("created_at >= ?", created_from), ("created_at <= ?", created_to)])
        cursor = " AND sequence < ?" if before is not None else ""
        select = f"SELECT * FROM {self._table} {condition}{cursor} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - the parts are ours, values are bound
        count = f"SELECT COUNT(*) FROM {self._table} {condition}"  # noqa: S608 - the parts are ours, values are bound

        def work(connection: sqlite3.Connection) -> Page:
            arguments = [*values, *([before] if before is not None else []), limit + 1]
            rows = [self.read(row) for row in connection.execute(select, arguments)]
            total = connection.execute(count, values).fetchone()[0]
            return Page(rows[:limit], len(rows) > limit, total)

        return self._database.read(work)

    def cancel(self, job_id: str) -> Future[J | None]:
        """Cancel an unfinished job; None when it is unknown or finished."""

        def work(connection: sqlite3.Connection) -> J | None:
            row = connection.execute(
                f"UPDATE {self._table} SET status = ?, updated_at = ?, owner = NULL, lease_expires = NULL "  # noqa: S608 - a name of ours
                "WHERE id = ? AND status IN (?, ?) RETURNING *",
                (CANCELLED, timestamp(), job_id, *UNFINISHED),
            ).fetchone()
            return None if row is None else self.read(row)

        return self._database.write(work)

    def delete(self, job_id: str, *, unfinished: bool = False) -> Future[bool]:
        """Forget a job; False when it is unknown, or is not finished.

        Args:
            job_id: Its id.
            unfinished: Whether to forget one that is not finished too.
        """
        spared = () if unfinished else UNFINISHED
        condition = f"id = ? AND status NOT IN ({', '.join('?' * len(spared))})"
        delete = f"DELETE FROM {self._table} WHERE {condition}"  # noqa: S608 - the parts are ours, values are bound
        return self._database.write(lambda connection: connection.execute(delete, (job_id, *spared)).rowcount > 0)


class JobQueue(Generic[J]):
    """The jobs that wait in a table, as one owner sees them. Made by `JobTable.queue`."""

    def __init__(
        self, database: Database, table: str, read: Callable[[sqlite3.Row], J], ready: str, owner: str
    ) -> None:
        self._database = database
        self._table = table
        self._read = read
        self._ready = ready
        self._owner = owner

    def other_owners(self) -> Future[list[str]]:
        """Everyone else who holds a lease."""
        return self._database.read(
            lambda connection: work_leases.other_owners(connection, self._table, RUNNING, self._owner)
        )

    def claim(self, lease: float, *, gone: Sequence[str] = (), alive: Sequence[str] = ()) -> Future[J | None]:
        """Take a job whose owner is gone, else the oldest that waits; it is then RUNNING and owned.

        Args:
            lease: Seconds until the claim expires unless it is renewed.
            gone: Owners known to have ended.
            alive: Owners known to live.
        """
        lease_ended, ends = work_leases.expired(gone=gone, alive=alive)
        # Two questions, each of which an index answers; with OR, SQLite would go through all jobs that there ever were.
        waiting = [
            (f"status = '{RUNNING}' AND {lease_ended}", ends),
            (f"status = '{PENDING}'{self._ready}", []),
        ]
        update = (
            f"UPDATE {self._table} SET status = ?, owner = ?, lease_expires = ?, attempts = attempts + 1, "  # noqa: S608 - a name of ours
            "updated_at = ? WHERE sequence = ? RETURNING *"
        )

        def first(connection: sqlite3.Connection) -> int | None:
            for condition, values in waiting:
                select = f"SELECT sequence FROM {self._table} WHERE {condition} ORDER BY sequence LIMIT 1"  # noqa: S608 - the parts are ours, values are bound
                if (row := connection.execute(select, values).fetchone()) is not None:
                    return int(row["sequence"])
            return None

        def look(connection: sqlite3.Connection) -> J | None:
            # Asking with a read first keeps idle polling from taking the write lock.
            if first(connection) is None:
                return None
            connection.execute("BEGIN IMMEDIATE")
            try:
                values = (RUNNING, self._owner, time.time() + lease, timestamp(), first(connection))
                row = connection.execute(update, values).fetchone()
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return None if row is None else self._read(row)

        return self._database.read(look)

    def renew(self, lease: float, running: Collection[J]) -> Future[list[J]]:
        """Renew every lease of this owner; those of the running jobs that were cancelled or taken over."""

        def work(connection: sqlite3.Connection) -> list[J]:
            rows = work_leases.renew(connection, self._table, RUNNING, self._owner, lease)
            held = {row["id"] for row in rows}
            return [job for job in running if job.id not in held]

        return self._database.write(work)

    def give_back(self, job: J) -> Future[None]:
        """Put a job that was not finished back in the queue. It counts as an attempt."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE {self._table} SET status = ?, owner = NULL, lease_expires = NULL "  # noqa: S608 - a name of ours
                "WHERE id = ? AND owner = ? AND status = ?",
                (PENDING, job.id, self._owner, RUNNING),
            )

        return self._database.write(work)

    def release(self) -> Future[None]:
        """Put this owner's unfinished jobs back in the queue, as if never started."""
        return self._database.write(
            lambda connection: work_leases.release(connection, self._table, PENDING, RUNNING, self._owner)
        )

    def finish(self, job_id: str, *, error_message: str | None = None, **results: Any) -> Future[bool]:
        """Complete a job, or fail it where there is a message.

        Args:
            job_id: The job.
            error_message: Why it failed.
            **results: Columns of the table that hold, or lead to, what came of it.

        Returns:
            Whether this owner still held it; if not, its results must be thrown away.
        """
        changed = {
            "status": COMPLETED if error_message is None else FAILED,
            "error_message": error_message,
            "updated_at": timestamp(),
            "owner": None,
            "lease_expires": None,
            **results,
        }
        update = f"UPDATE {self._table} SET {' = ?, '.join(changed)} = ? WHERE id = ? AND owner = ? AND status = ?"  # noqa: S608 - the parts are ours, values are bound
        values = [*changed.values(), job_id, self._owner, RUNNING]
        return self._database.write(lambda connection: connection.execute(update, values).rowcount > 0)
