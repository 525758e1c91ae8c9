"""What local LlamaCloud knows of directories, the files in them, and the indexes over them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

USER, EPHEMERAL, INDEX = "user", "ephemeral", "index"
TYPES = (USER, EPHEMERAL, INDEX)

TABLES: tuple[str, ...] = (
    """CREATE TABLE directories (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        description TEXT,
        type TEXT NOT NULL,
        system_metadata TEXT,
        expires_at TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        deleted_at TEXT
    )""",
    "CREATE INDEX directories_by_name ON directories (name)",
    """CREATE TABLE directory_files (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        directory_id TEXT NOT NULL,
        file_id TEXT NOT NULL,
        unique_id TEXT NOT NULL,
        display_name TEXT NOT NULL,
        metadata TEXT NOT NULL,
        source_id TEXT,
        uploaded INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        deleted_at TEXT
    )""",
    "CREATE UNIQUE INDEX directory_files_by_unique_id ON directory_files (directory_id, unique_id) "
    "WHERE deleted_at IS NULL",
    "CREATE INDEX directory_files_in_order ON directory_files (directory_id, sequence)",
    "CREATE INDEX directory_files_by_upload ON directory_files (file_id)",
    "CREATE INDEX directory_files_by_source ON directory_files (source_id)",
    """CREATE TABLE directory_indexes (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        description TEXT,
        source_directory_id TEXT NOT NULL UNIQUE,
        output_directory_id TEXT NOT NULL,
        export_config_id TEXT NOT NULL UNIQUE,
        sync_config_id TEXT NOT NULL,
        pipeline_id TEXT NOT NULL UNIQUE,
        configuration TEXT NOT NULL,
        synced_before TEXT,
        sync_requested_at TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )""",
)
"""The tables of directories and the indexes over them; a migration of the database."""


@dataclass(frozen=True)
class DirectoryRecord:
    """One directory."""

    id: str
    name: str
    description: str | None
    type: str
    system_metadata: dict[str, Any] | None
    expires_at: str | None
    created_at: str
    updated_at: str
    deleted_at: str | None
    sequence: int


@dataclass(frozen=True)
class DirectoryFileRecord:
    """One file of a directory.

    `file_id` is the upload behind it. `source_id` is set in the directories that indexes write: the file that this one
    was parsed from, whose content this one keeps under its own id.
    """

    id: str
    directory_id: str
    file_id: str
    unique_id: str
    display_name: str
    metadata: dict[str, Any]
    source_id: str | None
    uploaded: bool
    created_at: str
    updated_at: str
    deleted_at: str | None
    sequence: int

    @property
    def blob_id(self) -> str:
        """The id under which its content is."""
        return self.file_id if self.source_id is None else self.id


@dataclass(frozen=True)
class DirectoryIndexRecord:
    """One index over a directory.

    It owns a pipeline, which ingests and is searched, and is in no list of pipelines. `configuration` is what the index
    was created with. `sync_requested_at` is when the last sync began, `synced_before` when the one before it had ended.
    """

    id: str
    name: str
    description: str | None
    source_directory_id: str
    output_directory_id: str
    export_config_id: str
    sync_config_id: str
    pipeline_id: str
    configuration: dict[str, Any]
    synced_before: str | None
    sync_requested_at: str | None
    created_at: str
    updated_at: str
    sequence: int


def directory_of(row: sqlite3.Row) -> DirectoryRecord:
    """The directory in a row of its table."""
    system = row["system_metadata"]
    return DirectoryRecord(**{**dict(row), "system_metadata": None if system is None else json.loads(system)})


def directory_file_of(row: sqlite3.Row) -> DirectoryFileRecord:
    """The file in a row of its table."""
    values = dict(row)
    return DirectoryFileRecord(
        **{**values, "metadata": json.loads(values["metadata"]), "uploaded": bool(values["uploaded"])}
    )


def directory_index_of(row: sqlite3.Row) -> DirectoryIndexRecord:
    """The index in a row of its table."""
    return DirectoryIndexRecord(**{**dict(row), "configuration": json.loads(row["configuration"])})
