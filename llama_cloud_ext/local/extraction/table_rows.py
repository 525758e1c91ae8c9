"""Rows of tables to lists of objects: header cells are matched with properties, and each row below gives one object."""

from __future__ import annotations

from collections.abc import Sequence

from llama_cloud_ext.local.extraction.pairs import table_texts
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.segments import Line
from llama_cloud_ext.local.extraction.table_columns import Cell, Row, Wanted
from llama_cloud_ext.local.extraction.text_tables import tables_of_lines
from llama_cloud_ext.local.extraction.values import read_value

_HEADER_ROWS = 12
"""A table's header is looked for in its first rows: notes may stand above it."""
_ROWS_WITHOUT_VALUES = 2
"""After so many rows that do not fit, what follows is no part of the table."""


def rows_of(pages: Sequence[SourcePage], lines: Sequence[Line], wanted: Wanted) -> list[Row]:
    """The rows of the tables whose headers name most of what is wanted.

    Args:
        pages: With their items.
        lines: Of the same pages.
        wanted: What a row may give.

    Returns:
        Rows in the order of the document; none if no header names two properties (or the only one).
    """
    if not wanted.properties:
        return []
    tables = [
        rows
        for page in pages
        for item in page.items
        if item.get("type") == "table" and (rows := _of_cells(table_texts(item), page.page_number, wanted))
    ]
    return max(_best(tables), _best(tables_of_lines(lines, wanted)), key=_filled)


def _best(tables: list[list[Row]]) -> list[Row]:
    """All tables with as many columns as the best one: a table may go on, and there may be several of a kind."""
    most = max((_columns(rows) for rows in tables), default=0)
    return [row for rows in tables if _columns(rows) == most for row in rows]


def _columns(rows: list[Row]) -> int:
    return len({name for row in rows for name in row})


def _filled(rows: list[Row]) -> tuple[int, int]:
    return _columns(rows), sum(map(len, rows))


def _of_cells(rows: list[list[str]], page: int, wanted: Wanted) -> list[Row]:
    for number, header in enumerate(rows[:_HEADER_ROWS]):
        columns = wanted.columns_of(header)
        if len(columns) >= wanted.least:
            found: list[Row] = []
            misses = 0
            for cells in rows[number + 1 :]:
                first = next((cell for cell in cells if cell), "")
                if misses == _ROWS_WITHOUT_VALUES or (found and wanted.ends(first)):
                    break
                row: Row = {}
                mistakes = 0
                for column, (field, score) in columns.items():
                    text = cells[column] if column < len(cells) else ""
                    read = read_value(text, field, wanted.conventions) if text else None
                    if read is not None:
                        row[field.name] = Cell(read, text, page, score * read.quality)
                    elif text:
                        mistakes += 1
                if len(row) >= min(wanted.least, len(columns)) and mistakes < len(row):
                    found.append(row)
                    misses = 0
                elif found:
                    misses += 1
            return found
    return []
