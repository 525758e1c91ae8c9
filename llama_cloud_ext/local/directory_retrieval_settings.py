"""What a retrieval from an index over a directory is asked for, checked and in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.file_parsing import PARSED_FILE
from llama_cloud_ext.local.request_errors import RequestError
from llama_cloud_ext.local.retrieval import RetrievalSettings, check_filters

MOST_RESULTS = 500
DEFAULT_TOP_K = 10
DEFAULT_CANDIDATES = 50
"""The service does not publish its defaults; these are ours."""

OPERATORS = {"eq": "==", "ne": "!=", "gt": ">", "lt": "<", "gte": ">=", "lte": "<=", "in": "in", "nin": "nin"}
_NOT_SETTINGS = ("index_id", "query")


@dataclass(frozen=True)
class AskedOfDirectory:
    """A retrieval.

    Attributes:
        settings: What the search is given.
        top_k: The most results.
    """

    settings: RetrievalSettings
    top_k: int


def settings_in(body: Mapping[str, Any]) -> AskedOfDirectory:
    """Read the settings of a request.

    Args:
        body: The decoded JSON; None stands for the default.

    Raises:
        RequestError: 422 for settings that mean nothing.
    """
    from llama_cloud_ext.wire.models.directory_index import DirectoryRetrievalSettings

    given = {name: value for name, value in body.items() if name not in _NOT_SETTINGS and value is not None}
    try:
        asked = DirectoryRetrievalSettings(**given).to_body()
        filters = {"condition": "and", "filters": list(_filters(asked))}
        check_filters(filters)
    except (ConfigurationError, ValueError) as error:
        message = error.message if isinstance(error, ConfigurationError) else str(error)
        raise RequestError(422, [{"type": "value_error", "loc": ["body"], "msg": message, "input": given}]) from error
    top_k = min(asked.get("top_k", DEFAULT_TOP_K), MOST_RESULTS)
    candidates = max(top_k, asked.get("num_candidates", DEFAULT_CANDIDATES))
    rerank = asked.get("rerank", {})
    return AskedOfDirectory(
        RetrievalSettings(
            dense_similarity_top_k=candidates,
            sparse_similarity_top_k=candidates,
            alpha=_alpha(asked),
            enable_reranking=rerank.get("enabled", True),
            rerank_top_n=min(top_k, rerank.get("top_n", top_k)),
            filters=filters if filters["filters"] else None,
            score_cutoff=asked.get("score_threshold"),
        ),
        top_k,
    )


def _alpha(asked: Mapping[str, Any]) -> float | None:
    """The share of the vectors' weight in both; where one weight is left out, it has what the other leaves of 1."""
    vectors, words = asked.get("vector_pipeline_weight"), asked.get("full_text_pipeline_weight")
    if vectors is None and words is None:
        return None
    vectors = 1 - (words or 0) if vectors is None else vectors
    words = 1 - vectors if words is None else words
    if vectors + words == 0:
        raise RequestError(422, "vector_pipeline_weight and full_text_pipeline_weight cannot both be 0")
    return float(vectors / (vectors + words))


def _filters(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    static = asked.get("static_filters", {})
    fields = {**asked.get("custom_filters", {}), PARSED_FILE: static.get(PARSED_FILE)}
    for key, given in fields.items():
        for one in given if isinstance(given, list) else [given]:
            if one is not None:
                yield {"key": key, "operator": OPERATORS[one["operator"]], "value": one["value"]}
