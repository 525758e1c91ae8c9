"""The endpoints of saved configurations, one function each. All run on the I/O loop and return decoded JSON.

The service's own reference: https://developers.llamaindex.ai/reference/resources/configurations/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_CONFIGURATIONS = "/api/v1/beta/configurations"


async def upsert(connection: Connection, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Save a configuration; one of the same name, product and project is replaced.

    Args:
        connection: Where to ask.
        name: Its name.
        parameters: The product's parameters, with their `product_type`.

    Returns:
        The configuration's record: `id`, `name`, `parameters`, `product_type`, `version`, …
    """
    body = {"name": name, "parameters": parameters}
    # Sent twice it comes to the same.
    return as_mapping(await connection.request("POST", _CONFIGURATIONS, json=body, idempotent=True))


async def get(connection: Connection, configuration_id: str) -> dict[str, Any]:
    """A configuration's record.

    Args:
        connection: Where to ask.
        configuration_id: The configuration.

    Returns:
        As `upsert`.
    """
    return as_mapping(await connection.request("GET", path_with(f"{_CONFIGURATIONS}/", configuration_id)))


async def update(
    connection: Connection,
    configuration_id: str,
    *,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Change a configuration.

    Args:
        connection: Where to ask.
        configuration_id: The configuration.
        name: A new name, or None to leave it.
        parameters: New parameters, all of them, or None to leave them.

    Returns:
        As `upsert`.
    """
    body = {key: value for key, value in {"name": name, "parameters": parameters}.items() if value is not None}
    path = path_with(f"{_CONFIGURATIONS}/", configuration_id)
    return as_mapping(await connection.request("PUT", path, json=body))


async def list_configurations(
    connection: Connection,
    *,
    product_types: Sequence[str] | None = None,
    name: str | None = None,
    latest_only: bool | None = None,
    page_size: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's configurations.

    Args:
        connection: Where to ask.
        product_types: Only those of these products, such as "extract_v2" or "parse_v2".
        name: Only those of this name.
        latest_only: Only the latest version of each name.
        page_size: Records in one answer; the service decides by default.

    Yields:
        One record a configuration.
    """
    params = {"latest_only": latest_only, "name": name, "page_size": page_size, "product_type": product_types}
    async for record in iterate_pages(connection, _CONFIGURATIONS, params=params):
        yield record


async def delete(connection: Connection, configuration_id: str) -> None:
    """Delete a configuration.

    Args:
        connection: Where to ask.
        configuration_id: The configuration.
    """
    await connection.request("DELETE", path_with(f"{_CONFIGURATIONS}/", configuration_id))
