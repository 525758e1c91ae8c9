"""Where a value stands: the item on the page that says it, with its boxes.

Items are blocks. Of a text of several lines, the box of the value's line is computed: lines of one text are equally
high. Of a table the whole box is given: its rows may differ in height.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llama_cloud_ext.local.extraction.request import SourcePage

_SPACE = re.compile(r"\s+")
Box = dict[str, Any]


@dataclass
class Citations:
    """Finds texts in the items of a document.

    Args:
        pages: The document.

    Example:
        >>> page = SourcePage(1, "Total 5 EUR", items=[{"type": "text", "value": "Total 5 EUR", "bbox": [
        ...     {"x": 1, "y": 2, "w": 3, "h": 4}]}], width=595, height=842)
        >>> Citations([page]).of("5 EUR", 1)["bounding_boxes"]
        [{'x': 1, 'y': 2, 'w': 3, 'h': 4}]
    """

    pages: Sequence[SourcePage]
    _by_number: dict[int, SourcePage] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._by_number = {page.page_number: page for page in self.pages}

    def of(self, text: str, page_number: int, *, near: str = "") -> dict[str, Any]:
        """The citation of a text.

        Args:
            text: As it stands on the page.
            page_number: Of the page.
            near: A label that belongs to it; an item that has both is preferred.

        Returns:
            `page`, `matching_text`, and where the format has places `bounding_boxes` and `page_dimensions`.
        """
        citation: dict[str, Any] = {"page": page_number, "matching_text": text.strip()}
        page = self._by_number.get(page_number)
        if page is None:
            return citation
        boxes = self._boxes(page, _plain(text), _plain(near))
        if boxes:
            citation["bounding_boxes"] = [{side: box.get(side, 0) for side in "xywh"} for box in boxes]
        if page.width and page.height:
            citation["page_dimensions"] = {"width": page.width, "height": page.height}
        return citation

    def find(self, quote: str) -> tuple[int, str] | None:
        """The first page on which a quote stands, and the quote as it is written there.

        Args:
            quote: From a model; case and white space do not count.

        Returns:
            Page number and verbatim text; None if no page has it.
        """
        words = [re.escape(word) for word in quote.split()]
        if not words:
            return None
        pattern = re.compile(r"\s*".join(words), re.IGNORECASE)
        for page in self.pages:
            for text in (page.text, page.markdown):
                match = pattern.search(text)
                if match is not None:
                    return page.page_number, match[0]
        return None

    @cached_property
    def _items(self) -> dict[int, list[_Block]]:
        return {page.page_number: list(_blocks(page.items)) for page in self.pages}

    @cached_property
    def _lines(self) -> dict[int, list[str]]:
        return {
            page.page_number: [_plain(line) for line in page.text.split("\n") if line.strip()] for page in self.pages
        }

    def _boxes(self, page: SourcePage, text: str, near: str) -> list[Box]:
        holding = [block for block in self._items.get(page.page_number, ()) if text and text in block.text]
        if not holding:
            return []
        with_label = [block for block in holding if near and near in block.text]
        block = min(with_label or holding, key=lambda found: len(found.text))
        if not block.is_lines or len(block.boxes) != 1:
            return block.boxes
        lines = _lines_of_block(block.text, self._lines[page.page_number])
        box = block.boxes[0]
        matching = [number for number, line in enumerate(lines) if text in line]
        labelled = [number for number in matching if near and near in lines[number]]
        chosen = (labelled or matching)[:1]
        if len(lines) == 1 or not chosen or not all(isinstance(box.get(side), (int, float)) for side in "yh"):
            return block.boxes
        height = box["h"] / len(lines)
        return [{**box, "y": round(box["y"] + chosen[0] * height, 2), "h": round(height, 2)}]


@dataclass(frozen=True)
class _Block:
    text: str
    boxes: list[Box]
    is_lines: bool


def _blocks(items: Iterable[dict[str, Any]]) -> Iterable[_Block]:
    for item in items:
        inner = item.get("items")
        if isinstance(inner, list):
            yield from _blocks(inner)
            continue
        boxes = [box for box in item.get("bbox") or () if isinstance(box, dict)]
        is_lines = item.get("type") in {"text", "heading"}
        for key in ("value", "csv", "md", "text"):
            if isinstance(item.get(key), str) and item[key]:
                yield _Block(_plain(item[key]), boxes, is_lines and key == "value")


def _lines_of_block(text: str, lines: Sequence[str]) -> list[str]:
    """The lines of a page that a block is made of; the whole block as one if other columns stand beside it."""
    for start, first in enumerate(lines):
        if not text.startswith(first):
            continue
        rest, end = text, start
        while rest and end < len(lines) and rest.startswith(lines[end]):
            rest = rest[len(lines[end]) :]
            end += 1
        if not rest:
            return list(lines[start:end])
    return [text]


def _plain(text: str) -> str:
    return _SPACE.sub("", text).lower()
