"""LlamaIndex instrumentation events of extract jobs, dispatched on the caller's side, inside the caller's span."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.events import BaseEvent

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.extract.job import ExtractJob
from llama_cloud_ext.extract.result import ExtractResult


class ExtractJobSubmittedEvent(BaseEvent):
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
        return "ExtractJobSubmittedEvent"


class ExtractJobCompletedEvent(BaseEvent):
    """Data were extracted from a file.

    Attributes:
        file: Name of the input.
        job_id: The job.
        schema_name: What was extracted.
        objects: Number of objects.
        credits: What the service billed, where it says so.
    """

    file: str
    job_id: str
    schema_name: str
    objects: int
    credits: float | None = None

    @classmethod
    def class_name(cls) -> str:
        """Give the event's name."""
        return "ExtractJobCompletedEvent"


class ExtractJobFailedEvent(BaseEvent):
    """Nothing could be extracted from a file.

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
        return "ExtractJobFailedEvent"


def extract_event(outcome: ExtractResult[Any] | ExtractJob | FailedItem) -> BaseEvent:
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
    return ExtractJobFailedEvent(
        file=outcome.source,
        job_id=outcome.job_id,
        error=type(outcome.error).__name__,
        message=str(outcome.error),
    )
