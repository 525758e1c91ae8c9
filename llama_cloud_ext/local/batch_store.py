"""The batches of a data folder: their table, the files of each, and which job each file got.

Every method returns a future, as those of `Store` do.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from llama_cloud_ext.local.batch_tables import BETA_API, CURRENT_API
from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.directory_records import DirectoryRecord
from llama_cloud_ext.local.job_table import JobRecord, JobTable
from llama_cloud_ext.wire.models.batch import MOST_FILES

PARSE, EXTRACT = "parse_v2", "extract_v2"
PREFIXES = {PARSE: "pjb", EXTRACT: "ext"}
"""The jobs that a batch can run, each with what their ids begin with."""


_ID_PREFIXES = {CURRENT_API: "bat", BETA_API: "bjb"}


class NoSuchFileError(Exception):
    """There is no file of this id in any directory; the argument is the id."""


class TooManyFilesError(Exception):
    """The directory has more files than a batch takes; the argument is their number."""


@dataclass(frozen=True)
class BatchRecord(JobRecord):
    """One batch. `configuration` is the request's, `name` the directory's."""

    source_directory_id: str
    api: str

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
        skip_reason: Why there need be none. The job is then the one that has done it already.
    """

    directory_file_id: str
    file_id: str
    job_id: str | None
    error_message: str | None
    skip_reason: str | None = None


@dataclass(frozen=True)
class FileFate:
    """What became of a file of a batch; as in `BatchFile`."""

    job_id: str | None = None
    error_message: str | None = None
    skip_reason: str | None = None


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

    def accept(
        self, directory: DirectoryRecord, configuration: Mapping[str, object], *, api: str = CURRENT_API
    ) -> Future[BatchRecord]:
        """Accept a batch over all files that a directory has now.

        Args:
            directory: The directory.
            configuration: What is done with each.
            api: By which API. The beta one knows no limit.

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
            if files > MOST_FILES and api == CURRENT_API:
                raise TooManyFilesError(files)
            batch = self._insert(connection, directory.name, directory.id, configuration, api)
            connection.execute(copy, (batch.id, directory.id))
            return batch

        return self._database.write(work)

    def accept_items(self, item_ids: Sequence[str], configuration: Mapping[str, object]) -> Future[BatchRecord]:
        """Accept a batch of the beta API over some files, of whatever directories.

        Args:
            item_ids: Their ids in their directories.
            configuration: What is done with each.

        Returns:
            A future of the batch. It raises `NoSuchFileError`.
        """
        copy = (
            "INSERT OR IGNORE INTO batch_files (batch_id, directory_file_id, file_id) SELECT ?, id, file_id "
            "FROM directory_files WHERE id = ? AND deleted_at IS NULL"
        )

        def work(connection: sqlite3.Connection) -> BatchRecord:
            batch = self._insert(connection, "", "", configuration, BETA_API)
            for item_id in dict.fromkeys(item_ids):
                if not connection.execute(copy, (batch.id, item_id)).rowcount:
                    raise NoSuchFileError(item_id)
            return batch

        return self._database.write(work)

    def _insert(
        self,
        connection: sqlite3.Connection,
        name: str,
        directory_id: str,
        configuration: Mapping[str, object],
        api: str,
    ) -> BatchRecord:
        batch_id = f"{_ID_PREFIXES[api]}-{uuid.uuid4()}"
        return self.insert(connection, batch_id, name, configuration, source_directory_id=directory_id, api=api)

    def files(self, batch_id: str) -> Future[list[BatchFile]]:
        """The files of a batch, in the directory's order."""
        select = (
            "SELECT directory_file_id, file_id, job_id, error_message, skip_reason FROM batch_files "
            "WHERE batch_id = ? ORDER BY sequence"
        )
        return self._database.read(
            lambda connection: [BatchFile(**row) for row in connection.execute(select, (batch_id,))]
        )

    def note(self, batch_id: str, mapped: Mapping[str, FileFate]) -> Future[None]:
        """Keep what became of files.

        Args:
            batch_id: The batch.
            mapped: Under each file's id in the directory.
        """
        update = (
            "UPDATE batch_files SET job_id = ?, error_message = ?, skip_reason = ? "
            "WHERE batch_id = ? AND directory_file_id = ?"
        )
        values = [
            (fate.job_id, fate.error_message, fate.skip_reason, batch_id, file_id) for file_id, fate in mapped.items()
        ]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(update, values)

        return self._database.write(work)
