"""`/api/v1/beta/configurations`: saved configurations of all products, some of which are extraction agents too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.configuration_parameters import check_parameters
from llama_cloud_ext.local.configuration_store import (
    PRODUCT_TYPES,
    ConfigurationNameTakenError,
    ConfigurationRecord,
)
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import flag, page_size, parse_json, read_cursor, split_values, write_cursor

if TYPE_CHECKING:
    from starlette.requests import Request

    from llama_cloud_ext.local.store import Page

_MODES = {"cost_effective": "BALANCED", "agentic": "MULTIMODAL", "agentic_plus": "PREMIUM", "turbo": "FAST"}
# The mode of the older extract API that a tier took the place of.


async def save_configuration(request: Request) -> Response:
    """POST /api/v1/beta/configurations: the one of this name and product gets these parameters, or is created."""
    check_scope(request)
    body = parse_json(await receive_body(request))
    name = _name(body)
    if "parameters" not in body:
        raise invalid(["body", "parameters"], "Field required", body, "missing")
    parameters = check_parameters(body["parameters"])
    return json_answer(_configuration(await wait_for(cloud_of(request).configurations.save(name, parameters))))


async def update_configuration(request: Request) -> Response:
    """PUT /api/v1/beta/configurations/{id}: what is left out stays as it is."""
    check_scope(request)
    body = parse_json(await receive_body(request))
    name = None if body.get("name") is None else _name(body)
    parameters = None if body.get("parameters") is None else check_parameters(body["parameters"])
    config_id = request.path_params["config_id"]
    try:
        record = await wait_for(cloud_of(request).configurations.update(config_id, name=name, parameters=parameters))
    except ConfigurationNameTakenError:
        message = "A configuration of this name exists already for this product"
        raise RequestError(409, message) from None
    return json_answer(_configuration(_known(record)))


async def get_configuration(request: Request) -> Response:
    """GET /api/v1/beta/configurations/{id}."""
    check_scope(request)
    record = await wait_for(cloud_of(request).configurations.get(request.path_params["config_id"]))
    return json_answer(_configuration(_known(record)))


async def delete_configuration(request: Request) -> Response:
    """DELETE /api/v1/beta/configurations/{id}: 204; jobs keep what they were given."""
    check_scope(request)
    if not await wait_for(cloud_of(request).configurations.delete(request.path_params["config_id"])):
        raise _not_found()
    return Response(status_code=204)


async def list_configurations(request: Request) -> Response:
    """GET /api/v1/beta/configurations: newest first, by name and products."""
    check_scope(request)
    flag(request, "latest_only")  # of each name and product there is one version here, the latest
    query = request.query_params
    filters: list[tuple[str, list[str]]] = []
    if (name := query.get("name")) is not None:
        filters.append(("name", [name]))
    if products := split_values(query.getlist("product_type")):
        for product in products:
            if product not in PRODUCT_TYPES:
                message = f"Input should be one of: {', '.join(PRODUCT_TYPES)}"
                raise invalid(["query", "product_type"], message, product, "enum")
        filters.append(("product_type", products))
    page = await _page(request, filters)
    return _list_answer(page, [_configuration(record) for record in page.rows])


async def list_agents(request: Request) -> Response:
    """GET /api/v1/beta/extraction-agents: the saved configurations of Extract, in the form of the older API."""
    check_scope(request)
    flag(request, "include_default")  # there is none here
    page = await _page(request, [("product_type", ["extract_v2"])])
    project_id = cloud_of(request).project.id
    return _list_answer(page, [_agent(record, project_id) for record in page.rows])


async def _page(request: Request, filters: list[tuple[str, list[str]]]) -> Page:
    before = read_cursor(request.query_params.get("page_token"), [int])
    return await wait_for(
        cloud_of(request).configurations.page(
            filters,
            before=before[0] if before else None,
            limit=page_size(request.query_params.get("page_size")),
        )
    )


def _list_answer(page: Page, items: list[dict[str, Any]]) -> Response:
    token = write_cursor([page.rows[-1].sequence]) if page.more else None
    return json_answer({"items": items, "next_page_token": token, "total_size": page.total})


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid(["body", "name"], "Input should be a name", name, "string_type")
    return name


def _known(record: ConfigurationRecord | None) -> ConfigurationRecord:
    if record is None:
        raise _not_found()
    return record


def _not_found() -> RequestError:
    return RequestError(404, "Configuration not found")


def _configuration(record: ConfigurationRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "product_type": record.product_type,
        "parameters": record.parameters,
        "version": record.updated_at,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def _agent(record: ConfigurationRecord, project_id: str) -> dict[str, Any]:
    options = record.options
    return {
        "id": record.id,
        "name": record.name,
        "project_id": project_id,
        "data_schema": options["data_schema"],
        "config": {
            "extraction_mode": _MODES[options.get("tier", "agentic")],
            "extraction_target": options.get("extraction_target", "per_doc").upper(),
            "system_prompt": options.get("system_prompt"),
            "page_range": options.get("target_pages"),
            "cite_sources": options.get("cite_sources", False),
            "confidence_scores": options.get("confidence_scores", False),
            "invalidate_cache": options.get("disable_cache", False),
        },
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


ROUTES = [
    Route("/api/v1/beta/configurations", save_configuration, methods=["POST"]),
    Route("/api/v1/beta/configurations", list_configurations, methods=["GET"]),
    Route("/api/v1/beta/configurations/{config_id}", get_configuration, methods=["GET"]),
    Route("/api/v1/beta/configurations/{config_id}", update_configuration, methods=["PUT"]),
    Route("/api/v1/beta/configurations/{config_id}", delete_configuration, methods=["DELETE"]),
    Route("/api/v1/beta/extraction-agents", list_agents, methods=["GET"]),
]
