"""What an index over a directory is created with, and what a retrieval from it can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import Given, Ratio, StrictModel, fields_of

__all__ = [
    "CustomFilter",
    "DirectoryIndexOptions",
    "DirectoryRerank",
    "DirectoryRetrievalSettings",
    "IndexProduct",
    "RangeBound",
    "StaticFilter",
    "StaticFilters",
]

MOST_RESULTS = 500
"""The service returns no more, whatever `top_k` is."""

FilterOperator = Literal["eq", "ne", "gt", "lt", "gte", "lte", "in", "nin"]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Value = bool | int | _Number | str


class IndexProduct(StrictModel):
    """What an index makes of every file: a parse or an extract configuration."""

    product_type: Literal["parse", "extract"]
    product_config_id: str = Field(min_length=1)


class DirectoryIndexOptions(StrictModel):
    """How an index over a directory works.

    Attributes:
        name: Its name; the directory's by default.
        description: What people are shown of it.
        products: One configuration for each product; the service parses with its default without any.
        store_attachments: What is kept beside the text: "screenshots" of pages, "items" with their boxes.
        sync_frequency: When changed files are parsed: "manual" (the default), "daily" or "on_source_change".
        vector_target: "DEFAULT", or "DISABLED" for no vectors.

    Example:
        >>> DirectoryIndexOptions(name="handbook", store_attachments=["screenshots"]).to_body()
        {'name': 'handbook', 'store_attachments': ['screenshots']}
    """

    name: str | None = Field(default=None, min_length=1)
    description: str | None = None
    products: list[Given[IndexProduct]] | None = None
    store_attachments: list[Literal["screenshots", "items"]] | None = None
    sync_frequency: Literal["manual", "daily", "on_source_change"] | None = None
    vector_target: Literal["DEFAULT", "DISABLED"] | None = None


class CustomFilter(StrictModel):
    """A condition on one field of the files' metadata."""

    operator: FilterOperator
    value: _Value | list[_Value]


class RangeBound(StrictModel):
    """One of several conditions on a number in the files' metadata."""

    operator: FilterOperator
    value: int | _Number | list[int | _Number]


class StaticFilter(StrictModel):
    """A condition on a built-in field that holds a string."""

    operator: FilterOperator
    value: str | list[str]


class StaticFilters(StrictModel):
    """Conditions on what the service itself knows of a chunk.

    Attributes:
        parsed_directory_file_id: The file it is from, by the id that `find` and `retrieve` give.
    """

    parsed_directory_file_id: Given[StaticFilter] | None = None


class DirectoryRerank(StrictModel):
    """Whether what was found is ordered anew, and how much of it is left then."""

    enabled: bool | None = None
    top_n: int | None = Field(default=None, ge=1)


def _of_a_field(value: Any) -> Any:
    """Built by what it is, so that an error speaks of that and not of all it could have been."""
    if value is None or isinstance(value, StrictModel):
        return value
    if isinstance(value, list | tuple):
        return [RangeBound(**_fields(one)) if not isinstance(one, StrictModel) else one for one in value]
    return CustomFilter(**_fields(value))


def _fields(value: Any) -> Mapping[str, Any]:
    fields = fields_of(value)
    if not isinstance(fields, Mapping):
        raise ConfigurationError(
            f"{type(value).__name__} is no filter", hint='Write {"operator": "eq", "value": …}, or a list of bounds.'
        )
    return fields


FieldFilter = Annotated[CustomFilter | list[RangeBound] | None, BeforeValidator(_of_a_field)]


class DirectoryRetrievalSettings(StrictModel):
    """What a query of an index over a directory may say besides the question; None leaves it to the service.

    Attributes:
        top_k: The most results; the service returns 500 at most.
        num_candidates: Candidates of the vector search.
        score_threshold: The lowest score that counts.
        vector_pipeline_weight: The weight of the search by vectors, from 0 to 1.
        full_text_pipeline_weight: The weight of the search by words, from 0 to 1.
        rerank: Whether and how results are ordered anew; the service does so by default.
        custom_filters: Conditions by the names of metadata fields, all of which must be fulfilled: one
            `{"operator", "value"}` each, or a list of bounds on a number.
        static_filters: Conditions on built-in fields.

    Example:
        >>> settings = DirectoryRetrievalSettings(top_k=5, custom_filters={"year": {"operator": "gte", "value": 2024}})
        >>> settings.to_body()["custom_filters"]
        {'year': {'operator': 'gte', 'value': 2024}}
    """

    top_k: int | None = Field(default=None, ge=1)
    num_candidates: int | None = Field(default=None, ge=1)
    score_threshold: _Number | None = None
    vector_pipeline_weight: Ratio | None = None
    full_text_pipeline_weight: Ratio | None = None
    rerank: Given[DirectoryRerank] | None = None
    custom_filters: dict[str, FieldFilter] | None = None
    static_filters: Given[StaticFilters] | None = None
