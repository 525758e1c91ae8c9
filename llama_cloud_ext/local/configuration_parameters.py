"""What a saved configuration holds, product by product: the checks of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.configuration_store import PRODUCT_TYPES
from llama_cloud_ext.local.extract_validation import check_extract_configuration
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.validation import check_configuration, problems_of
from llama_cloud_ext.wire.models.strict import StrictModel

NOT_IN_PARSE_CONFIGURATIONS = ("configuration_id", "file_id", "http_proxy", "source_url", "user_metadata")
"""What belongs to one parse job."""


class _Rule(StrictModel):
    type: str
    description: str


class _ParsingConfiguration(StrictModel):
    lang: str | None = None
    max_pages: int | None = Field(default=None, ge=1)
    target_pages: str | None = None


class _ClassifyV2(StrictModel):
    rules: list[_Rule] = Field(min_length=1)
    mode: Literal["FAST"] | None = None
    parsing_configuration: _ParsingConfiguration | None = None


class _SplitCategory(StrictModel):
    name: str
    description: str | None = None


class _SplittingStrategy(StrictModel):
    allow_uncategorized: Literal["forbid", "include", "omit"] | None = None
    custom_instructions: str | None = None
    min_pages_per_split: int | None = Field(default=None, ge=1)


class _SplitV1(StrictModel):
    categories: list[_SplitCategory] = Field(min_length=1)
    parse_config_id: str | None = None
    parse_tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] | None = None
    splitting_strategy: _SplittingStrategy | None = None
    target_pages: str | None = None
    version: str | None = None


class _SpreadsheetV1(StrictModel):
    extraction_range: str | None = None
    flatten_hierarchical_tables: bool | None = None
    generate_additional_metadata: bool | None = None
    include_hidden_cells: bool | None = None
    sheet_names: list[str] | None = None
    specialization: str | None = None
    table_merge_sensitivity: Literal["strong", "weak"] | None = None
    tier: Literal["agentic", "cost_effective"] | None = None
    use_experimental_processing: bool | None = None


_MODELS: dict[str, type[StrictModel]] = {
    "classify_v2": _ClassifyV2,
    "split_v1": _SplitV1,
    "spreadsheet_v1": _SpreadsheetV1,
}


def check_parameters(given: Any) -> dict[str, Any]:
    """Check the parameters of a configuration.

    Args:
        given: The decoded JSON: the product's options, and its `product_type`.

    Returns:
        The same without None entries.

    Raises:
        RequestError: 422 with the place of each problem.

    Example:
        >>> check_parameters({"product_type": "spreadsheet_v1", "tier": "agentic"})
        {'product_type': 'spreadsheet_v1', 'tier': 'agentic'}
    """
    place: list[str | int] = ["body", "parameters"]
    if not isinstance(given, dict):
        raise invalid(place, "Input should be a valid dictionary", given, "dict_type")
    product = given.get("product_type")
    if product not in PRODUCT_TYPES:
        raise invalid([*place, "product_type"], f"Input should be one of: {', '.join(PRODUCT_TYPES)}", product, "enum")
    options = {name: value for name, value in given.items() if name != "product_type" and value is not None}
    return {"product_type": product, **_checked(product, options, place)}


def _checked(product: str, options: Mapping[str, Any], place: list[str | int]) -> dict[str, Any]:
    if product == "extract_v2":
        return check_extract_configuration(dict(options), place)
    if product == "parse_v2":
        return _checked_parsing(options, place)
    if product in _MODELS:
        try:
            return _MODELS[product](**options).to_body()
        except ConfigurationError as error:
            raise RequestError(422, problems_of(error, options, place)) from error
    return dict(options)


def _checked_parsing(options: Mapping[str, Any], place: list[str | int]) -> dict[str, Any]:
    for name in NOT_IN_PARSE_CONFIGURATIONS:
        if name in options:
            raise invalid([*place, name], "Belongs to a parse job, not to a saved configuration", options[name])
    try:
        return check_configuration(dict(options))
    except RequestError as error:
        if isinstance(error.detail, str):
            raise
        problems = [{**problem, "loc": [*place, *problem["loc"]]} for problem in error.detail]
        raise RequestError(error.status, problems) from error
