"""Layout blocks of a page to the items of the API.

A block is what the PDF parser found: a heading, paragraph, list entry, code, table, figure or rule, each with its box.
Consecutive list entries become one list with nested ones; rules carry no content and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.engine.tables import TableStyle, table_item

if TYPE_CHECKING:
    from liteparse import LayoutBlock

Item = dict[str, Any]

_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_{2,3})(?=\S)(.+?)(?<=\S)\1")


def items_of_blocks(blocks: Sequence[LayoutBlock], style: TableStyle) -> list[Item]:
    """The items of a page in reading order.

    Args:
        blocks: What the parser found on the page.
        style: How tables look in markdown.

    Returns:
        Items in the shape of the API; figures as image items whose url is "img_<id>.<format>".
    """
    items: list[Item] = []
    entries: list[LayoutBlock] = []
    for block in blocks:
        if block.kind == "list_item":
            entries.append(block)
            continue
        if entries:
            items += _lists(entries)
            entries = []
        item = _item(block, style)
        if item is not None:
            items.append(item)
    if entries:
        items += _lists(entries)
    return items


def text_item(md: str, *, value: str | None = None, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A paragraph.

    Example:
        >>> text_item("a **bold** word")
        {'type': 'text', 'md': 'a **bold** word', 'value': 'a bold word'}
    """
    return _boxed({"type": "text", "md": md, "value": plain(md) if value is None else value}, bbox)


