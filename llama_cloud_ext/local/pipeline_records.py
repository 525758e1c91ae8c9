"""What local LlamaCloud knows of an index: the pipeline itself, its documents, its files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NOT_STARTED, IN_PROGRESS, SUCCESS, ERROR = "NOT_STARTED", "IN_PROGRESS", "SUCCESS", "ERROR"
PARTIAL_SUCCESS, CANCELLED = "PARTIAL_SUCCESS", "CANCELLED"
STATUSES = (NOT_STARTED, IN_PROGRESS, SUCCESS, ERROR, CANCELLED)
PENDING = (NOT_STARTED, IN_PROGRESS)

SPLITTING, PARSING = ("transform_config", "metadata_config"), ("llama_parse_parameters",)
"""What of a pipeline's configuration makes its chunks what they are, and its files' texts."""

TABLES: tuple[str, ...] = (
    """CREATE TABLE pipelines (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        configuration TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )""",
    """CREATE TABLE pipeline_documents (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        pipeline_id TEXT NOT NULL,
        id TEXT NOT NULL,
        file_id TEXT,
        text TEXT NOT NULL,
        metadata TEXT NOT NULL,
        excluded_embed_metadata_keys TEXT NOT NULL,
        excluded_llm_metadata_keys TEXT NOT NULL,
        page_positions TEXT,
        status TEXT NOT NULL,
        error_message TEXT,
        version INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        owner TEXT,
        lease_expires REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        UNIQUE (pipeline_id, id)
    )""",
    "CREATE INDEX pipeline_documents_by_status ON pipeline_documents (status, sequence)",
    "CREATE INDEX pipeline_documents_by_pipeline ON pipeline_documents (pipeline_id, status)",
    "CREATE INDEX pipeline_documents_by_file ON pipeline_documents (pipeline_id, file_id, status)",
    "CREATE INDEX pipeline_documents_in_order ON pipeline_documents (pipeline_id, sequence)",
    """CREATE TABLE pipeline_files (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        pipeline_id TEXT NOT NULL,
        file_id TEXT NOT NULL,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        external_file_id TEXT,
        custom_metadata TEXT,
        status TEXT NOT NULL,
        error_message TEXT,
        indexed_page_count INTEGER,
        version INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        owner TEXT,
        lease_expires REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        UNIQUE (pipeline_id, file_id)
    )""",
    "CREATE INDEX pipeline_files_by_status ON pipeline_files (status, sequence)",
    "CREATE INDEX pipeline_files_by_pipeline ON pipeline_files (pipeline_id, status)",
    "CREATE INDEX pipeline_files_in_order ON pipeline_files (pipeline_id, sequence)",
    """CREATE TABLE retrievers (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        project_id TEXT NOT NULL,
        pipelines TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        UNIQUE (project_id, name)
    )""",
)
"""The tables of indexes and of composite retrievers; a migration of the database."""


@dataclass(frozen=True)
class PipelineRecord:
    """One pipeline. `configuration` is the body that created it, without its name."""

    id: str
    name: str
    configuration: dict[str, Any]
    created_at: str
    updated_at: str
    sequence: int

    @property
    def preset(self) -> dict[str, Any]:
        """Its preset retrieval parameters."""
        return self.configuration.get("preset_retrieval_parameters") or {}

    @property
    def transform(self) -> dict[str, Any]:
        """How its documents are split."""
        return self.configuration.get("transform_config") or {}


@dataclass(frozen=True)
class DocumentRecord:
    """One document of a pipeline. `version` grows with every change."""

    pipeline_id: str
    id: str
    file_id: str | None
    text: str
    metadata: dict[str, Any]
    excluded_embed_metadata_keys: list[str]
    excluded_llm_metadata_keys: list[str]
    page_positions: list[int] | None
    status: str
    error_message: str | None
    version: int
    created_at: str
    updated_at: str
    attempts: int
    sequence: int


@dataclass(frozen=True)
class PipelineFileRecord:
    """One file of a pipeline. `version` grows with every change."""

    pipeline_id: str
    file_id: str
    name: str
    size: int
    external_file_id: str | None
    custom_metadata: dict[str, Any] | None
    status: str
    error_message: str | None
    indexed_page_count: int | None
    version: int
    created_at: str
    updated_at: str
    attempts: int
    sequence: int


@dataclass(frozen=True)
class NewDocument:
    """A document as a request brings it."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    excluded_embed_metadata_keys: list[str]
    excluded_llm_metadata_keys: list[str]
    page_positions: list[int] | None
    file_id: str | None = None

    def columns(self) -> dict[str, Any]:
        """Its columns, apart from those that say how far it has come."""
        return {
            "id": self.id,
            "file_id": self.file_id,
            "text": self.text,
            "metadata": json.dumps(self.metadata),
            "excluded_embed_metadata_keys": json.dumps(self.excluded_embed_metadata_keys),
            "excluded_llm_metadata_keys": json.dumps(self.excluded_llm_metadata_keys),
            "page_positions": None if self.page_positions is None else json.dumps(self.page_positions),
        }


def pipeline_of(row: sqlite3.Row) -> PipelineRecord:
    """The pipeline in a row of its table."""
    return PipelineRecord(**{**dict(row), "configuration": json.loads(row["configuration"])})


def same_configuration(one: PipelineRecord, other: PipelineRecord, fields: Iterable[str]) -> bool:
    """Whether two pipelines do not differ in some fields of their configuration; None and empty are the same."""
    return all(_settled(one, field) == _settled(other, field) for field in fields)


def _settled(pipeline: PipelineRecord, field: str) -> dict[str, Any]:
    default = {"mode": "auto"} if field == "transform_config" else {}
    return {**default, **(pipeline.configuration.get(field) or {})}


_DOCUMENT_JSON = ("metadata", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
_LEASE = ("owner", "lease_expires")


def document_of(row: sqlite3.Row) -> DocumentRecord:
    """The document in a row of its table."""
    values = {name: value for name, value in dict(row).items() if name not in _LEASE}
    values |= {name: json.loads(values[name]) for name in _DOCUMENT_JSON}
    positions = values["page_positions"]
    return DocumentRecord(**{**values, "page_positions": None if positions is None else json.loads(positions)})


def file_of(row: sqlite3.Row) -> PipelineFileRecord:
    """The file in a row of its table."""
    values = {name: value for name, value in dict(row).items() if name not in _LEASE}
    metadata = values["custom_metadata"]
    return PipelineFileRecord(**{**values, "custom_metadata": None if metadata is None else json.loads(metadata)})


def overall_status(counts: Mapping[str, int]) -> str:
    """The status of a whole that has so many parts in each status.

    Example:
        >>> overall_status({"SUCCESS": 3, "ERROR": 1}), overall_status({"NOT_STARTED": 2}), overall_status({})
        ('PARTIAL_SUCCESS', 'NOT_STARTED', 'SUCCESS')
    """
    if counts.get(IN_PROGRESS):
        return IN_PROGRESS
    if counts.get(NOT_STARTED):
        return IN_PROGRESS if any(count for status, count in counts.items() if status != NOT_STARTED) else NOT_STARTED
    if counts.get(CANCELLED):
        return CANCELLED
    if counts.get(ERROR):
        return PARTIAL_SUCCESS if counts.get(SUCCESS) else ERROR
    return SUCCESS
