"""What local LlamaCloud knows of an extraction: its job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from llama_cloud_ext.local.job_table import JobRecord

FILE, PARSE_JOB = "file_id", "parse_job_id"
InputType = Literal["file_id", "parse_job_id"]

TABLES: tuple[str, ...] = (
    """CREATE TABLE extract_jobs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        name TEXT NOT NULL,
        configuration TEXT NOT NULL,
        configuration_id TEXT,
        file_input TEXT NOT NULL,
        document_input_type TEXT NOT NULL,
        parse_job_id TEXT NOT NULL,
        parse_key TEXT,
        result_key TEXT,
        options_not_applied TEXT NOT NULL,
        result TEXT,
        error_message TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        owner TEXT,
        lease_expires REAL,
        attempts INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX extract_jobs_by_status ON extract_jobs (status, sequence)",
    "CREATE INDEX extract_jobs_by_creation ON extract_jobs (created_at)",
    "CREATE INDEX extract_jobs_by_parsing ON extract_jobs (parse_key, sequence)",
    "CREATE INDEX extract_jobs_by_result ON extract_jobs (result_key, sequence)",
    "CREATE INDEX extract_jobs_by_parse_job ON extract_jobs (parse_job_id)",
)
"""The table of extract jobs; part of a migration of the database."""


@dataclass(frozen=True)
class ExtractJobRecord(JobRecord):
    """One extract job. `configuration` is what is done, wherever it came from.

    Attributes:
        configuration_id: The saved configuration that it came from, if any.
        file_input: What the request named.
        document_input_type: What that is.
        parse_job_id: The job that parses the document.
        options_not_applied: Options of the request that have no effect here, as a JSON list.
        result: The outcome of a completed job, as JSON.
    """

    configuration_id: str | None
    file_input: str
    document_input_type: InputType
    parse_job_id: str
    options_not_applied: str
    result: str | None

    @property
    def outcome(self) -> dict[str, Any]:
        """What a completed job found: `data`, `field_metadata`, `pages` and `notes`; empty before."""
        outcome: dict[str, Any] = {} if self.result is None else json.loads(self.result)
        return outcome
