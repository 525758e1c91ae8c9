"""The documents of pipelines. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_queue import AGAIN, RESET, status_counts
from llama_cloud_ext.local.pipeline_records import (
    NOT_STARTED,
    PENDING,
    SUCCESS,
    DocumentRecord,
    NewDocument,
    document_of,
)
from llama_cloud_ext.local.retrieval import Chunk, chunks_of_document, delete_document_chunks
from llama_cloud_ext.local.store import Page, timestamp

_CONTENT = (
    "text",
    "metadata",
    "excluded_embed_metadata_keys",
    "excluded_llm_metadata_keys",
    "page_positions",
    "file_id",
)


class PipelineDocumentStore:
    """Documents of pipelines in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, pipeline_id: str, documents: Sequence[NewDocument]) -> Future[list[DocumentRecord] | None]:
        """Accept documents, replacing those of the same ids. One that did not change keeps its chunks.

        Returns:
            A future of the documents as stored, in their order; of None where the pipeline is gone.
        """

        def work(connection: sqlite3.Connection) -> list[DocumentRecord] | None:
            if connection.execute("SELECT 1 FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone() is None:
                return None
            return [put_document(connection, pipeline_id, document) for document in documents]

        return self._database.write(work)

    def get(self, pipeline_id: str, document_ids: Sequence[str]) -> Future[DocumentRecord | None]:
        """The document of the first of some ids that exists, or None."""

        def work(connection: sqlite3.Connection) -> DocumentRecord | None:
            for document_id in document_ids:
                row = connection.execute(
                    "SELECT * FROM pipeline_documents WHERE pipeline_id = ? AND id = ?", (pipeline_id, document_id)
                ).fetchone()
                if row is not None:
                    return document_of(row)
            return None

        return self._database.read(work)

    def page(self, pipeline_id: str, *, file_id: str | None, direct_only: bool, skip: int, limit: int) -> Future[Page]:
        """List documents in the order in which they came.

        Args:
            pipeline_id: The pipeline.
            file_id: Only documents made from this file.
            direct_only: Only documents that were not made from a file.
            skip: How many to pass over.
            limit: Most rows to return.
        """
        where, values = _documents_where(pipeline_id, file_id, direct_only)
        # A file has one document: the plus keeps SQLite from going through all others in their order to find it.
        order = "sequence" if file_id is None else "+sequence"
        select = f"SELECT * FROM pipeline_documents WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - values are bound
        count = f"SELECT COUNT(*) FROM pipeline_documents WHERE {where}"  # noqa: S608 - values are bound

        def work(connection: sqlite3.Connection) -> Page:
            rows = [document_of(row) for row in connection.execute(select, (*values, limit, skip))]
            total: int = connection.execute(count, values).fetchone()[0]
            return Page(rows, skip + len(rows) < total, total)

        return self._database.read(work)

    def delete(self, pipeline_id: str, document_id: str) -> Future[bool]:
        """Forget a document and its chunks; False when there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            delete_document_chunks(connection, pipeline_id, [document_id])
            return (
                connection.execute(
                    "DELETE FROM pipeline_documents WHERE pipeline_id = ? AND id = ?", (pipeline_id, document_id)
                ).rowcount
                > 0
            )

        return self._database.write(work)

    def ingest_again(self, pipeline_id: str, document_id: str) -> Future[None]:
        """Put one document back in the queue."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE pipeline_documents SET {AGAIN}, updated_at = ? WHERE pipeline_id = ? AND id = ?",  # noqa: S608 - the parts are ours
                (timestamp(), pipeline_id, document_id),
            )

        return self._database.write(work)

    def chunks(self, pipeline_id: str, document_id: str) -> Future[list[Chunk]]:
        """The chunks of a document."""
        return self._database.read(lambda connection: chunks_of_document(connection, pipeline_id, document_id))

    def counts(
        self, pipeline_id: str, *, file_id: str | None = None, direct_only: bool = False
    ) -> Future[dict[str, int]]:
        """How many documents are in which status."""
        where, values = _documents_where(pipeline_id, file_id, direct_only)
        return status_counts(self._database, "pipeline_documents", where, values)


def put_document(
    connection: sqlite3.Connection, pipeline_id: str, document: NewDocument, *, status: str = NOT_STARTED
) -> DocumentRecord:
    """Insert a document, or replace the one of its id. One that did not change and did not fail stays as it is.

    Args:
        connection: Inside a write transaction.
        pipeline_id: The pipeline.
        document: The document.
        status: What it starts with.
    """
    now, columns = timestamp(), document.columns()
    row = connection.execute(
        "SELECT * FROM pipeline_documents WHERE pipeline_id = ? AND id = ?", (pipeline_id, document.id)
    ).fetchone()
    same = row is not None and all(row[name] == columns[name] for name in _CONTENT)
    if same and row["status"] in (SUCCESS, *PENDING):
        return document_of(row)
    if row is None:
        values = {**columns, "pipeline_id": pipeline_id, "status": status, "created_at": now, "updated_at": now}
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        row = connection.execute(
            f"INSERT INTO pipeline_documents ({names}) VALUES ({marks}) RETURNING *",  # noqa: S608 - values are bound
            tuple(values.values()),
        ).fetchone()
        return document_of(row)
    assignments = ", ".join(f"{name} = ?" for name in _CONTENT)
    row = connection.execute(
        f"UPDATE pipeline_documents SET {assignments}, {RESET}, status = ?, updated_at = ? "  # noqa: S608 - values are bound
        "WHERE pipeline_id = ? AND id = ? RETURNING *",
        (*(columns[name] for name in _CONTENT), status, now, pipeline_id, document.id),
    ).fetchone()
    return document_of(row)


def delete_file_document(connection: sqlite3.Connection, pipeline_id: str, file_id: str) -> None:
    """Delete the documents that were made from a file, with their chunks. Inside a write transaction."""
    ids = [
        row["id"]
        for row in connection.execute(
            "SELECT id FROM pipeline_documents WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file_id)
        )
    ]
    delete_document_chunks(connection, pipeline_id, ids)
    connection.execute("DELETE FROM pipeline_documents WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file_id))


def _documents_where(pipeline_id: str, file_id: str | None, direct_only: bool) -> tuple[str, list[Any]]:
    where, values = "pipeline_id = ?", [pipeline_id]
    if file_id is not None:
        where += " AND file_id = ?"
        values.append(file_id)
    if direct_only:
        where += " AND file_id IS NULL"
    return where, values
