"""The extract jobs of a data folder, and the parse jobs behind them.

Every method returns a future, as those of `Store` do.
"""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.extract_records import ExtractJobRecord, InputType
from llama_cloud_ext.local.job_table import CANCELLED, COMPLETED, UNFINISHED, JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord
from llama_cloud_ext.local.store import timestamp

# An extraction waits for its parse job without holding anything; when that has ended badly, it has something to say.
_PARSED = (
    "NOT EXISTS (SELECT 1 FROM jobs "
    "WHERE jobs.id = extract_jobs.parse_job_id AND jobs.status IN ('PENDING', 'RUNNING'))"
)


@dataclass(frozen=True)
class NewParsing:
    """A parse job to be made for an extraction, unless there is one that did, or does, just that.

    Attributes:
        job_id: The id it would get; its source is on disk.
        key: The same for all parsings of equal input and configuration.
        name: The file's name.
        configuration: How it is parsed.
    """

    job_id: str
    key: str
    name: str
    configuration: dict[str, Any]


@dataclass(frozen=True)
class NewExtraction:
    """An extract job as a request brings it. `parsing` is the id of a parse job, or one to be made."""

    job_id: str
    name: str
    configuration: dict[str, Any]
    configuration_id: str | None
    file_input: str
    document_input_type: InputType
    options_not_applied: list[str]
    parsing: NewParsing | str


class ExtractJobs(JobTable[ExtractJobRecord]):
    """The extract jobs in the database of a data folder.

    Args:
        database: The database.
        parse_jobs: Its parse jobs.

    Example:
        >>> import pathlib, tempfile
        >>> database = Database(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> jobs = ExtractJobs(database, JobTable(database, "jobs", ParseJobRecord))
        >>> parsing = NewParsing("pjb-1", "key", "a.pdf", {"tier": "fast"})
        >>> new = NewExtraction("ext-1", "a.pdf", {}, None, "dfl-1", "file_id", [], parsing)
        >>> jobs.accept(new).result().parse_job_id
        'pjb-1'
        >>> jobs.queue("me").claim(5.0).result() is None  # it waits for its parse job
        True
        >>> database.close()
    """

    def __init__(self, database: Database, parse_jobs: JobTable[ParseJobRecord]) -> None:
        super().__init__(database, "extract_jobs", ExtractJobRecord, ready=_PARSED)
        self._parse_jobs = parse_jobs

    def accept(self, new: NewExtraction) -> Future[ExtractJobRecord]:
        """Accept a job, and the parse job that it needs; once the future is done both survive a crash.

        Args:
            new: The job. Where a parse job could be used again, its record has the id of that.
        """

        def work(connection: sqlite3.Connection) -> ExtractJobRecord:
            parsing = new.parsing
            if isinstance(parsing, NewParsing):
                parsing = self._parsing(connection, parsing)
            return self.insert(
                connection,
                new.job_id,
                new.name,
                new.configuration,
                configuration_id=new.configuration_id,
                file_input=new.file_input,
                document_input_type=new.document_input_type,
                parse_job_id=parsing,
                options_not_applied=json.dumps(new.options_not_applied),
            )

        return self._database.write(work)

    def parse(self, new: NewParsing) -> Future[str]:
        """Accept a parse job alone; the id of the one that was made, or could be used again."""
        return self._database.write(lambda connection: self._parsing(connection, new))

    def _parsing(self, connection: sqlite3.Connection, new: NewParsing) -> str:
        row = connection.execute(
            "SELECT jobs.id FROM parsings JOIN jobs ON jobs.id = parsings.parse_job_id "
            "WHERE parsings.key = ? AND jobs.status IN (?, ?, ?)",
            (new.key, COMPLETED, *UNFINISHED),
        ).fetchone()
        if row is not None:
            return str(row["id"])
        connection.execute("INSERT OR REPLACE INTO parsings (key, parse_job_id) VALUES (?, ?)", (new.key, new.job_id))
        return self._parse_jobs.insert(connection, new.job_id, new.name, new.configuration).id

    def abandon_parsing(self, parse_job_id: str) -> Future[bool]:
        """Cancel a parse job that was made for extractions, when none of them waits for it any more."""
        update = (
            "UPDATE jobs SET status = ?, updated_at = ?, owner = NULL, lease_expires = NULL "
            "WHERE id = ? AND status IN (?, ?) AND NOT EXISTS "
            "(SELECT 1 FROM extract_jobs WHERE parse_job_id = jobs.id AND status IN (?, ?))"
        )
        values = (CANCELLED, timestamp(), parse_job_id, *UNFINISHED, *UNFINISHED)
        return self._database.write(lambda connection: connection.execute(update, values).rowcount > 0)

    def with_result(self, result_key: str) -> Future[ExtractJobRecord | None]:
        """The newest job whose result may be used again for equal input and configuration, or None."""
        select = "SELECT * FROM extract_jobs WHERE result_key = ? AND status = ? ORDER BY sequence DESC LIMIT 1"

        def work(connection: sqlite3.Connection) -> ExtractJobRecord | None:
            row = connection.execute(select, (result_key, COMPLETED)).fetchone()
            return None if row is None else self.read(row)

        return self._database.read(work)
