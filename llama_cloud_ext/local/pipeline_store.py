"""The pipelines of a data folder. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_queue import AGAIN
from llama_cloud_ext.local.pipeline_records import (
    CANCELLED,
    ERROR,
    PARSING,
    PENDING,
    SPLITTING,
    PipelineRecord,
    pipeline_of,
    same_configuration,
)
from llama_cloud_ext.local.retrieval import (
    Embedder,
    delete_pipeline_chunks,
    embedded_otherwise,
)
from llama_cloud_ext.local.store import timestamp

_FAILED = f"status IN ('{ERROR}', '{CANCELLED}')"


class PipelineStore:
    """Pipelines in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self, name: str, configuration: Mapping[str, Any], *, pipeline_id: str | None = None
    ) -> Future[PipelineRecord | None]:
        """Create a pipeline, or replace the configuration of an existing one.

        What its chunks are not right for any more is put back in the queue, in the same transaction.

        Args:
            name: Its name.
            configuration: All of its configuration.
            pipeline_id: The pipeline to change, which may change its name; None to create one.

        Returns:
            A future of the record; of None where the name belongs to another pipeline.
        """
        now = timestamp()
        text = json.dumps(configuration)

        def work(connection: sqlite3.Connection) -> PipelineRecord | None:
            try:
                if pipeline_id is None:
                    row = connection.execute(
                        "INSERT INTO pipelines (id, name, configuration, created_at, updated_at) "
                        "VALUES (?, ?, ?, ?, ?) RETURNING *",
                        (str(uuid.uuid4()), name, text, now, now),
                    ).fetchone()
                    return pipeline_of(row)
                row = connection.execute("SELECT * FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone()
                if row is None:
                    return None
                former = pipeline_of(row)
                row = connection.execute(
                    "UPDATE pipelines SET name = ?, configuration = ?, updated_at = ? WHERE id = ? RETURNING *",
                    (name, text, now, pipeline_id),
                ).fetchone()
            except sqlite3.IntegrityError:
                return None
            changed = pipeline_of(row)
            parse = not same_configuration(former, changed, PARSING)
            if parse or not same_configuration(former, changed, SPLITTING):
                _ingest_everything(connection, pipeline_id, parse=parse)
            return changed

        return self._database.write(work)

    def get(self, *, pipeline_id: str | None = None, name: str | None = None) -> Future[PipelineRecord | None]:
        """One pipeline by its id or its name, or None."""
        column, value = ("id", pipeline_id) if name is None else ("name", name)

        def work(connection: sqlite3.Connection) -> PipelineRecord | None:
            row = connection.execute(f"SELECT * FROM pipelines WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - one of two names
            return None if row is None else pipeline_of(row)

        return self._database.read(work)

    def page(self, *, name: str | None = None, after: int = 0, limit: int = -1) -> Future[list[PipelineRecord]]:
        """Pipelines in the order of their creation.

        Args:
            name: Only the one of this name.
            after: Only those with a greater sequence number.
            limit: Most rows to return; -1 for all.
        """
        where, values = ("", []) if name is None else (" AND name = ?", [name])
        # Those of indexes over directories are their own business.
        where += " AND id NOT IN (SELECT pipeline_id FROM directory_indexes)"
        select = f"SELECT * FROM pipelines WHERE sequence > ?{where} ORDER BY sequence LIMIT ?"  # noqa: S608 - values are bound
        return self._database.read(
            lambda connection: [pipeline_of(row) for row in connection.execute(select, (after, *values, limit))]
        )

    def delete(self, pipeline_id: str) -> Future[bool]:
        """Forget a pipeline with everything in it; False when there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            for table in ("pipeline_documents", "pipeline_files"):
                connection.execute(f"DELETE FROM {table} WHERE pipeline_id = ?", (pipeline_id,))  # noqa: S608 - one of two names
            delete_pipeline_chunks(connection, pipeline_id)
            return connection.execute("DELETE FROM pipelines WHERE id = ?", (pipeline_id,)).rowcount > 0

        return self._database.write(work)

    def ingest_again(self, pipeline_id: str, embedder: Embedder) -> Future[None]:
        """Put what failed or was cancelled back in the queue; everything, where the vectors are another model's.

        Args:
            pipeline_id: The pipeline.
            embedder: Who computes the vectors now.
        """

        def work(connection: sqlite3.Connection) -> None:
            if embedded_otherwise(connection, pipeline_id, embedder):
                _ingest_everything(connection, pipeline_id, parse=False)
            for table in ("pipeline_documents", "pipeline_files"):
                connection.execute(
                    f"UPDATE {table} SET {AGAIN}, updated_at = ? WHERE pipeline_id = ? AND {_FAILED}",  # noqa: S608 - the parts are ours
                    (timestamp(), pipeline_id),
                )

        return self._database.write(work)

    def cancel_ingestion(self, pipeline_id: str) -> Future[None]:
        """Take what a pipeline has not ingested yet out of the queue."""

        def work(connection: sqlite3.Connection) -> None:
            for table in ("pipeline_documents", "pipeline_files"):
                connection.execute(
                    f"UPDATE {table} SET status = ?, owner = NULL, lease_expires = NULL, version = version + 1, "  # noqa: S608 - one of two names
                    "updated_at = ? WHERE pipeline_id = ? AND status IN (?, ?)",
                    (CANCELLED, timestamp(), pipeline_id, *PENDING),
                )

        return self._database.write(work)

    def counts(self, pipeline_id: str) -> Future[dict[str, int]]:
        """How many documents and files are in which status, all as of one moment."""
        select = (
            "SELECT status, SUM(number) FROM ("
            "SELECT status, COUNT(*) AS number FROM pipeline_documents WHERE pipeline_id = ?1 GROUP BY status "
            "UNION ALL SELECT status, COUNT(*) FROM pipeline_files WHERE pipeline_id = ?1 GROUP BY status) "
            "GROUP BY status"
        )
        return self._database.read(
            lambda connection: {row[0]: row[1] for row in connection.execute(select, (pipeline_id,))}
        )

    def failures(self, pipeline_id: str, limit: int) -> Future[list[tuple[str, str, str]]]:
        """Documents and files that failed: "document" or "file", its id, and the reason."""
        select = (
            "SELECT 'document', id, error_message FROM pipeline_documents WHERE pipeline_id = ? AND status = ? "
            "UNION ALL SELECT 'file', file_id, error_message FROM pipeline_files WHERE pipeline_id = ? AND status = ? "
            "LIMIT ?"
        )
        values = (pipeline_id, ERROR, pipeline_id, ERROR, limit)
        return self._database.read(
            lambda connection: [(row[0], row[1], row[2] or "") for row in connection.execute(select, values)]
        )


def _ingest_everything(connection: sqlite3.Connection, pipeline_id: str, *, parse: bool) -> None:
    """Delete a pipeline's chunks, and put everything that is to have some in the queue. Inside a write transaction.

    Args:
        connection: The connection.
        pipeline_id: The pipeline.
        parse: Whether its files are to be parsed anew, too; their documents come with them then.
    """
    delete_pipeline_chunks(connection, pipeline_id)
    if parse:
        connection.execute(
            "DELETE FROM pipeline_documents WHERE pipeline_id = ? AND file_id IS NOT NULL", (pipeline_id,)
        )
    for table in ("pipeline_documents", *(["pipeline_files"] if parse else [])):
        connection.execute(
            f"UPDATE {table} SET {AGAIN}, updated_at = ? WHERE pipeline_id = ?",  # noqa: S608 - the parts are ours
            (timestamp(), pipeline_id),
        )
