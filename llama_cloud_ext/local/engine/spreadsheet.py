"""All tables of a document as one .xlsx file, a sheet each. Needs xlsxwriter, which the `office` extra brings."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from llama_cloud_ext.local.engine.result import EnginePage

_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_LONGEST_NAME = 31


def can_write() -> bool:
    """Whether the library for it is installed."""
    return importlib.util.find_spec("xlsxwriter") is not None


def tables_as_xlsx(pages: Iterable[EnginePage], *, guess_names: bool = True) -> bytes | None:
    """The tables of the pages as a workbook.

    Args:
        pages: With their items.
        guess_names: Name a sheet after the heading above its table; otherwise, and without one, "Table_1", "Table_2".

    Returns:
        The file, or None where there is no table.
    """
    import xlsxwriter  # type: ignore[import-untyped]  # it has no types

    content = BytesIO()
    names: set[str] = set()
    with xlsxwriter.Workbook(
        content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        heading = ""
        for page in pages:
            for item in page.items:
                if item["type"] == "heading":
                    heading = item["value"]
                elif item["type"] == "table":
                    sheet = book.add_worksheet(_name(heading if guess_names else "", names))
                    _fill(sheet, item["rows"])
                    heading = ""
        if not names:
            book.add_worksheet()  # a workbook needs one; the file is dropped
    return content.getvalue() if names else None


def _fill(sheet: Any, rows: list[list[str | float | None]]) -> None:
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if isinstance(cell, float):
                sheet.write_number(y, x, cell)
            elif cell:
                sheet.write_string(y, x, cell[:32767])


def _name(wanted: str, names: set[str]) -> str:
    base = _NOT_IN_NAMES.sub(" ", wanted).strip()[:_LONGEST_NAME].strip() or f"Table_{len(names) + 1}"
    name, copy = base, 1
    while name.lower() in names:
        copy += 1
        name = f"{base[: _LONGEST_NAME - len(str(copy)) - 1]} {copy}"
    names.add(name.lower())
    return name
