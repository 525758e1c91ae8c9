"""`/api/v1/pipelines`: the indexes of a data folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.pipeline_answers import describe_pipeline, describe_status, without_secrets
from llama_cloud_ext.local.pipeline_records import PENDING, PipelineRecord, overall_status
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.retrieval import check_transform_config
from llama_cloud_ext.local.retrieval_settings import check_preset
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import flag, page_size, parse_json, problems_of, read_cursor, write_cursor

if TYPE_CHECKING:
    from starlette.requests import Request

    from llama_cloud_ext.local.cloud import LocalCloud

FIELDS = (
    "embedding_config",
    "transform_config",
    "llama_parse_parameters",
    "sparse_model_config",
    "metadata_config",
    "preset_retrieval_parameters",
    "pipeline_type",
)
TYPES = ("MANAGED", "PLAYGROUND")
SHOWN_FAILURES = 20
"""Failures in a status without `full_details`."""
MOST_FAILURES = 10_000
LONGEST_NAME = 3000


async def upsert_pipeline(request: Request) -> Response:
    """PUT /api/v1/pipelines: create, or update the one of the same name."""
    check_scope(request)
    cloud = cloud_of(request)
    body = await _body(request)
    name = _name(body)
    known = await wait_for(cloud.pipelines.get(name=name))
    if known is None:
        created = await wait_for(cloud.pipelines.save(name, _configuration(body, {})))
        if created is not None:
            return json_answer(describe_pipeline(cloud, created))
        known = await wait_for(cloud.pipelines.get(name=name))  # somebody else was faster
    if known is None:
        raise RequestError(409, f"Pipeline {name} was changed at the same time")
    # What is not given takes its default again: an upsert says all of it.
    return await _changed(cloud, known, name, _configuration(body, {}))


async def create_pipeline(request: Request) -> Response:
    """POST /api/v1/pipelines: 409 where the name is taken."""
    check_scope(request)
    cloud = cloud_of(request)
    body = await _body(request)
    created = await wait_for(cloud.pipelines.save(_name(body), _configuration(body, {})))
    if created is None:
        raise RequestError(409, f"Pipeline with name {body['name']} already exists in this project")
    return json_answer(describe_pipeline(cloud, created))


async def list_pipelines(request: Request) -> Response:
    """GET /api/v1/pipelines: a bare list, by `pipeline_name` and `pipeline_type`."""
    check_scope(request)
    cloud = cloud_of(request)
    query = request.query_params
    project = query.get("project_name")
    if project is not None and project.casefold() != cloud.project.name.casefold():
        return json_answer([])
    rows = await wait_for(cloud.pipelines.page(name=query.get("pipeline_name")))
    return json_answer([describe_pipeline(cloud, row) for row in rows if _has_type(row, query.get("pipeline_type"))])


async def list_pipelines_v2(request: Request) -> Response:
    """GET /api/v2/pipelines: a page, by `name` and `pipeline_type`."""
    check_scope(request)
    cloud = cloud_of(request)
    query = request.query_params
    size = page_size(query.get("page_size"))
    after = read_cursor(query.get("page_token"), [int])
    matching = [
        row
        for row in await wait_for(cloud.pipelines.page(name=query.get("name"), after=after[0] if after else 0))
        if _has_type(row, query.get("pipeline_type"))
    ]
    rows = matching[:size]
    return json_answer(
        {
            "items": [describe_pipeline(cloud, row) for row in rows],
            "next_page_token": write_cursor([rows[-1].sequence]) if len(matching) > size else None,
            "total_size": None,
        }
    )


async def get_pipeline(request: Request) -> Response:
    """GET /api/v1/pipelines/{id}."""
    pipeline = await known_pipeline(request)
    return json_answer(describe_pipeline(cloud_of(request), pipeline))


async def update_pipeline(request: Request) -> Response:
    """PUT /api/v1/pipelines/{id}: change what is given."""
    pipeline = await known_pipeline(request)
    body = await _body(request)
    name = _name(body) if "name" in body else pipeline.name
    return await _changed(cloud_of(request), pipeline, name, _configuration(body, pipeline.configuration))


async def delete_pipeline(request: Request) -> Response:
    """DELETE /api/v1/pipelines/{id}: 204; its documents and chunks go with it."""
    pipeline = await known_pipeline(request)
    await wait_for(cloud_of(request).pipelines.delete(pipeline.id))
    return Response(status_code=204)


async def pipeline_status(request: Request) -> Response:
    """GET /api/v1/pipelines/{id}/status: how far its ingestion has come."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    full = flag(request, "full_details")

    async def look() -> str:
        counts = await wait_for(cloud.pipelines.counts(pipeline.id))
        return overall_status(counts)

    status = await settled(look, cloud.ingestion.ends, lambda now: now not in PENDING, lambda _: pipeline.updated_at)
    limit = MOST_FAILURES if full else SHOWN_FAILURES
    failures = await wait_for(cloud.pipelines.failures(pipeline.id, limit))
    return json_answer(describe_status(status, job_id=pipeline.id, changed_at=pipeline.updated_at, failures=failures))


