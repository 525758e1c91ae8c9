"""LlamaIndex metadata filters as an index over a directory takes them: conditions by field, all of which must hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.filters import search_filters
from llama_cloud_ext.wire.models.retrieval import MetadataFilter, MetadataFilters

_OPERATORS = {"==": "eq", "!=": "ne", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "in": "in", "nin": "nin"}


def custom_filters(filters: Any) -> dict[str, Any] | None:
    """The `custom_filters` of a request for a retriever's `filters`.

    Args:
        filters: LlamaIndex `MetadataFilters`, joined by "and", nested ones included; None for no filters.

    Returns:
        Conditions by field, or None.

    Raises:
        ConfigurationError: An operator, or a condition other than "and", has no counterpart in the service, or one
            field has several conditions that are not all about numbers; the message names it.

    Example:
        >>> from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
        >>> since = MetadataFilter(key="year", value=2020, operator=">=")
        >>> until = MetadataFilter(key="year", value=2024, operator="<")
        >>> custom_filters(MetadataFilters(filters=[since, until]))
        {'year': [{'operator': 'gte', 'value': 2020}, {'operator': 'lt', 'value': 2024}]}
    """
    given = search_filters(filters)
    if given is None:
        return None
    found: dict[str, list[dict[str, Any]]] = {}
    for one in _conditions(given):
        found.setdefault(one.key, []).append({"operator": _operator(one), "value": one.value})
    return {key: _of_one_field(key, conditions) for key, conditions in found.items()} or None


def _conditions(filters: MetadataFilters) -> Iterator[MetadataFilter]:
    # One condition alone is the same whether it is joined by "and" or "or".
    if filters.condition != "and" and not (filters.condition == "or" and len(filters.filters) == 1):
        raise ConfigurationError(
            f'filters are joined by "{filters.condition}", and this kind of index knows "and" only',
            option="filters",
            hint='Several values of one field are FilterOperator.IN; LlamaCloudIndex knows "or" and "not".',
        )
    for one in filters.filters:
        if isinstance(one, MetadataFilters):
            yield from _conditions(one)
        else:
            yield one


def _operator(one: MetadataFilter) -> str:
    operator = _OPERATORS.get(one.operator)
    if operator is None or one.value is None:
        what = f"the operator {one.operator!r}" if operator is None else "a value of None"
        raise ConfigurationError(
            f"{what} on {one.key!r} has no counterpart in this kind of index",
            option="filters",
            hint=f"It knows {', '.join(_OPERATORS)}.",
        )
    return operator


def _of_one_field(key: str, conditions: list[dict[str, Any]]) -> Any:
    if len(conditions) == 1:
        return conditions[0]
    for condition in conditions:
        value = condition["value"]
        if not all(_is_number(one) for one in (value if isinstance(value, list) else [value])):
            raise ConfigurationError(
                f"{key!r} has several conditions, which this kind of index takes for numbers only",
                option="filters",
                hint="Several values of one field are FilterOperator.IN.",
            )
    return conditions


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
