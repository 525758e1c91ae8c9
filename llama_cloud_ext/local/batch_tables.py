"""The tables of batches."""

from __future__ import annotations

TABLES: tuple[str, ...] = (
    """CREATE TABLE batches (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        name TEXT NOT NULL,
        source_directory_id TEXT NOT NULL,
        configuration TEXT NOT NULL,
        error_message TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        owner TEXT,
        lease_expires REAL,
        attempts INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX batches_by_status ON batches (status, sequence)",
    "CREATE INDEX batches_by_directory ON batches (source_directory_id, sequence)",
    """CREATE TABLE batch_files (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        batch_id TEXT NOT NULL,
        directory_file_id TEXT NOT NULL,
        file_id TEXT NOT NULL,
        job_id TEXT,
        error_message TEXT,
        UNIQUE (batch_id, directory_file_id)
    )""",
)
"""A migration of the database."""
