"""A page's text as a grid: lines of segments, which wide gaps, tabs or bars set apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = re.compile(r"\s{2,}|\t|\s*[|│┃]\s*")
_RULE = re.compile(r"[\s\-–—=_+|.·*#~│┃─━]*\Z")
_SPACED_OUT = re.compile(r"(?<!\S)\S(?: \S)+(?:   ?\S(?: \S)+)*(?!\S)")


@dataclass(frozen=True)
class Segment:
    """A piece of a line.

    Attributes:
        text: Without spaced-out letters.
        raw: As it is on the page.
        page: Number of the page.
        line: Number of the line on its page, from 0 on.
        start: First column.
        end: Column after the last one.
    """

    text: str
    raw: str
    page: int
    line: int
    start: int
    end: int

    def over(self, other: Segment) -> bool:
        """Whether the two share columns."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Line:
    """A line of a page; no segments if it is blank or a mere rule."""

    page: int
    number: int
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """Its segments with two spaces between them."""
        return "  ".join(segment.text for segment in self.segments)


def lines_of(text: str, page: int) -> list[Line]:
    """The lines of a page.

    Args:
        text: With the layout kept by spaces.
        page: Number of the page.

    Example:
        >>> [[segment.text for segment in line.segments] for line in lines_of("T O T A L     1 8 . 5 0", 1)]
        [['TOTAL', '18.50']]
    """
    return [_line(line, page, number) for number, line in enumerate(text.split("\n"))]


def _line(line: str, page: int, number: int) -> Line:
    if _RULE.match(line):
        return Line(page, number, ())
    spans = _spans(line)
    segments = [
        Segment(_joined(line[start:end]), line[start:end], page, number, start, end)
        for start, end in spans
        if line[start:end].strip()
    ]
    return Line(page, number, tuple(segments))


def _spans(line: str) -> list[tuple[int, int]]:
    spaced = [match.span() for match in _SPACED_OUT.finditer(line) if _is_spaced_out(match[0])]
    spans: list[tuple[int, int]] = []
    start = 0
    for gap in _GAP.finditer(line):
        if any(first < gap.start() and gap.end() < last for first, last in spaced):
            continue  # between two spaced-out words
        spans.append((start, gap.start()))
        start = gap.end()
    spans.append((start, len(line)))
    return [_stripped(line, *span) for span in spans]


def _stripped(line: str, start: int, end: int) -> tuple[int, int]:
    text = line[start:end]
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


def _is_spaced_out(text: str) -> bool:
    return sum(not character.isspace() for character in text) >= 4


def _joined(text: str) -> str:
    return _SPACED_OUT.sub(
        lambda match: re.sub(r" (?! )", "", match[0]).strip() if _is_spaced_out(match[0]) else match[0], text
    )


def within(lines: Sequence[Line], first: Segment, *, right: int) -> list[Line]:
    """What stands below a segment in its columns, up to two blank lines.

    Args:
        lines: Of one page, in order.
        first: The segment; it is not part of the answer.
        right: Column at which the region ends.

    Returns:
        Lines with the region's segments alone.
    """
    region: list[Line] = []
    blank = 0
    for line in lines:
        if line.page != first.page or line.number <= first.line:
            continue
        kept = tuple(part for part in line.segments if first.start - 2 <= part.start < right)
        blank = 0 if kept else blank + 1
        if blank == 2:
            break
        region.append(Line(line.page, line.number, kept))
    return region
