"""`/api/v1/projects` and `/api/v2/projects`: the one project of a data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.request_errors import RequestError
from llama_cloud_ext.local.validation import page_size, read_cursor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def _project(request: Request) -> dict[str, Any]:
    project = cloud_of(request).project
    return {
        "id": project.id,
        "name": project.name,
        "organization_id": project.organization_id,
        "is_default": True,
        "created_at": project.created_at,
        "updated_at": project.created_at,
    }


def _matching(request: Request, name_parameter: str) -> list[dict[str, Any]]:
    project = _project(request)
    name = request.query_params.get(name_parameter)
    organization = request.query_params.get("organization_id")
    if name is not None and name.casefold() != project["name"].casefold():
        return []
    if organization is not None and organization != project["organization_id"]:
        return []
    return [project]


async def list_projects_v1(request: Request) -> Response:
    """GET /api/v1/projects: a bare list, by `project_name`."""
    return json_answer(_matching(request, "project_name"))


async def list_projects_v2(request: Request) -> Response:
    """GET /api/v2/projects: a page, by `name`."""
    page_size(request.query_params.get("page_size"))
    after = read_cursor(request.query_params.get("page_token"), [int])
    items = _matching(request, "name") if after is None else []
    return json_answer({"items": items, "next_page_token": None, "total_size": len(items)})


async def get_project(request: Request) -> Response:
    """GET /api/v1/projects/{id} and /api/v2/projects/{id}."""
    for project in _matching(request, "no-name"):
        if project["id"] == request.path_params["project_id"]:
            return json_answer(project)
    raise RequestError(404, "Project not found")


ROUTES = [
    Route("/api/v1/projects", list_projects_v1, methods=["GET"]),
    Route("/api/v1/projects/{project_id}", get_project, methods=["GET"]),
    Route("/api/v2/projects", list_projects_v2, methods=["GET"]),
    Route("/api/v2/projects/{project_id}", get_project, methods=["GET"]),
]
