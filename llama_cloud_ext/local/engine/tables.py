"""Rows to a table item: CSV, HTML and markdown of the same cells. Pure."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?\Z")

Cell = str | float | None


@dataclass(frozen=True)
class TableStyle:
    """How tables look in markdown.

    Attributes:
        as_markdown: Pipe tables; False for HTML. The service's documentation describes HTML as what one asks for.
        compact: No spaces around the cells.
        line_separator: What joins the lines of one cell in a pipe table.
    """

    as_markdown: bool = True
    compact: bool = False
    line_separator: str = "<br>"


def table_item(
    rows: Sequence[Sequence[str]], style: TableStyle | None = None, bbox: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A `table` item of the API.

    Args:
        rows: Cells as text, the header row first. Short rows are filled up.
        style: For its `md`.
        bbox: Its boxes, if they are known.

    Returns:
        type, rows (numbers as floats, empty cells as None), csv, html, md, and bbox.

    Example:
        >>> table_item([["Name", "Size"], ["oak", "21.5"]])["rows"]
        [['Name', 'Size'], ['oak', 21.5]]
    """
    width = max((len(row) for row in rows), default=0)
    square = [[*row, *[""] * (width - len(row))] for row in rows]
    style = style or TableStyle()
    as_html = to_html(square)
    item: dict[str, Any] = {
        "type": "table",
        "rows": [list(row) for row in square[:1]] + [[typed(cell) for cell in row] for row in square[1:]],
        "csv": to_csv(square),
        "html": as_html,
        "md": to_markdown(square, style) if style.as_markdown else as_html,
    }
    if bbox:
        item["bbox"] = bbox
    return item


def typed(cell: str) -> Cell:
    """A cell's value: a number where it is plainly one, None where it is empty, else its text.

    Example:
        >>> typed("21.50"), typed("007"), typed("1,000"), typed(" ")
        (21.5, '007', '1,000', None)
    """
    text = cell.strip()
    if not text:
        return None
    return float(text) if _NUMBER.match(text) else cell


def to_csv(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV, one line each, quoted only where they must be."""
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().rstrip("\n")


def to_html(rows: Sequence[Sequence[str]]) -> str:
    """Rows as an HTML table; the first one is its head."""
    if not rows:
        return "<table></table>"
    lines = ["<table>", "<thead>", _html_row(rows[0], "th"), "</thead>", "<tbody>"]
    lines += [_html_row(row, "td") for row in rows[1:]]
    return "\n".join([*lines, "</tbody>", "</table>"])


def to_markdown(rows: Sequence[Sequence[str]], style: TableStyle | None = None) -> str:
    """Rows as a pipe table.

    Example:
        >>> print(to_markdown([["a", "b"], ["1", "x|y"]]))
        | a | b |
        | --- | --- |
        | 1 | x\\|y |
    """
    if not rows:
        return ""
    style = style or TableStyle()
    padding = "" if style.compact else " "
    bar = f"{padding}|{padding}"

    def line(cells: Sequence[str]) -> str:
        return f"|{padding}{bar.join(cells)}{padding}|"

    body = [line([_in_pipes(cell, style.line_separator) for cell in row]) for row in rows]
    return "\n".join([body[0], line(["---"] * len(rows[0])), *body[1:]])


def _html_row(row: Sequence[str], tag: str) -> str:
    cells = "".join(f"<{tag}>{_in_html(cell)}</{tag}>" for cell in row)
    return f"<tr>{cells}</tr>"


def _in_html(cell: str) -> str:
    text = cell.strip()
    if "&" in text or "<" in text or ">" in text:  # few cells: looking first takes a third of the time
        text = html.escape(text, quote=False)
    return text.replace("\n", "<br/>")


def _in_pipes(cell: str, separator: str) -> str:
    text = cell.strip()
    if "\n" in text or "\r" in text:
        text = separator.join(line.strip() for line in text.splitlines())
    return text.replace("|", "\\|") if "|" in text else text
