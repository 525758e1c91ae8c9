"""What puts documents and files of pipelines (back) in the queue of ingestion, and how many are where."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.pipeline_records import NOT_STARTED

RESET = "error_message = NULL, owner = NULL, lease_expires = NULL, attempts = 0, version = version + 1"
"""What a file or document starts from when it is to be ingested (again), in SQL."""

AGAIN = f"status = '{NOT_STARTED}', {RESET}"
"""The same, in the queue."""


def status_counts(database: Database, table: str, where: str, values: Sequence[Any]) -> Future[dict[str, int]]:
    """How many rows of a table are in which status.

    Args:
        database: The database.
        table: One of ours.
        where: A condition of ours.
        values: What is bound to it.
    """
    select = f"SELECT status, COUNT(*) FROM {table} WHERE {where} GROUP BY status"  # noqa: S608 - values are bound
    return database.read(lambda connection: {row[0]: row[1] for row in connection.execute(select, values)})
