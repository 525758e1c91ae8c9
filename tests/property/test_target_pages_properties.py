"""What holds for every way to name pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.target_pages import (
    count_target_pages,
    format_target_pages,
    normalize_target_pages,
    parse_target_pages,
)

pages = st.sets(st.integers(1, 5000), min_size=1, max_size=200)


def expand(text: str) -> list[int]:
    return [page for run in parse_target_pages(text) for page in run]


@given(pages)
def test_round_trip(numbers: set[int]) -> None:
    """Ensure formatting and parsing lose and add no page."""
    text = format_target_pages(numbers)
    assert expand(text) == sorted(numbers)
    assert count_target_pages(text) == len(numbers)
    assert normalize_target_pages(text) == text


@given(pages, st.randoms())
def test_order_of_numbers_does_not_matter(numbers: set[int], random: object) -> None:
    """Ensure the same pages in another order have the same spelling."""
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert format_target_pages(shuffled) == format_target_pages(numbers)


@given(st.text(alphabet="0123456789,- x", max_size=30) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Ensure any text either names each page once, from 1 on, or raises the one error."""
    try:
        found = parse_target_pages(text)
    except ConfigurationError:
        return
    assert all(run.start >= 1 and len(run) >= 1 for run in found)
    assert parse_target_pages(normalize_target_pages(text)) == found


@given(pages)
def test_a_page_named_twice_is_refused(numbers: set[int]) -> None:
    """Ensure a page that is named twice is always noticed."""
    twice = f"{format_target_pages(numbers)},{min(numbers)}"
    with pytest.raises(ConfigurationError, match="more than once"):
        parse_target_pages(twice)