async def sync_pipeline(request: Request) -> Response:
    """POST /api/v1/pipelines/{id}/sync: ingest again what failed or was cancelled; all, after a change of the model."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    await cloud.in_thread(cloud.embedder.measure)
    await wait_for(cloud.pipelines.ingest_again(pipeline.id, cloud.embedder))
    cloud.ingestion.wake()
    return json_answer(describe_pipeline(cloud, pipeline))


async def cancel_sync(request: Request) -> Response:
    """POST /api/v1/pipelines/{id}/sync/cancel: stop ingesting."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    await wait_for(cloud.pipelines.cancel_ingestion(pipeline.id))
    cloud.ingestion.ends.tell()
    return json_answer(describe_pipeline(cloud, pipeline))


async def known_pipeline(request: Request) -> PipelineRecord:
    """The pipeline that a request's path names.

    Raises:
        RequestError: 404 when there is none.
    """
    check_scope(request)
    pipeline = await wait_for(cloud_of(request).pipelines.get(pipeline_id=request.path_params["pipeline_id"]))
    if pipeline is None:
        raise RequestError(404, "Pipeline not found")
    return pipeline


async def settled_counts(
    look: Callable[[], Awaitable[dict[str, int]]], cloud: LocalCloud, pipeline: PipelineRecord
) -> dict[str, Any]:
    """How many documents or files are in which status, after a moment's patience while some are still to come.

    Args:
        look: Counts them.
        cloud: Where they are ingested.
        pipeline: What they belong to.

    Returns:
        What the answers about documents and about files have in common.
    """
    counts = await settled(
        look,
        cloud.ingestion.ends,
        lambda now: not any(now.get(status) for status in PENDING),
        lambda _: pipeline.updated_at,
    )
    return {"counts": counts, "total_count": sum(counts.values()), "pipeline_id": pipeline.id}


async def _changed(cloud: LocalCloud, pipeline: PipelineRecord, name: str, configuration: dict[str, Any]) -> Response:
    """Save another configuration; what its chunks are not right for any more is ingested again."""
    changed = await wait_for(cloud.pipelines.save(name, configuration, pipeline_id=pipeline.id))
    if changed is None:
        raise RequestError(409, f"Pipeline with name {name} already exists in this project")
    cloud.ingestion.wake()
    return json_answer(describe_pipeline(cloud, changed))


async def _body(request: Request) -> dict[str, Any]:
    body = parse_json(await receive_body(request))
    for name in ("data_sink", "data_sink_id"):
        if body.get(name) is not None:
            raise invalid(
                ["body", name], "Local LlamaCloud keeps its vectors in its own SQLite database; leave this out", None
            )
    return {name: value for name, value in body.items() if value is not None}


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if name is None:
        raise invalid(["body", "name"], "Field required", None, "missing")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise invalid(["body", "name"], f"Input should be a string of 1 to {LONGEST_NAME} characters", name)
    return name


def _configuration(body: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that a body asks for, on top of another one."""
    from llama_cloud_ext.wire.models.pipeline_configuration import LlamaParseParameters, settle_embedding_config

    configuration = {**base, **{name: body[name] for name in FIELDS if name in body}}
    for name in FIELDS:
        if name != "pipeline_type" and not isinstance(configuration.get(name, {}), dict):
            raise invalid(["body", name], "Input should be a valid dictionary", configuration[name], "dict_type")
    kind = configuration.get("pipeline_type", "MANAGED")
    if kind not in TYPES:
        raise invalid(["body", "pipeline_type"], f"Input should be one of: {', '.join(TYPES)}", kind, "enum")
    try:
        check_transform_config(configuration.get("transform_config") or {})
    except ValueError as error:
        raise invalid(["body", "transform_config"], str(error), configuration.get("transform_config")) from error
    if embedding := configuration.get("embedding_config"):
        try:
            settle_embedding_config(embedding)
        except ConfigurationError as error:
            raise invalid(["body", "embedding_config"], str(error)) from error
    parsing = configuration.get("llama_parse_parameters") or {}
    try:
        # Newer parameters than those known here do no harm.
        LlamaParseParameters(**{name: parsing[name] for name in LlamaParseParameters.model_fields if name in parsing})
    except ConfigurationError as error:
        raise RequestError(422, problems_of(error, parsing, ["body", "llama_parse_parameters"])) from error
    check_preset(configuration.get("preset_retrieval_parameters") or {}, ["body", "preset_retrieval_parameters"])
    # Nothing here ever uses a key, so that none is kept.
    return without_secrets(configuration)


def _has_type(pipeline: PipelineRecord, kind: str | None) -> bool:
    return kind is None or pipeline.configuration.get("pipeline_type", "MANAGED") == kind


ROUTES = [
    Route("/api/v1/pipelines", upsert_pipeline, methods=["PUT"]),
    Route("/api/v1/pipelines", create_pipeline, methods=["POST"]),
    Route("/api/v1/pipelines", list_pipelines, methods=["GET"]),
    Route("/api/v2/pipelines", list_pipelines_v2, methods=["GET"]),
    Route("/api/v1/pipelines/{pipeline_id}", get_pipeline, methods=["GET"]),
    Route("/api/v1/pipelines/{pipeline_id}", update_pipeline, methods=["PUT"]),
    Route("/api/v1/pipelines/{pipeline_id}", delete_pipeline, methods=["DELETE"]),
    Route("/api/v1/pipelines/{pipeline_id}/status", pipeline_status, methods=["GET"]),
    Route("/api/v1/pipelines/{pipeline_id}/sync", sync_pipeline, methods=["POST"]),
    Route("/api/v1/pipelines/{pipeline_id}/sync/cancel", cancel_sync, methods=["POST"]),
]
