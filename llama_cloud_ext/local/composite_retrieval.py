"""Retrieval from several pipelines at once: which of them are asked, and how what they found becomes one ranking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.page_image_nodes import page_image_nodes
from llama_cloud_ext.local.retrieval.lexical_reranking import lexical_scores
from llama_cloud_ext.local.retrieval_routes import pages_of, search_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.pipeline_records import PipelineRecord
    from llama_cloud_ext.local.retrieval import ScoredChunk
    from llama_cloud_ext.local.retrieval_settings import AskedFor

DEFAULT_TOP_N = 6
"""Nodes that are left where a query does not say how many."""

RERANKERS_HERE = ("system_default", "score", "disabled")
"""Kinds of re-ranking that need no model of somebody else's."""


@dataclass(frozen=True)
class Tool:
    """One pipeline of a retriever.

    Attributes:
        pipeline: The pipeline.
        name: What it goes by in the retriever.
        description: What is in it, for routing.
        parameters: Retrieval parameters, which beat the pipeline's own where they say something.
    """

    pipeline: PipelineRecord
    name: str
    description: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, pipeline: PipelineRecord, entry: Mapping[str, Any]) -> Tool:
        """The tool that an entry of a retriever's `pipelines` describes."""
        return cls(
            pipeline,
            entry.get("name") or pipeline.name,
            entry.get("description") or "",
            entry.get("preset_retrieval_parameters") or {},
        )


@dataclass(frozen=True)
class Ranking:
    """How what the pipelines found becomes one list.

    Attributes:
        kind: One of `RERANKERS_HERE`.
        top_n: Nodes that are left of it; "disabled" leaves all of them.
    """

    kind: str = "system_default"
    top_n: int = DEFAULT_TOP_N


@dataclass(frozen=True)
class _Found:
    tool: Tool
    asked: AskedFor
    scored: ScoredChunk


async def retrieve_from_pipelines(
    cloud: LocalCloud, query: str, tools: Sequence[Tool], *, retriever_id: str, routing: bool, ranking: Ranking
) -> dict[str, Any]:
    """Ask several pipelines.

    Args:
        cloud: The data folder.
        query: What is asked.
        tools: The pipelines.
        retriever_id: What the nodes tell as their retriever.
        routing: Whether to ask only those whose name and description fit the query best.
        ranking: How to order what they found.

    Returns:
        What the API answers: `nodes`, `image_nodes` and `page_figure_nodes`, each the best first.

    Raises:
        RequestError: 422 for parameters that mean nothing.
    """
    asked = route(query, tools) if routing else tools
    lists = await asyncio.gather(*(_search(cloud, tool, query) for tool in asked))
    best = await cloud.in_thread(_ranked, cloud, query, lists, ranking)
    image_nodes, page_figure_nodes = await _images(cloud, best)
    return {
        "nodes": [_node(found, retriever_id) for found in best],
        "image_nodes": image_nodes,
        "page_figure_nodes": page_figure_nodes,
    }


def route(query: str, tools: Sequence[Tool]) -> Sequence[Tool]:
    """The pipelines whose name and description share the most, by weight, with a query; all where none shares any."""
    scores = lexical_scores(query, [f"{tool.name}\n{tool.description}" for tool in tools], [0.0] * len(tools))
    best = max(scores, default=0.0)
    return [tool for tool, score in zip(tools, scores, strict=True) if score == best]


async def _search(cloud: LocalCloud, tool: Tool, query: str) -> list[_Found]:
    asked, chunks = await search_chunks(cloud, tool.pipeline, query, tool.parameters)
    return [_Found(tool, asked, scored) for scored in chunks]


def _ranked(cloud: LocalCloud, query: str, lists: Sequence[Sequence[_Found]], ranking: Ranking) -> list[_Found]:
    # The best of each pipeline first, which is also the order among equals.
    merged = [found for found in chain.from_iterable(zip_longest(*lists)) if found is not None]
    if ranking.kind == "disabled":
        return merged
    if ranking.kind == "score":
        return sorted(merged, key=lambda found: -found.scored.score)[: ranking.top_n]
    # The same document may be in two pipelines, where its chunks have the same ids: an object is told by itself.
    whose = {id(found.scored.chunk): found for found in merged}
    return [
        replace(whose[id(scored.chunk)], scored=scored)
        for scored in cloud.reranker.rerank(query, [found.scored for found in merged], ranking.top_n)
    ]


async def _images(cloud: LocalCloud, best: Sequence[_Found]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The images of the pages of what is left, from the pipelines whose parameters ask for them."""
    screenshots = pages_of(found.scored for found in best if found.asked.screenshots)
    figures = pages_of(found.scored for found in best if found.asked.figures)
    return (
        (await page_image_nodes(cloud, screenshots, screenshots=True, figures=False))[0],
        (await page_image_nodes(cloud, figures, screenshots=False, figures=True))[1],
    )


def _node(found: _Found, retriever_id: str) -> dict[str, Any]:
    chunk = found.scored.chunk
    node = {
        "id": chunk.id,
        "text": chunk.text,
        "metadata": chunk.metadata,
        "start_char_idx": chunk.start_char_idx,
        "end_char_idx": chunk.end_char_idx,
        "pipeline_id": found.tool.pipeline.id,
        "retriever_id": retriever_id,
        "retriever_pipeline_name": found.tool.name,
    }
    return {"node": node, "score": found.scored.score, "class_name": "NodeWithScore"}
