"""The tables of saved configurations and of extractions."""

from __future__ import annotations

TABLES: tuple[str, ...] = (
    """CREATE TABLE configurations (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        product_type TEXT NOT NULL,
        parameters TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        UNIQUE (name, product_type)
    )""",
    "CREATE INDEX configurations_by_product ON configurations (product_type, sequence)",
    """CREATE TABLE extract_jobs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        name TEXT NOT NULL,
        configuration TEXT NOT NULL,
        configuration_id TEXT,
        file_input TEXT NOT NULL,
        document_input_type TEXT NOT NULL,
        parse_job_id TEXT NOT NULL,
        result_key TEXT,
        options_not_applied TEXT NOT NULL,
        result TEXT,
        error_message TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        owner TEXT,
        lease_expires REAL,
        attempts INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX extract_jobs_by_status ON extract_jobs (status, sequence)",
    "CREATE INDEX extract_jobs_by_creation ON extract_jobs (created_at)",
    "CREATE INDEX extract_jobs_by_result ON extract_jobs (result_key, sequence)",
    "CREATE TABLE parsings (key TEXT PRIMARY KEY, parse_job_id TEXT NOT NULL)",
    "CREATE INDEX extract_jobs_by_parse_job ON extract_jobs (parse_job_id)",
)
"""A migration of the database."""
