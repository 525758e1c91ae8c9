"""Filters from what a query says itself: "reports from year 2024", `source="test"`.

The service asks a language model. This goes by rules: a field of the schema, something that says "is", and a value of
the field's type; or a value that the schema lists and the query has as a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_OPERATORS = {
    ">=": r">=|(?:is |of )?at least|no less than",
    "<=": r"<=|(?:is |of )?at most|no more than|up to",
    "!=": r"!=|<>|is not|isn't|not",
    ">": r">|(?:is )?(?:greater|more|larger|later|higher) than|after|above|over|since",
    "<": r"<|(?:is )?(?:less|fewer|smaller|earlier|lower) than|before|below|under",
    "==": r"==?|:|equals|equal to|is|of|in|named|called|",
}
_TEXT = r"""(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[\w.\-/@]*\w))"""
_NUMBER = r"(?P<number>-?\d+(?:\.\d+)?)"


def filters_from_query(query: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Infer filters from a query.

    Args:
        query: What is asked.
        schema: `search_filters_inference_schema`: a JSON schema of metadata, or its `properties` alone.

    Returns:
        Filters that all have to be fulfilled; None where the query names no field.

    Example:
        >>> filters_from_query("reports with year: 2024", {"properties": {"year": {"type": "integer"}}})
        {'filters': [{'key': 'year', 'operator': '==', 'value': 2024}], 'condition': 'and'}
    """
    properties = schema.get("properties")
    fields = properties if isinstance(properties, Mapping) else schema
    filters = [
        found for key, field in fields.items() if isinstance(field, Mapping) for found in _of_field(query, key, field)
    ]
    return {"filters": filters, "condition": "and"} if filters else None


def _of_field(query: str, key: str, field: Mapping[str, Any]) -> list[dict[str, Any]]:
    kinds = _types(field) or {"string"}
    listed = field.get("enum")
    if isinstance(listed, list):
        return _listed(query, key, listed)
    name = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", key)))
    array = "array" in kinds
    numeric = bool(kinds & {"integer", "number"}) and "string" not in kinds
    if "boolean" in kinds:
        return _boolean(query, key, name)
    found: list[dict[str, Any]] = []
    taken: list[tuple[int, int]] = []
    for operator, words in _OPERATORS.items():
        if not numeric and operator not in {"==", "!="}:
            continue
        # Without a sign or a word between them, a name and a text are just two words; a name and a number are not.
        between = words if numeric else words.removesuffix("|of|in|named|called|") + "|named|called"
        pattern = rf"(?<!\w){name}\s*(?:{between})\s*{_NUMBER if numeric else _TEXT}(?![\w])"
        for match in re.finditer(pattern, query, re.IGNORECASE):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            value = _number(match["number"], kinds) if numeric else next(filter(None, match.groups()))
            positive = "contains" if array else "=="
            found.append({"key": key, "operator": positive if operator == "==" else operator, "value": value})
    return found


def _types(field: Mapping[str, Any]) -> set[str]:
    """The types a field may have; optional fields of pydantic's schemas name theirs under `anyOf`."""
    declared = field.get("type")
    kinds = set(declared) if isinstance(declared, list) else {declared} if isinstance(declared, str) else set()
    for other in field.get("anyOf") or ():
        kinds |= _types(other)
    return kinds - {"null"}


def _listed(query: str, key: str, values: list[Any]) -> list[dict[str, Any]]:
    named = [
        value
        for value in values
        if value is not None and re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", query, re.IGNORECASE)
    ]
    if not named:
        return []
    if len(named) == 1:
        return [{"key": key, "operator": "==", "value": named[0]}]
    return [{"key": key, "operator": "in", "value": named}]


def _boolean(query: str, key: str, name: str) -> list[dict[str, Any]]:
    match = re.search(rf"(?<!\w){name}\s*(?:==?|:|is)\s*(true|false|yes|no)(?!\w)", query, re.IGNORECASE)
    if match is None:
        return []
    return [{"key": key, "operator": "==", "value": match[1].lower() in {"true", "yes"}}]


def _number(text: str, kinds: set[str]) -> int | float:
    return int(text) if "." not in text and ("integer" in kinds or text.lstrip("-").isdigit()) else float(text)
