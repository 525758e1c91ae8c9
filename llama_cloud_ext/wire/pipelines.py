"""The endpoints of indexes, which the API calls pipelines, one function each.

All run on the I/O loop and return decoded JSON. The service's own reference:
https://developers.llamaindex.ai/reference/resources/pipelines/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_PIPELINES = "/api/v1/pipelines"


def pipeline_path(pipeline_id: str, suffix: str = "") -> str:
    """The path of one pipeline, or of something that belongs to it.

    Args:
        pipeline_id: The pipeline.
        suffix: What follows it.

    Raises:
        ConfigurationError: This cannot be an id.

    Example:
        >>> pipeline_path("7", "/status")
        '/api/v1/pipelines/7/status'
    """
    return path_with(f"{_PIPELINES}/", pipeline_id, suffix)


async def upsert(connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Create a pipeline, or update the one of the same name.

    Args:
        connection: Where to ask.
        body: The pipeline's configuration, with its `name`.

    Returns:
        The pipeline's record.
    """
    return as_mapping(await connection.request("PUT", _PIPELINES, json=body))


async def create(connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
    """Create a pipeline. One whose answer was lost is looked up by its name before it is created again.

    Args:
        connection: Where to ask.
        body: The pipeline's configuration, with its `name`.

    Returns:
        The pipeline's record.
    """

    async def recover() -> dict[str, Any] | None:
        known = await list_pipelines(connection, pipeline_name=str(body["name"]))
        return next((pipeline for pipeline in known if pipeline.get("name") == body["name"]), None)

    return as_mapping(await connection.request("POST", _PIPELINES, json=body, recover=recover))


async def get(connection: Connection, pipeline_id: str) -> dict[str, Any]:
    """A pipeline's record.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
    """
    return as_mapping(await connection.request("GET", pipeline_path(pipeline_id), scoped="project"))


async def list_pipelines(
    connection: Connection, *, pipeline_name: str | None = None, pipeline_type: str | None = None
) -> list[dict[str, Any]]:
    """The pipelines of the project.

    Args:
        connection: Where to ask.
        pipeline_name: Only the pipeline of this name.
        pipeline_type: "MANAGED" or "PLAYGROUND".

    Returns:
        Their records.
    """
    params = {"pipeline_name": pipeline_name, "pipeline_type": pipeline_type}
    return list(as_objects(await connection.request("GET", _PIPELINES, params=params)))


async def update(connection: Connection, pipeline_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a pipeline's configuration.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        body: What changes.

    Returns:
        The pipeline's record.
    """
    return as_mapping(await connection.request("PUT", pipeline_path(pipeline_id), json=body, scoped="project"))


async def delete(connection: Connection, pipeline_id: str) -> None:
    """Delete a pipeline with its documents and chunks.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
    """
    await connection.request("DELETE", pipeline_path(pipeline_id), scoped="project")


async def status(connection: Connection, pipeline_id: str, *, full_details: bool | None = None) -> dict[str, Any]:
    """How far a pipeline's ingestion has come.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        full_details: Whether every failure is listed.

    Returns:
        `{"status": …, "error": […], …}`.
    """
    path = pipeline_path(pipeline_id, "/status")
    return as_mapping(await connection.request("GET", path, params={"full_details": full_details}, scoped="project"))


async def sync(connection: Connection, pipeline_id: str) -> dict[str, Any]:
    """Have a pipeline ingest what is new. Asking twice does no more than asking once.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.

    Returns:
        The pipeline's record.
    """
    path = pipeline_path(pipeline_id, "/sync")
    return as_mapping(await connection.request("POST", path, scoped="project", idempotent=True))


async def cancel_sync(connection: Connection, pipeline_id: str) -> dict[str, Any]:
    """Have a pipeline stop ingesting.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.

    Returns:
        The pipeline's record.
    """
    path = pipeline_path(pipeline_id, "/sync/cancel")
    return as_mapping(await connection.request("POST", path, scoped="project", idempotent=True))


async def retrieve(connection: Connection, pipeline_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Retrieve from a pipeline.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        body: The `query`, and settings where the pipeline's presets are not meant.

    Returns:
        `{"retrieval_nodes": […], "image_nodes": […], "page_figure_nodes": […], …}`.
    """
    path = pipeline_path(pipeline_id, "/retrieve")
    return as_mapping(await connection.request("POST", path, json=body, idempotent=True))
