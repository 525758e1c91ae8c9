"""The pipelines of a data folder, their documents and files. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_records import (
    CANCELLED,
    ERROR,
    NOT_STARTED,
    PARSING,
    PENDING,
    SPLITTING,
    SUCCESS,
    DocumentRecord,
    NewDocument,
    PipelineFileRecord,
    PipelineRecord,
    document_of,
    file_of,
    pipeline_of,
    same_configuration,
)
from llama_cloud_ext.local.retrieval import (
    Chunk,
    Embedder,
    chunks_of_document,
    delete_document_chunks,
    delete_pipeline_chunks,
    embedded_otherwise,
)
from llama_cloud_ext.local.store import FileRecord, Page, timestamp

_CONTENT = (
    "text",
    "metadata",
    "excluded_embed_metadata_keys",
    "excluded_llm_metadata_keys",
    "page_positions",
    "file_id",
)
# What a file or document starts from when it is to be ingested (again).
_RESET = "error_message = NULL, owner = NULL, lease_expires = NULL, attempts = 0, version = version + 1"
_AGAIN = f"status = '{NOT_STARTED}', {_RESET}"
_FAILED = f"status IN ('{ERROR}', '{CANCELLED}')"


class PipelineStore:
    """Pipelines in the database of a data folder.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- pipelines ----------------------------------------------------------------------------------------------

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

    def pipeline(self, *, pipeline_id: str | None = None, name: str | None = None) -> Future[PipelineRecord | None]:
        """One pipeline by its id or its name, or None."""
        column, value = ("id", pipeline_id) if name is None else ("name", name)

        def work(connection: sqlite3.Connection) -> PipelineRecord | None:
            row = connection.execute(f"SELECT * FROM pipelines WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - one of two names
            return None if row is None else pipeline_of(row)

        return self._database.read(work)

    def pipelines(self, *, name: str | None = None, after: int = 0, limit: int = -1) -> Future[list[PipelineRecord]]:
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

    def delete_pipeline(self, pipeline_id: str) -> Future[bool]:
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
                    f"UPDATE {table} SET {_AGAIN}, updated_at = ? WHERE pipeline_id = ? AND {_FAILED}",  # noqa: S608 - the parts are ours
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

    # -- documents ----------------------------------------------------------------------------------------------

    def put_documents(self, pipeline_id: str, documents: Sequence[NewDocument]) -> Future[list[DocumentRecord] | None]:
        """Accept documents, replacing those of the same ids. One that did not change keeps its chunks.

        Returns:
            A future of the documents as stored, in their order; of None where the pipeline is gone.
        """

        def work(connection: sqlite3.Connection) -> list[DocumentRecord] | None:
            if connection.execute("SELECT 1 FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone() is None:
                return None
            return [put_document(connection, pipeline_id, document) for document in documents]

        return self._database.write(work)

    def document(self, pipeline_id: str, document_ids: Sequence[str]) -> Future[DocumentRecord | None]:
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

    def documents(
        self, pipeline_id: str, *, file_id: str | None, direct_only: bool, skip: int, limit: int
    ) -> Future[Page]:
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

    def delete_document(self, pipeline_id: str, document_id: str) -> Future[bool]:
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

    def ingest_document_again(self, pipeline_id: str, document_id: str) -> Future[None]:
        """Put one document back in the queue."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE pipeline_documents SET {_AGAIN}, updated_at = ? WHERE pipeline_id = ? AND id = ?",  # noqa: S608 - the parts are ours
                (timestamp(), pipeline_id, document_id),
            )

        return self._database.write(work)

    def chunks(self, pipeline_id: str, document_id: str) -> Future[list[Chunk]]:
        """The chunks of a document."""
        return self._database.read(lambda connection: chunks_of_document(connection, pipeline_id, document_id))

    def document_counts(
        self, pipeline_id: str, *, file_id: str | None = None, direct_only: bool = False
    ) -> Future[dict[str, int]]:
        """How many documents are in which status."""
        where, values = _documents_where(pipeline_id, file_id, direct_only)
        return self._counts("pipeline_documents", where, values)

    # -- files --------------------------------------------------------------------------------------------------

    def put_files(
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

    def set_file_metadata(self, pipeline_id: str, metadata: Mapping[str, Mapping[str, Any] | None]) -> Future[int]:
        """Give files other custom metadata, by their ids, and have those that changed ingested again.

        Returns:
            A future of the number of files that changed.
        """

        def work(connection: sqlite3.Connection) -> int:
            return sum(
                connection.execute(
                    f"UPDATE pipeline_files SET custom_metadata = ?1, {_AGAIN}, updated_at = ?2 "  # noqa: S608 - the parts are ours
                    "WHERE pipeline_id = ?3 AND file_id = ?4 AND custom_metadata IS NOT ?1",
                    (None if given is None else json.dumps(given), timestamp(), pipeline_id, file_id),
                ).rowcount
                for file_id, given in metadata.items()
            )

        return self._database.write(work)

    def file(self, pipeline_id: str, file_id: str) -> Future[PipelineFileRecord | None]:
        """One file of a pipeline, or None."""

        def work(connection: sqlite3.Connection) -> PipelineFileRecord | None:
            row = connection.execute(
                "SELECT * FROM pipeline_files WHERE pipeline_id = ? AND file_id = ?", (pipeline_id, file_id)
            ).fetchone()
            return None if row is None else file_of(row)

        return self._database.read(work)

    def files(
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

    def delete_file(self, pipeline_id: str, file_id: str) -> Future[bool]:
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

    def file_counts(self, pipeline_id: str) -> Future[dict[str, int]]:
        """How many files are in which status."""
        return self._counts("pipeline_files", "pipeline_id = ?", [pipeline_id])

    # -- both ---------------------------------------------------------------------------------------------------

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

    def _counts(self, table: str, where: str, values: Sequence[Any]) -> Future[dict[str, int]]:
        select = f"SELECT status, COUNT(*) FROM {table} WHERE {where} GROUP BY status"  # noqa: S608 - values are bound
        return self._database.read(lambda connection: {row[0]: row[1] for row in connection.execute(select, values)})


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
        f"UPDATE pipeline_documents SET {assignments}, {_RESET}, status = ?, updated_at = ? "  # noqa: S608 - values are bound
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
            f"UPDATE {table} SET {_AGAIN}, updated_at = ? WHERE pipeline_id = ?",  # noqa: S608 - the parts are ours
            (timestamp(), pipeline_id),
        )


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
            f"UPDATE pipeline_files SET custom_metadata = ?, {_AGAIN}, updated_at = ? "  # noqa: S608 - the parts are ours
            "WHERE pipeline_id = ? AND file_id = ? RETURNING *",
            (text, now, pipeline_id, file.id),
        ).fetchone()
    return file_of(row)


def _documents_where(pipeline_id: str, file_id: str | None, direct_only: bool) -> tuple[str, list[Any]]:
    where, values = "pipeline_id = ?", [pipeline_id]
    if file_id is not None:
        where += " AND file_id = ?"
        values.append(file_id)
    if direct_only:
        where += " AND file_id IS NULL"
    return where, values
