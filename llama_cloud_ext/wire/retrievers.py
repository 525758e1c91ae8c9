"""The endpoints of composite retrievers, one function each. All run on the I/O loop and return decoded JSON.

The service's own reference: https://developers.llamaindex.ai/reference/resources/retrievers/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_RETRIEVERS = "/api/v1/retrievers"


def _path(retriever_id: str, suffix: str = "") -> str:
    return path_with(f"{_RETRIEVERS}/", retriever_id, suffix)


async def create(connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Create a retriever. One whose answer was lost is looked up by its name before it is created again.

    Args:
        connection: Where to ask.
        body: Its `name` and `pipelines`.

    Returns:
        The retriever's record.
    """

    async def recover() -> dict[str, Any] | None:
        known = await list_retrievers(connection, name=str(body["name"]))
        return next((retriever for retriever in known if retriever.get("name") == body["name"]), None)

    return as_mapping(await connection.request("POST", _RETRIEVERS, json=body, recover=recover))


async def upsert(connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Create a retriever, or update the one of the same name.

    Args:
        connection: Where to ask.
        body: Its `name` and `pipelines`.

    Returns:
        The retriever's record.
    """
    return as_mapping(await connection.request("PUT", _RETRIEVERS, json=body))


async def get(connection: Connection, retriever_id: str) -> dict[str, Any]:
    """A retriever's record.

    Args:
        connection: Where to ask.
        retriever_id: The retriever.
    """
    return as_mapping(await connection.request("GET", _path(retriever_id)))


async def list_retrievers(connection: Connection, *, name: str | None = None) -> list[dict[str, Any]]:
    """The retrievers of the project.

    Args:
        connection: Where to ask.
        name: Only the retriever of this name.

    Returns:
        Their records.
    """
    return list(as_objects(await connection.request("GET", _RETRIEVERS, params={"name": name})))


async def update(connection: Connection, retriever_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a retriever.

    Args:
        connection: Where to ask.
        retriever_id: The retriever.
        body: Its `pipelines`, and its `name` if that changes.

    Returns:
        The retriever's record.
    """
    return as_mapping(await connection.request("PUT", _path(retriever_id), json=body))


async def delete(connection: Connection, retriever_id: str) -> None:
    """Delete a retriever; its pipelines stay.

    Args:
        connection: Where to ask.
        retriever_id: The retriever.
    """
    await connection.request("DELETE", _path(retriever_id))


async def retrieve(connection: Connection, retriever_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Retrieve from the pipelines of a retriever.

    Args:
        connection: Where to ask.
        retriever_id: The retriever.
        body: The `query`, and `mode` and `rerank_config` where they are set.

    Returns:
        `{"nodes": […], "image_nodes": […], "page_figure_nodes": […]}`.
    """
    path = _path(retriever_id, "/retrieve")
    return as_mapping(await connection.request("POST", path, json=body, idempotent=True))


async def retrieve_from(connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Retrieve from pipelines that are named in the request, without a stored retriever.

    Args:
        connection: Where to ask.
        body: As for `retrieve`, with `pipelines`.

    Returns:
        As `retrieve`.
    """
    path = f"{_RETRIEVERS}/retrieve"
    return as_mapping(await connection.request("POST", path, json=body, idempotent=True))
