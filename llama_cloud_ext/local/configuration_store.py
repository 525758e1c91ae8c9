"""The saved configurations of a data folder. Every method returns a future, as those of `Store` do."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.store import Page, timestamp, where

PRODUCT_TYPES = ("classify_v2", "extract_v2", "parse_v2", "split_v1", "spreadsheet_v1", "unknown")


class ConfigurationNameTakenError(Exception):
    """The name belongs to another configuration of the same product."""


@dataclass(frozen=True)
class ConfigurationRecord:
    """One saved configuration. `parameters` has its `product_type` too, as requests and answers do."""

    id: str
    name: str
    product_type: str
    parameters: dict[str, Any]
    created_at: str
    updated_at: str
    sequence: int

    @property
    def options(self) -> dict[str, Any]:
        """The parameters as a job of the product takes them."""
        return {name: value for name, value in self.parameters.items() if name != "product_type"}


class ConfigurationStore:
    """Saved configurations in the database of a data folder.

    Args:
        database: The database.

    Example:
        >>> import pathlib, tempfile
        >>> database = Database(pathlib.Path(tempfile.mkdtemp()) / "test.sqlite3")
        >>> store = ConfigurationStore(database)
        >>> saved = store.save("quick", {"product_type": "parse_v2", "tier": "fast", "version": "latest"}).result()
        >>> store.get(saved.id).result().options
        {'tier': 'fast', 'version': 'latest'}
        >>> database.close()
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, name: str, parameters: Mapping[str, Any]) -> Future[ConfigurationRecord]:
        """Create a configuration, or give the one of this name and product other parameters."""
        now = timestamp()
        values = (f"cfg-{uuid.uuid4()}", name, parameters["product_type"], json.dumps(parameters), now, now)

        def work(connection: sqlite3.Connection) -> ConfigurationRecord:
            row = connection.execute(
                "INSERT INTO configurations (id, name, product_type, parameters, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name, product_type) DO UPDATE "
                "SET parameters = excluded.parameters, updated_at = excluded.updated_at RETURNING *",
                values,
            ).fetchone()
            return _record(row)

        return self._database.write(work)

    def update(
        self, config_id: str, *, name: str | None, parameters: Mapping[str, Any] | None
    ) -> Future[ConfigurationRecord | None]:
        """Change a configuration; None where there is none.

        Args:
            config_id: The configuration.
            name: Its new name; None to leave it.
            parameters: Its new parameters; None to leave them.

        Raises:
            ConfigurationNameTakenError: The name belongs to another one.
        """
        text = None if parameters is None else json.dumps(parameters)
        product = None if parameters is None else parameters["product_type"]

        def work(connection: sqlite3.Connection) -> ConfigurationRecord | None:
            try:
                row = connection.execute(
                    "UPDATE configurations SET name = COALESCE(?, name), parameters = COALESCE(?, parameters), "
                    "product_type = COALESCE(?, product_type), updated_at = ? WHERE id = ? RETURNING *",
                    (name, text, product, timestamp(), config_id),
                ).fetchone()
            except sqlite3.IntegrityError:
                raise ConfigurationNameTakenError from None
            return None if row is None else _record(row)

        return self._database.write(work)

    def get(self, config_id: str) -> Future[ConfigurationRecord | None]:
        """One configuration, or None."""

        def work(connection: sqlite3.Connection) -> ConfigurationRecord | None:
            row = connection.execute("SELECT * FROM configurations WHERE id = ?", (config_id,)).fetchone()
            return None if row is None else _record(row)

        return self._database.read(work)

    def page(self, filters: Sequence[tuple[str, Sequence[str]]], *, before: int | None, limit: int) -> Future[Page]:
        """List configurations, newest first.

        Args:
            filters: Pairs of column and accepted values.
            before: Only those created before this sequence number (the cursor).
            limit: Most rows to return.
        """
        condition, values = where(filters)
        cursor = " AND sequence < ?" if before is not None else ""
        select = f"SELECT * FROM configurations {condition}{cursor} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - the parts are ours, values are bound
        count = f"SELECT COUNT(*) FROM configurations {condition}"  # noqa: S608 - the parts are ours, values are bound

        def work(connection: sqlite3.Connection) -> Page:
            arguments = [*values, *([before] if before is not None else []), limit + 1]
            rows = [_record(row) for row in connection.execute(select, arguments)]
            return Page(rows[:limit], len(rows) > limit, connection.execute(count, values).fetchone()[0])

        return self._database.read(work)

    def delete(self, config_id: str) -> Future[bool]:
        """Forget a configuration; False when there is none. Jobs keep what they were given."""
        return self._database.write(
            lambda connection: connection.execute("DELETE FROM configurations WHERE id = ?", (config_id,)).rowcount > 0
        )


def _record(row: sqlite3.Row) -> ConfigurationRecord:
    return ConfigurationRecord(**{**dict(row), "parameters": json.loads(row["parameters"])})
