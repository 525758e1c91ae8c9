"""LlamaIndex metadata filters as the service takes them: every operator and condition, nested ones included."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.retrieval import MetadataFilters
from llama_cloud_ext.wire.models.settling import as_fields


def search_filters(filters: Any) -> MetadataFilters | None:
    """The `search_filters` of a request for a retriever's `filters`.

    Args:
        filters: LlamaIndex `MetadataFilters`, the model of this package, a dict in the shape of either, or an object of
            the official SDK; None for no filters.

    Returns:
        The model, or None.

    Raises:
        ConfigurationError: An operator or condition has no counterpart in the service, or a value is of a kind that it
            does not take; the message names it and its place.

    Example:
        >>> from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters
        >>> year = MetadataFilter(key="year", value=2024, operator=">=")
        >>> draft = MetadataFilter(key="status", value="draft")
        >>> search_filters(MetadataFilters(filters=[year, draft], condition=FilterCondition.OR)).condition
        'or'
    """
    if filters is None or isinstance(filters, MetadataFilters):
        return filters
    try:
        return MetadataFilters(**as_fields(filters, "metadata filter"))
    except ConfigurationError as error:
        raise ConfigurationError(f"filters: {error.message}", option="filters", hint=error.hint) from error
