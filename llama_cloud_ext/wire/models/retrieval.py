"""What a retrieval can be asked for: presets of an index, filters, re-ranking, and the indexes of a composite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import Given, Ratio, StrictModel, fields_of

__all__ = [
    "MetadataFilter",
    "MetadataFilters",
    "PresetRetrievalParams",
    "ReRankConfig",
    "RetrievalMode",
    "RetrieverPipeline",
    "inference_schema",
]

RetrievalMode = Literal["chunks", "files_via_metadata", "files_via_content", "auto_routed"]

Operator = Literal[
    "==",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "in",
    "nin",
    "any",
    "all",
    "text_match",
    "text_match_insensitive",
    "contains",
    "is_empty",
]

_Value = bool | int | float | str


class MetadataFilter(StrictModel):
    """One condition on a node's metadata.

    Example:
        >>> MetadataFilter(key="year", operator=">=", value=2024).to_body()
        {'key': 'year', 'value': 2024, 'operator': '>='}
    """

    key: str = Field(min_length=1)
    value: _Value | list[_Value] | None = None
    operator: Operator = "=="

    @field_validator("value", mode="before")
    @classmethod
    def _can_be_compared(cls, value: Any, info: ValidationInfo) -> Any:
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, float) and not math.isfinite(one):
                raise ConfigurationError(f"{one} cannot be compared with {info.data.get('key')!r}")
            if not isinstance(one, _Value | None):
                raise ConfigurationError(
                    f"a value of type {type(one).__name__} cannot be compared with {info.data.get('key')!r}",
                    hint="Values are strings, numbers and lists of them; dates are written as strings.",
                )
        return value

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire; a value of None is one."""
        return {"key": self.key, "value": self.value, "operator": self.operator}


def _one_filter(value: Any) -> Any:
    """Built by what it is, so that an error speaks of that and not of all it could have been."""
    fields = fields_of(value)
    if isinstance(value, StrictModel):
        return value
    if not isinstance(fields, Mapping):
        raise ConfigurationError(
            f"{type(value).__name__} is no filter", hint='Write {"key": …, "operator": …, "value": …}.'
        )
    # Objects of LlamaIndex and answers of the service spell what is left out as None.
    given = {name: one for name, one in fields.items() if one is not None}
    return (MetadataFilters if "filters" in fields else MetadataFilter)(**given)


class MetadataFilters(StrictModel):
    """Conditions on a node's metadata, joined by "and" or "or", or negated by "not"; they may be nested.

    Example:
        >>> year = MetadataFilter(key="year", operator=">=", value=2024)
        >>> MetadataFilters(filters=[year], condition="not").to_body()["condition"]
        'not'
    """

    filters: list[Annotated[MetadataFilters | MetadataFilter, BeforeValidator(_one_filter)]]
    condition: Literal["and", "or", "not"] = "and"


class PresetRetrievalParams(StrictModel):
    """How an index is asked where a query does not say otherwise; also what a query may say.

    Attributes:
        dense_similarity_top_k: Nodes to find by their embeddings.
        dense_similarity_cutoff: The lowest similarity that counts.
        sparse_similarity_top_k: Nodes to find by their words.
        alpha: The weight of embeddings against words, from 0 to 1.
        enable_reranking: Whether what was found is ordered anew.
        rerank_top_n: Nodes that are left after that.
        files_top_k: Files to retrieve in the modes that retrieve files.
        retrieval_mode: What is retrieved, and by what.
        search_filters: Conditions on the metadata.
        search_filters_inference_schema: JSON schema of the metadata, from which filters are inferred.
        retrieve_page_screenshot_nodes: Whether the pages' screenshots are added.
        retrieve_page_figure_nodes: Whether the pages' figures are added.
        retrieve_image_nodes: The older name for screenshots.
        class_name: LlamaIndex's name of this class.
    """

    dense_similarity_top_k: int | None = Field(default=None, ge=0)
    dense_similarity_cutoff: float | None = Field(default=None, ge=-1, le=1)
    sparse_similarity_top_k: int | None = Field(default=None, ge=0)
    alpha: Ratio | None = None
    enable_reranking: bool | None = None
    rerank_top_n: int | None = Field(default=None, ge=1)
    files_top_k: int | None = Field(default=None, ge=1)
    retrieval_mode: RetrievalMode | None = None
    search_filters: Given[MetadataFilters] | None = None
    search_filters_inference_schema: dict[str, Any] | None = None
    retrieve_page_screenshot_nodes: bool | None = None
    retrieve_page_figure_nodes: bool | None = None
    retrieve_image_nodes: bool | None = None
    class_name: str | None = None


class ReRankConfig(StrictModel):
    """How a composite retriever orders the nodes of its indexes."""

    type: Literal["system_default", "llm", "cohere", "bedrock", "score", "disabled"] | None = None
    top_n: int | None = Field(default=None, ge=1)


class RetrieverPipeline(StrictModel):
    """One index of a composite retriever."""

    pipeline_id: str
    name: str | None = None
    description: str | None = None
    preset_retrieval_parameters: Given[PresetRetrievalParams] | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire; the service wants to be told that there is no name and no description."""
        return {"name": None, "description": None, **super().to_body()}


def inference_schema(value: Any) -> dict[str, Any] | None:
    """The JSON schema of metadata, from which the service infers filters.

    Args:
        value: A pydantic class, an instance of one, or the JSON schema itself; None for none.

    Raises:
        ConfigurationError: It is none of them.

    Example:
        >>> from pydantic import BaseModel
        >>> class Paper(BaseModel):
        ...     year: int
        >>> inference_schema(Paper)["properties"]["year"]["type"]
        'integer'
    """
    if value is None or isinstance(value, dict):
        return value
    schema = getattr(value, "model_json_schema", None)
    if not callable(schema):
        raise ConfigurationError(
            f"a {type(value).__name__} has no schema",
            option="search_filters_inference_schema",
            hint="Pass a pydantic model, or a JSON schema as a dict.",
        )
    found: dict[str, Any] = schema()
    return found
