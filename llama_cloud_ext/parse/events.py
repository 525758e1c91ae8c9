"""LlamaIndex instrumentation events of parse jobs, dispatched on the caller's side, inside the caller's span."""

from __future__ import annotations

from llama_index.core.instrumentation.events import BaseEvent

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.result import ParseResult


class ParseJobSubmittedEvent(BaseEvent):
    """A job was created and not waited for.

    Attributes:
        file: Name of the input.
        job_id: The job.
    """

    file: str
    job_id: str

    @classmethod
    def class_name(cls) -> str:
        """Give the event's name."""
        return "ParseJobSubmittedEvent"


class ParseJobCompletedEvent(BaseEvent):
    """A file was parsed.

    Attributes:
        file: Name of the input.
        job_id: The job.
        pages: Number of pages of the result.
        credits: What the service billed, where it says so.
    """

    file: str
    job_id: str
    pages: int
    credits: float | None = None

    @classmethod
    def class_name(cls) -> str:
        """Give the event's name."""
        return "ParseJobCompletedEvent"


class ParseJobFailedEvent(BaseEvent):
    """A file could not be parsed.

    Attributes:
        file: Name of the input.
        job_id: The job, where one was created.
        error: Class name of the error.
        message: What it says.
    """

    file: str
    job_id: str | None
    error: str
    message: str

    @classmethod
    def class_name(cls) -> str:
        """Give the event's name."""
        return "ParseJobFailedEvent"


def parse_event(outcome: ParseResult | ParseJob | FailedItem) -> BaseEvent:
    """The event of what one input of a call came to."""
    if isinstance(outcome, ParseResult):
        return ParseJobCompletedEvent(
            file=outcome.source.name,
            job_id=str(outcome.job_id),
            pages=len(outcome.pages),
            credits=outcome.job.credits,
        )
    if isinstance(outcome, ParseJob):
        return ParseJobSubmittedEvent(file=outcome.source.name, job_id=outcome.job_id)
    return ParseJobFailedEvent(
        file=outcome.source,
        job_id=outcome.job_id,
        error=type(outcome.error).__name__,
        message=str(outcome.error),
    )
