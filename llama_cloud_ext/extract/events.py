"""LlamaIndex instrumentation events of extract jobs."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.extract.job import ExtractJob
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.jobs.events import JobCompletedEvent, JobEvent, JobFailedEvent, JobSubmittedEvent, failed_event


class ExtractJobSubmittedEvent(JobSubmittedEvent):
    """A job was created and not waited for."""


class ExtractJobCompletedEvent(JobCompletedEvent):
    """Data were extracted from a file.

    Attributes:
        schema_name: What was extracted.
        objects: Number of objects.
    """

    schema_name: str
    objects: int


class ExtractJobFailedEvent(JobFailedEvent):
    """Nothing could be extracted from a file."""


def extract_event(outcome: ExtractResult[Any] | ExtractJob | FailedItem) -> JobEvent:
    """The event of what one input of a call came to."""
    if isinstance(outcome, ExtractResult):
        return ExtractJobCompletedEvent(
            file=outcome.source.name,
            job_id=outcome.job_id,
            schema_name=outcome.schema.name,
            objects=len(outcome.extracted) if isinstance(outcome.extracted, list) else 1,
            credits=outcome.job.credits,
        )
    if isinstance(outcome, ExtractJob):
        return ExtractJobSubmittedEvent(file=outcome.source.name, job_id=outcome.job_id)
    return failed_event(ExtractJobFailedEvent, outcome)
