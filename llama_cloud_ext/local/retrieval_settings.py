"""What a retrieval is asked for: a request's settings over a pipeline's presets, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.retrieval import RetrievalSettings, check_filters, filters_from_query

NUMBERS = ("dense_similarity_top_k", "sparse_similarity_top_k", "rerank_top_n", "files_top_k")
FRACTIONS = ("dense_similarity_cutoff", "alpha")
FLAGS = (
    "enable_reranking",
    "retrieve_page_screenshot_nodes",
    "retrieve_page_figure_nodes",
    "retrieve_image_nodes",
)
MODES = ("chunks", "files_via_metadata", "files_via_content", "auto_routed")


def check_preset(values: Mapping[str, Any], place: list[str | int]) -> None:
    """Refuse settings that mean nothing.

    Args:
        values: The settings.
        place: Where they are in the request, for the error.

    Raises:
        RequestError: 422 naming the setting; for filters with the key and the operator.
    """
    for name in (*NUMBERS, *FRACTIONS, *FLAGS):
        value = values.get(name)
        if value is not None and not _fits(name, value):
            raise invalid([*place, name], _EXPECTED[name in NUMBERS, name in FLAGS], value)
    alpha = values.get("alpha")
    if alpha is not None and not 0 <= alpha <= 1:
        raise invalid([*place, "alpha"], "Input should be a number from 0 (sparse) to 1 (dense)", alpha)
    mode = values.get("retrieval_mode")
    if mode is not None and mode not in MODES:
        raise invalid([*place, "retrieval_mode"], f"Input should be one of: {', '.join(MODES)}", mode, "enum")
    filters = values.get("search_filters")
    if filters is not None:
        try:
            check_filters(filters)
        except ValueError as error:
            raise invalid([*place, "search_filters"], str(error), filters) from error
    schema = values.get("search_filters_inference_schema")
    if schema is not None and not isinstance(schema, dict):
        raise invalid([*place, "search_filters_inference_schema"], "Input should be a valid dictionary", schema)


_EXPECTED = {
    (True, False): "Input should be a whole number from 0 on",
    (False, True): "Input should be true or false",
    (False, False): "Input should be a number",
}


def _fits(name: str, value: Any) -> bool:
    if name in FLAGS:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) and value >= 0 if name in NUMBERS else isinstance(value, int | float)


class AskedFor:
    """A request's settings over a pipeline's presets: None in the request leaves it to the preset.

    Args:
        query: What is asked.
        given: The request's settings.
        preset: The pipeline's presets.

    Attributes:
        inferred: The filters that were inferred from the query, or None.
        screenshots: Whether screenshots are wanted.
        figures: Whether figures are wanted.
        settings: What the search is given.

    Raises:
        RequestError: 422 for a setting that means nothing.
    """

    def __init__(self, query: str, given: Mapping[str, Any], preset: Mapping[str, Any]) -> None:
        check_preset(given, ["body"])
        values = {**preset, **{name: value for name, value in given.items() if value is not None}}
        schema = values.get("search_filters_inference_schema")
        self.inferred = filters_from_query(query, schema) if schema else None
        images = bool(values.get("retrieve_image_nodes"))
        self.screenshots = bool(values.get("retrieve_page_screenshot_nodes", images))
        self.figures = bool(values.get("retrieve_page_figure_nodes", False))
        try:
            self.settings = RetrievalSettings(
                **{name: values.get(name) for name in (*NUMBERS, *FRACTIONS, "enable_reranking")},
                retrieval_mode=values.get("retrieval_mode") or "chunks",
                filters=_both(values.get("search_filters"), self.inferred),
            )
        except ValueError as error:
            raise RequestError(422, str(error)) from error


def _both(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if one is None or other is None:
        return other if one is None else one
    return {"condition": "and", "filters": [one, other]}
