"""The structured items of a parsed page, read tolerantly: a kind that is not known yet keeps its JSON."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_boolean,
    as_elements,
    as_integer,
    as_number,
    as_text,
    as_text_or_empty,
    attribute,
    list_of,
    list_of_models,
)

Cell = str | float | None
"""What a table's cell holds."""


class BBox(TolerantModel):
    """A box on a page: top left corner and size, in points, from the page's upper left corner."""

    x = attribute(lambda value: as_number(value) or 0.0)
    """Distance from the left edge, points."""
    y = attribute(lambda value: as_number(value) or 0.0)
    """Distance from the upper edge, points."""
    w = attribute(lambda value: as_number(value) or 0.0)
    """Width, points."""
    h = attribute(lambda value: as_number(value) or 0.0)
    """Height, points."""
    r = attribute(as_number)
    """Rotation, degrees."""
    confidence = attribute(as_number)
    """How sure the layout is of it, 0 to 1."""
    label = attribute(as_text)
    """What the layout takes it for."""
    start_index = attribute(as_integer)
    """Where its text starts in the item's markdown."""
    end_index = attribute(as_integer)
    """Where its text ends in the item's markdown, exclusive."""


def read_boxes(value: Any) -> list[BBox]:
    candidates = [value] if isinstance(value, dict) else as_elements(value)
    return [BBox(box) for box in candidates if isinstance(box, dict) and _is_a_box(box)]


def _is_a_box(value: dict[str, Any]) -> bool:
    return any(as_number(value.get(side)) is not None for side in "xywh")


class Item(TolerantModel):
    """What all items share."""

    type = attribute(as_text_or_empty)
    """The kind as the service names it."""
    md = attribute(as_text_or_empty)
    """The item as markdown."""
    value = attribute(as_text_or_empty)
    """The item as plain text; "" for kinds without any."""
    bbox = attribute(read_boxes)
    """Where it stands; several boxes when it is broken over columns or lines."""


class TextItem(Item):
    """A paragraph."""


class HeadingItem(Item):
    """A heading."""

    level = attribute(lambda value: max(1, as_integer(value) or 1))
    """1 for the highest."""


class CodeItem(Item):
    """A block of code."""

    language = attribute(as_text)
    """The programming language, when known."""


class LinkItem(Item):
    """A link."""

    text = attribute(as_text_or_empty)
    """What is written."""
    url = attribute(as_text_or_empty)
    """Where it leads."""


class ImageItem(Item):
    """An image."""

    caption = attribute(as_text_or_empty)
    """What the image shows."""
    url = attribute(as_text_or_empty)
    """The image's file name among the job's images, or an address."""


class ParseConcern(TolerantModel):
    """A doubt about how well a table was read."""

    type = attribute(as_text_or_empty)
    """The kind of doubt."""
    details = attribute(as_text_or_empty)
    """The doubt in words."""


def _cell(value: Any) -> Cell:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else as_text(value)


def _rows(value: Any) -> list[list[Cell]]:
    return [[_cell(cell) for cell in row] if isinstance(row, list) else [_cell(row)] for row in as_elements(value)]


class TableItem(Item):
    """A table."""

    rows = attribute(_rows)
    """The cells, row by row; rows may differ in length."""
    csv = attribute(as_text_or_empty)
    """The table as CSV."""
    html = attribute(as_text_or_empty)
    """The table as HTML, with merged cells."""
    merged_from_pages = attribute(list_of(as_integer))
    """Pages that this table was put together from."""
    merged_into_page = attribute(as_integer)
    """Page that this table went to; it is empty here then."""
    parse_concerns = attribute(list_of_models(ParseConcern))
    """Doubts about how well it was read."""


class UnknownItem(Item):
    """A kind that this version does not know; its JSON is in `raw`."""


def read_item(value: Any) -> Item | None:
    """The item that `value` describes; a bare string is a paragraph; None for what is no item at all."""
    if isinstance(value, str):
        return TextItem({"type": "text", "value": value, "md": value})
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    return _KINDS.get(kind if isinstance(kind, str) else "", UnknownItem)(value)


def read_items(value: Any) -> list[Item]:
    """The items of a JSON array; what is no item at all is passed over."""
    return [item for entry in as_elements(value) if (item := read_item(entry)) is not None]


class ListItem(Item):
    """A list, possibly with lists within."""

    items = attribute(read_items)
    """The entries: `TextItem`, or `ListItem` for a list within."""
    ordered = attribute(lambda value: as_boolean(value) or False)
    """Whether it is numbered."""


class HeaderItem(Item):
    """The running header of a page."""

    items = attribute(read_items)
    """What it is made of."""


class FooterItem(Item):
    """The running footer of a page."""

    items = attribute(read_items)
    """What it is made of."""


_KINDS: dict[str, type[Item]] = {
    "text": TextItem,
    "heading": HeadingItem,
    "list": ListItem,
    "table": TableItem,
    "image": ImageItem,
    "code": CodeItem,
    "link": LinkItem,
    "header": HeaderItem,
    "footer": FooterItem,
}
