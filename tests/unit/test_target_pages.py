"""The grammar of target_pages."""

from __future__ import annotations

import pytest

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.target_pages import (
    count_target_pages,
    format_target_pages,
    normalize_target_pages,
    parse_target_pages,
)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("1", [range(1, 2)]),
        ("1,3,5-8", [range(1, 2), range(3, 4), range(5, 9)]),
        (" 1 , 3\t,5 - 8 ", [range(1, 2), range(3, 4), range(5, 9)]),
        ("9,2-4", [range(9, 10), range(2, 5)]),
        ("4-4", [range(4, 5)]),
        ("1-999999999", [range(1, 1_000_000_000)]),
    ],
)
def test_parses(text: str, ranges: list[range]) -> None:
    """Ensure pages and ranges are read in their order, blanks and all."""
    assert parse_target_pages(text) == ranges


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", "v1"),
        ("0-3", "counted from 1"),
        ([0, 2], "counted from 0"),
        ("-1", "neither a page nor a range"),
        ([-1], "not a page number"),
        ("5-2", "runs backwards"),
        ("1,1", "page 1 more than once"),
        ("1-4,3", "page 3 more than once"),
        ("5-8,2,7-9", "page 7 more than once"),
        ([2, 3, 2], "page 2 more than once"),
        ("", "a page is missing"),
        ("1,,2", "a page is missing"),
        ("1,", "a page is missing"),
        ([], "names no page"),
        (range(0), "names no page"),
        ("one", "'one' is neither"),
        ("1.5", "neither"),
        ("1-2-3", "neither"),
        ("1 2", "neither"),
        ("١", "neither"),
        ("9999999999", "neither"),
        (["1", "2"], "not a page number"),
        ([1.0], "not a page number"),
        ([True], "not a page number"),
        (b"1", "does not name pages"),
        (1.5, "does not name pages"),
        ({1: 2}, "does not name pages"),
    ],
)
def test_refuses(value: object, words: str) -> None:
    """Ensure whatever names no pages, or names them twice or backwards, is refused with the reason."""
    with pytest.raises(ConfigurationError, match="target_pages") as raised:
        normalize_target_pages(value)  # type: ignore[arg-type]
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("1, 3, 5 - 8", "1,3,5-8"),
        ("8,1-2", "8,1-2"),
        (7, "7"),
        ([3, 1, 2, 8], "1-3,8"),
        ({5}, "5"),
        ((10, 11), "10-11"),
        (range(1, 10**8), "1-99999999"),
        (range(1, 8, 2), "1,3,5,7"),
        ((page for page in (4, 6)), "4,6"),
    ],
)
def test_normalizes(value: object, spelled: str) -> None:
    """Ensure Python's own ways to name pages become the service's spelling."""
    assert normalize_target_pages(value) == spelled  # type: ignore[arg-type]


def test_counts_without_walking() -> None:
    """Ensure counting works on ranges that nobody could list."""
    assert count_target_pages("1-900000000,900000005") == 900_000_001
    assert format_target_pages(range(3, 4)) == "3"
