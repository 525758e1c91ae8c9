"""The endpoints of projects, one function each. All run on the I/O loop and return decoded JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

_PROJECTS = "/api/v1/projects"


async def list_projects(connection: Connection, *, project_name: str | None = None) -> list[dict[str, Any]]:
    """The projects that the key may see.

    Args:
        connection: Where to ask; its organization narrows the list.
        project_name: Only the project of this name.

    Returns:
        Their records.
    """
    params = {"organization_id": connection.settings.organization_id, "project_name": project_name}
    return list(as_objects(await connection.request("GET", _PROJECTS, params=params, scoped=False)))


async def get(connection: Connection, project_id: str) -> dict[str, Any]:
    """A project's record.

    Args:
        connection: Where to ask.
        project_id: The project.

    Returns:
        The record.
    """
    path = path_with(f"{_PROJECTS}/", project_id)
    params = {"organization_id": connection.settings.organization_id}
    return as_mapping(await connection.request("GET", path, params=params, scoped=False))
