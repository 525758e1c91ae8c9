"""What local LlamaCloud knows: files, jobs and their leases, the one project.

Every method returns a `concurrent.futures.Future`: route handlers await it (`asyncio.wrap_future`), job threads ask
for its `result()`. Contents are not in here but in `blobs`.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from llama_cloud_ext.local import work_leases
from llama_cloud_ext.local.database import Database

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"
STATUSES = (PENDING, RUNNING, COMPLETED, FAILED, CANCELLED)
UNFINISHED = (PENDING, RUNNING)


@dataclass(frozen=True)
class FileRecord:
    """One uploaded file (its content is the blob of the same id)."""

    id: str
    name: str
    size: int
    purpose: str
    external_file_id: str | None
    created_at: str
    sequence: int = 0


@dataclass(frozen=True)
class JobRecord:
    """One parse job. `configuration` is the request's body, `result_id` the folder of a finished job's results."""

    id: str
    status: str
    name: str
    configuration: dict[str, Any]
    error_message: str | None
    created_at: str
    updated_at: str
    attempts: int
    result_id: str | None
    sequence: int

    @property
    def finished(self) -> bool:
        """Whether the job is in a terminal state."""
        return self.status not in UNFINISHED


@dataclass(frozen=True)
class ProjectRecord:
    """The one project of a data folder."""

    id: str
    organization_id: str
    name: str
    created_at: str


@dataclass(frozen=True)
class Page:
    """One page of a list: its rows, whether more follow, and how many match in all."""

    rows: list[Any]
    more: bool
    total: int


class Store:
    """The database of one data folder.

    Args:
        path: The SQLite file.

    Example:
        >>> import pathlib, tempfile
        >>> store = Store(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> store.project().result().name
        'Default'
        >>> store.close()
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    @property
    def database(self) -> Database:
        """The database, which other stores of the same folder use too."""
        return self._database

    def close(self) -> None:
        """Finish pending work and close the database."""
        self._database.close()

    # -- project ------------------------------------------------------------------------------------------------

    def project(self) -> Future[ProjectRecord]:
        """The default project, created once for the folder."""

        def work(connection: sqlite3.Connection) -> ProjectRecord:
            row = connection.execute("SELECT value FROM properties WHERE name = 'project'").fetchone()
            if row is None:
                values = {
                    "id": str(uuid.uuid4()),
                    "organization_id": str(uuid.uuid4()),
                    "name": "Default",
                    "created_at": timestamp(),
                }
                connection.execute("INSERT INTO properties VALUES ('project', ?)", (json.dumps(values),))
            else:
                values = json.loads(row["value"])
            return ProjectRecord(**values)

        return self._database.write(work)

    # -- files --------------------------------------------------------------------------------------------------

    def add_file(self, record: FileRecord) -> Future[None]:
        """Remember an uploaded file whose content is already on disk."""
        values = (record.id, record.name, record.size, record.purpose, record.external_file_id, record.created_at)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO files (id, name, size, purpose, external_file_id, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )

        return self._database.write(work)

    def file(self, file_id: str) -> Future[FileRecord | None]:
        """One file, or None."""

        def work(connection: sqlite3.Connection) -> FileRecord | None:
            row = connection.execute("SELECT * FROM files WHERE id = ?", (file_id,)).fetchone()
            return None if row is None else FileRecord(**row)

        return self._database.read(work)

    def delete_file(self, file_id: str) -> Future[bool]:
        """Forget a file; False when there is none."""
        return self._database.write(
            lambda connection: connection.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount > 0
        )

    def files(
        self,
        filters: Iterable[tuple[str, Sequence[Any]]],
        *,
        order: Sequence[tuple[str, bool]],
        after: Sequence[Any] | None,
        limit: int,
    ) -> Future[Page]:
        """List files.

        Args:
            filters: Pairs of column and accepted values.
            order: Pairs of column and whether the greatest comes first; the last column is unique.
            after: Only rows that follow these values of the order's columns (the cursor), or None for the start.
            limit: Most rows to return.
        """
        # Columns come from the caller's fixed table, never from a request.
        where, values = _where(filters)
        follows, positions = _following(order, after)
        ordering = ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column, descending in order)
        select = f"SELECT * FROM files {where}{follows} ORDER BY {ordering} LIMIT ?"  # noqa: S608 - the parts are ours, values are bound
        count = f"SELECT COUNT(*) FROM files {where}"  # noqa: S608 - the parts are ours, values are bound

        def work(connection: sqlite3.Connection) -> Page:
            rows = [FileRecord(**row) for row in connection.execute(select, (*values, *positions, limit + 1))]
            return Page(rows[:limit], len(rows) > limit, connection.execute(count, values).fetchone()[0])

        return self._database.read(work)

    # -- jobs ---------------------------------------------------------------------------------------------------

    def add_job(self, job_id: str, name: str, configuration: dict[str, Any]) -> Future[JobRecord]:
        """Accept a job whose source is already on disk; once the future is done it survives a crash."""
        now, text = timestamp(), json.dumps(configuration)

        def work(connection: sqlite3.Connection) -> JobRecord:
            cursor = connection.execute(
                "INSERT INTO jobs (id, status, name, configuration, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                (job_id, PENDING, name, text, now, now),
            )
            return _job(cursor.fetchone())

        return self._database.write(work)

    def job(self, job_id: str) -> Future[JobRecord | None]:
        """One job, or None."""

        def work(connection: sqlite3.Connection) -> JobRecord | None:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return None if row is None else _job(row)

        return self._database.read(work)

    def jobs(
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
        where, values = _where(filters, [("created_at >= ?", created_from), ("created_at <= ?", created_to)])
        cursor = " AND sequence < ?" if before is not None else ""
        select = f"SELECT * FROM jobs {where}{cursor} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - the parts are ours, values are bound
        count = f"SELECT COUNT(*) FROM jobs {where}"  # noqa: S608 - the parts are ours, values are bound

        def work(connection: sqlite3.Connection) -> Page:
            arguments = [*values, *([before] if before is not None else []), limit + 1]
            rows = [_job(row) for row in connection.execute(select, arguments)]
            total = connection.execute(count, values).fetchone()[0]
            return Page(rows[:limit], len(rows) > limit, total)

        return self._database.read(work)

    def cancel_job(self, job_id: str) -> Future[JobRecord | None]:
        """Cancel an unfinished job; None when it is unknown or finished."""

        def work(connection: sqlite3.Connection) -> JobRecord | None:
            row = connection.execute(
                "UPDATE jobs SET status = ?, updated_at = ?, owner = NULL, lease_expires = NULL "
                "WHERE id = ? AND status IN (?, ?) RETURNING *",
                (CANCELLED, timestamp(), job_id, *UNFINISHED),
            ).fetchone()
            return None if row is None else _job(row)

        return self._database.write(work)

    def delete_job(self, job_id: str) -> Future[bool]:
        """Forget a finished job; False when it is unknown or unfinished."""
        return self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM jobs WHERE id = ? AND status NOT IN (?, ?)", (job_id, *UNFINISHED)
                ).rowcount
                > 0
            )
        )

    # -- leases -------------------------------------------------------------------------------------------------

    def other_owners(self, owner: str) -> Future[list[str]]:
        """Everyone else who holds a lease."""
        return self._database.read(lambda connection: work_leases.other_owners(connection, "jobs", RUNNING, owner))

    def claim_job(
        self, owner: str, lease: float, *, gone: Sequence[str] = (), alive: Sequence[str] = ()
    ) -> Future[JobRecord | None]:
        """Take the oldest job that waits, or whose owner is gone.

        Args:
            owner: Who takes it.
            lease: Seconds until the claim expires unless it is renewed.
            gone: Owners known to have ended; their leases count as expired.
            alive: Owners known to live; their leases count for `STALLED_SECONDS` longer.

        Returns:
            The job, now RUNNING and owned, or None when there is nothing to do.
        """
        lease_ended, ends = work_leases.expired(gone=gone, alive=alive)
        # Asking with a read first keeps idle polling from taking the write lock.
        waiting = (
            f"SELECT id FROM jobs WHERE status = 'PENDING' OR (status = 'RUNNING' AND {lease_ended}) "  # noqa: S608 - the parts are ours, values are bound
            "ORDER BY sequence LIMIT 1"
        )
        update = (
            "UPDATE jobs SET status = 'RUNNING', owner = ?, lease_expires = ?, attempts = attempts + 1, "  # noqa: S608 - the parts are ours, values are bound
            f"updated_at = ? WHERE id = ({waiting}) RETURNING *"
        )

        def look(connection: sqlite3.Connection) -> JobRecord | None:
            if connection.execute(waiting, ends).fetchone() is None:
                return None
            connection.execute("BEGIN IMMEDIATE")
            try:
                row = connection.execute(update, (owner, time.time() + lease, timestamp(), *ends)).fetchone()
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return None if row is None else _job(row)

        return self._database.read(look)

    def renew_leases(self, owner: str, lease: float) -> Future[set[str]]:
        """Renew every lease of an owner; returns the ids it still holds (others were cancelled or taken over)."""

        def work(connection: sqlite3.Connection) -> set[str]:
            rows = work_leases.renew(connection, "jobs", RUNNING, owner, lease)
            return {row["id"] for row in rows}

        return self._database.write(work)

    def release_leases(self, owner: str) -> Future[None]:
        """Put an owner's unfinished jobs back in the queue, as if never started."""

        return self._database.write(lambda connection: work_leases.release(connection, "jobs", PENDING, RUNNING, owner))

    def finish_job(
        self, job_id: str, owner: str, *, result_id: str | None = None, error_message: str | None = None
    ) -> Future[bool]:
        """Complete a job (with results) or fail it (with a message).

        Returns:
            Whether the owner still held it; if not, its results must be thrown away.
        """
        status = COMPLETED if error_message is None else FAILED

        def work(connection: sqlite3.Connection) -> bool:
            cursor = connection.execute(
                "UPDATE jobs SET status = ?, result_id = ?, error_message = ?, updated_at = ?, owner = NULL, "
                "lease_expires = NULL WHERE id = ? AND owner = ? AND status = ?",
                (status, result_id, error_message, timestamp(), job_id, owner, RUNNING),
            )
            return cursor.rowcount > 0

        return self._database.write(work)

    def known_blobs(self) -> Future[set[str]]:
        """Ids of every file, unfinished job and result: what a clean-up must leave alone."""
        select = (
            "SELECT id FROM files UNION SELECT id FROM jobs WHERE status IN (?, ?) "
            "UNION SELECT result_id FROM jobs WHERE result_id IS NOT NULL "
            "UNION SELECT id FROM directory_files WHERE deleted_at IS NULL"
        )

        def work(connection: sqlite3.Connection) -> set[str]:
            return {row[0] for row in connection.execute(select, UNFINISHED)}

        return self._database.read(work)


