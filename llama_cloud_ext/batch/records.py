"""What the service tells of batches: how they stand, and which job each file got."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.wire.batch_jobs import BATCH_JOBS
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_mapping,
    as_moment,
    as_text,
    as_text_or_empty,
    attribute,
    list_of_models,
)


class BatchResult(TolerantModel):
    """What a batch has made of one file: a job, or the reason why there is none.

    Attributes:
        source_directory_file_id: The file, by its id in the directory.
        job_id: The job, which `LlamaParseReader.job` and `LlamaExtract.get_result` take; None where there is none.
        product: "parse_v2" or "extract_v2"; None where there is no job.
        error_message: Why there is no job.
    """

    source_directory_file_id = attribute(as_text)
    error_message = attribute(as_text)
    _reference = attribute(as_mapping, "job_reference")

    @property
    def job_id(self) -> str | None:
        """The job."""
        return as_text(self._reference.get("id"))

    @property
    def product(self) -> str | None:
        """What kind of job it is."""
        return as_text(self._reference.get("type"))

    def __repr__(self) -> str:
        outcome = f"error_message={self.error_message!r}" if self.job_id is None else f"job_id={self.job_id!r}"
        return f"BatchResult({self.source_directory_file_id!r}, {outcome})"


_results = list_of_models(BatchResult)


def _results_or_none(value: Any) -> list[BatchResult] | None:
    return None if value is None else _results(value)


class Batch(TolerantModel):
    """A batch, as the service tells of it.

    Attributes:
        id: What everything else takes.
        status: PENDING, THROTTLED (it waits for its turn), RUNNING, COMPLETED, FAILED or CANCELLED. COMPLETED says that
            every file has got its job, not that the jobs have ended.
        source_directory_id: The directory whose files it works on.
        results: Which job each file got, where that was asked for; None before the service knows.
        project_id: The project that it is in.
        created_at: When it was created.
        updated_at: When it changed last.
    """

    id = attribute(as_text)
    status = attribute(as_text_or_empty)
    source_directory_id = attribute(as_text)
    results = attribute(_results_or_none)
    project_id = attribute(as_text)
    created_at = attribute(as_moment)
    updated_at = attribute(as_moment)
    _config = attribute(as_mapping, "config")

    @property
    def product(self) -> str | None:
        """What is done with each file: "parse_v2" or "extract_v2"."""
        return as_text(as_mapping(self._config.get("job")).get("type"))

    @property
    def configuration_id(self) -> str | None:
        """By which preset or saved configuration."""
        return as_text(as_mapping(self._config.get("job")).get("configuration_id"))

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, in whatever way."""
        return BATCH_JOBS.is_terminal(self.raw)

    def __repr__(self) -> str:
        return f"Batch(id={self.id!r}, status={self.status!r}, product={self.product!r})"
