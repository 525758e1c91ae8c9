"""Segments of a document: stretches of text that never share a chunk."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(\s|$)")
_TABLE_ROW = re.compile(r"\s*\|")


class Segment(NamedTuple):
    """A stretch of a document's text.

    Args:
        start: Where it starts.
        end: Where it ends.
        page: The page that it starts on, from 1; None for a document without pages.
    """

    start: int
    end: int
    page: int | None


def page_segments(text: str, page_starts: Sequence[int]) -> list[Segment]:
    """One segment a page.

    Args:
        text: The document's text.
        page_starts: Where each page starts; what stands before the first belongs to it.

    Example:
        >>> page_segments("one two", [0, 4])
        [Segment(start=0, end=4, page=1), Segment(start=4, end=7, page=2)]
    """
    starts = [0, *(min(max(start, 0), len(text)) for start in page_starts[1:])]
    ends = [*starts[1:], len(text)]
    return [Segment(start, end, number) for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)]


def separated_pages(text: str, separator: str) -> list[Segment]:
    """One segment a page of a text in which something stands between the pages.

    Example:
        >>> [segment.page for segment in separated_pages("one<>two", "<>")]
        [1, 2]
    """
    segments: list[Segment] = []
    start = 0
    for page in text.split(separator):
        segments.append(Segment(start, start + len(page), len(segments) + 1))
        start += len(page) + len(separator)
    return segments if len(segments) > 1 else [Segment(0, len(text), None)]


def element_segments(text: str, pages: Sequence[Segment]) -> list[Segment]:
    """One segment an element of markdown, within the pages: a section's text, a table, a block of code.

    Args:
        text: The document's text.
        pages: Segments to cut further.

    Example:
        >>> text = "# One\\n\\nText\\n\\n|a|b|\\n|-|-|\\n|1|2|\\n\\n## Two\\n\\nMore"
        >>> elements = element_segments(text, [Segment(0, len(text), 1)])
        >>> [text[element.start : element.end].strip() for element in elements]
        ['# One\\n\\nText', '|a|b|\\n|-|-|\\n|1|2|', '## Two\\n\\nMore']
    """
    return [
        Segment(page.start + start, page.start + end, page.page)
        for page in pages
        for start, end in _elements(text[page.start : page.end])
    ]


def page_at(place: int, page_starts: Sequence[int]) -> int:
    """The number, from 1, of the page that a place is on."""
    return max(1, bisect_right(page_starts, place))


def _elements(text: str) -> Iterator[tuple[int, int]]:
    start = place = 0
    kind, fence = "text", ""
    for line in text.splitlines(keepends=True):
        if fence:
            if line.strip() == fence[0] * len(line.strip()) and len(line.strip()) >= len(fence):
                fence = ""
            place += len(line)
            continue
        opened = _FENCE.match(line)
        found = "code" if opened else "table" if _TABLE_ROW.match(line) else "text" if line.strip() else kind
        if opened or found != kind or _HEADING.match(line):
            if place > start:
                yield start, place
            start, kind = place, found
        fence = opened.group(1) if opened else ""
        place += len(line)
    if place > start:
        yield start, place
