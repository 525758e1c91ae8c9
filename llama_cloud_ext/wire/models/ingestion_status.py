"""How far an ingestion has come, read tolerantly."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.wire.models.tolerant import TolerantModel, as_moment, as_text, attribute, list_of_models

FINAL = frozenset({"SUCCESS", "ERROR", "PARTIAL_SUCCESS", "CANCELLED"})
"""The states in which an ingestion stays. Any other one, known or new, counts as still running."""


def _as_status(value: Any) -> str | None:
    text = as_text(value)
    return None if text is None else text.upper()


class IngestionFailure(TolerantModel):
    """One thing that went wrong.

    Attributes:
        job_id: The job it went wrong in.
        message: What went wrong.
        step: Where: "PARSE", "TRANSFORM", "INGESTION", …
    """

    job_id = attribute(as_text)
    message = attribute(as_text)
    step = attribute(as_text)


class ManagedIngestionStatus(TolerantModel):
    """The state of a document, a file or a whole index.

    Attributes:
        status: "NOT_STARTED", "IN_PROGRESS", "SUCCESS", "PARTIAL_SUCCESS", "ERROR" or "CANCELLED".
        job_id: The job that did it, where the service tells.
        errors: What went wrong.
        effective_at: When this became the state.
        deployment_date: When what is ingested became searchable.

    Example:
        >>> ManagedIngestionStatus({"status": "success", "error": None}).finished
        True
    """

    status = attribute(_as_status)
    job_id = attribute(as_text)
    errors = attribute(list_of_models(IngestionFailure), "error")
    effective_at = attribute(as_moment)
    deployment_date = attribute(as_moment)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status!r}, errors={len(self.errors)})"

    @property
    def finished(self) -> bool:
        """Whether this is final."""
        return self.status in FINAL

    @property
    def failed(self) -> bool:
        """Whether it ended with something gone wrong."""
        return self.status in ("ERROR", "PARTIAL_SUCCESS")
