"""The composite retrievers of a data folder. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.store import Page, timestamp


@dataclass(frozen=True)
class RetrieverRecord:
    """One retriever. `pipelines` is as a request brought it, without those that have been deleted since."""

    id: str
    name: str
    project_id: str
    pipelines: list[dict[str, Any]]
    created_at: str
    updated_at: str
    sequence: int


class RetrieverStore:
    """Composite retrievers in the database of a data folder.

    Args:
        database: The database.
        project_id: The folder's project, to which all of them belong.
    """

    def __init__(self, database: Database, project_id: str) -> None:
        self._database = database
        self._project_id = project_id

    def create(self, name: str, pipelines: Sequence[Mapping[str, Any]]) -> Future[RetrieverRecord | None]:
        """Create a retriever; None where the name belongs to another."""
        return self._database.write(lambda connection: self._insert(connection, name, pipelines))

    def upsert(self, name: str, pipelines: Sequence[Mapping[str, Any]]) -> Future[RetrieverRecord]:
        """Create a retriever, or give the one of this name other pipelines."""

        def work(connection: sqlite3.Connection) -> RetrieverRecord:
            row = connection.execute(
                "INSERT INTO retrievers (id, name, project_id, pipelines, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, name) DO UPDATE "
                "SET pipelines = excluded.pipelines, updated_at = excluded.updated_at RETURNING *",
                self._values(name, pipelines),
            ).fetchone()
            return _retriever_of(connection, row)

        return self._database.write(work)

    def update(
        self, retriever_id: str, *, name: str | None, pipelines: Sequence[Mapping[str, Any]] | None
    ) -> Future[RetrieverRecord | None]:
        """Change a retriever; None where there is none.

        Args:
            retriever_id: The retriever.
            name: Its new name; None to leave it.
            pipelines: Its new pipelines; None to leave them.

        Raises:
            NameTakenError: The name belongs to another one.
        """
        text = None if pipelines is None else json.dumps(pipelines)

        def work(connection: sqlite3.Connection) -> RetrieverRecord | None:
            try:
                row = connection.execute(
                    "UPDATE retrievers SET name = COALESCE(?, name), pipelines = COALESCE(?, pipelines), "
                    "updated_at = ? WHERE id = ? RETURNING *",
                    (name, text, timestamp(), retriever_id),
                ).fetchone()
            except sqlite3.IntegrityError as error:
                raise NameTakenError(name) from error
            return None if row is None else _retriever_of(connection, row)

        return self._database.write(work)

    def retriever(self, retriever_id: str) -> Future[RetrieverRecord | None]:
        """One retriever, or None."""

        def work(connection: sqlite3.Connection) -> RetrieverRecord | None:
            row = connection.execute("SELECT * FROM retrievers WHERE id = ?", (retriever_id,)).fetchone()
            return None if row is None else _retriever_of(connection, row)

        return self._database.read(work)

    def retrievers(self, *, name: str | None = None, before: int | None = None, limit: int = -1) -> Future[Page]:
        """List retrievers, newest first.

        Args:
            name: Only the one of this name.
            before: Only those created before this sequence number (the cursor).
            limit: Most rows to return; -1 for all.
        """
        where, values = ("TRUE", []) if name is None else ("name = ?", [name])
        cursor, position = ("", []) if before is None else (" AND sequence < ?", [before])
        select = f"SELECT * FROM retrievers WHERE {where}{cursor} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - values are bound
        count = f"SELECT COUNT(*) FROM retrievers WHERE {where}"  # noqa: S608 - values are bound

        def work(connection: sqlite3.Connection) -> Page:
            most = limit if limit < 0 else limit + 1
            found = connection.execute(select, (*values, *position, most)).fetchall()
            rows = [_retriever_of(connection, row) for row in (found if limit < 0 else found[:limit])]
            return Page(rows, len(found) > len(rows), connection.execute(count, values).fetchone()[0])

        return self._database.read(work)

    def delete(self, retriever_id: str) -> Future[bool]:
        """Forget a retriever; False when there is none."""
        return self._database.write(
            lambda connection: connection.execute("DELETE FROM retrievers WHERE id = ?", (retriever_id,)).rowcount > 0
        )

    def _insert(
        self, connection: sqlite3.Connection, name: str, pipelines: Sequence[Mapping[str, Any]]
    ) -> RetrieverRecord | None:
        try:
            row = connection.execute(
                "INSERT INTO retrievers (id, name, project_id, pipelines, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                self._values(name, pipelines),
            ).fetchone()
        except sqlite3.IntegrityError:
            return None
        return _retriever_of(connection, row)

    def _values(self, name: str, pipelines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        now = timestamp()
        return (str(uuid.uuid4()), name, self._project_id, json.dumps(pipelines), now, now)


class NameTakenError(Exception):
    """Another retriever has this name."""


def _retriever_of(connection: sqlite3.Connection, row: sqlite3.Row) -> RetrieverRecord:
    pipelines = json.loads(row["pipelines"])
    ids = [pipeline["pipeline_id"] for pipeline in pipelines]
    select = f"SELECT id FROM pipelines WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608 - values are bound
    known = {found["id"] for found in connection.execute(select, ids)}
    left = [pipeline for pipeline in pipelines if pipeline["pipeline_id"] in known]
    return RetrieverRecord(**{**dict(row), "pipelines": left})