def heading_item(level: int, md_text: str, *, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A heading of level 1 to 6.

    Example:
        >>> heading_item(2, "On *oaks*")
        {'type': 'heading', 'level': 2, 'md': '## On *oaks*', 'value': 'On oaks'}
    """
    level = min(max(level, 1), 6)
    return _boxed({"type": "heading", "level": level, "md": f"{'#' * level} {md_text}", "value": plain(md_text)}, bbox)


def code_item(value: str, language: str | None = None, *, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A block of code, fenced so that backticks inside do not end it."""
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    item: Item = {"type": "code", "md": f"{fence}{language or ''}\n{value}\n{fence}", "value": value}
    if language:
        item["language"] = language
    return _boxed(item, bbox)


def image_item(url: str, caption: str = "", *, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A picture in the text."""
    return _boxed({"type": "image", "caption": caption, "md": f"![{caption}]({url})", "url": url}, bbox)


def link_item(text: str, url: str, *, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A link."""
    return _boxed({"type": "link", "md": f"[{text}]({url})", "text": text, "url": url}, bbox)


def list_item(entries: list[Item], *, ordered: bool, first: int = 1, bbox: list[dict[str, Any]] | None = None) -> Item:
    """A list of text items and nested lists; its markdown is built from theirs."""
    lines: list[str] = []
    number = first
    indent = "  "
    for entry in entries:
        if entry["type"] == "list":
            lines += [f"{indent}{line}" for line in entry["md"].split("\n")]
            continue
        mark = f"{number}. " if ordered else "- "
        indent = " " * len(mark)
        number += 1
        head, *rest = entry["md"].split("\n")
        lines += [f"{mark}{head}", *(f"{indent}{line}" for line in rest)]
    return _boxed({"type": "list", "items": entries, "md": "\n".join(lines), "ordered": ordered}, bbox)


def container_item(kind: str, items: list[Item]) -> Item:
    """A page header or footer around its items; `kind` is "header" or "footer"."""
    item: Item = {"type": kind, "items": items, "md": joined(items)}
    boxes = [box for inner in items for box in inner.get("bbox", ())]
    return _boxed(item, boxes)


def joined(items: Sequence[Item]) -> str:
    """The markdown of a sequence of items. Links stand in the text already and are not repeated."""
    return "\n\n".join(item["md"] for item in items if item["type"] != "link" and item["md"])


def plain(md: str) -> str:
    """Inline markdown as plain text: no emphasis, no escapes."""
    if "*" in md or "__" in md:
        md = _EMPHASIS.sub(r"\2", md)
    return _ESCAPED.sub(r"\1", md) if "\\" in md else md


def box(rect: Any) -> dict[str, Any]:
    """A parser's rectangle as a box of the API, in points to two decimals."""
    return {
        "x": round(rect.x, 2),
        "y": round(rect.y, 2),
        "w": round(rect.width, 2),
        "h": round(rect.height, 2),
    }


def _boxed(item: Item, bbox: list[dict[str, Any]] | None) -> Item:
    if bbox:
        item["bbox"] = bbox
    return item


def _boxes(block: LayoutBlock) -> list[dict[str, Any]] | None:
    return None if block.bbox is None else [box(block.bbox)]


def _item(block: LayoutBlock, style: TableStyle) -> Item | None:  # noqa: PLR0911 - one return per kind of block
    bbox = _boxes(block)
    text = block.text or ""
    if block.kind == "heading":
        return heading_item(block.level or 1, text, bbox=bbox) if text.strip() else None
    if block.kind == "table":
        rows = [[cell.text for cell in row] for row in [*([block.header] if block.header else []), *(block.rows or [])]]
        return table_item(rows, style, bbox) if rows else None
    if block.kind == "code":
        lines = block.lines or []
        if len(lines) == 1 and block.lang is None and _is_prose(lines[0]):
            return text_item(lines[0], value=lines[0], bbox=bbox)
        return code_item("\n".join(lines), block.lang, bbox=bbox)
    if block.kind == "grid_fallback":  # text in columns that is no clear table: keep its shape
        grid = "\n".join(block.lines or [])
        return text_item(f"```\n{grid}\n```", value=grid, bbox=bbox) if grid.strip() else None
    if block.kind == "figure":
        return image_item(f"img_{block.id}.{block.format}", bbox=bbox)
    if not text.strip(" .·…"):  # rules, and the dots that lead from an entry to its number
        return None
    return text_item(_emphasised(text, block), value=plain(text), bbox=bbox)


def _is_prose(line: str) -> bool:
    """Whether a line that begins in a typewriter font, and is taken for code because of that, is a sentence."""
    words = line.split()
    return len(words) >= 8 and sum(word.strip("(),.;:'\"").isalpha() for word in words) >= 0.8 * len(words)


def _emphasised(text: str, block: LayoutBlock) -> str:
    if not (block.bold or block.italic) or text.startswith("*"):
        return text
    stars = "*" * (2 * block.bold + block.italic)
    return f"{stars}{text}{stars}"


def _lists(blocks: list[LayoutBlock]) -> list[Item]:
    """Entries to lists: deeper entries nest, and a change between numbers and bullets starts another list."""
    lists: list[Item] = []
    start = 0
    while start < len(blocks):
        item, start = _one_list(blocks, start, blocks[start].level or 0)
        lists.append(item)
    return lists


def _one_list(blocks: list[LayoutBlock], start: int, depth: int) -> tuple[Item, int]:
    ordered = bool(blocks[start].ordered)
    entries: list[Item] = []
    boxes: list[dict[str, Any]] = []
    at = start
    while at < len(blocks):
        block = blocks[at]
        level = block.level or 0
        if level > depth and entries:
            nested, at = _one_list(blocks, at, level)
            entries.append(nested)
            boxes += nested.get("bbox", ())
            continue
        if level < depth or bool(block.ordered) != ordered:
            break
        entry = text_item(_emphasised(block.text or "", block), value=plain(block.text or ""), bbox=_boxes(block))
        entries.append(entry)
        boxes += entry.get("bbox", ())
        at += 1
    return list_item(entries, ordered=ordered, first=_first_number(blocks[start].marker), bbox=boxes), at


def _first_number(marker: str | None) -> int:
    digits = re.match(r"\D?(\d{1,9})", marker or "")
    return int(digits[1]) if digits else 1
