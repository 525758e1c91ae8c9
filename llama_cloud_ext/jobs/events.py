"""LlamaIndex instrumentation events of jobs, dispatched on the caller's side, inside the caller's span.

Each product has its own kinds of them, so that a handler can tell them apart.
"""

from __future__ import annotations

from typing import TypeVar

from llama_index.core.instrumentation.events import BaseEvent

from llama_cloud_ext.errors import FailedItem


class JobEvent(BaseEvent):
    """Something became of one input.

    Attributes:
        file: Name of the input.
    """

    file: str

    @classmethod
    def class_name(cls) -> str:
        """Give the event's name."""
        return cls.__name__


class JobSubmittedEvent(JobEvent):
    """A job was created and not waited for.

    Attributes:
        job_id: The job.
    """

    job_id: str


class JobCompletedEvent(JobEvent):
    """A job has given its result.

    Attributes:
        job_id: The job.
        credits: What the service billed, where it says so.
    """

    job_id: str
    credits: float | None = None


class JobFailedEvent(JobEvent):
    """An input gave no result.

    Attributes:
        job_id: The job, where one was created.
        error: Class name of the error.
        message: What it says.
    """

    job_id: str | None
    error: str
    message: str


F = TypeVar("F", bound=JobFailedEvent)


def failed_event(kind: type[F], failure: FailedItem) -> F:
    """The event of a failure.

    Args:
        kind: The product's kind of it.
        failure: The failure.
    """
    error = failure.error
    return kind(file=failure.source, job_id=failure.job_id, error=type(error).__name__, message=str(error))
