"""The queues of what is to be ingested: documents in batches, files one by one, each under a lease."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local import work_leases
from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_document_store import delete_file_document, put_document
from llama_cloud_ext.local.pipeline_records import (
    ERROR,
    IN_PROGRESS,
    NOT_STARTED,
    PARSING,
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
from llama_cloud_ext.local.retrieval import Chunk, delete_document_chunks, write_chunks
from llama_cloud_ext.local.store import timestamp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DOCUMENTS, FILES = "pipeline_documents", "pipeline_files"
_TABLES = (DOCUMENTS, FILES)
Ended = tuple[str, list[Any]]
# What one claim takes at most: a crash repeats no more than that, and its texts are in memory together.
_BATCH_DOCUMENTS = 64
_BATCH_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class DocumentBatch:
    """Documents of one pipeline that this process has taken."""

    pipeline: PipelineRecord
    documents: list[DocumentRecord]


@dataclass(frozen=True)
class FileTask:
    """A file that this process has taken."""

    pipeline: PipelineRecord
    file: PipelineFileRecord


Task = DocumentBatch | FileTask


@dataclass
class Ingested:
    """What became of one document: its chunks with their vectors, or the reason why there are none."""

    document: DocumentRecord
    chunks: list[Chunk] = field(default_factory=list)
    vectors: NDArray[np.float32] | None = None
    error: str | None = None


class IngestionQueue:
    """The queues in the database of a data folder. Every method returns a future, as those of `Store` do.

    Args:
        database: The database.
        owner: Who takes from them.
        embedder_name: Who computes the vectors that are written.
    """

    def __init__(self, database: Database, owner: str, embedder_name: str) -> None:
        self._database = database
        self._owner = owner
        self._embedder_name = embedder_name

    def other_owners(self) -> Future[list[str]]:
        """Everyone else who holds a lease."""

        def work(connection: sqlite3.Connection) -> list[str]:
            owners = [work_leases.other_owners(connection, table, IN_PROGRESS, self._owner) for table in _TABLES]
            return list(dict.fromkeys(owner for some in owners for owner in some))

        return self._database.read(work)

    def claim(self, lease: float, *, gone: Sequence[str], alive: Sequence[str]) -> Future[Task | None]:
        """Take documents of one pipeline, or a file, whichever came first; None when there is nothing to do.

        Args:
            lease: Seconds until the claim expires unless it is renewed.
            gone: Owners known to have ended.
            alive: Owners known to live.
        """
        ended = work_leases.expired(gone=gone, alive=alive)

        def look(connection: sqlite3.Connection) -> Task | None:
            # Asking with a read first keeps idle polling from taking the write lock.
            if all(_first(connection, table, ended) is None for table in _TABLES):
                return None
            connection.execute("BEGIN IMMEDIATE")
            try:
                task = self._take(connection, ended, lease)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return task

        return self._database.read(look)

    def _take(self, connection: sqlite3.Connection, ended: Ended, lease: float) -> Task | None:
        document, file = (_first(connection, table, ended) for table in _TABLES)
        if document is not None and (file is None or document["updated_at"] <= file["updated_at"]):
            return self._take_documents(connection, document, ended, lease)
        return None if file is None else self._take_file(connection, file, lease)

    def _take_documents(
        self, connection: sqlite3.Connection, first: sqlite3.Row, ended: Ended, lease: float
    ) -> DocumentBatch:
        rows = [first]
        # What was begun before may be what killed its process: it goes alone, so that it takes no other with it.
        if first["attempts"] == 0:
            rows = connection.execute(
                f"SELECT sequence, length(text) AS size FROM {DOCUMENTS} WHERE pipeline_id = ? AND status = ? "  # noqa: S608 - a name of ours
                "AND attempts = 0 ORDER BY sequence LIMIT ?",
                (first["pipeline_id"], NOT_STARTED, _BATCH_DOCUMENTS),
            ).fetchall()
        sequences: list[int] = []
        size = 0
        for row in rows:
            size += row["size"] if len(rows) > 1 else 0
            if sequences and size > _BATCH_CHARACTERS:
                break
            sequences.append(row["sequence"])
        documents = [document_of(row) for row in self._start(connection, DOCUMENTS, sequences, lease)]
        pipeline = self._pipeline(connection, first["pipeline_id"])
        return DocumentBatch(pipeline, sorted(documents, key=lambda document: document.sequence))

    def _take_file(self, connection: sqlite3.Connection, first: sqlite3.Row, lease: float) -> FileTask:
        file = file_of(self._start(connection, FILES, [first["sequence"]], lease)[0])
        return FileTask(self._pipeline(connection, file.pipeline_id), file)

    def _start(
        self, connection: sqlite3.Connection, table: str, sequences: Sequence[int], lease: float
    ) -> list[sqlite3.Row]:
        return connection.execute(
            f"UPDATE {table} SET status = ?, owner = ?, lease_expires = ?, attempts = attempts + 1, updated_at = ? "  # noqa: S608 - the parts are ours
            f"WHERE sequence IN ({', '.join('?' * len(sequences))}) RETURNING *",
            (IN_PROGRESS, self._owner, time.time() + lease, timestamp(), *sequences),
        ).fetchall()

    def _pipeline(self, connection: sqlite3.Connection, pipeline_id: str) -> PipelineRecord:
        return pipeline_of(connection.execute("SELECT * FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone())

    def renew(
        self, lease: float, running: Collection[DocumentBatch | FileTask]
    ) -> Future[list[DocumentBatch | FileTask]]:
        """Renew every lease of this owner.

        Nothing is called lost: the rest of a batch goes on when a document of it is deleted or changed.
        """

        def work(connection: sqlite3.Connection) -> list[Task]:
            for table in _TABLES:
                work_leases.renew(connection, table, IN_PROGRESS, self._owner, lease)
            return []

        return self._database.write(work)

    def release(self) -> Future[None]:
        """Put what this owner works on back in the queue."""

        def work(connection: sqlite3.Connection) -> None:
            for table in _TABLES:
                work_leases.release(connection, table, NOT_STARTED, IN_PROGRESS, self._owner)

        return self._database.write(work)

    def give_back(self, task: Task) -> Future[None]:
        """Put what was not finished back in the queue. It counts as an attempt."""

        def work(connection: sqlite3.Connection) -> None:
            if isinstance(task, FileTask):
                self._put_back(connection, FILES, task.file.sequence, task.file.version, attempts=1)
                return
            for document in task.documents:
                self._put_back(connection, DOCUMENTS, document.sequence, document.version, attempts=1)

        return self._database.write(work)

    def finish_documents(self, pipeline: PipelineRecord, outcomes: Sequence[Ingested]) -> Future[None]:
        """Write the chunks of documents, and say how they ended, all at once.

        What was changed or deleted meanwhile, or is somebody else's now, is left alone.
        """

        def work(connection: sqlite3.Connection) -> None:
            current = _is_current(connection, pipeline, DOCUMENTS)
            for outcome in outcomes:
                document = outcome.document
                row = (document.sequence, document.version)
                if not current:
                    self._put_back(connection, DOCUMENTS, *row)
                elif self._holds(connection, DOCUMENTS, *row):
                    self._write(connection, pipeline.id, document.id, document.file_id, outcome)
                    self._end(connection, DOCUMENTS, document.sequence, outcome.error)

        return self._database.write(work)

    def finish_file(self, task: FileTask, document: NewDocument | None, outcome: Ingested, pages: int) -> Future[None]:
        """Write what a file became, and say how it ended.

        Args:
            task: The file.
            document: What was parsed out of it; None where that failed.
            outcome: The chunks, or the reason why there are none; its `document` is not looked at.
            pages: Pages that went in.
        """
        file = task.file

        def work(connection: sqlite3.Connection) -> None:
            if not _is_current(connection, task.pipeline, FILES):
                self._put_back(connection, FILES, file.sequence, file.version)
                return
            if not self._holds(connection, FILES, file.sequence, file.version):
                return
            delete_file_document(connection, file.pipeline_id, file.file_id)
            if document is not None:
                self._write(connection, file.pipeline_id, document.id, file.file_id, outcome)
            if document is not None and outcome.error is None:
                put_document(connection, file.pipeline_id, document, status=SUCCESS)
            connection.execute(
                f"UPDATE {FILES} SET indexed_page_count = ? WHERE sequence = ?",  # noqa: S608 - a name of ours
                (pages if outcome.error is None else None, file.sequence),
            )
            self._end(connection, FILES, file.sequence, outcome.error)

        return self._database.write(work)

    def _holds(self, connection: sqlite3.Connection, table: str, sequence: int, version: int) -> bool:
        """Whether a row is still as this owner took it."""
        select = f"SELECT 1 FROM {table} WHERE sequence = ? AND version = ? AND owner = ? AND status = ?"  # noqa: S608 - a name of ours
        return connection.execute(select, (sequence, version, self._owner, IN_PROGRESS)).fetchone() is not None

    def _put_back(
        self, connection: sqlite3.Connection, table: str, sequence: int, version: int, *, attempts: int = 0
    ) -> None:
        connection.execute(
            f"UPDATE {table} SET status = ?, owner = NULL, lease_expires = NULL, attempts = attempts - 1 + ? "  # noqa: S608 - a name of ours
            "WHERE sequence = ? AND version = ? AND owner = ? AND status = ?",
            (NOT_STARTED, attempts, sequence, version, self._owner, IN_PROGRESS),
        )

    def _end(self, connection: sqlite3.Connection, table: str, sequence: int, error: str | None) -> None:
        connection.execute(
            f"UPDATE {table} SET status = ?, error_message = ?, updated_at = ?, owner = NULL, lease_expires = NULL "  # noqa: S608 - a name of ours
            "WHERE sequence = ?",
            (SUCCESS if error is None else ERROR, error, timestamp(), sequence),
        )

    def _write(
        self, connection: sqlite3.Connection, pipeline_id: str, document_id: str, file_id: str | None, outcome: Ingested
    ) -> None:
        """Write a document's chunks; where there are none, or they cannot be written, it keeps none of an older text.

        `outcome` has the reason afterwards.
        """
        if outcome.error is None and outcome.vectors is not None:
            connection.execute("SAVEPOINT document")
            try:
                write_chunks(
                    connection,
                    pipeline_id=pipeline_id,
                    document_id=document_id,
                    file_id=file_id,
                    chunks=outcome.chunks,
                    vectors=outcome.vectors,
                    embedder_name=self._embedder_name,
                )
            except ValueError as error:  # the vectors are another model's, or too few
                connection.execute("ROLLBACK TO document")
                outcome.error = str(error)
            finally:
                connection.execute("RELEASE document")
        if outcome.error is not None:
            delete_document_chunks(connection, pipeline_id, [document_id])


def _first(connection: sqlite3.Connection, table: str, ended: Ended) -> sqlite3.Row | None:
    """What is next in a queue: what somebody left unfinished, else the oldest of what nobody has begun."""
    condition, values = ended
    # Two questions, each of which an index answers; with OR, SQLite would sort all that waits.
    for status, more, bound in ((IN_PROGRESS, f" AND {condition}", values), (NOT_STARTED, "", [])):
        row: sqlite3.Row | None = connection.execute(
            f"SELECT sequence, pipeline_id, attempts, updated_at FROM {table} WHERE status = ?{more} "  # noqa: S608 - the parts are ours
            "ORDER BY sequence LIMIT 1",
            (status, *bound),
        ).fetchone()
        if row is not None:
            return row
    return None


def _is_current(connection: sqlite3.Connection, pipeline: PipelineRecord, table: str) -> bool:
    """Whether the pipeline still ingests as it did when the work began; if not, the work begins again."""
    row = connection.execute("SELECT * FROM pipelines WHERE id = ?", (pipeline.id,)).fetchone()
    fields = (*SPLITTING, *PARSING) if table == FILES else SPLITTING
    return row is not None and same_configuration(pipeline_of(row), pipeline, fields)
