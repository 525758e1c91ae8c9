"""Connections that only read: in WAL mode they never wait for a writer, and a writer never waits for them."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_cloud_ext.local.retrieval.filter_sql import LOWER

_BUSY_TIMEOUT = 30.0
_PAGE_CACHE_KIB = 16 * 1024
_MAPPED_BYTES = 1 << 30


class ReadConnections:
    """Connections to one database file, lent to one thread each.

    Args:
        path: The database file, already in WAL mode.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction, which sees the database as of its first statement."""
        if self._closed:
            raise RuntimeError("the search is closed")
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        finally:
            if self._closed:
                connection.close()
            else:
                self._idle.put(connection)

    def close(self) -> None:
        """Close the connections that nobody uses now; the others close when they come back."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        connection.create_function(LOWER, 1, _lower, deterministic=True)
        return connection


def _lower(text: str) -> str:
    return text.lower()
