"""The files of pipelines. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_document_store import delete_file_document
from llama_cloud_ext.local.pipeline_queue import AGAIN, status_counts
from llama_cloud_ext.local.pipeline_records import NOT_STARTED, PENDING, SUCCESS, PipelineFileRecord, file_of
from llama_cloud_ext.local.store import FileRecord, Page, timestamp


class PipelineFileStore:
    """Files of pipelines in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, pipeline_id: str, files: Sequence[tuple[FileRecord, Mapping[str, Any] | None]]
    ) -> Future[list[PipelineFileRecord] | None]:
        """Accept files with their custom metadata. One that is there already is ingested again if its metadata changed.

        Returns:
            A future of the files as stored, in their order; of None where the pipeline is gone.
        """

        def work(connection: sqlite3.Connection) -> list[PipelineFileRecord] | None:
            if connection.execute("SELECT 1 FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone() is None:
                return None
            return [_put_file(connection, pipeline_id, file, metadata) for file, metadata in files]

        return self._database.write(work)

    def set_metadata(self, pipeline_id: str, metadata: Mapping[str, Mapping[str, Any] | None]) -> Future[int]:
        """Give files other custom metadata, by their ids, and have those that changed ingested again.

        Returns:
            A future of the number of files that changed.
        """

        def work(connection: sqlite3.Connection) -> int:
            return sum(
                connection.execute(
                    f"UPDATE pipeline_files SET custom_metadata = ?1, {AGAIN}, updated_at = ?2 "  # noqa: S608 - the parts are ours
                    "WHERE pipeline_id = ?3 AND file_id = ?4 AND custom_metadata IS NOT ?1",
                    (None if given is None else json.dumps(given), timestamp(), pipeline_id, file_id),
                ).rowcount
                for file_id, given in metadata.items()
            )

        return self._database.write(work)

    def get(self, pipeline_id: str, file_id: str) -> Future[PipelineFileRecord | None]:
        """One file of a pipeline, or None."""

        def work(connection: sqlite3.Connection) -> PipelineFileRecord | None:
            row = connection.execute(
                "SELECT * FROM pipeline_files WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file_id)
            ).fetchone()
            return None if row is None else file_of(row)

        return self._database.read(work)

    def page(
        self,
        pipeline_id: str,
        *,
        statuses: Sequence[str] = (),
        name_contains: str | None = None,
        order_by: str = "sequence",
        offset: int = 0,
        limit: int = -1,
    ) -> Future[Page]:
        """List files.

        Args:
            pipeline_id: The pipeline.
            statuses: Only files in one of these; any if empty.
            name_contains: Only files with this in their name.
            order_by: A column with its direction, of the caller's fixed table.
            offset: How many to pass over.
            limit: Most rows to return; -1 for all.
        """
        where, values = "pipeline_id = ?", [pipeline_id]
        if statuses:
            where += f" AND status IN ({', '.join('?' * len(statuses))})"
            values += statuses
        if name_contains is not None:
            where += " AND instr(name, ?) > 0"
            values.append(name_contains)
        select = f"SELECT * FROM pipeline_files WHERE {where} ORDER BY {order_by}, sequence LIMIT ? OFFSET ?"  # noqa: S608 - values are bound
        count = f"SELECT COUNT(*) FROM pipeline_files WHERE {where}"  # noqa: S608 - values are bound

        def work(connection: sqlite3.Connection) -> Page:
            rows = [file_of(row) for row in connection.execute(select, (*values, limit, offset))]
            total: int = connection.execute(count, values).fetchone()[0]
            return Page(rows, offset + len(rows) < total, total)

        return self._database.read(work)

    def delete(self, pipeline_id: str, file_id: str) -> Future[bool]:
        """Take a file with its document and chunks out of a pipeline; False when it is not in there."""

        def work(connection: sqlite3.Connection) -> bool:
            delete_file_document(connection, pipeline_id, file_id)
            return (
                connection.execute(
                    "DELETE FROM pipeline_files WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file_id)
                ).rowcount
                > 0
            )

        return self._database.write(work)

    def counts(self, pipeline_id: str) -> Future[dict[str, int]]:
        """How many files are in which status."""
        return status_counts(self._database, "pipeline_files", "pipeline_id = ?", [pipeline_id])


def _put_file(
    connection: sqlite3.Connection, pipeline_id: str, file: FileRecord, metadata: Mapping[str, Any] | None
) -> PipelineFileRecord:
    now, text = timestamp(), None if metadata is None else json.dumps(metadata)
    row = connection.execute(
        "SELECT * FROM pipeline_files WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file.id)
    ).fetchone()
    if row is not None and row["status"] in (SUCCESS, *PENDING) and row["custom_metadata"] == text:
        return file_of(row)
    if row is None:
        row = connection.execute(
            "INSERT INTO pipeline_files (pipeline_id, file_id, name, size, external_file_id, custom_metadata, status, "
            "created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (pipeline_id, file.id, file.name, file.size, file.external_file_id, text, NOT_STARTED, now, now),
        ).fetchone()
    else:
        row = connection.execute(
            f"UPDATE pipeline_files SET custom_metadata = ?, {AGAIN}, updated_at = ? "  # noqa: S608 - the parts are ours
            "WHERE pipeline_id = ? AND file_id = ? RETURNING *",
            (text, now, pipeline_id, file.id),
        ).fetchone()
    return file_of(row)
