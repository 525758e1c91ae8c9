"""The directories of a data folder and the files in them. Every method returns a future, as those of `Store` do.

What is deleted stays in its table with the time of its end, as the service lists it; uploads that came into a directory
go with the last directory that has them.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.directory_records import (
    DirectoryFileRecord,
    DirectoryRecord,
    directory_file_of,
    directory_of,
)
from llama_cloud_ext.local.store import Page, timestamp


class UniqueIdTakenError(Exception):
    """Another file of the directory has this unique id."""


class DirectoryStore:
    """Directories in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- directories --------------------------------------------------------------------------------------------

    def create(self, values: Mapping[str, Any]) -> Future[DirectoryRecord]:
        """Create a directory of these columns."""
        return self._database.write(lambda connection: insert_directory(connection, values))

    def directory(self, directory_id: str) -> Future[DirectoryRecord | None]:
        """One directory, unless it was deleted; else None."""

        def work(connection: sqlite3.Connection) -> DirectoryRecord | None:
            row = connection.execute(
                "SELECT * FROM directories WHERE id = ? AND deleted_at IS NULL", (directory_id,)
            ).fetchone()
            return None if row is None else directory_of(row)

        return self._database.read(work)

    def directories(
        self, *, name: str | None, types: Sequence[str], include_deleted: bool, after: int, limit: int
    ) -> Future[Page]:
        """List directories in the order of their creation.

        Args:
            name: Only those of this name.
            types: Only those of these types; any if empty.
            include_deleted: Whether deleted ones are listed, too.
            after: Only those with a greater sequence number.
            limit: Most rows to return.
        """
        conditions: list[tuple[str, Sequence[Any]]] = []
        if name is not None:
            conditions.append(("name = ?", [name]))
        if types:
            conditions.append((f"type IN ({', '.join('?' * len(types))})", types))
        if not include_deleted:
            conditions.append(("deleted_at IS NULL", []))
        return self._page("directories", conditions, after, limit, directory_of)

    def update(self, directory_id: str, values: Mapping[str, Any]) -> Future[DirectoryRecord | None]:
        """Change columns of a directory; None when there is none."""

        def work(connection: sqlite3.Connection) -> DirectoryRecord | None:
            assignments = "".join(f"{name} = ?, " for name in values)
            row = connection.execute(
                f"UPDATE directories SET {assignments}updated_at = ? WHERE id = ? AND deleted_at IS NULL RETURNING *",  # noqa: S608 - names are ours
                (*values.values(), timestamp(), directory_id),
            ).fetchone()
            return None if row is None else directory_of(row)

        return self._database.write(work)

    def delete(self, directory_id: str) -> Future[list[str]]:
        """Delete a directory with its files.

        Returns:
            A future of the ids of the contents that nobody needs any more.
        """
        return self._database.write(lambda connection: delete_directories(connection, [directory_id]))

    def delete_expired(self) -> Future[list[str]]:
        """Delete the directories whose time is over; as `delete`."""
        expired = "SELECT id FROM directories WHERE expires_at <= ? AND deleted_at IS NULL"

        def work(connection: sqlite3.Connection) -> list[str]:
            return delete_directories(connection, [row["id"] for row in connection.execute(expired, (timestamp(),))])

        return self._database.write(work)

    # -- files --------------------------------------------------------------------------------------------------

    def add_file(
        self,
        directory_id: str,
        file_id: str,
        *,
        display_name: str,
        unique_id: str,
        metadata: Mapping[str, Any],
        uploaded: bool,
    ) -> Future[DirectoryFileRecord | None]:
        """Put an upload into a directory.

        Args:
            directory_id: The directory.
            file_id: The upload.
            display_name: What it is called.
            unique_id: What tells it from the others.
            metadata: What the user says of it.
            uploaded: Whether the upload came with it, so that it may go with it.

        Returns:
            A future of the file; of None where the directory is gone. It raises `UniqueIdTakenError`.
        """

        def work(connection: sqlite3.Connection) -> DirectoryFileRecord | None:
            if not _exists(connection, directory_id):
                return None
            values = {
                "directory_id": directory_id,
                "file_id": file_id,
                "unique_id": unique_id,
                "display_name": display_name,
                "metadata": json.dumps(metadata),
                "uploaded": uploaded,
            }
            try:
                return insert_directory_file(connection, values)
            except sqlite3.IntegrityError as error:
                raise UniqueIdTakenError(unique_id) from error

        return self._database.write(work)

    def file(self, directory_file_id: str, directory_id: str | None = None) -> Future[DirectoryFileRecord | None]:
        """One file of a directory, or of any; None when there is none."""
        condition, values = ("", []) if directory_id is None else (" AND directory_id = ?", [directory_id])
        select = f"SELECT * FROM directory_files WHERE id = ? AND deleted_at IS NULL{condition}"  # noqa: S608 - values are bound

        def work(connection: sqlite3.Connection) -> DirectoryFileRecord | None:
            row = connection.execute(select, (directory_file_id, *values)).fetchone()
            return None if row is None else directory_file_of(row)

        return self._database.read(work)

    def files(
        self,
        directory_id: str,
        conditions: Iterable[tuple[str, Any]] = (),
        *,
        include_deleted: bool = False,
        after: int = 0,
        limit: int = -1,
    ) -> Future[Page]:
        """List files in the order in which they came.

        Args:
            directory_id: The directory.
            conditions: Further conditions of the caller's fixed table, each with its value.
            include_deleted: Whether deleted ones are listed, too.
            after: Only those with a greater sequence number.
            limit: Most rows to return; -1 for all.
        """
        where: list[tuple[str, Sequence[Any]]] = [("directory_id = ?", [directory_id])]
        where += [(condition, [value]) for condition, value in conditions]
        if not include_deleted:
            where.append(("deleted_at IS NULL", []))
        return self._page("directory_files", where, after, limit, directory_file_of)

    def update_file(self, directory_file_id: str, values: Mapping[str, Any]) -> Future[DirectoryFileRecord | None]:
        """Change columns of a file; None when it is gone, or its new directory is. It raises `UniqueIdTakenError`."""

        def work(connection: sqlite3.Connection) -> DirectoryFileRecord | None:
            if "directory_id" in values and not _exists(connection, values["directory_id"]):
                return None
            assignments = "".join(f"{name} = ?, " for name in values)
            try:
                row = connection.execute(
                    f"UPDATE directory_files SET {assignments}updated_at = ? "  # noqa: S608 - names are ours
                    "WHERE id = ? AND deleted_at IS NULL RETURNING *",
                    (*values.values(), timestamp(), directory_file_id),
                ).fetchone()
            except sqlite3.IntegrityError as error:
                raise UniqueIdTakenError(values.get("unique_id", "")) from error
            return None if row is None else directory_file_of(row)

        return self._database.write(work)

    def delete_file(self, directory_file_id: str) -> Future[list[str]]:
        """Take a file out of its directory; as `delete`."""
        return self._database.write(lambda connection: delete_directory_files(connection, [directory_file_id]))

    def _page(
        self, table: str, conditions: Sequence[tuple[str, Sequence[Any]]], after: int, limit: int, read: Any
    ) -> Future[Page]:
        where = " AND ".join(["1 = 1", *(condition for condition, _ in conditions)])
        values = [value for _, given in conditions for value in given]
        select = f"SELECT * FROM {table} WHERE {where} AND sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - values are bound
        count = f"SELECT COUNT(*) FROM {table} WHERE {where}"  # noqa: S608 - values are bound
        most = -1 if limit < 0 else limit + 1

        def work(connection: sqlite3.Connection) -> Page:
            rows = [read(row) for row in connection.execute(select, (*values, after, most))]
            total: int = connection.execute(count, values).fetchone()[0]
            return Page(rows if limit < 0 else rows[:limit], 0 <= limit < len(rows), total)

        return self._database.read(work)


