"""What a result says of the job that made it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from llama_cloud_ext.wire.models.parse_response import JobRecord, ParseResponse
from llama_cloud_ext.wire.models.tolerant import as_boolean

# The service's names for "this came from the cache", old and new. Nothing else in the job tells.
_CACHE_KEYS = ("job_is_cache_hit", "is_cache_hit", "cache_hit")


class ParseJobInfo:
    """The job behind a result: what it was, and what it cost.

    Args:
        response: The raw response.

    Attributes:
        metadata: How the job ran (`job_metadata`), as the service describes it; empty when it was not fetched.
    """

    def __init__(self, response: Mapping[str, Any]) -> None:
        view = ParseResponse(response)
        self._record: JobRecord = view.job
        self.metadata: dict[str, Any] = view.job_metadata

    def __repr__(self) -> str:
        return f"ParseJobInfo(id={self.id!r}, status={self.status!r}, tier={self.tier!r}, credits={self.credits!r})"

    @property
    def id(self) -> str:
        """The job's id; "" when the response has none."""
        return self._record.id

    @property
    def status(self) -> str:
        """The job's state in the service's own word, such as "COMPLETED"."""
        return str(self._record.raw.get("status") or "")

    @property
    def tier(self) -> str | None:
        """The tier that read the pages."""
        return self._record.tier

    @property
    def project_id(self) -> str | None:
        """The project it belongs to."""
        return self._record.project_id

    @property
    def name(self) -> str | None:
        """A name for people."""
        return self._record.name

    @property
    def error_message(self) -> str | None:
        """Why it failed."""
        return self._record.error_message

    @property
    def usage(self) -> dict[str, Any]:
        """What the service recorded as usage; empty until it has."""
        return self._record.usage.raw if self._record.usage else {}

    @property
    def credits(self) -> float | None:
        """Credits billed; None until the service has counted."""
        return self._record.usage.credits if self._record.usage else None

    @property
    def user_metadata(self) -> dict[str, str]:
        """The tags that the job was created with."""
        return self._record.user_metadata

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def updated_at(self) -> datetime | None:
        """When its state last changed."""
        return self._record.updated_at

    @property
    def from_cache(self) -> bool | None:
        """Whether the service took the result from its cache (48 hours, no charge); None when it does not say."""
        said = (as_boolean(self.metadata.get(key)) for key in _CACHE_KEYS)
        return next((value for value in said if value is not None), None)

    @property
    def raw(self) -> dict[str, Any]:
        """The job's record as the service sent it."""
        return self._record.raw
