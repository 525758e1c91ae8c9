"""Rows of tables to lists of objects: header cells are matched with properties, and each row below gives one object.

Tables come as items of the page, or as lines of its text, where a line of header words is followed by lines that have
a value for each of its columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llama_cloud_ext.local.extraction.labels import LEAST_FIT, fit
from llama_cloud_ext.local.extraction.numbers import NUMBER_PATTERN
from llama_cloud_ext.local.extraction.pairs import table_texts
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.segments import Line, Segment
from llama_cloud_ext.local.extraction.values import Conventions, ReadValue, read_value

_HEADER_ROWS = 12
"""A table's header is looked for in its first rows: notes may stand above it."""
_BETWEEN_ROWS = 2
"""Blank lines that a table of text may have between its rows."""
_MOST_HEADER_WORDS = 3
_ROWS_WITHOUT_VALUES = 2


@dataclass(frozen=True)
class Cell:
    """A value of a row, with where it is from.

    Attributes:
        read: The value.
        raw: The cell as it is on the page.
        page: Number of the page.
        score: How sure it is, up to 1.
    """

    read: ReadValue
    raw: str
    page: int
    score: float


Row = dict[str, Cell]
"""Values by the name of the property; those without one are left out."""


def rows_of(
    pages: Sequence[SourcePage], lines: Sequence[Line], properties: Sequence[Field], conventions: Conventions
) -> list[Row]:
    """The rows of every table whose header fits the properties best.

    Args:
        pages: With their items.
        lines: Of the same pages.
        properties: What a row may give.
        conventions: How the document writes numbers and dates.

    Returns:
        Rows in the order of the document; none if no header fits two properties (or the only one).
    """
    scalars = [field for field in properties if field.kind not in {"object", "array", "unknown"}]
    if not scalars:
        return []
    tables = [
        rows
        for page in pages
        for item in page.items
        if item.get("type") == "table"
        and (rows := _of_cells(table_texts(item), page.page_number, scalars, conventions))
    ]
    texts = _of_lines(lines, scalars, conventions)
    return max(_best(tables), _best(texts), key=_filled)


def _best(tables: list[list[Row]]) -> list[Row]:
    """All tables with as many columns as the best one: a table may go on, and there may be several of a kind."""
    most = max((_columns(rows) for rows in tables), default=0)
    return [row for rows in tables if _columns(rows) == most for row in rows]


def _columns(rows: list[Row]) -> int:
    return len({name for row in rows for name in row})


def _filled(rows: list[Row]) -> tuple[int, int]:
    return _columns(rows), sum(map(len, rows))


def _needed(properties: Sequence[Field]) -> int:
    return min(2, len(properties))


# -- tables of cells ----------------------------------------------------------------------------------------------


def _of_cells(rows: list[list[str]], page: int, properties: Sequence[Field], conventions: Conventions) -> list[Row]:
    for number, header in enumerate(rows[:_HEADER_ROWS]):
        columns = _columns_of(header, properties)
        if len(columns) >= _needed(properties):
            return _cells_below(rows[number + 1 :], page, columns, conventions)
    return []


def _columns_of(header: Sequence[str], properties: Sequence[Field]) -> dict[int, tuple[Field, float]]:
    """The property of each column; each property has one, the one that fits it best."""
    fits = sorted(
        (
            (fit(cell, field), column, index)
            for column, cell in enumerate(header)
            if cell
            for index, field in enumerate(properties)
        ),
        key=lambda found: (-found[0], found[1], found[2]),
    )
    columns: dict[int, tuple[Field, float]] = {}
    taken: set[int] = set()
    for score, column, index in fits:
        if score >= LEAST_FIT and column not in columns and index not in taken:
            columns[column] = (properties[index], score)
            taken.add(index)
    return columns


def _cells_below(
    rows: list[list[str]], page: int, columns: dict[int, tuple[Field, float]], conventions: Conventions
) -> list[Row]:
    found: list[Row] = []
    misses = 0
    for cells in rows:
        row: Row = {}
        mistakes = 0
        for column, (field, score) in columns.items():
            text = cells[column] if column < len(cells) else ""
            if not text:
                continue
            read = read_value(text, field, conventions)
            if read is None:
                mistakes += 1
            else:
                row[field.name] = Cell(read, text, page, score * read.quality)
        if mistakes or len(row) < _needed([field for field, _ in columns.values()]):
            misses += 1
            if found and misses == _ROWS_WITHOUT_VALUES:
                break
            if mistakes and len(row) <= mistakes:
                continue
            if len(row) < _needed([field for field, _ in columns.values()]):
                continue
        else:
            misses = 0
        found.append(row)
    return found


# -- tables of text -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    field: Field | None
    score: float
    segment: int


def _of_lines(lines: Sequence[Line], properties: Sequence[Field], conventions: Conventions) -> list[list[Row]]:
    tables: list[list[Row]] = []
    skip_to = 0
    for index, line in enumerate(lines):
        if index < skip_to or not line.segments:
            continue
        columns = _header(line, properties)
        if sum(column.field is not None for column in columns) < _needed(properties):
            continue
        rows, skip_to = _rows_below(lines, index, columns, conventions)
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
                continue
            columns.append(_Column(best[2], best[0], number))
            taken.add(best[2].name)
            named += best[1]
            start += best[1]
        if not columns or columns[-1].segment != number:
            columns.append(_Column(None, 0.0, number))
    return columns if 2 * named > total and not line.text.rstrip().endswith((".", ":")) else []


def _rows_below(
    lines: Sequence[Line], header: int, columns: list[_Column], conventions: Conventions
) -> tuple[list[Row], int]:
    rows: list[Row] = []
    pattern = _pattern(columns)
    blank = 0
    index = header + 1
    for index in range(header + 1, len(lines)):
        line = lines[index]
        if not line.segments:
            blank += 1
            if blank > _BETWEEN_ROWS:
                break
            continue
        row = _row_by_columns(line, lines[header], columns, conventions) or _row_by_pattern(
            line, columns, pattern, conventions
        )
        if row is None:
            break
        blank = 0
        rows.append(row)
    return rows, index


def _pattern(columns: list[_Column]) -> re.Pattern[str] | None:
    """What a row looks like when its columns do not line up: numbers have a form of their own, one text has not."""
    known = [column.field for column in columns if column.field is not None]
    texts = sum(field.kind not in {"number", "integer"} for field in known)
    if texts > 1 or len(known) < 2:
        return None
    pieces = [
        f"(?P<c{index}>{NUMBER_PATTERN})" if field.kind in {"number", "integer"} else f"(?P<c{index}>\\S.*?)"
        for index, field in enumerate(known)
    ]
    return re.compile(r"\s+".join(pieces))


def _row_by_pattern(
    line: Line, columns: list[_Column], pattern: re.Pattern[str] | None, conventions: Conventions
) -> Row | None:
    if pattern is None:
        return None
    match = pattern.fullmatch(" ".join(segment.text for segment in line.segments))
    if match is None:
        return None
    row: Row = {}
    known = [column for column in columns if column.field is not None]
    for index, column in enumerate(known):
        text = match[f"c{index}"]
        read = None if column.field is None else read_value(text, column.field, conventions)
        if read is None or column.field is None:
            return None
        raw = next((part.raw for part in line.segments if text in part.text and part.raw != part.text), text)
        row[column.field.name] = Cell(read, raw, line.page, 0.9 * column.score * read.quality)
    return row


def _row_by_columns(line: Line, header: Line, columns: list[_Column], conventions: Conventions) -> Row | None:
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
        read = read_value(segment.text, column.field, conventions)
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
