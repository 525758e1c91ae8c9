"""Tables that are lines of text: a line of header words, and lines below that have a value for each of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llama_cloud_ext.local.extraction.labels import LEAST_FIT, fit
from llama_cloud_ext.local.extraction.numbers import number_pattern
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.segments import Line, Segment
from llama_cloud_ext.local.extraction.table_columns import Cell, Row, Wanted
from llama_cloud_ext.local.extraction.values import read_value

_BETWEEN_ROWS = 2
"""Blank lines that a table may have between its rows."""
_MOST_HEADER_WORDS = 3


@dataclass(frozen=True)
class _Column:
    """A column of a header.

    Attributes:
        field: What it holds; None for something that is not wanted.
        score: How well its words fit.
        segment: Where in the line they are.
        after_others: Whether words that name nothing wanted stand right before them, as another column's may.
    """

    field: Field | None
    score: float
    segment: int
    after_others: bool = False


def tables_of_lines(lines: Sequence[Line], wanted: Wanted) -> list[list[Row]]:
    """The rows of each table of text whose header names enough of what is wanted."""
    tables: list[list[Row]] = []
    skip_to = 0
    for index, line in enumerate(lines):
        if index < skip_to or not line.segments:
            continue
        columns = _header(line, wanted.properties)
        if sum(column.field is not None for column in columns) < wanted.least:
            continue
        rows, skip_to = _rows_below(lines, index, columns, wanted)
        if rows:
            tables.append(rows)
    return tables


def _header(line: Line, properties: Sequence[Field]) -> list[_Column]:
    """The columns that a line names; no columns if much of it names none."""
    columns: list[_Column] = []
    taken: set[str] = set()
    named = total = 0
    for number, segment in enumerate(line.segments):
        words = segment.text.split()
        total += len(words)
        start = 0
        others = bool(columns) and columns[-1].field is None
        while start < len(words):
            best: tuple[float, int, Field] | None = None
            for count in range(1, min(_MOST_HEADER_WORDS, len(words) - start) + 1):
                text = " ".join(words[start : start + count])
                for field in properties:
                    score = 0.0 if field.name in taken else fit(text, field)
                    if score >= LEAST_FIT and (best is None or score > best[0]):
                        best = (score, count, field)
            if best is None:
                start += 1
                others = True
                continue
            columns.append(_Column(best[2], best[0], number, others))
            others = False
            taken.add(best[2].name)
            named += best[1]
            start += best[1]
        if not columns or columns[-1].segment != number:
            columns.append(_Column(None, 0.0, number))
    return columns if 2 * named > total and not line.text.rstrip().endswith((".", ":")) else []


def _rows_below(lines: Sequence[Line], header: int, columns: list[_Column], wanted: Wanted) -> tuple[list[Row], int]:
    rows: list[Row] = []
    pattern = _pattern(columns, number_pattern(line.text for line in lines))
    blank = 0
    index = header + 1
    for index in range(header + 1, len(lines)):
        line = lines[index]
        if not line.segments:
            blank += 1
            if blank > _BETWEEN_ROWS:
                break
            continue
        line = _without_marks(line)
        if rows and line.segments and wanted.ends(line.segments[0].text):
            break
        row = _row_by_columns(line, lines[header], columns, wanted) or _row_by_pattern(line, columns, pattern, wanted)
        if row is None:
            break
        blank = 0
        rows.append(row)
    return rows, index


def _without_marks(line: Line) -> Line:
    """A line without boxes to tick, bullets and the like."""
    return replace(line, segments=tuple(part for part in line.segments if any(map(str.isalnum, part.text))))


def _pattern(columns: list[_Column], number: str) -> re.Pattern[str] | None:
    """What a row looks like when its columns do not line up: numbers have a form of their own, one text has not.

    Where the header has other words in between, a number of theirs may stand in the row.
    """
    known = [(column.field, column.after_others) for column in columns if column.field is not None]
    texts = sum(not _is_number(field) for field, _ in known)
    if texts > 1 or len(known) < 2:
        return None
    pieces = [
        (rf"(?:{number}\s+)?" if after_others else "")
        + (f"(?P<c{index}>{number})" if _is_number(field) else rf"(?P<c{index}>\S.*?)")
        for index, (field, after_others) in enumerate(known)
    ]
    return re.compile(r"\s+".join(pieces))


def _is_number(field: Field) -> bool:
    return field.kind in {"number", "integer"}


def _row_by_pattern(line: Line, columns: list[_Column], pattern: re.Pattern[str] | None, wanted: Wanted) -> Row | None:
    if pattern is None:
        return None
    match = pattern.fullmatch(" ".join(segment.text for segment in line.segments))
    if match is None:
        return None
    row: Row = {}
    known = [column for column in columns if column.field is not None]
    for index, column in enumerate(known):
        text = match[f"c{index}"]
        read = None if column.field is None else read_value(text, column.field, wanted.conventions)
        if read is None or column.field is None:
            return None
        holding = next((part for part in line.segments if text in part.text), None)
        if holding is None:  # over a gap between two columns
            return None
        raw = text if holding.raw == holding.text else holding.raw
        row[column.field.name] = Cell(read, raw, line.page, 0.9 * column.score * read.quality)
    return row


def _row_by_columns(line: Line, header: Line, columns: list[_Column], wanted: Wanted) -> Row | None:
    """A row whose segments stand under those of the header, one under each."""
    if len({column.segment for column in columns}) != len(columns):
        return None
    under = [[part for part in header.segments if part.over(segment)] for segment in line.segments]
    if any(len(parts) > 1 for parts in under):
        return None
    places = [header.segments.index(_nearest(segment, header)) for segment in line.segments]
    if len(set(places)) != len(places) or places != sorted(places):
        return None
    row: Row = {}
    for segment, place in zip(line.segments, places, strict=True):
        column = columns[place]
        if column.field is None:
            continue
        read = read_value(segment.text, column.field, wanted.conventions)
        if read is None:
            return None
        row[column.field.name] = Cell(read, segment.raw, segment.page, column.score * read.quality)
    known = sum(column.field is not None for column in columns)
    return row if len(row) >= max(1, min(2, known)) and (len(row) >= 2 or known == 1) else None


def _nearest(segment: Segment, header: Line) -> Segment:
    def distance(other: Segment) -> int:
        if segment.over(other):
            return 0
        return min(abs(segment.start - other.start), abs(segment.end - other.end))

    return min(header.segments, key=distance)
