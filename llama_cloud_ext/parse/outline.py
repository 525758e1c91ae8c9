"""Walking through the structured items of all pages in reading order, with the headings that each one stands under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from llama_cloud_ext.parse.images import image_name
from llama_cloud_ext.parse.metadata import box_json, clean_text, shorten_path
from llama_cloud_ext.parse.pages import ParsePage, with_children
from llama_cloud_ext.wire.models.parse_items import FooterItem, HeaderItem, HeadingItem, Item, TableItem
from llama_cloud_ext.wire.models.tolerant import as_integer, as_text_or_empty


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """A structured item and its place in the document.

    Args:
        page: The page it is on.
        path: Its place on the page: "4", or "4.0" inside a page header or footer.
        item: The item.
        headings: The headings above it, outermost first.
        margin: Set when it is part of the page's header or footer.
        level: A heading's level; 0 for everything else.
    """

    page: ParsePage
    path: str
    item: Item
    headings: tuple[PlacedItem, ...] = ()
    margin: Literal["header", "footer"] | None = None
    level: int = 0

    @property
    def kind(self) -> str:
        """The item's type: heading, text, list, table, code, image, link, or one this package does not know."""
        return self.item.type or "text"

    @property
    def title(self) -> str:
        """A heading's words, without markdown's hashes."""
        return clean_text(self.item.value.strip() or self.item.md.lstrip("# ").strip())

    @property
    def text(self) -> str:
        """The item in markdown, or the nearest thing to it that was sent; "" when there is nothing."""
        for name in ("md", "value", "text", "html", "csv", "caption"):
            if (text := as_text_or_empty(self.item.raw.get(name))).strip():
                return clean_text(text)
        return ""

    @property
    def image(self) -> str:
        """The bare name of the image that an image item shows; "" for everything else."""
        return image_name(as_text_or_empty(self.item.raw.get("url"))) if self.kind == "image" else ""

    @property
    def section(self) -> str:
        """The titles of the headings above it, "A > B", a heading's own included; "" before the first one."""
        own = (self,) if self.level else ()
        return shorten_path(title for heading in (*self.headings, *own) if (title := heading.title))

    @property
    def boxes(self) -> list[dict[str, float]]:
        """Its boxes on the page: x, y, w and h in points."""
        return [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in self.item.bbox]

    @property
    def box_json(self) -> str | None:
        """Its boxes and the page size as one JSON string, or None when the service sent no box."""
        boxes = self.boxes
        return box_json(boxes, self.page.width, self.page.height) if boxes else None

    @property
    def is_table_fragment(self) -> bool:
        """Whether it is only the empty remainder of a table that was merged into the one on an earlier page."""
        return isinstance(self.item, TableItem) and self.item.merged_into_page is not None and not any(self.item.rows)


def walk(pages: Iterable[ParsePage]) -> Iterator[PlacedItem]:
    """Go through all items in reading order.

    Args:
        pages: The pages by number; those without items give nothing.

    Yields:
        Each item once. Headings nest by level and reach across pages; a page's header and footer are opened up, and
        what is in them neither is nor has a section.
    """
    headings: list[PlacedItem] = []
    for page in pages:
        for index, item in enumerate(page.items or ()):
            if isinstance(item, (HeaderItem, FooterItem)):
                yield from _open_margin(page, index, item)
                continue
            level = _level(item) if isinstance(item, HeadingItem) else 0
            if level:
                while headings and headings[-1].level >= level:
                    headings.pop()
            placed = PlacedItem(page, str(index), item, tuple(headings), level=level)
            if level:
                headings.append(placed)
            yield placed


def _open_margin(page: ParsePage, index: int, container: HeaderItem | FooterItem) -> Iterator[PlacedItem]:
    margin: Literal["header", "footer"] = "header" if isinstance(container, HeaderItem) else "footer"
    for place, child in enumerate(with_children(container)):
        if child is container:
            yield PlacedItem(page, str(index), container, margin=margin)
        else:
            yield PlacedItem(page, f"{index}.{place}", child, margin=margin)


def _level(item: HeadingItem) -> int:
    level = as_integer(item.raw.get("level"))
    if level is None:
        md = item.md.lstrip()
        level = len(md) - len(md.lstrip("#"))
    return min(max(level, 1), 6)
