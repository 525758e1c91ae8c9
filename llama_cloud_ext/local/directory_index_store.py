"""The indexes over directories of a data folder. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.directory_records import (
    INDEX,
    DirectoryFileRecord,
    DirectoryIndexRecord,
    DirectoryRecord,
    directory_file_of,
    directory_index_of,
)
from llama_cloud_ext.local.directory_store import (
    delete_directories,
    delete_directory_files,
    insert_directory,
    insert_directory_file,
)
from llama_cloud_ext.local.pipeline_document_store import delete_file_document
from llama_cloud_ext.local.pipeline_records import SUCCESS
from llama_cloud_ext.local.store import Page, timestamp


class DirectoryIndexStore:
    """Indexes over directories in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, directory: DirectoryRecord, *, name: str, description: str | None, configuration: Mapping[str, Any]
    ) -> Future[DirectoryIndexRecord | None]:
        """Create an index with its pipeline and the directory that it writes.

        Returns:
            A future of the index; of None where the directory has one.
        """
        now, index_id, pipeline_id = timestamp(), f"idx-{uuid.uuid4()}", str(uuid.uuid4())

        def work(connection: sqlite3.Connection) -> DirectoryIndexRecord | None:
            taken = "SELECT 1 FROM directory_indexes WHERE source_directory_id = ?"
            if connection.execute(taken, (directory.id,)).fetchone() is not None:
                return None
            output = insert_directory(connection, {"name": name, "type": INDEX})
            connection.execute(
                # Its name is one that nobody gives to an index of their own.
                "INSERT INTO pipelines (id, name, configuration, created_at, updated_at) VALUES (?, ?, '{}', ?, ?)",
                (pipeline_id, index_id, now, now),
            )
            row = connection.execute(
                "INSERT INTO directory_indexes (id, name, description, source_directory_id, output_directory_id, "
                "export_config_id, sync_config_id, pipeline_id, configuration, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    index_id,
                    name,
                    description,
                    directory.id,
                    output.id,
                    f"exp-{uuid.uuid4()}",
                    f"dsc-{uuid.uuid4()}",
                    pipeline_id,
                    json.dumps(configuration),
                    now,
                    now,
                ),
            ).fetchone()
            return directory_index_of(row)

        return self._database.write(work)

    def index(
        self,
        index_id: str | None = None,
        *,
        source_directory_id: str | None = None,
        output_directory_id: str | None = None,
    ) -> Future[DirectoryIndexRecord | None]:
        """One index by its id, by that of its export configuration, or by one of its directories; else None."""
        where, values = ("id = ?1 OR export_config_id = ?1", (index_id,))
        if source_directory_id is not None:
            where, values = "source_directory_id = ?1", (source_directory_id,)
        if output_directory_id is not None:
            where, values = "output_directory_id = ?1", (output_directory_id,)

        def work(connection: sqlite3.Connection) -> DirectoryIndexRecord | None:
            row = connection.execute(f"SELECT * FROM directory_indexes WHERE {where}", values).fetchone()  # noqa: S608 - one of two
            return None if row is None else directory_index_of(row)

        return self._database.read(work)

    def indexes(self, *, source_directory_id: str | None, after: int, limit: int) -> Future[Page]:
        """List indexes in the order of their creation.

        Args:
            source_directory_id: Only the one over this directory.
            after: Only those with a greater sequence number.
            limit: Most rows to return.
        """
        where, values = (
            ("1 = 1", []) if source_directory_id is None else ("source_directory_id = ?", [source_directory_id])
        )
        select = f"SELECT * FROM directory_indexes WHERE {where} AND sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - one of two
        count = f"SELECT COUNT(*) FROM directory_indexes WHERE {where}"  # noqa: S608 - one of two

        def work(connection: sqlite3.Connection) -> Page:
            rows = [directory_index_of(row) for row in connection.execute(select, (*values, after, limit + 1))]
            total: int = connection.execute(count, values).fetchone()[0]
            return Page(rows[:limit], len(rows) > limit, total)

        return self._database.read(work)

    def note_sync(self, index: DirectoryIndexRecord, synced_before: str | None) -> Future[None]:
        """Note that a sync begins, and when the one before it had ended."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE directory_indexes SET synced_before = ?1, sync_requested_at = ?2, updated_at = ?2 "
                "WHERE id = ?3",
                (synced_before, timestamp(), index.id),
            )

        return self._database.write(work)

    def put_outputs(
        self, index: DirectoryIndexRecord, sources: Sequence[tuple[DirectoryFileRecord, str]]
    ) -> Future[list[str]]:
        """Note what files of the source directory are called in the index.

        Args:
            index: The index.
            sources: The files, each with its id in the index.

        Returns:
            A future of the ids that are not needed, because another sync was faster.
        """
        known = "SELECT 1 FROM directory_files WHERE directory_id = ? AND source_id = ? AND deleted_at IS NULL"

        def work(connection: sqlite3.Connection) -> list[str]:
            unneeded = []
            for source, output_id in sources:
                if connection.execute(known, (index.output_directory_id, source.id)).fetchone() is not None:
                    unneeded.append(output_id)
                    continue
                insert_directory_file(
                    connection,
                    {
                        "id": output_id,
                        "directory_id": index.output_directory_id,
                        "file_id": source.file_id,
                        "unique_id": source.id,
                        "display_name": source.display_name,
                        "metadata": json.dumps(source.metadata),
                        "source_id": source.id,
                        "uploaded": False,
                    },
                )
            return unneeded

        return self._database.write(work)

    def forget_outputs(self, index: DirectoryIndexRecord, output_ids: Sequence[str]) -> Future[list[str]]:
        """Take files out of an index, with their texts and chunks.

        Returns:
            A future of the ids of the contents that nobody needs any more.
        """

        def work(connection: sqlite3.Connection) -> list[str]:
            for output_id in output_ids:
                delete_file_document(connection, index.pipeline_id, output_id)
                connection.execute(
                    "DELETE FROM pipeline_files WHERE pipeline_id = ? AND file_id = ?", (index.pipeline_id, output_id)
                )
            return delete_directory_files(connection, output_ids)

        return self._database.write(work)

    def output_of(self, identifier: str) -> Future[DirectoryFileRecord | None]:
        """What a file of a source directory, or an upload, is in an index; None where it is in none."""
        select = (
            "SELECT * FROM directory_files WHERE (source_id = ?1 OR (file_id = ?1 AND source_id IS NOT NULL)) "
            "AND deleted_at IS NULL ORDER BY sequence LIMIT 1"
        )

        def work(connection: sqlite3.Connection) -> DirectoryFileRecord | None:
            row = connection.execute(select, (identifier,)).fetchone()
            return None if row is None else directory_file_of(row)

        return self._database.read(work)

    def last_end(self, index: DirectoryIndexRecord) -> Future[str | None]:
        """When the last file of an index ended, as far as files have; None where there are none."""
        select = "SELECT MAX(updated_at) FROM pipeline_files WHERE pipeline_id = ?"
        return self._database.read(lambda connection: connection.execute(select, (index.pipeline_id,)).fetchone()[0])

    def found_files(
        self, index: DirectoryIndexRecord, *, name: str | None, contains: str | None, after: int, limit: int
    ) -> Future[Page]:
        """The files of an index that can be read, in the order in which they came.

        Args:
            index: The index.
            name: Only files of exactly this name.
            contains: Only files with this in their name, whatever the case.
            after: Only those with a greater sequence number.
            limit: Most rows to return.
        """
        where = (
            "f.directory_id = ? AND f.deleted_at IS NULL AND EXISTS (SELECT 1 FROM pipeline_documents d "
            "WHERE d.pipeline_id = ? AND d.file_id = f.id AND d.status = ?)"
        )
        values: list[Any] = [index.output_directory_id, index.pipeline_id, SUCCESS]
        for condition, value in (
            ("f.display_name = ?", name),
            ("instr(lower(f.display_name), lower(?)) > 0", contains),
        ):
            if value is not None:
                where += f" AND {condition}"
                values.append(value)
        select = (
            f"SELECT f.sequence, f.id, f.display_name FROM directory_files f WHERE {where} AND f.sequence > ? "  # noqa: S608 - the parts are ours
            "ORDER BY f.sequence LIMIT ?"
        )
        count = f"SELECT COUNT(*) FROM directory_files f WHERE {where}"  # noqa: S608 - the parts are ours

        def work(connection: sqlite3.Connection) -> Page:
            rows = [dict(row) for row in connection.execute(select, (*values, after, limit + 1))]
            total: int = connection.execute(count, values).fetchone()[0]
            return Page(rows[:limit], len(rows) > limit, total)

        return self._database.read(work)

    def delete(self, index: DirectoryIndexRecord) -> Future[list[str]]:
        """Delete an index and the directory that it wrote; its pipeline is deleted by itself.

        Returns:
            A future of the ids of the contents that nobody needs any more.
        """

        def work(connection: sqlite3.Connection) -> list[str]:
            connection.execute("DELETE FROM directory_indexes WHERE id = ?", (index.id,))
            return delete_directories(connection, [index.output_directory_id])

        return self._database.write(work)
