"""Metadata filters as SQL, over the metadata of `chunks` (alias `c`).

Keys and values travel as parameters, never in the statement. Every condition is 0 or 1 and never NULL, so that `not`
turns it around. SQLite's JSON functions give a value its own type, and the operators here ask for the type first where
SQLite would otherwise compare across types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llama_cloud_ext.local.retrieval.filters import COMPARISONS, condition_of, is_number, operator_of

LOWER = "unicode_lower"
"""Name of a function that the connection has to offer: SQLite's own lower() knows ASCII only."""

_SCALAR = "NOT IN ('array', 'object', 'null')"


class SqlFilter(NamedTuple):
    """A condition on `chunks` as `c`, made here: it holds names and question marks only.

    Args:
        condition: SQL, or "" where everything is let through.
        parameters: For its question marks.
    """

    condition: str
    parameters: tuple[Any, ...]


EVERYTHING = SqlFilter("", ())


def sql_filter(filters: Mapping[str, Any] | None) -> SqlFilter:
    """Translate filters.

    Args:
        filters: Filters that `check_filters` accepts.

    Returns:
        A condition that lets through what `matches` says yes to.

    Example:
        >>> sql_filter(None).condition
        ''
    """
    if not filters or not filters.get("filters"):
        return EVERYTHING
    parameters: list[Any] = []
    return SqlFilter(_group(filters, parameters), tuple(parameters))


def _group(filters: Mapping[str, Any], parameters: list[Any]) -> str:
    if not filters["filters"]:
        return "1"
    conditions = [
        _group(one, parameters) if "filters" in one else _single(one, parameters) for one in filters["filters"]
    ]
    condition = condition_of(filters)
    joined = "(" + (" AND " if condition == "and" else " OR ").join(conditions) + ")"
    return f"(NOT {joined})" if condition == "not" else joined


def _single(filter_: Mapping[str, Any], parameters: list[Any]) -> str:
    """One filter, as a question to the row of `json_each` that its key is in."""
    operator, value = operator_of(filter_), filter_.get("value")
    parameters.append(filter_["key"])
    if operator == "is_empty":
        present = (
            "m.type <> 'null' AND NOT (m.type = 'text' AND m.value = '') AND NOT (m.type = 'array' AND m.value = '[]')"
        )
        return f"(NOT {_some(present)})"
    if operator in {"!=", "nin"}:
        present = "m.type <> 'null' AND " + (_equals if operator == "!=" else _is_in)(value, parameters)
        return f"(NOT {_some(present)})"
    return _some(_positive(operator, value, parameters))


def _positive(operator: str, value: Any, parameters: list[Any]) -> str:
    if operator in COMPARISONS:
        return _compares(operator, value, parameters)
    return _CONDITIONS[operator](value, parameters)


def _some(condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM json_each(c.metadata) m WHERE m.key = ? AND {condition})"  # noqa: S608  # made here


def _compares(operator: str, value: Any, parameters: list[Any]) -> str:
    types = "('integer', 'real', 'true', 'false')" if is_number(value) else "('text')"
    return f"m.type IN {types} AND m.value {operator} {_parameter(value, parameters)}"


def _equals(value: Any, parameters: list[Any]) -> str:
    if not isinstance(value, list):
        return f"m.type {_SCALAR} AND m.value = {_parameter(value, parameters)}"
    parameters.extend((len(value), _json(value)))
    return (
        # CASE, because nothing else keeps SQLite from reading a text as a list.
        "CASE WHEN m.type = 'array' THEN json_array_length(m.value) = ? AND NOT EXISTS ("
        "SELECT 1 FROM json_each(m.value) held, json_each(?) wanted WHERE held.key = wanted.key "
        "AND (held.type IN ('array', 'object', 'null') OR held.value <> wanted.value)) ELSE 0 END"
    )


def _is_in(values: Any, parameters: list[Any]) -> str:
    parameters.append(_json(values))
    return f"m.type {_SCALAR} AND m.value IN (SELECT value FROM json_each(?))"  # noqa: S608  # made here


def _contains(value: Any, parameters: list[Any]) -> str:
    held = f"held.type {_SCALAR} AND held.value = {_parameter(value, parameters)}"
    among = f"EXISTS (SELECT 1 FROM json_each(m.value) held WHERE {held})"  # noqa: S608  # made here
    listed = f"CASE WHEN m.type = 'array' THEN {among} ELSE 0 END"
    if not isinstance(value, str):
        return listed
    return f"({listed} OR (m.type = 'text' AND instr(m.value, {_parameter(value, parameters)}) > 0))"


def _contains_any(values: Any, parameters: list[Any]) -> str:
    return f"({' OR '.join(['0', *(_contains(value, parameters) for value in values)])})"


def _contains_all(values: Any, parameters: list[Any]) -> str:
    return " AND ".join(["m.type <> 'null'", *(_contains(value, parameters) for value in values)])


def _has_text(value: Any, parameters: list[Any]) -> str:
    return f"m.type = 'text' AND instr(m.value, {_parameter(value, parameters)}) > 0"


def _has_text_in_any_case(value: Any, parameters: list[Any]) -> str:
    return f"m.type = 'text' AND instr({LOWER}(m.value), {_parameter(value.lower(), parameters)}) > 0"


def _parameter(value: Any, parameters: list[Any]) -> str:
    if isinstance(value, float):
        # Read by SQLite, as the metadata is: its reading of decimal fractions may differ from Python's in the last bit.
        parameters.append(json.dumps(value))
        return "json_extract(?, '$')"
    parameters.append(value)
    return "?"


def _json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)


_CONDITIONS: dict[str, Callable[[Any, list[Any]], str]] = {
    "==": _equals,
    "in": _is_in,
    "contains": _contains,
    "any": _contains_any,
    "all": _contains_all,
    "text_match": _has_text,
    "text_match_insensitive": _has_text_in_any_case,
}
