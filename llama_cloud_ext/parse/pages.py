"""The pages of a parse result, merged from the response's page lists (text, markdown, items, metadata, forms).

The lists are merged by page number. Where a number is missing or taken, the place in the list decides: no page is ever
lost, and nothing that a response holds makes reading it raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_cloud_ext.parse.images import ParseImage, image_name, read_images
from llama_cloud_ext.parse.metadata import clean_text
from llama_cloud_ext.wire.models.parse_items import (
    FooterItem,
    HeaderItem,
    ImageItem,
    Item,
    TableItem,
    UnknownItem,
    read_item,
    read_items,
)
from llama_cloud_ext.wire.models.parse_response import ItemsPage, MarkdownPage, MetadataPage, Page
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping, as_text_or_empty

PAGE_LISTS = ("markdown", "text", "items", "metadata", "forms")
# Beyond this a page number is damage, not a number.
_MAX_PAGE_NUMBER = 10**9


class ParsePage:
    """One page of a parsed document; a view on the service's entries for it.

    Args:
        number: 1-based page number.
        raw: The service's entries for this page by list name ("text", "markdown", "items", "metadata", "forms").
        loaded: Names of the lists that were fetched at all.

    Attributes:
        number: 1-based page number.
        raw: The service's entries for this page by list name.
        images: The images on this page, when their list was fetched.
    """

    __slots__ = ("_items", "_loaded", "images", "number", "raw")

    def __init__(self, number: int, raw: dict[str, dict[str, Any]], loaded: frozenset[str]) -> None:
        self.number = number
        self.raw = raw
        self.images: Sequence[ParseImage] = ()
        self._loaded = loaded
        self._items: list[Item] | None = None

    def __repr__(self) -> str:
        state = "" if self.success else f", failed: {self.error}"
        return f"ParsePage({self.number}{', blank' if self.success and self.blank else ''}{state})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParsePage):
            return NotImplemented
        return (self.number, self.raw, self._loaded) == (other.number, other.raw, other._loaded)

    __hash__ = None  # type: ignore[assignment]  # the JSON inside can change

    @property
    def text(self) -> str | None:
        """Plain text; None when it was not fetched, "" on a blank or failed page."""
        return self._own_text("text") if "text" in self._loaded else None

    @property
    def markdown(self) -> str | None:
        """Markdown; None when it was not fetched (or the tier makes none), "" on a blank or failed page."""
        return self._own_text("markdown") if "markdown" in self._loaded else None

    @property
    def items(self) -> list[Item] | None:
        """Structured items in reading order; None when they were not fetched."""
        if "items" not in self._loaded:
            return None
        if self._items is None:
            self._items = [_typed(item) for item in read_items(self.raw.get("items", {}).get("items"))]
        return self._items

    @property
    def header(self) -> str | None:
        """The page's header in markdown, if the service set it apart."""
        return self._markdown.header

    @property
    def footer(self) -> str | None:
        """The page's footer in markdown, if the service set it apart."""
        return self._markdown.footer

    @property
    def success(self) -> bool:
        """False when the page failed; it is kept all the same."""
        return self.error is None

    @property
    def error(self) -> str | None:
        """Why the page failed; None when it did not."""
        for entry in self.raw.values():
            # Most entries say either nothing or plainly yes.
            if ("success" in entry or "error" in entry) and entry.get("success") is not True:
                error = Page(entry).error
                if error is not None:
                    return clean_text(error)
        return None

    @property
    def blank(self) -> bool:
        """True when nothing that was fetched of this page holds text: neither text, nor markdown, nor items."""
        texts = (self.text, self.markdown)
        if any(text and not text.isspace() for text in texts):
            return False
        return not any(_has_content(item) for item in self.items or ())

    @property
    def confidence(self) -> float | None:
        """How well the page was read, 0 to 1."""
        return self._about.confidence

    @property
    def page_label(self) -> str | None:
        """The page number printed on the page ("iv", "A-12")."""
        entry = self.raw.get("metadata")
        label = clean_text(as_text_or_empty(entry.get("printed_page_number"))).strip() if entry else ""
        return label or None

    @property
    def speaker_notes(self) -> str | None:
        """A slide's notes."""
        return self._about.speaker_notes

    @property
    def slide_section(self) -> str | None:
        """Name of the section that a slide belongs to."""
        return self._about.slide_section_name

    @property
    def watermark(self) -> str | None:
        """The watermark's text."""
        return self._about.watermark

    @property
    def orientation(self) -> int | None:
        """Degrees by which the page was turned."""
        return self._about.original_orientation_angle

    @property
    def cost_optimized(self) -> bool | None:
        """Whether the page was read the cheaper way."""
        return self._about.cost_optimized

    @property
    def width(self) -> float | None:
        """Page width in points; known with the items."""
        return ItemsPage(self.raw.get("items")).page_width

    @property
    def height(self) -> float | None:
        """Page height in points; known with the items."""
        return ItemsPage(self.raw.get("items")).page_height

    def _own_text(self, name: str) -> str:
        # Read straight from the entry: documents are made of nothing else, ten thousand at a time.
        entry = self.raw.get(name)
        return clean_text(as_text_or_empty(entry.get(name))) if entry else ""

    @property
    def _markdown(self) -> MarkdownPage:
        return MarkdownPage(self.raw.get("markdown"))

    @property
    def _about(self) -> MetadataPage:
        return MetadataPage(self.raw.get("metadata"))


