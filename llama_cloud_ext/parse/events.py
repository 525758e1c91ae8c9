"""LlamaIndex instrumentation events of parse jobs."""

from __future__ import annotations

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.jobs.events import JobCompletedEvent, JobEvent, JobFailedEvent, JobSubmittedEvent, failed_event
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.result import ParseResult


class ParseJobSubmittedEvent(JobSubmittedEvent):
    """A job was created and not waited for."""


class ParseJobCompletedEvent(JobCompletedEvent):
    """A file was parsed.

    Attributes:
        pages: Number of pages of the result.
    """

    pages: int


class ParseJobFailedEvent(JobFailedEvent):
    """A file could not be parsed."""


def parse_event(outcome: ParseResult | ParseJob | FailedItem) -> JobEvent:
    """The event of what one input of a call came to."""
    if isinstance(outcome, ParseResult):
        return ParseJobCompletedEvent(
            file=outcome.source.name,
            job_id=outcome.job_id,
            pages=len(outcome.pages),
            credits=outcome.job.credits,
        )
    if isinstance(outcome, ParseJob):
        return ParseJobSubmittedEvent(file=outcome.source.name, job_id=outcome.job_id)
    return failed_event(ParseJobFailedEvent, outcome)
