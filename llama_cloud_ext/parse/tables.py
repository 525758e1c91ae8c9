"""The tables of a parse result: rows, CSV, HTML, DataFrames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.metadata import clean_text
from llama_cloud_ext.parse.outline import PlacedItem, walk
from llama_cloud_ext.parse.pages import ParsePage
from llama_cloud_ext.wire.models.parse_items import Cell, TableItem

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed only where its stubs are installed


@dataclass(frozen=True)
class Table:
    """One table of a parsed document.

    Args:
        id: Stable id; the table's node carries it in its metadata as `table_id`, and has it as its own id.
        page_number: 1-based page that the table begins on.
        rows: Cells row by row, the header row included; rows may differ in length.
        csv: The service's CSV.
        html: The service's HTML; the only form that keeps cells that span rows or columns.
        markdown: The service's markdown.
        heading: Title of the nearest heading above, or None.
        section: Path of all headings above, "A > B"; "" before the first one.
        boxes: Where it is on the page: x, y, w and h in points.
        merged_from_pages: Pages that this table was put together from, when it runs across several.
        merged_into_page: Set on what is left on a later page of such a table: the page where the whole begins.
        parse_concerns: The service's doubts about the table ("type: details").
    """

    id: str
    page_number: int
    rows: list[list[Cell]] = field(repr=False)
    csv: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    markdown: str = field(default="", repr=False)
    heading: str | None = None
    section: str = ""
    boxes: list[dict[str, float]] = field(default_factory=list, repr=False)
    merged_from_pages: list[int] = field(default_factory=list)
    merged_into_page: int | None = None
    parse_concerns: list[str] = field(default_factory=list)

    def to_pandas(self, *, header: bool = True) -> pd.DataFrame:
        """Make a DataFrame.

        Args:
            header: Take the first row as column names; blank names become "column_3", repeated ones get "_2".

        Returns:
            The DataFrame; short rows are filled up with None.

        Raises:
            ConfigurationError: When pandas is not installed.

        Example:
            >>> table = Table("t", 1, [["city", "people"], ["Oslo", 717710]])
            >>> int(table.to_pandas()["people"].sum())
            717710
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ConfigurationError("to_pandas() needs pandas", hint="pip install pandas") from error
        width = max(map(len, self.rows), default=0)
        rows = [[*row, *[None] * (width - len(row))] for row in self.rows]
        if not header or not rows:
            return pd.DataFrame(rows)
        return pd.DataFrame(rows[1:], columns=pd.Index(_column_names(rows[0])))

    def to_csv(self) -> str:
        """Write the rows as CSV; the service's own CSV where it sent no rows."""
        if not any(self.rows):
            return self.csv
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerows(self.rows)
        return buffer.getvalue()

    def save_csv(self, path: str | PathLike[str]) -> Path:
        """Write the table into a CSV file in UTF-8.

        Args:
            path: The file; one that exists is replaced.

        Returns:
            The path written.
        """
        target = Path(path)
        target.write_text(self.to_csv(), encoding="utf-8", newline="")
        return target


def read_tables(pages: Iterable[ParsePage], source: SourceIdentity) -> tuple[list[Table], list[Table]]:
    """Collect the tables of all pages.

    Args:
        pages: The pages, with items.
        source: The file they come from.

    Returns:
        The tables, each once however many pages it runs across; and apart from them what the service left on the later
        pages of such tables (empty, with `merged_into_page`).
    """
    tables: list[Table] = []
    fragments: list[Table] = []
    for placed in walk(pages):
        if isinstance(placed.item, TableItem):
            (fragments if placed.is_table_fragment else tables).append(_read_table(placed, placed.item, source))
    return tables, fragments


def _read_table(placed: PlacedItem, item: TableItem, source: SourceIdentity) -> Table:
    return Table(
        id=source.item_id(placed.page.number, placed.path),
        page_number=placed.page.number,
        rows=_read_rows(item),
        csv=clean_text(item.csv),
        html=clean_text(item.html),
        markdown=clean_text(item.md),
        heading=placed.headings[-1].title if placed.headings else None,
        section=placed.section,
        boxes=placed.boxes,
        merged_from_pages=item.merged_from_pages,
        merged_into_page=item.merged_into_page,
        parse_concerns=[": ".join(filter(None, (doubt.type, doubt.details))) for doubt in item.parse_concerns],
    )


def _read_rows(item: TableItem) -> list[list[Cell]]:
    rows = item.rows
    if not any(rows):
        try:
            rows = [list(row) for row in csv.reader(io.StringIO(item.csv, newline=""))]
        except csv.Error:
            return []
    return [[clean_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


def _column_names(row: Sequence[Cell]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for place, cell in enumerate(row, start=1):
        name = str(cell).strip() if cell is not None else ""
        name = name or f"column_{place}"
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        names.append(unique)
    return names
