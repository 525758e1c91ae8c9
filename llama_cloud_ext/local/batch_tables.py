"""The tables of batches."""

from __future__ import annotations

CURRENT_API, BETA_API = "v2", "beta"
"""By which API a batch was created. Each shows its own."""

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

OLDER_API_TABLES: tuple[str, ...] = (
    f"ALTER TABLE batches ADD COLUMN api TEXT NOT NULL DEFAULT '{CURRENT_API}'",
    "ALTER TABLE batch_files ADD COLUMN skip_reason TEXT",
    "CREATE INDEX batch_files_by_file ON batch_files (directory_file_id)",
)
"""A later migration: batches of the beta API, which skip files that were processed before."""
