"""Pictures of whole pages, and the figures cut out of them."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.crop import cut_png
from llama_cloud_ext.local.engine.result import EngineImage, EnginePage

DPI = 150
"""Fine enough to read small print and for OCR; a page of A4 is 1240 x 1754 pixels then."""

JPEG_QUALITY = 85
"""Small print stays sharp, at a fraction of the size of PNG."""

PAGES_AT_ONCE = 20
"""Rendered pages are held in memory only in such portions."""

_FIGURE = re.compile(r"img_.+\.\w+\Z")


def screenshot(page_number: int, png: bytes) -> EngineImage:
    """The picture of a page as an image of the result: a JPEG file, as the service makes them."""
    from PIL import Image

    jpeg = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        picture.convert("RGB").save(jpeg, format="JPEG", quality=JPEG_QUALITY)
    return EngineImage(f"page_{page_number}.jpg", page_number, "screenshot", jpeg.getvalue(), "image/jpeg")


def figure_crops(named: Path, pages: list[EnginePage], shots: dict[int, bytes]) -> list[EngineImage]:
    """The figures of the pages, cut out of their pictures; image items are made to refer to them.

    Args:
        named: The document, under a name with its suffix.
        pages: With their items.
        shots: Pictures of pages that exist already, by page number.

    Returns:
        An image of category "layout" a figure.
    """
    with_figures = [page for page in pages if any(_is_figure(item) for item in page.items)]
    crops: list[EngineImage] = []
    for start in range(0, len(with_figures), PAGES_AT_ONCE):
        portion = with_figures[start : start + PAGES_AT_ONCE]
        pictures = {**_render(named, [p.number for p in portion if p.number not in shots]), **shots}
        for page in portion:
            if page.number in pictures:
                crops += _crops_of(page, pictures[page.number])
    return crops


def figure_pictures(pages: list[EnginePage], embedded: dict[str, EngineImage]) -> list[EngineImage]:
    """The figures of the pages as the files embedded in the document, which costs far less than cutting them out.

    Args:
        pages: With their items, which are made to refer to the images.
        embedded: The document's embedded images by file name.

    Returns:
        An image of category "layout" a figure.
    """
    found: list[EngineImage] = []
    for page in pages:
        figures = [item for item in page.items if _is_figure(item) and item["url"] in embedded]
        for count, item in enumerate(figures, 1):
            name = item["url"]
            found.append(_figure(page, count, item, embedded[name].content, name.rpartition(".")[2]))
    return found


def content_type(kind: str) -> str:
    """The media type of a picture by its suffix, without the dot."""
    return f"image/{ {'jpg': 'jpeg', 'tif': 'tiff'}.get(kind, kind) }"


def _is_figure(item: dict[str, Any]) -> bool:
    return item["type"] == "image" and bool(item.get("bbox")) and _FIGURE.match(item["url"]) is not None


def _render(named: Path, numbers: list[int]) -> dict[int, bytes]:
    if not numbers:
        return {}
    from liteparse import LiteParse

    parser = LiteParse(ocr_enabled=False, quiet=True, dpi=DPI)
    return {shot.page_num: shot.image_bytes for shot in parser.screenshot(named, page_numbers=numbers)}


def _crops_of(page: EnginePage, png: bytes) -> list[EngineImage]:
    if page.width <= 0 or page.height <= 0:
        return []
    figures = [item for item in page.items if _is_figure(item)]
    parts = cut_png(png, [_shares(item["bbox"][0], page) for item in figures])
    return [
        _figure(page, count, item, part, "png")
        for count, (item, part) in enumerate(zip(figures, parts, strict=True), 1)
    ]


def _shares(place: dict[str, float], page: EnginePage) -> tuple[float, float, float, float]:
    left, top = place["x"] / page.width, place["y"] / page.height
    return (left, top, left + place["w"] / page.width, top + place["h"] / page.height)


def _figure(page: EnginePage, count: int, item: dict[str, Any], content: bytes, kind: str) -> EngineImage:
    name = f"page_{page.number}_figure_{count}.{kind}"
    item["url"] = name
    item["md"] = f"![{item['caption']}]({name})"
    return EngineImage(name, page.number, "layout", content, content_type(kind), dict(item["bbox"][0]))