def timestamp(moment: datetime | None = None) -> str:
    """Write a moment (default: now) as the service does; such texts sort by time.

    Example:
        >>> timestamp(datetime(2026, 1, 2, tzinfo=timezone.utc))
        '2026-01-02T00:00:00.000000Z'
    """
    moment = datetime.now(timezone.utc) if moment is None else moment.astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _job(row: sqlite3.Row) -> JobRecord:
    return JobRecord(
        id=row["id"],
        status=row["status"],
        name=row["name"],
        configuration=json.loads(row["configuration"]),
        error_message=row["error_message"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        attempts=row["attempts"],
        result_id=row["result_id"],
        sequence=row["sequence"],
    )


def _where(
    filters: Iterable[tuple[str, Sequence[Any]]], comparisons: Iterable[tuple[str, Any]] = ()
) -> tuple[str, list[Any]]:
    conditions: list[str] = ["1 = 1"]
    values: list[Any] = []
    for column, accepted in filters:
        conditions.append(f"{column} IN ({', '.join('?' * len(accepted))})")
        values.extend(accepted)
    for condition, value in comparisons:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return "WHERE " + " AND ".join(conditions), values


def _following(order: Sequence[tuple[str, bool]], after: Sequence[Any] | None) -> tuple[str, list[Any]]:
    """The condition "comes after that row": greater in the first column, or equal there and greater in the next, …"""
    if after is None:
        return "", []
    alternatives: list[str] = []
    values: list[Any] = []
    for index, (column, descending) in enumerate(order):
        equal = [f"{earlier} = ?" for earlier, _ in order[:index]]
        alternatives.append("(" + " AND ".join([*equal, f"{column} {'<' if descending else '>'} ?"]) + ")")
        values.extend(after[: index + 1])
    return f" AND ({' OR '.join(alternatives)})", values
