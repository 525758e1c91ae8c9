"""Running headers and footers, found by repetition, and the page numbers printed in them. Pure.

A line is running when it stands in the uppermost or lowermost eighth of its page and stands there on another page too,
numbers apart. A heading is running only when it repeats to the letter: "Chapter 1", "Chapter 2" are headings.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from llama_cloud_ext.local.engine.items import container_item
from llama_cloud_ext.local.engine.result import EnginePage

BAND = 0.125
"""The share of a page's height that a running header, or footer, may take."""

_NUMBER = r"(?:\d{1,5}|[ivxlcdm]{1,8}|[A-Z]-\d{1,4})"
_ALONE = re.compile(rf"\W*(?:[Pp](?:age|AGE|\.)\s*)?({_NUMBER})(?:\s*(?:of|/)\s*\d+)?\W*\Z")
_AT_AN_END = re.compile(r"\A\W*(\d{1,5})(?=\W|\Z)|(?<=\s)(\d{1,5})\W*\Z")
_DIGITS = re.compile(r"\d+")


def mark_running_heads(pages: list[EnginePage]) -> None:
    """Move running lines into a `header` or `footer` item, and their markdown into the page's header and footer.

    Args:
        pages: All pages of one document that were parsed; changed in place. A single page is left as it is.
    """
    if len(pages) < 2:
        return
    counts: Counter[tuple[str, str]] = Counter()
    lines: list[list[tuple[int, tuple[str, str]]]] = []
    for page in pages:
        found = [
            (index, (zone, _key(item)))
            for index, item in enumerate(page.items)
            if (zone := _zone(item, page.height)) is not None
        ]
        counts.update({key for _, key in found})
        lines.append(found)
    for page, found in zip(pages, lines, strict=True):
        running = {index: key[0] for index, key in found if counts[key] > 1}
        if running:
            _move(page, running)


def find_printed_numbers(pages: list[EnginePage]) -> None:
    """Read the printed page numbers out of headers and footers.

    A number that stands alone in a running line ("12", "Page 12 of 30", "- xi -") counts. Any other in the uppermost or
    lowermost eighth, alone or at the start or the end of a line, counts when it runs along with the pages, that is,
    when another page's number has the same distance to its place.

    Args:
        pages: After `mark_running_heads`; changed in place.
    """
    candidates: dict[int, list[int]] = {}
    distances: Counter[int] = Counter()
    for page in pages:
        page.printed_page_number = next(
            (match[1] for line in _running_lines(page) if (match := _ALONE.match(line)) is not None), None
        )
        found = [int(m[1] or m[2]) for line in _head_lines(page) for m in _AT_AN_END.finditer(line)]
        candidates[page.number] = found
        distances.update({number - page.number for number in found})
    for page in pages:
        if page.printed_page_number is None:
            running = [n for n in candidates[page.number] if distances[n - page.number] > 1]
            page.printed_page_number = str(running[0]) if running else None


def _zone(item: dict[str, Any], height: float) -> str | None:
    if item["type"] not in {"text", "heading"} or not item.get("bbox") or height <= 0:
        return None
    box = item["bbox"][0]
    if box["y"] + box["h"] <= height * BAND:
        return "header"
    if box["y"] >= height * (1 - BAND):
        return "footer"
    return None


def _key(item: dict[str, Any]) -> str:
    text = " ".join(item["value"].split()).casefold()
    return text if item["type"] == "heading" else _DIGITS.sub("#", text)


def _move(page: EnginePage, running: dict[int, str]) -> None:
    groups: dict[str, list[dict[str, Any]]] = {"header": [], "footer": []}
    body = []
    for index, item in enumerate(page.items):
        if index in running:
            groups[running[index]].append(item)
        else:
            body.append(item)
    page.items = body
    if groups["header"]:
        header = container_item("header", groups["header"])
        page.header = header["md"]
        page.items.insert(0, header)
    if groups["footer"]:
        footer = container_item("footer", groups["footer"])
        page.footer = footer["md"]
        page.items.append(footer)


def _running_lines(page: EnginePage) -> list[str]:
    heads = [item for item in page.items if item["type"] in {"header", "footer"}]
    return [inner["value"].strip() for item in reversed(heads) for inner in item["items"]]


def _head_lines(page: EnginePage) -> list[str]:
    """The lines in both bands, footers first; a line need not be running for its number to run along."""
    lines: dict[str, list[str]] = {"footer": [], "header": []}
    for item in page.items:
        zone = item["type"] if item["type"] in lines else _zone(item, page.height)
        if zone is not None:
            lines[zone] += [inner["value"].strip() for inner in item.get("items", [item])]
    return [*lines["footer"], *lines["header"]]
