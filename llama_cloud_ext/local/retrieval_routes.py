"""`/api/v1/pipelines/{id}/retrieve`: from a query to nodes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.page_image_nodes import page_image_nodes
from llama_cloud_ext.local.pipeline_answers import describe_node
from llama_cloud_ext.local.pipelines_routes import known_pipeline
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.retrieval import EmbedderMismatchError, ScoredChunk
from llama_cloud_ext.local.retrieval_settings import AskedFor
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import parse_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.pipeline_records import PipelineRecord


@dataclass(frozen=True)
class Found:
    """What a pipeline has for a query.

    Attributes:
        chunks: The best first.
        image_nodes: Screenshots of their pages, where they are wanted.
        figure_nodes: Figures of their pages, where they are wanted.
        inferred: Filters that were inferred from the query, or None.
        seconds: How long each step took.
    """

    chunks: list[ScoredChunk]
    image_nodes: list[dict[str, Any]]
    figure_nodes: list[dict[str, Any]]
    inferred: Mapping[str, Any] | None
    seconds: dict[str, float]


async def search_pipeline(cloud: LocalCloud, pipeline: PipelineRecord, query: str, given: Mapping[str, Any]) -> Found:
    """Search a pipeline.

    Args:
        cloud: The data folder.
        pipeline: The pipeline.
        query: What is asked.
        given: Settings that beat the pipeline's presets.

    Raises:
        RequestError: 422 for settings that mean nothing; 409 where the pipeline's vectors are another model's.
    """
    started = time.perf_counter()
    asked, chunks = await search_chunks(cloud, pipeline, query, given)
    searched = time.perf_counter()
    images: list[dict[str, Any]] = []
    figures: list[dict[str, Any]] = []
    if asked.screenshots or asked.figures:
        images, figures = await page_image_nodes(
            cloud, pages_of(chunks), screenshots=asked.screenshots, figures=asked.figures
        )
    seconds = {"retrieval": searched - started, "images": time.perf_counter() - searched}
    return Found(chunks, images, figures, asked.inferred, seconds)


async def search_chunks(
    cloud: LocalCloud, pipeline: PipelineRecord, query: str, given: Mapping[str, Any]
) -> tuple[AskedFor, list[ScoredChunk]]:
    """Search a pipeline for its chunks alone.

    Args:
        cloud: The data folder.
        pipeline: The pipeline.
        query: What is asked.
        given: Settings that beat the pipeline's presets.

    Returns:
        What was asked for with the presets, and the chunks, the best first.

    Raises:
        RequestError: 422 for settings that mean nothing; 409 where the pipeline's vectors are another model's.
    """
    asked = AskedFor(query, given, pipeline.preset)
    try:
        return asked, await cloud.in_thread(cloud.searcher.search, pipeline.id, query, asked.settings)
    except EmbedderMismatchError as error:
        raise RequestError(409, str(error)) from error
    except ValueError as error:
        raise RequestError(422, str(error)) from error


def pages_of(chunks: Iterable[ScoredChunk]) -> list[tuple[str, int, float]]:
    """The pages of files that chunks stand on: file id, page index from 0 on, and the chunk's score."""
    return [
        (scored.file_id, number - 1, scored.score)
        for scored in chunks
        if scored.file_id is not None and isinstance(number := scored.chunk.metadata.get("page_number", 1), int)
    ]


async def retrieve(request: Request) -> Response:
    """POST /api/v1/pipelines/{id}/retrieve."""
    pipeline = await known_pipeline(request)
    body = parse_json(await receive_body(request))
    query = query_in(body)
    found = await search_pipeline(cloud_of(request), pipeline, query, body)
    return json_answer(
        {
            "pipeline_id": pipeline.id,
            "retrieval_nodes": [
                {"node": node_of(pipeline.id, scored), "score": scored.score, "class_name": "NodeWithScore"}
                for scored in found.chunks
            ],
            "image_nodes": found.image_nodes,
            "page_figure_nodes": found.figure_nodes,
            "inferred_search_filters": found.inferred,
            "metadata": {},
            "retrieval_latency": found.seconds,
            "class_name": "RetrieveResults",
        }
    )


def query_in(body: Mapping[str, Any]) -> str:
    """The query of a request.

    Raises:
        RequestError: 422 when it is missing, blank or no text.
    """
    query = body.get("query")
    if query is None:
        raise invalid(["body", "query"], "Field required", None, "missing")
    if not isinstance(query, str) or not query.strip():
        raise invalid(["body", "query"], "Input should be a string with at least one character", query)
    return query


def node_of(pipeline_id: str, scored: ScoredChunk) -> dict[str, Any]:
    """A found chunk as a node."""
    return describe_node(scored.chunk, pipeline_id=pipeline_id, document_id=scored.document_id, file_id=scored.file_id)


ROUTES = [Route("/api/v1/pipelines/{pipeline_id}/retrieve", retrieve, methods=["POST"])]
