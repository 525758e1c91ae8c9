"""LlamaIndex instrumentation events of parse jobs, dispatched on the caller's side, inside the caller's span."""

from __future__ import annotations

from llama_index.core.instrumentation.events import BaseEvent


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
