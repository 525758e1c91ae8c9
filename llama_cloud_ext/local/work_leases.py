"""Leases on rows of the queues: who works on what, and until when it counts as being worked on.

A table with a queue has the columns `status`, `owner`, `lease_expires` and `attempts`. Several processes take from it;
what a killed one leaves is taken again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from llama_cloud_ext.local.leases import STALLED_SECONDS


def expired(*, gone: Sequence[str], alive: Sequence[str]) -> tuple[str, list[Any]]:
    """The condition "this lease counts no more", and its values.

    Args:
        gone: Owners known to have ended; their leases count as expired.
        alive: Owners known to live; their leases count for `STALLED_SECONDS` longer.
    """
    now = time.time()
    condition = (
        f"((lease_expires < ? AND owner NOT IN ({', '.join('?' * len(alive))})) OR lease_expires < ? "
        f"OR owner IN ({', '.join('?' * len(gone))}))"
    )
    return condition, [now, *alive, now - STALLED_SECONDS, *gone]


def renew(connection: sqlite3.Connection, table: str, running: str, owner: str, seconds: float) -> list[sqlite3.Row]:
    """Renew every lease of an owner; the rows it still holds.

    Args:
        connection: Inside a write transaction.
        table: The queue; a name of ours.
        running: The status of what is being worked on.
        owner: Who renews.
        seconds: Until the leases expire.
    """
    return connection.execute(
        f"UPDATE {table} SET lease_expires = ? WHERE owner = ? AND status = ? RETURNING *",  # noqa: S608 - values are bound
        (time.time() + seconds, owner, running),
    ).fetchall()


def release(connection: sqlite3.Connection, table: str, waiting: str, running: str, owner: str) -> None:
    """Put what an owner works on back in the queue, as if never started.

    Args:
        connection: Inside a write transaction.
        table: The queue; a name of ours.
        waiting: The status of what waits.
        running: The status of what is being worked on.
        owner: Who gives up.
    """
    connection.execute(
        f"UPDATE {table} SET status = ?, owner = NULL, lease_expires = NULL, attempts = attempts - 1 "  # noqa: S608 - values are bound
        "WHERE owner = ? AND status = ?",
        (waiting, owner, running),
    )


def other_owners(connection: sqlite3.Connection, table: str, running: str, owner: str) -> list[str]:
    """Everyone else who holds a lease in a queue."""
    select = f"SELECT DISTINCT owner FROM {table} WHERE status = ? AND owner <> ?"  # noqa: S608 - values are bound
    return [row[0] for row in connection.execute(select, (running, owner))]
