"""What a directory is created with, and the files in it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import StrictModel

__all__ = ["DirectoryFileOptions", "DirectoryOptions", "FileMetadata"]

_Number = Annotated[float, Field(allow_inf_nan=False)]
FileMetadata = dict[str, bool | int | _Number | str | list[str] | None]
"""Metadata of a file: strings, finite numbers, booleans, None and lists of strings; nothing nested."""


class DirectoryOptions(StrictModel):
    """A directory to be created.

    Attributes:
        name: Its name, which need not be unique.
        description: What people are shown of it.
        type: "user", which stays, or "ephemeral", which the service may clean up; the service's default is "user".
        expires_at: When it may be cleaned up. A moment without a time zone is taken for UTC. The guide of batches has
            this; the official SDK does not.
        connector_subscription_id: The subscription whose files come into it; left out for uploads by hand.
        system_metadata: Reserved by the service.

    Example:
        >>> from datetime import datetime
        >>> DirectoryOptions(name="one-off", type="ephemeral", expires_at=datetime(2030, 1, 1)).to_body()["expires_at"]
        '2030-01-01T00:00:00+00:00'
    """

    name: str = Field(min_length=1)
    description: str | None = None
    type: Literal["user", "ephemeral"] | None = None
    expires_at: datetime | None = None
    connector_subscription_id: str | None = None
    system_metadata: dict[str, Any] | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire."""
        body = super().to_body()
        if self.expires_at is not None:
            moment = self.expires_at
            body["expires_at"] = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).isoformat()
        return body


class DirectoryFileOptions(StrictModel):
    """What a file of a directory is called, and what is known of it.

    Attributes:
        display_name: What people are shown; the file's own name by default.
        unique_id: What tells it from the others in its directory; its name by default, which is often not unique.
        metadata: What chunks of it can be filtered by.

    Example:
        >>> DirectoryFileOptions(unique_id="2024/report.pdf", metadata={"year": 2024}).to_body()
        {'unique_id': '2024/report.pdf', 'metadata': {'year': 2024}}
    """

    display_name: str | None = Field(default=None, min_length=1)
    unique_id: str | None = Field(default=None, min_length=1)
    metadata: FileMetadata | None = None

    @field_validator("metadata", mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        for key, one in value.items() if isinstance(value, dict) else ():
            is_list = isinstance(one, list) and all(isinstance(item, str) for item in one)
            if not (is_list or one is None or isinstance(one, str | int | float)):
                raise ConfigurationError(
                    f"metadata {key!r} is a {type(one).__name__}",
                    hint="Use strings, finite numbers, booleans and lists of strings; dates are written as strings.",
                )
        return value