# -- inside a write transaction ---------------------------------------------------------------------------------


def insert_directory(connection: sqlite3.Connection, values: Mapping[str, Any]) -> DirectoryRecord:
    """Insert a directory of these columns."""
    now = timestamp()
    row = {"id": f"dir-{uuid.uuid4()}", **values, "created_at": now, "updated_at": now}
    return directory_of(_insert(connection, "directories", row))


def insert_directory_file(connection: sqlite3.Connection, values: Mapping[str, Any]) -> DirectoryFileRecord:
    """Insert a file of these columns.

    Raises:
        sqlite3.IntegrityError: Its unique id is taken.
    """
    now = timestamp()
    row = {"id": f"dfl-{uuid.uuid4()}", **values, "created_at": now, "updated_at": now}
    return directory_file_of(_insert(connection, "directory_files", row))


def delete_directories(connection: sqlite3.Connection, directory_ids: Sequence[str]) -> list[str]:
    """Delete directories with their files; the ids of the contents that nobody needs any more."""
    unneeded: list[str] = []
    for directory_id in directory_ids:
        rows = connection.execute(
            "SELECT id FROM directory_files WHERE directory_id = ? AND deleted_at IS NULL", (directory_id,)
        ).fetchall()
        unneeded += delete_directory_files(connection, [row["id"] for row in rows])
        connection.execute("UPDATE directories SET deleted_at = ?1 WHERE id = ?2", (timestamp(), directory_id))
    return unneeded


def delete_directory_files(connection: sqlite3.Connection, directory_file_ids: Sequence[str]) -> list[str]:
    """Take files out of their directories; the ids of the contents that nobody needs any more."""
    unneeded: list[str] = []
    for directory_file_id in directory_file_ids:
        row = connection.execute(
            "UPDATE directory_files SET deleted_at = ?1 WHERE id = ?2 AND deleted_at IS NULL RETURNING *",
            (timestamp(), directory_file_id),
        ).fetchone()
        if row is None:
            continue
        file = directory_file_of(row)
        if file.source_id is not None:
            unneeded.append(file.id)
        elif _came_with_a_directory(connection, file.file_id) and not _is_needed(connection, file.file_id):
            connection.execute("DELETE FROM files WHERE id = ?", (file.file_id,))
            unneeded.append(file.file_id)
    return unneeded


def _came_with_a_directory(connection: sqlite3.Connection, file_id: str) -> bool:
    """Whether an upload was made into a directory, rather than put into one later."""
    select = "SELECT 1 FROM directory_files WHERE file_id = ? AND uploaded"
    return connection.execute(select, (file_id,)).fetchone() is not None


def _is_needed(connection: sqlite3.Connection, file_id: str) -> bool:
    """Whether another directory or a pipeline has an upload. Indexes keep its content under an id of their own."""
    select = (
        "SELECT 1 FROM directory_files WHERE file_id = ?1 AND deleted_at IS NULL AND source_id IS NULL "
        "UNION ALL SELECT 1 FROM pipeline_files WHERE file_id = ?1 LIMIT 1"
    )
    return connection.execute(select, (file_id,)).fetchone() is not None


def _exists(connection: sqlite3.Connection, directory_id: str) -> bool:
    select = "SELECT 1 FROM directories WHERE id = ? AND deleted_at IS NULL"
    return connection.execute(select, (directory_id,)).fetchone() is not None


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> sqlite3.Row:
    marks = ", ".join("?" * len(values))
    row: sqlite3.Row = connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) RETURNING *",  # noqa: S608 - names are ours
        tuple(values.values()),
    ).fetchone()
    return row
