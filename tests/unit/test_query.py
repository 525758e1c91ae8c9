"""Query parameters as they travel."""

from __future__ import annotations

from datetime import date, datetime, timezone
from enum import Enum
from typing import Any

import pytest

from llama_cloud_ext.wire.query import query_pairs


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, []),
        (True, ["true"]),
        (False, ["false"]),
        (0, ["0"]),
        ("", [""]),
        (1.5, ["1.5"]),
        (Colour.RED, ["red"]),
        (datetime(2026, 1, 31, 12, tzinfo=timezone.utc), ["2026-01-31T12:00:00+00:00"]),
        (date(2026, 1, 31), ["2026-01-31"]),
        (["a", None, True], ["a", "true"]),
        ((), []),
    ],
)
def test_values(value: Any, texts: list[str]) -> None:
    """Ensure every kind of value has its one spelling, and None none."""
    assert query_pairs({"x": value}) == [("x", text) for text in texts]
    assert query_pairs([("x", value)]) == [("x", text) for text in texts]


def test_nothing() -> None:
    """Ensure no parameters are no parameters."""
    assert query_pairs(None) == []
