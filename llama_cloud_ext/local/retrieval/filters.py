"""Metadata filters: the API's `search_filters`, checked, and evaluated in plain Python.

`matches` is the reference for what a filter means; `filter_sql` says the same in SQL. Where LlamaIndex's
`SimpleVectorStore` gives an answer, it is this answer; where that raises because types do not fit (is "x" > 3?), the
answer is no. A key that is missing, or null, fulfils `!=`, `nin` and `is_empty` and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
}
_OF_LISTS = frozenset({"in", "nin", "any", "all"})
_OF_TEXTS = frozenset({"text_match", "text_match_insensitive"})
OPERATORS = frozenset({"==", "!=", "contains", "is_empty"}) | COMPARISONS.keys() | _OF_LISTS | _OF_TEXTS
CONDITIONS = frozenset({"and", "or", "not"})
_DEEPEST = 30
"""Far deeper than anybody nests, and far less than SQLite can parse."""


def check_filters(filters: Mapping[str, Any] | None) -> None:
    """Refuse filters that mean nothing.

    Args:
        filters: The API's `search_filters`, or None.

    Raises:
        ValueError: An unknown operator or condition, or a value that does not suit its operator; the message names
            the key and the operator.

    Example:
        >>> check_filters({"filters": [{"key": "year", "operator": ">", "value": 2020}], "condition": "and"})
        >>> check_filters({"filters": [{"key": "year", "operator": "in", "value": 2020}]})
        Traceback (most recent call last):
        ...
        ValueError: the filter on 'year' needs a list for its operator 'in', and has 2020
    """
    if filters is not None:
        _check_group(filters, 0)


def matches(filters: Mapping[str, Any] | None, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata fulfils filters.

    Args:
        filters: Filters that `check_filters` accepts; None and an empty list are fulfilled by everything.
        metadata: A node's metadata.

    Example:
        >>> matches({"filters": [{"key": "tags", "operator": "contains", "value": "a"}]}, {"tags": ["a", "b"]})
        True
    """
    if not filters or not filters.get("filters"):
        return True
    answers = (
        matches(filter_, metadata) if "filters" in filter_ else _matches_one(filter_, metadata)
        for filter_ in filters["filters"]
    )
    condition = condition_of(filters)
    if condition == "and":
        return all(answers)
    return any(answers) if condition == "or" else not any(answers)


def condition_of(filters: Mapping[str, Any]) -> str:
    """How the filters of a group are combined. Of `not`, none may be fulfilled."""
    return str(filters.get("condition") or "and")


def operator_of(filter_: Mapping[str, Any]) -> str:
    """The operator of a single filter."""
    return str(filter_.get("operator") or "==")


def is_number(value: Any) -> bool:
    """Whether a value compares as a number; True and False do, as 1 and 0."""
    return isinstance(value, int | float)


def _matches_one(filter_: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    operator, value, held = operator_of(filter_), filter_.get("value"), metadata.get(filter_["key"])
    if operator == "is_empty":
        return held is None or held in ("", [])
    if held is None:
        return operator in {"!=", "nin"}
    answer: bool
    if operator in {"==", "!="}:
        answer = (held == value) is (operator == "==")
    elif operator in COMPARISONS:
        answer = _comparable(held, value) and COMPARISONS[operator](held, value)
    elif operator in {"in", "nin"}:
        answer = (not isinstance(held, list | dict) and held in _values(value)) is (operator == "in")
    elif operator == "contains":
        answer = _contains(held, value)
    elif operator in {"any", "all"}:
        answers = [_contains(held, one) for one in _values(value)]
        answer = any(answers) if operator == "any" else all(answers)
    else:
        answer = isinstance(held, str) and (
            str(value) in held if operator == "text_match" else str(value).lower() in held.lower()
        )
    return answer


def _comparable(left: Any, right: Any) -> bool:
    return (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))


def _contains(held: Any, value: Any) -> bool:
    if isinstance(held, str):
        return isinstance(value, str) and value in held
    return isinstance(held, list) and value in [one for one in held if not isinstance(one, list | dict)]


def _values(value: Any) -> list[Any]:
    return list(value)


def _check_group(filters: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"filters are nested more than {_DEEPEST} deep")
    if not _has(filters, "filters", list):
        raise ValueError(f'filters are {{"filters": [...], "condition": "and" | "or" | "not"}}, and not {filters!r}')
    if condition_of(filters) not in CONDITIONS:
        raise ValueError(f"the condition of filters is one of and, or, not, and not {filters['condition']!r}")
    for filter_ in filters["filters"]:
        if isinstance(filter_, Mapping) and "filters" in filter_:
            _check_group(filter_, depth + 1)
        else:
            _check_one(filter_)


def _check_one(filter_: Any) -> None:
    if not _has(filter_, "key", str):
        raise ValueError(f'a filter is {{"key": ..., "operator": ..., "value": ...}}, and not {filter_!r}')
    key, operator, value = filter_["key"], operator_of(filter_), filter_.get("value")
    if operator not in OPERATORS:
        raise ValueError(f"the filter on {key!r} has the unknown operator {operator!r}: {', '.join(sorted(OPERATORS))}")
    if operator == "is_empty":
        return
    wanted = _unsuitable(operator, value)
    if wanted:
        raise ValueError(f"the filter on {key!r} needs {wanted} for its operator {operator!r}, and has {value!r}")


def _unsuitable(operator: str, value: Any) -> str | None:
    """What an operator needs instead of a value that does not suit it."""
    if operator in _OF_LISTS and not isinstance(value, list):
        return "a list"
    if operator in _OF_TEXTS and not isinstance(value, str):
        return "a text"
    if value is None:
        return "a value (is_empty finds what has none)"
    if isinstance(value, list) and operator not in _OF_LISTS | {"==", "!="}:
        return "a single value"
    values = value if isinstance(value, list) else [value]
    return None if all(map(_is_plain, values)) else "texts and finite numbers"


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _has(value: Any, key: str, kind: type) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(key), kind)
