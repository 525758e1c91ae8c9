"""The batches of a data folder: their table, the files of each, and which job each file got.

Every method returns a future, as those of `Store` do.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.directory_records import DirectoryRecord
from llama_cloud_ext.local.job_table import JobRecord, JobTable
from llama_cloud_ext.wire.models.batch import MOST_FILES

PARSE, EXTRACT = "parse_v2", "extract_v2"
PREFIXES = {PARSE: "pjb", EXTRACT: "ext"}
"""The jobs that a batch can run, each with what their ids begin with."""


class TooManyFilesError(Exception):
    """The directory has more files than a batch takes; the argument is their number."""


@dataclass(frozen=True)
class BatchRecord(JobRecord):
    """One batch. `configuration` is the request's, `name` the directory's."""

    source_directory_id: str

    @property
    def product(self) -> str:
        """The job of each file: "parse_v2" or "extract_v2"."""
        return str(self.configuration["job"]["type"])

    def job_id(self, directory_file_id: str) -> str:
        """The id of a file's job: always the same, so that mapping again after a crash makes nothing twice."""
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.id}\n{directory_file_id}")
        return f"{PREFIXES[self.product]}-{made}"


@dataclass(frozen=True)
class BatchFile:
    """One file of a batch, as its directory had it at the batch's creation.

    Attributes:
        directory_file_id: Its id in the directory.
        file_id: The upload behind it.
        job_id: Its job, once there is one.
        error_message: Why there is none.
    """

    directory_file_id: str
    file_id: str
    job_id: str | None
    error_message: str | None


class Batches(JobTable[BatchRecord]):
    """The batches in the database of a data folder.

    Args:
        database: The database.

    Example:
        >>> import pathlib, tempfile
        >>> from llama_cloud_ext.local.directory_store import DirectoryStore
        >>> database = Database(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> directory = DirectoryStore(database).create({"name": "invoices", "type": "ephemeral"}).result()
        >>> batches = Batches(database)
        >>> batch = batches.accept(directory, {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}}).result()
        >>> batch.status, batches.files(batch.id).result()
        ('PENDING', [])
        >>> database.close()
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, "batches", BatchRecord)

    def accept(self, directory: DirectoryRecord, configuration: Mapping[str, object]) -> Future[BatchRecord]:
        """Accept a batch over all files that a directory has now.

        Args:
            directory: The directory.
            configuration: What is done with each.

        Returns:
            A future of the batch. It raises `TooManyFilesError`.
        """
        count = "SELECT COUNT(*) FROM directory_files WHERE directory_id = ? AND deleted_at IS NULL"
        copy = (
            "INSERT INTO batch_files (batch_id, directory_file_id, file_id) SELECT ?, id, file_id "
            "FROM directory_files WHERE directory_id = ? AND deleted_at IS NULL ORDER BY sequence"
        )

        def work(connection: sqlite3.Connection) -> BatchRecord:
            files = connection.execute(count, (directory.id,)).fetchone()[0]
            if files > MOST_FILES:
                raise TooManyFilesError(files)
            batch = self.insert(
                connection, f"bat-{uuid.uuid4()}", directory.name, configuration, source_directory_id=directory.id
            )
            connection.execute(copy, (batch.id, directory.id))
            return batch

        return self._database.write(work)

    def files(self, batch_id: str) -> Future[list[BatchFile]]:
        """The files of a batch, in the directory's order."""
        select = (
            "SELECT directory_file_id, file_id, job_id, error_message FROM batch_files "
            "WHERE batch_id = ? ORDER BY sequence"
        )
        return self._database.read(
            lambda connection: [BatchFile(**row) for row in connection.execute(select, (batch_id,))]
        )

    def note(self, batch_id: str, mapped: Mapping[str, tuple[str | None, str | None]]) -> Future[None]:
        """Keep which jobs files got.

        Args:
            batch_id: The batch.
            mapped: Under each file's id in the directory its job's id, or None and the reason.
        """
        update = "UPDATE batch_files SET job_id = ?, error_message = ? WHERE batch_id = ? AND directory_file_id = ?"
        values = [(*outcome, batch_id, file_id) for file_id, outcome in mapped.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(update, values)

        return self._database.write(work)
