"""Query parameters, from Python values to the pairs that travel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

__all__ = ["Params", "query_pairs"]

Params = Mapping[str, Any] | Iterable[tuple[str, Any]]


def query_pairs(params: Params | None) -> list[tuple[str, str]]:
    """Encode query parameters as the service reads them.

    Args:
        params: A mapping or pairs. None is left out, booleans become ``true`` and ``false``, dates ISO 8601, enum
            members their values, and a list repeats its key.

    Returns:
        Pairs of strings, in the order given.

    Example:
        >>> query_pairs({"page_size": 10, "job_ids": ["a", "b"], "status": None})
        [('page_size', '10'), ('job_ids', 'a'), ('job_ids', 'b')]
    """
    if params is None:
        return []
    pairs = params.items() if isinstance(params, Mapping) else params
    return [(name, text) for name, value in pairs for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Enum):
        return _texts(value.value)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (datetime, date)):
        return [value.isoformat()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for element in value for text in _texts(element)]
    return [str(value)]
