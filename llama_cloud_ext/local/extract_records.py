"""What local LlamaCloud knows of an extraction: its job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from llama_cloud_ext.local.job_table import JobRecord

InputType = Literal["file_id", "parse_job_id"]
FILE: InputType = "file_id"
PARSE_JOB: InputType = "parse_job_id"


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
