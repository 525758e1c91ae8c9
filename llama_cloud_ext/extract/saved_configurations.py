"""Saved extract configurations, on the I/O loop: found by name or id, without mistaking one for another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from llama_cloud_ext.errors import ConfigurationError, NotFoundError
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.wire import configurations
from llama_cloud_ext.wire.models.strict import nearest
from llama_cloud_ext.wire.transport import Connection

PRODUCT_TYPE = "extract_v2"

_ID_PREFIX = "cfg-"


def saved_parameters(schema: DataSchema, config: ExtractConfig) -> dict[str, Any]:
    """What is saved of a schema with its settings."""
    return {"product_type": PRODUCT_TYPE, **config.to_body(), "data_schema": schema.json_schema}


async def list_saved(connection: Connection, *, name: str | None = None) -> AsyncIterator[dict[str, Any]]:
    """The project's extract configurations, the latest version of each."""
    async for record in configurations.list_configurations(
        connection, product_types=[PRODUCT_TYPE], name=name, latest_only=True
    ):
        # An older deployment may know no filters; what has no id cannot be used.
        if record.get("id") and record.get("product_type") in (None, PRODUCT_TYPE):
            yield record


async def find_by_name(connection: Connection, name: str) -> dict[str, Any] | None:
    """The configuration of exactly this name, or None."""
    async for record in list_saved(connection, name=name):
        if record.get("name") == name:
            return record
    return None


async def get_by_name(connection: Connection, name: str) -> dict[str, Any]:
    """The configuration of this name.

    Raises:
        NotFoundError: There is none; the nearest name is in the error.
    """
    found = await find_by_name(connection, name)
    if found is not None:
        return found
    names = [str(record.get("name")) async for record in list_saved(connection)]
    meant = nearest(name, names)
    raise NotFoundError(
        f"there is no extract configuration named {name!r}",
        status=404,
        hint=f"Did you mean {meant!r}?" if meant else "Make one with create_agent, or look through list_agents.",
    )


async def configuration_id_of(connection: Connection, name_or_id: str) -> str:
    """The id of the configuration that a name means; an id is taken as it is, without asking.

    Raises:
        NotFoundError: There is none of this name.
    """
    if name_or_id.startswith(_ID_PREFIX):
        return name_or_id
    return str((await get_by_name(connection, name_or_id))["id"])


def extract_only(record: dict[str, Any]) -> dict[str, Any]:
    """The record itself, if it is an extract configuration's.

    Raises:
        ConfigurationError: It is of another product.
    """
    product = record.get("product_type")
    if product not in (None, PRODUCT_TYPE):
        raise ConfigurationError(
            f"the configuration {record.get('name')!r} ({record.get('id')}) is of {product}, not of {PRODUCT_TYPE}"
        )
    return record
