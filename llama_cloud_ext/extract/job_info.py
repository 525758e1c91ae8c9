"""What a result, and a look at a job, say of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from llama_cloud_ext.wire.models.extract_response import ExtractJobRecord
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping


class ExtractJobInfo:
    """An extract job: what it was, and what it cost.

    Args:
        record: The job's record as the service sent it.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = ExtractJobRecord(record)

    def __repr__(self) -> str:
        return f"ExtractJobInfo(id={self.id!r}, status={self.status!r}, tier={self.tier!r}, credits={self.credits!r})"

    @property
    def id(self) -> str:
        """The job's id; "" when the record has none."""
        return self._record.id

    @property
    def status(self) -> str:
        """The job's state in the service's own word: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED, CANCELLED, …"""
        return self._record.status

    @property
    def project_id(self) -> str | None:
        """The project it belongs to."""
        return self._record.project_id

    @property
    def file_input(self) -> str | None:
        """The file or parse job that it extracts from."""
        return self._record.file_input

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration that the service used; empty where it was not fetched."""
        return self._record.configuration

    @property
    def configuration_id(self) -> str | None:
        """The saved configuration that it used."""
        return self._record.configuration_id

    @property
    def tier(self) -> str | None:
        """The tier that extracted."""
        tier = self.configuration.get("tier")
        return str(tier) if tier else None

    @property
    def error_message(self) -> str | None:
        """Why it failed."""
        return self._record.error_message

    @property
    def parse_job_id(self) -> str | None:
        """The parse job that read the document; further extractions can start from it."""
        return self._record.extract_metadata.parse_job_id

    @property
    def metadata(self) -> dict[str, Any]:
        """What else the service says of the job; local LlamaCloud says here what read the document."""
        return self._record.metadata

    @property
    def pages(self) -> int | None:
        """Pages that were extracted from."""
        return as_integer(as_mapping(self.metadata.get("usage")).get("num_pages_extracted"))

    @property
    def usage(self) -> dict[str, Any]:
        """What the service recorded as usage; empty until it has."""
        return self._record.usage.raw if self._record.usage else {}

    @property
    def credits(self) -> float | None:
        """Credits billed, those of parsing included; None until the service has counted."""
        return self._record.usage.credits if self._record.usage else None

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def updated_at(self) -> datetime | None:
        """When its state last changed."""
        return self._record.updated_at

    @property
    def raw(self) -> dict[str, Any]:
        """The record as the service sent it."""
        return self._record.raw
