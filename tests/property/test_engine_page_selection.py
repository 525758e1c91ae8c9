"""The engine's page selection, for any document length and any selection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_cloud_ext.local.engine.page_selection import as_ranges, selected_pages

spans = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda span: (span[0], span[0] + span[1])),
    min_size=1,
    max_size=8,
)


@given(st.integers(0, 50), spans)
def test_selected_pages_are_those_named_that_exist(total: int, ranges: list[tuple[int, int]]) -> None:
    """Ensure a selection holds exactly the named pages that exist, sorted, each once."""
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    named = {page for first, last in ranges for page in range(first, last + 1)}
    assert selected_pages(total, target_pages=text) == sorted(named & set(range(1, total + 1)))


@given(st.sets(st.integers(1, 300), min_size=1))
def test_ranges_say_the_same_pages(pages: set[int]) -> None:
    """Ensure the short form of a selection selects the same pages again."""
    assert selected_pages(300, target_pages=as_ranges(sorted(pages))) == sorted(pages)


@given(st.integers(0, 100), st.one_of(st.none(), st.integers(1, 200)))
def test_max_pages_counts_from_the_first(total: int, limit: int | None) -> None:
    """Ensure max_pages takes the first pages, and never more than there are."""
    pages = selected_pages(total, max_pages=limit)
    assert pages == list(range(1, len(pages) + 1))
    assert len(pages) == (total if limit is None else min(total, limit))


@pytest.mark.parametrize("text", ["a", "1-", "-3", "1,,2", "1;2", "1-2-3"])
def test_what_is_no_selection_is_refused(text: str) -> None:
    """Ensure a selection that cannot be read raises instead of selecting everything."""
    with pytest.raises(ValueError, match="target_pages"):
        selected_pages(5, target_pages=text)
