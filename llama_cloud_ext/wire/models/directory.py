"""Directories and the files in them: what they are created with, and what the service says of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import StrictModel
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_mapping,
    as_moment,
    as_text,
    as_text_or_empty,
    attribute,
)

__all__ = ["Directory", "DirectoryFile", "DirectoryFileOptions", "DirectoryOptions", "FileMetadata"]

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


class Directory(TolerantModel):
    """A directory, as the service tells of it.

    Attributes:
        id: The directory.
        name: Its name, which need not be unique.
        type: "user", "ephemeral", or "index" for what an index has made of another one.
        description: What people are shown of it.
        expires_at: When an ephemeral one may be cleaned up, where the service tells.
        created_at: When it was created.
        updated_at: When it changed last.
        deleted_at: When it was deleted; None while it is there.
    """

    id = attribute(as_text_or_empty)
    name = attribute(as_text_or_empty)
    type = attribute(as_text)
    description = attribute(as_text)
    expires_at = attribute(as_moment)
    created_at = attribute(as_moment)
    updated_at = attribute(as_moment)
    deleted_at = attribute(as_moment)

    def __repr__(self) -> str:
        return f"Directory(name={self.name!r}, id={self.id!r}, type={self.type!r})"


class DirectoryFile(TolerantModel):
    """A file of a directory, as the service tells of it.

    Attributes:
        id: Its id in the directory.
        file_id: The upload behind it.
        directory_id: The directory.
        name: What it is called.
        unique_id: What tells it from the others in the directory.
        metadata: What was given with it.
        updated_at: When it changed last.
        deleted_at: When it was deleted; None while it is there.
    """

    id = attribute(as_text)
    file_id = attribute(as_text)
    directory_id = attribute(as_text)
    name = attribute(as_text, "display_name")
    unique_id = attribute(as_text)
    metadata = attribute(as_mapping)
    updated_at = attribute(as_moment)
    deleted_at = attribute(as_moment)

    @property
    def download_url(self) -> str | None:
        """Where its content is for some time, if it was asked for."""
        found = self.raw.get("download_url")
        return as_text(found.get("url") if isinstance(found, dict) else found)

    def __repr__(self) -> str:
        return f"DirectoryFile(name={self.name!r}, id={self.id!r})"
