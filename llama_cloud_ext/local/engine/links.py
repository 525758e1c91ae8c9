"""Links of PDF pages: an address comes as a rectangle on the page, the text below it is found by its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.engine.items import box, link_item

if TYPE_CHECKING:
    from liteparse import ParsedPage, TextItem

Item = dict[str, Any]


def add_links(page: ParsedPage, items: list[Item], *, annotate: bool) -> None:
    """Append a link item for each link of the page, and write the addresses into the text if asked for.

    Args:
        page: With its annotations and text.
        items: The page's items; changed in place.
        annotate: Make `[text](url)` of the link's text in the markdown of the item that holds it.
    """
    found = []
    links = [annotation for annotation in page.annotations or () if annotation.uri and annotation.rect is not None]
    runs = page.text_items if links else []  # made anew on each access
    for annotation in links:
        text = _text_below(runs, annotation.rect)
        if not annotation.uri.endswith(text[-1:]):
            text = text.rstrip(".,;:")  # the rectangle takes in what ends the sentence
        place = box(annotation.rect)
        if annotate and text:
            _write_into(items, place, text, annotation.uri)
        found.append(link_item(text or annotation.uri, annotation.uri, bbox=[place]))
    items += found


def _text_below(runs: Iterable[TextItem], rect: Any) -> str:
    """The words whose middle lies in the rectangle; where the parser gives whole lines, the share of the line."""
    words = []
    for item in runs:
        middle = item.y + item.height / 2
        if not rect.y <= middle <= rect.y + rect.height or not item.width:
            continue
        if item.x >= rect.x + rect.width or item.x + item.width <= rect.x:
            continue
        step = item.width / max(len(item.text), 1)
        at = 0
        for word in item.text.split(" "):
            x = item.x + (at + len(word) / 2) * step
            if word and rect.x <= x <= rect.x + rect.width:
                words.append(word)
            at += len(word) + 1
    return " ".join(words)


def _write_into(items: Sequence[Item], place: dict[str, float], text: str, url: str) -> None:
    x, y = place["x"] + place["w"] / 2, place["y"] + place["h"] / 2
    for item in items:
        if item["type"] not in {"text", "heading"} or not any(_holds(b, x, y) for b in item.get("bbox", ())):
            continue
        if text in item["md"] and f"[{text}](" not in item["md"]:
            item["md"] = item["md"].replace(text, f"[{text}]({url})", 1)
        return


def _holds(place: dict[str, float], x: float, y: float) -> bool:
    return place["x"] - 1 <= x <= place["x"] + place["w"] + 1 and place["y"] - 1 <= y <= place["y"] + place["h"] + 1
