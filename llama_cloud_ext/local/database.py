"""One SQLite connection on one thread of its own.

SQLite connections dislike threads and event loops dislike SQLite, so that everything that touches the database is a
function sent to this thread. Writes run inside `BEGIN IMMEDIATE`: a deferred transaction that reads and then writes
fails when another process wrote in between, however long the busy timeout is.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from llama_cloud_ext.local.batch_tables import OLDER_API_TABLES as BETA_BATCH_TABLES
from llama_cloud_ext.local.batch_tables import TABLES as BATCH_TABLES
from llama_cloud_ext.local.directory_records import TABLES as DIRECTORY_TABLES
from llama_cloud_ext.local.extract_tables import TABLES as EXTRACT_TABLES
from llama_cloud_ext.local.pipeline_records import TABLES as PIPELINE_TABLES
from llama_cloud_ext.local.retrieval.schema import SCHEMA as RETRIEVAL_TABLES

T = TypeVar("T")

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process's write; far above any transaction of ours."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE files (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            purpose TEXT NOT NULL,
            external_file_id TEXT,
            created_at TEXT NOT NULL
        )""",
        "CREATE INDEX files_by_external_id ON files (external_file_id)",
        "CREATE INDEX files_by_name ON files (name)",
        """CREATE TABLE jobs (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            name TEXT NOT NULL,
            configuration TEXT NOT NULL,
            error_message TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            owner TEXT,
            lease_expires REAL,
            attempts INTEGER NOT NULL DEFAULT 0,
            result_id TEXT
        )""",
        "CREATE INDEX jobs_by_status ON jobs (status, sequence)",
        "CREATE INDEX jobs_by_creation ON jobs (created_at)",
    ),
    (*PIPELINE_TABLES, *RETRIEVAL_TABLES),
    EXTRACT_TABLES,
    DIRECTORY_TABLES,
    BATCH_TABLES,
    BETA_BATCH_TABLES,
)
"""The schema, one entry a version; `PRAGMA user_version` counts the entries already applied."""


class NewerSchemaError(Exception):
    """The data folder was written by a newer version of this package."""


class Database:
    """A SQLite file behind one thread.

    Args:
        path: The database file; its folder exists.

    Example:
        >>> import pathlib, tempfile
        >>> database = Database(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> database.read(lambda connection: connection.execute("SELECT 1").fetchone()[0]).result()
        1
        >>> database.close()
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._work: queue.SimpleQueue[tuple[Callable[[sqlite3.Connection], Any], bool, Future[Any]] | None]
        self._work = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="llama-cloud-local-database", daemon=True)
        self._thread.start()
        self._ready.result()

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a function that only reads.

        Args:
            function: Called with the connection, on the database's thread.

        Returns:
            A future of the function's result.
        """
        return self._submit(function, write=False)

    def write(self, function: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a function inside one `BEGIN IMMEDIATE` transaction, which is on disk once the future is done.

        Args:
            function: Called with the connection, on the database's thread; an exception rolls back.

        Returns:
            A future of the function's result.
        """
        return self._submit(function, write=True)

    def close(self) -> None:
        """Finish what was submitted, then close the file. Closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._work.put(None)
        self._thread.join(timeout=BUSY_TIMEOUT)

    def _submit(self, function: Callable[[sqlite3.Connection], T], *, write: bool) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(RuntimeError(f"the local LlamaCloud database {self._path} is closed"))
            else:
                self._work.put((function, write, future))
        return future

    def _run(self) -> None:
        try:
            connection = self._connect()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        while (item := self._work.get()) is not None:
            function, write, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = _transaction(connection, function) if write else function(connection)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            # Kept until the next item came, these would keep their closures alive.
            del item, function, future
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
        connection.row_factory = sqlite3.Row
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                # Switching to WAL ignores the busy timeout while another process does the same.
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous = FULL")
        _transaction(connection, _migrate)
        return connection


def _transaction(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result


def _migrate(connection: sqlite3.Connection) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerSchemaError(f"it was written by a newer llama-cloud-ext (schema {version})")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
