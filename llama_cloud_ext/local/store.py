"""What local LlamaCloud knows: files, the one project, and what all of its lists have in common.

Every method returns a `concurrent.futures.Future`: route handlers await it (`asyncio.wrap_future`), job threads ask
for its `result()`. Contents are not in here but in `blobs`.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.database import Database


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
        condition, values = where(filters)
        follows, positions = _following(order, after)
        ordering = ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column, descending in order)
        select = f"SELECT * FROM files {condition}{follows} ORDER BY {ordering} LIMIT ?"  # noqa: S608 - the parts are ours, values are bound
        count = f"SELECT COUNT(*) FROM files {condition}"  # noqa: S608 - the parts are ours, values are bound

        def work(connection: sqlite3.Connection) -> Page:
            rows = [FileRecord(**row) for row in connection.execute(select, (*values, *positions, limit + 1))]
            return Page(rows[:limit], len(rows) > limit, connection.execute(count, values).fetchone()[0])

        return self._database.read(work)

    # -- contents -----------------------------------------------------------------------------------------------------

    def known_blobs(self) -> Future[set[str]]:
        """Ids of every file, unfinished job and result: what a clean-up must leave alone."""
        select = (
            "SELECT id FROM files UNION SELECT id FROM jobs WHERE status IN ('PENDING', 'RUNNING') "
            "UNION SELECT result_id FROM jobs WHERE result_id IS NOT NULL "
            "UNION SELECT id FROM directory_files WHERE deleted_at IS NULL"
        )

        def work(connection: sqlite3.Connection) -> set[str]:
            return {row[0] for row in connection.execute(select)}

        return self._database.read(work)


def timestamp(moment: datetime | None = None) -> str:
    """Write a moment (default: now) as the service does; such texts sort by time.

    Example:
        >>> timestamp(datetime(2026, 1, 2, tzinfo=timezone.utc))
        '2026-01-02T00:00:00.000000Z'
    """
    moment = datetime.now(timezone.utc) if moment is None else moment.astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def where(
    filters: Iterable[tuple[str, Sequence[Any]]], comparisons: Iterable[tuple[str, Any]] = ()
) -> tuple[str, list[Any]]:
    """The WHERE clause of a list, and its values.

    Args:
        filters: Pairs of column (a name of ours) and accepted values.
        comparisons: Pairs of condition with one placeholder and its value; None for no condition.

    Example:
        >>> where([("status", ["PENDING", "RUNNING"])], [("created_at >= ?", None)])
        ('WHERE 1 = 1 AND status IN (?, ?)', ['PENDING', 'RUNNING'])
    """
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
