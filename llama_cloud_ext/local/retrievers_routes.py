"""`/api/v1/retrievers`: retrievers over several pipelines, kept or given with the query."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.composite_retrieval import RERANKERS_HERE, Ranking, Tool, retrieve_from_pipelines
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.retrieval_routes import query_in
from llama_cloud_ext.local.retrieval_settings import check_preset
from llama_cloud_ext.local.retriever_store import NameTakenError, RetrieverRecord
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import page_size, parse_json, read_cursor, write_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.pipeline_records import PipelineRecord

UNKEPT = str(uuid.UUID(int=0))
"""The retriever that nodes name when the pipelines came with the query."""

MODES = ("full", "routing")


async def create_retriever(request: Request) -> Response:
    """POST /api/v1/retrievers."""
    check_scope(request)
    cloud = cloud_of(request)
    body = await _body(request)
    name = _name(body)
    pipelines = await _pipelines(cloud, body)
    record = await wait_for(cloud.retrievers.create(name, pipelines))
    if record is None:
        raise _taken(name)
    return json_answer(_retriever(record))


async def upsert_retriever(request: Request) -> Response:
    """PUT /api/v1/retrievers: the one of this name gets these pipelines, or is created."""
    check_scope(request)
    cloud = cloud_of(request)
    body = await _body(request)
    name = _name(body)
    pipelines = await _pipelines(cloud, body)
    return json_answer(_retriever(await wait_for(cloud.retrievers.upsert(name, pipelines))))


async def update_retriever(request: Request) -> Response:
    """PUT /api/v1/retrievers/{id}: what is null stays as it is."""
    check_scope(request)
    cloud = cloud_of(request)
    body = await _body(request)
    name = None if body.get("name") is None else _name(body)
    pipelines = None if body.get("pipelines") is None else await _pipelines(cloud, body)
    retriever_id = request.path_params["retriever_id"]
    try:
        record = await wait_for(cloud.retrievers.update(retriever_id, name=name, pipelines=pipelines))
    except NameTakenError:
        raise _taken(str(name)) from None
    return json_answer(_retriever(_known(record)))


async def get_retriever(request: Request) -> Response:
    """GET /api/v1/retrievers/{id}."""
    return json_answer(_retriever(await _of_path(request)))


async def delete_retriever(request: Request) -> Response:
    """DELETE /api/v1/retrievers/{id}: 204; its pipelines stay."""
    check_scope(request)
    if not await wait_for(cloud_of(request).retrievers.delete(request.path_params["retriever_id"])):
        raise _not_found()
    return Response(status_code=204)


async def list_retrievers(request: Request) -> Response:
    """GET /api/v1/retrievers: a bare list, by `name`."""
    check_scope(request)
    page = await wait_for(cloud_of(request).retrievers.retrievers(name=request.query_params.get("name")))
    return json_answer([_retriever(record) for record in page.rows])


async def list_retrievers_by_page(request: Request) -> Response:
    """GET /api/v1/beta/retrievers: newest first, by `name`; counted only if `include_total` says so."""
    check_scope(request)
    query = request.query_params
    position = read_cursor(query.get("page_token"), [int])
    page = await wait_for(
        cloud_of(request).retrievers.retrievers(
            name=query.get("name"),
            before=None if position is None else position[0],
            limit=page_size(query.get("page_size")),
        )
    )
    return json_answer(
        {
            "items": [_retriever(record) for record in page.rows],
            "next_page_token": write_cursor([page.rows[-1].sequence]) if page.more else None,
            "total_size": page.total if query.get("include_total", "").lower() in {"true", "1"} else None,
        }
    )


async def retrieve_with_retriever(request: Request) -> Response:
    """POST /api/v1/retrievers/{id}/retrieve."""
    record = await _of_path(request)
    return await _retrieve(request, await _body(request), record.pipelines, record.id)


async def retrieve_directly(request: Request) -> Response:
    """POST /api/v1/retrievers/retrieve: the pipelines come with the query."""
    check_scope(request)
    body = await _body(request)
    return await _retrieve(request, body, _entries(body), UNKEPT)


async def _retrieve(
    request: Request, body: dict[str, Any], entries: Sequence[Mapping[str, Any]], retriever_id: str
) -> Response:
    query = query_in(body)
    mode = body.get("mode") or "full"
    if mode not in MODES:
        raise invalid(["body", "mode"], f"Input should be one of: {', '.join(MODES)}", mode, "enum")
    cloud = cloud_of(request)
    ranking = _ranking(body)
    records = await _known_pipelines(cloud, entries)
    tools = [Tool.of(record, entry) for record, entry in zip(records, entries, strict=True)]
    return json_answer(
        await retrieve_from_pipelines(
            cloud, query, tools, retriever_id=retriever_id, routing=mode == "routing", ranking=ranking
        )
    )


def _ranking(body: Mapping[str, Any]) -> Ranking:
    config = body.get("rerank_config") or {}
    if not isinstance(config, dict):
        raise invalid(["body", "rerank_config"], "Input should be a valid dictionary", config, "dict_type")
    kind = config.get("type") or "system_default"
    if kind not in RERANKERS_HERE:
        message = f"local LlamaCloud has no model for re-ranking by {kind!r}. Use one of: {', '.join(RERANKERS_HERE)}"
        raise invalid(["body", "rerank_config", "type"], message, kind, "enum")
    older = _top_n(body.get("rerank_top_n"), ["body", "rerank_top_n"])
    top_n = _top_n(config.get("top_n"), ["body", "rerank_config", "top_n"]) or older
    return Ranking(kind) if top_n is None else Ranking(kind, top_n)


def _top_n(value: Any, place: list[str | int]) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise invalid(place, "Input should be a whole number from 1 on", value)
    return value


async def _body(request: Request) -> dict[str, Any]:
    return parse_json(await receive_body(request))


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid(["body", "name"], "Input should be a name", name, "string_type")
    return name


async def _pipelines(cloud: LocalCloud, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = _entries(body)
    await _known_pipelines(cloud, entries)
    return entries


def _entries(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = [] if body.get("pipelines") is None else body["pipelines"]
    if not isinstance(entries, list):
        raise invalid(["body", "pipelines"], "Input should be a valid list", entries, "list_type")
    for position, entry in enumerate(entries):
        place: list[str | int] = ["body", "pipelines", position]
        if not isinstance(entry, dict):
            raise invalid(place, "Input should be a valid dictionary", entry, "dict_type")
        if not isinstance(entry.get("pipeline_id"), str):
            raise invalid([*place, "pipeline_id"], "Input should be a valid string", entry.get("pipeline_id"))
        for name in ("name", "description"):
            if not isinstance(entry.get(name), str | None):
                raise invalid([*place, name], "Input should be a valid string", entry[name], "string_type")
        preset = entry.get("preset_retrieval_parameters") or {}
        place.append("preset_retrieval_parameters")
        if not isinstance(preset, dict):
            raise invalid(place, "Input should be a valid dictionary", preset, "dict_type")
        check_preset(preset, place)
    return entries


async def _known_pipelines(cloud: LocalCloud, entries: Sequence[Mapping[str, Any]]) -> list[PipelineRecord]:
    records = []
    for entry in entries:
        record = await wait_for(cloud.pipelines.get(pipeline_id=entry["pipeline_id"]))
        if record is None:
            raise RequestError(404, f"Pipeline {entry['pipeline_id']} not found")
        records.append(record)
    return records


async def _of_path(request: Request) -> RetrieverRecord:
    check_scope(request)
    return _known(await wait_for(cloud_of(request).retrievers.retriever(request.path_params["retriever_id"])))


def _known(record: RetrieverRecord | None) -> RetrieverRecord:
    if record is None:
        raise _not_found()
    return record


def _not_found() -> RequestError:
    return RequestError(404, "Retriever not found")


def _taken(name: str) -> RequestError:
    return RequestError(409, f"A retriever named {name!r} exists already in this project")


def _retriever(record: RetrieverRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "project_id": record.project_id,
        "pipelines": record.pipelines,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


ROUTES = [
    Route("/api/v1/retrievers", create_retriever, methods=["POST"]),
    Route("/api/v1/retrievers", upsert_retriever, methods=["PUT"]),
    Route("/api/v1/retrievers", list_retrievers, methods=["GET"]),
    Route("/api/v1/beta/retrievers", list_retrievers_by_page, methods=["GET"]),
    Route("/api/v1/retrievers/retrieve", retrieve_directly, methods=["POST"]),
    Route("/api/v1/retrievers/{retriever_id}", get_retriever, methods=["GET"]),
    Route("/api/v1/retrievers/{retriever_id}", update_retriever, methods=["PUT"]),
    Route("/api/v1/retrievers/{retriever_id}", delete_retriever, methods=["DELETE"]),
    Route("/api/v1/retrievers/{retriever_id}/retrieve", retrieve_with_retriever, methods=["POST"]),
]
