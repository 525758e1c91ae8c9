"""Tables that run over several pages, joined on the first of them (`merge_continued_tables`). Pure.

A table continues when it ends its page, the next page begins with one of as many columns, and that one either repeats
the header row or begins with numbers below a header that has none.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from llama_cloud_ext.local.engine.result import EnginePage
from llama_cloud_ext.local.engine.tables import TableStyle, table_item, typed

Item = dict[str, Any]


def merge_continued_tables(pages: list[EnginePage], style: TableStyle) -> None:
    """Join the tables that continue on the following page.

    The whole table appears on its first page, with `merged_from_pages`; an empty one stays on each other page, with
    `merged_into_page`, as the API has it.

    Args:
        pages: In order, running heads set apart; changed in place.
        style: How tables look in markdown.
    """
    start: Item | None = None  # the table that may go on, with the page that it began on
    start_page: EnginePage | None = None
    previous: EnginePage | None = None
    for page in pages:
        body = _body(page)
        first = body[0] if body else None
        adjacent = previous is not None and page.number == previous.number + 1
        if start is not None and start_page is not None and adjacent and first is not None and _continues(start, first):
            start = _join(start_page, start, page, first, style)
            if len(body) > 1:
                start = None
        else:
            start = None
        if start is None and body and body[-1]["type"] == "table" and "merged_into_page" not in body[-1]:
            start, start_page = body[-1], page
        previous = page


def _body(page: EnginePage) -> list[Item]:
    return [item for item in page.items if item["type"] not in {"header", "footer", "link"}]


def _continues(table: Item, following: Item) -> bool:
    if following["type"] != "table" or not table["rows"] or not following["rows"]:
        return False
    head, first = table["rows"][0], following["rows"][0]
    if len(head) != len(first):
        return False
    return bool(head == first or (_numbers(first) and not _numbers(head)))


def _numbers(row: list[Any]) -> bool:
    return any(isinstance(typed(cell) if isinstance(cell, str) else cell, float) for cell in row)


def _join(start_page: EnginePage, table: Item, page: EnginePage, following: Item, style: TableStyle) -> Item:
    rows, more = _texts(table), _texts(following)
    repeated = table["rows"][0] == following["rows"][0]
    merged = table_item(rows + more[1 if repeated else 0 :], style, table.get("bbox"))
    merged["merged_from_pages"] = [*table.get("merged_from_pages", [start_page.number]), page.number]
    table.clear()
    table.update(merged)
    following.update(rows=[], csv="", html="", md="", merged_into_page=start_page.number)
    return table


def _texts(table: Item) -> list[list[str]]:
    return list(csv.reader(StringIO(table["csv"])))
