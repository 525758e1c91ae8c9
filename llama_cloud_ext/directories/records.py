"""What the service tells of directories and of the files in them."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.wire.models.tolerant import TolerantModel, as_mapping, as_moment, as_text, attribute


def _address_in(value: Any) -> str | None:
    return as_text(as_mapping(value).get("url"))


class Directory(TolerantModel):
    """A directory, as the service tells of it.

    Attributes:
        id: What everything else takes.
        name: Its name, which need not be unique.
        type: "user", "ephemeral", or "index" (what an index has made of another one).
        description: What people are shown of it.
        expires_at: When the service may clean it up; None where it stays.
        project_id: The project that it is in.
        created_at: When it was created.
        updated_at: When it changed last.
        deleted_at: When it was deleted; None where it was not.
    """

    id = attribute(as_text)
    name = attribute(as_text)
    type = attribute(as_text)
    description = attribute(as_text)
    expires_at = attribute(as_moment)
    project_id = attribute(as_text)
    created_at = attribute(as_moment)
    updated_at = attribute(as_moment)
    deleted_at = attribute(as_moment)

    def __repr__(self) -> str:
        return f"Directory(name={self.name!r}, id={self.id!r}, type={self.type!r})"


class DirectoryFile(TolerantModel):
    """A file of a directory, as the service tells of it.

    Attributes:
        id: Its id in the directory, which results of batches name as `source_directory_file_id`.
        directory_id: The directory.
        file_id: The upload behind it.
        name: What it is called.
        unique_id: What tells it from the others in the directory.
        metadata: What was given with it.
        download_url: Where its content can be fetched for a while, where it was asked for.
        created_at: When it came into the directory.
        updated_at: When it changed last.
        deleted_at: When it was deleted; None where it was not.
    """

    id = attribute(as_text)
    directory_id = attribute(as_text)
    file_id = attribute(as_text)
    name = attribute(as_text, "display_name")
    unique_id = attribute(as_text)
    metadata = attribute(as_mapping)
    download_url = attribute(_address_in)
    created_at = attribute(as_moment)
    updated_at = attribute(as_moment)
    deleted_at = attribute(as_moment)

    def __repr__(self) -> str:
        return f"DirectoryFile(name={self.name!r}, id={self.id!r})"


def id_of(record: Directory | DirectoryFile | str) -> str:
    """The id of what a caller gave by its record or by its id."""
    return record if isinstance(record, str) else str(record.id or "")