def loaded_lists(response: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the page lists that a response holds.

    Args:
        response: The raw response.

    Returns:
        List name to raw entries; a list that was not fetched is absent, an empty one is there.
    """
    found = {}
    for name in PAGE_LISTS:
        section = response.get(name)
        pages = section.get("pages") if isinstance(section, dict) else section
        if isinstance(pages, list):
            found[name] = pages
    return found


def read_pages(response: Mapping[str, Any]) -> list[ParsePage]:
    """Merge the page lists of a response.

    Args:
        response: The raw response.

    Returns:
        The pages by number.
    """
    lists = loaded_lists(response)
    loaded = frozenset(lists)
    merged: dict[int, dict[str, dict[str, Any]]] = {}
    for name, numbers in _number_all(lists).items():
        for number, entry in zip(numbers, lists[name], strict=True):
            merged.setdefault(number, {})[name] = as_mapping(entry)
    pages = [ParsePage(number, merged[number], loaded) for number in sorted(merged)]
    if response.get("images_content_metadata"):
        by_number = {page.number: page for page in pages}
        for image in read_images(response, _image_pages(pages), list(by_number)):
            if image.page_number in by_number:
                page = by_number[image.page_number]
                page.images = (*page.images, image)
    return pages


def all_images(response: Mapping[str, Any], pages: Sequence[ParsePage]) -> list[ParseImage]:
    """Give all images that a response lists, also those whose page nothing tells.

    Args:
        response: The raw response.
        pages: Its pages.
    """
    return read_images(response, _image_pages(pages), [page.number for page in pages])


def with_children(item: Item) -> list[Item]:
    """Give the items in a page header or footer, or else the item itself.

    Args:
        item: Any item.
    """
    children = item.items if isinstance(item, (HeaderItem, FooterItem)) else []
    return [_typed(child) for child in children] or [item]


def _typed(item: Item) -> Item:
    """The item with the type that its shape tells, where the service sent none that is known."""
    kind = item.type.strip().lower() or _implied_type(item.raw)
    if not isinstance(item, UnknownItem) or kind == item.type:
        return item
    return read_item({**item.raw, "type": kind}) or item


def _implied_type(raw: dict[str, Any]) -> str:
    for name, implied in (("rows", "table"), ("level", "heading"), ("ordered", "list"), ("language", "code")):
        if raw.get(name) is not None:
            return implied
    if raw.get("url") is not None:
        return "image" if raw.get("caption") is not None else "link"
    return "text"


def _image_pages(pages: Iterable[ParsePage]) -> dict[str, int]:
    """The page of each image that an item shows, by the image's bare name."""
    found: dict[str, int] = {}
    for page in pages:
        for item in page.items or ():
            for shown in with_children(item):
                if isinstance(shown, ImageItem) and shown.url:
                    found.setdefault(image_name(shown.url), page.number)
    return found


def _number_all(lists: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """Number every list; one with gaps follows another of the same length that has none."""
    sent = {name: [_page_number(entry) for entry in entries] for name, entries in lists.items()}
    complete = [numbers for numbers in sent.values() if None not in numbers and len(set(numbers)) == len(numbers)]
    result = {}
    for name, numbers in sent.items():
        model = next((other for other in complete if len(other) == len(numbers)), None)
        result[name] = _fill(numbers, model or [None] * len(numbers))
    return result


def _fill(sent: Sequence[int | None], model: Sequence[int | None]) -> list[int]:
    """Keep the first use of each number; the rest take the model's, else the next free one after the page before."""
    taken = {number for number in sent if number is not None}
    kept: set[int] = set()
    result: list[int] = []
    for number, wanted in zip(sent, model, strict=True):
        if number is None or number in kept:
            free = wanted if wanted is not None and wanted not in taken else (result[-1] if result else 0) + 1
            while free in taken:
                free += 1
            taken.add(free)
            result.append(free)
        else:
            kept.add(number)
            result.append(number)
    return result


def _page_number(entry: Any) -> int | None:
    number = entry.get("page_number") if isinstance(entry, dict) else None
    if type(number) is not int:
        number = as_integer(number)
    return number if number is not None and 0 < number < _MAX_PAGE_NUMBER else None


def _has_content(item: Item) -> bool:
    """Whether an item holds text; an image alone does not make a page worth reading."""
    if isinstance(item, ImageItem):
        return False
    if any(part.md.strip() or part.value.strip() for part in with_children(item)):
        return True
    return isinstance(item, TableItem) and any(cell not in (None, "") for row in item.rows for cell in row)
