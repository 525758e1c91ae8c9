"""Labels and what stands beside or below them: everything on a page that may be a labelled value."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, Literal

from llama_cloud_ext.local.extraction.label_words import is_vocabulary, words_of_label
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.segments import Line, Segment

Position = Literal["after a colon", "beside", "below", "after", "under a heading"]

QUALITY: dict[Position, float] = {
    "after a colon": 1.0,
    "beside": 0.95,
    "below": 0.9,
    "after": 0.85,
    "under a heading": 0.8,
}
"""How sure a position makes it that a value belongs to its label."""

_COLON = re.compile(r"\s?:(?=\s|\Z)\s*")
_LOOKS_LABELLED = re.compile(r"[^:]{1,50}:(?:\s|\Z)|\*?\s*\d{1,2}[a-z]?[.)]\s+[A-Z]")
_ENUMERATION = re.compile(r"\*?\s*\(?\d{0,2}[a-z]?[.)]?")
_SENTENCE = re.compile(r"(?:\S+\s+){4,}\S+[.!?]\Z")
_MOST_LABEL_WORDS = 4
_LONGEST_BESIDE = 8
"""Words of a text beside a label without a colon; longer ones are sentences."""
_LONGEST_BELOW = 3
"""Lines down to the value below a label; those between have nothing in the label's columns."""
LONGEST_PARAGRAPH = 2000
"""Characters of a text under a heading that is still taken as the heading's value."""


@dataclass(frozen=True)
class Pair:
    """A label and a value.

    Attributes:
        label: As it stands on the page.
        value: Without spaced-out letters.
        raw: The value as it is on the page.
        page: Number of the page.
        place: Tells occurrences apart: page, line and column, or the place in a table.
        position: Where the value stands.
        whole: Whether the value's end is sure; if not, only values with a form of their own (dates, numbers, …) count.
    """

    label: str
    value: str
    raw: str
    page: int
    place: tuple[int, ...]
    position: Position
    whole: bool = True


def pairs_of_lines(lines: Sequence[Line], is_label: Callable[[str], bool]) -> list[Pair]:
    """The pairs of a page's text, or of a region of it.

    Args:
        lines: In order.
        is_label: Whether a text is the label of any wanted field; such a text is no value of another one.
    """
    pairs: list[Pair] = []
    for index, line in enumerate(lines):
        for place, segment in enumerate(line.segments):
            whole = line.segments[place + 1] if place + 1 < len(line.segments) else None
            following = None if whole is None else _without_label(whole, is_label)
            pairs += _after_colons(segment, is_label)
            pairs += _after_words(segment)
            label = segment.text.rstrip(" :.…")
            ends_with_colon = segment.text.rstrip().endswith(":")

            def may_be_value(text: str, label: str = label, sure: bool = ends_with_colon) -> bool:
                return _may_be_value(text, is_label) and (sure or not _is_label_too(text, label))

            if following is not None and may_be_value(following.text):
                # Several columns are a table, unless a label between two of them says otherwise.
                alone = ends_with_colon or len(line.segments) == 2 or following != whole
                short = ends_with_colon or len(following.text.split()) <= _LONGEST_BESIDE
                pairs.append(_pair(label, following, "beside", whole=alone and short))
            elif following is None or ends_with_colon or is_label(following.text):
                below = _below(lines, index, segment)
                if below is not None and may_be_value(below.text):
                    block = len(line.segments) == 1 and _is_block(lines, index, below)
                    pairs.append(_pair(label, below, "below", whole=ends_with_colon or block))
    return pairs


def _pair(label: str, segment: Segment, position: Position, *, whole: bool = True) -> Pair:
    place = (segment.page, segment.line, segment.start)
    return Pair(label, segment.text, segment.raw, segment.page, place, position, whole)


def _may_be_value(text: str, is_label: Callable[[str], bool]) -> bool:
    return not (_LOOKS_LABELLED.match(text) or _SENTENCE.match(text) or is_label(text))


def _without_label(segment: Segment, is_label: Callable[[str], bool]) -> Segment:
    """A value without the label at its end, which belongs to what follows: "A05 Order #"."""
    words = segment.text.split(" ")
    for count in range(min(_MOST_LABEL_WORDS, len(words) - 1), 0, -1):
        if is_label(" ".join(words[-count:])) and not is_label(words[0]):
            text = " ".join(words[:-count])
            if _ENUMERATION.fullmatch(text):
                return segment
            raw = segment.raw if segment.raw != segment.text else text
            return replace(segment, text=text, raw=raw)
    return segment


def _is_block(lines: Sequence[Line], index: int, below: Segment) -> bool:
    """Whether a line and the one below it stand apart: a label above its value, as in a box of a form."""
    number = index + below.line - lines[index].number
    if number != index + 1 or len(lines[number].segments) != 1 or len(below.text.split()) > _LONGEST_BESIDE:
        return False
    before = lines[index - 1].segments if index else ()
    after = lines[number + 1].segments if number + 1 < len(lines) else ()
    return not before and not after


def _is_label_too(text: str, label: str) -> bool:
    """Whether two texts side by side are both labels, as in "First name    Last name"."""
    if is_vocabulary(text):
        return True
    ours, theirs = words_of_label(label), words_of_label(text)
    return bool(ours and theirs) and ours[-1] == theirs[-1] and not _has_digit(text)


def _below(lines: Sequence[Line], index: int, segment: Segment) -> Segment | None:
    found = _next_in_columns(lines, index, segment)
    if found is None or segment.text.rstrip().endswith(":") or not _has_digit(found.text):
        return found
    # Numbers under each other are a column of a table, and the label is its header.
    more = _next_in_columns(lines, index + found.line - segment.line, found)
    return found if more is None or more.line > found.line + 1 or not _has_digit(more.text) else None


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _next_in_columns(lines: Sequence[Line], index: int, segment: Segment) -> Segment | None:
    for line in lines[index + 1 : index + 1 + _LONGEST_BELOW]:
        if line.page != segment.page:
            return None
        under = [other for other in line.segments if segment.over(other)]
        if under:
            return max(under, key=lambda other: min(segment.end, other.end) - max(segment.start, other.start))
    return None


def _after_words(segment: Segment) -> list[Pair]:
    """A label and its value with no more than a space between them: "VAT ID GB123456789"."""
    words = segment.text.split(" ")
    if not 2 <= len(words) <= 2 * _MOST_LABEL_WORDS or segment.text != segment.raw:
        return []
    pairs = []
    for count in range(1, min(_MOST_LABEL_WORDS + 1, len(words))):
        value = " ".join(words[count:])
        label = " ".join(words[:count])
        if ":" not in label:
            place = (segment.page, segment.line, segment.start + len(label) + 1)
            pairs.append(Pair(label, value, value, segment.page, place, "after", whole=False))
    return pairs


def _after_colons(segment: Segment, is_label: Callable[[str], bool]) -> list[Pair]:
    text = segment.text
    colons = list(_COLON.finditer(text))
    pairs: list[Pair] = []
    label_start = 0
    for index, colon in enumerate(colons):
        label = text[label_start : colon.start()].strip()
        last = index + 1 == len(colons)
        limit = len(text) if last else colons[index + 1].start()
        end, whole = (limit, True) if last else _end_of_value(text, colon.end(), limit, is_label)
        value = text[colon.end() : end].lstrip(" ,;|").rstrip(" -–,;|")  # a minus in front is part of it
        if label and value and not is_label(value):
            raw = value if segment.raw == text else segment.raw
            place = (segment.page, segment.line, segment.start + colon.end())
            pairs.append(Pair(label, value, raw, segment.page, place, "after a colon", whole))
        label_start = end
    return pairs


def _end_of_value(text: str, start: int, limit: int, is_label: Callable[[str], bool]) -> tuple[int, bool]:
    """Where a value ends that another label follows in the same segment, and whether that is sure."""
    between = text[start:limit]
    for mark in (" - ", " – ", "; ", " | "):
        if mark in between:
            return start + between.rindex(mark) + len(mark), True
    starts = [match.start() for match in re.finditer(r"(?<=\s)\S", between)][-_MOST_LABEL_WORDS:]
    for place in starts:
        if is_label(between[place:]):
            return start + place, True
    if len(between.split()) == 2:  # one word of value, one of label
        return start + starts[-1], True
    return (start + starts[-1], False) if starts else (limit, False)


def pairs_of_items(page: SourcePage, is_label: Callable[[str], bool]) -> list[Pair]:
    """The pairs in a page's tables, and headings with the texts under them."""
    pairs: list[Pair] = []
    items = list(_flat(page.items))
    for index, item in enumerate(items):
        if item.get("type") == "table":
            pairs += _of_table(page.page_number, index, table_texts(item), is_label)
        elif item.get("type") == "heading" and index + 1 < len(items):
            below = items[index + 1]
            text = str(below.get("value") or "")
            if below.get("type") == "text" and 0 < len(text) <= LONGEST_PARAGRAPH and not _LOOKS_LABELLED.match(text):
                label = str(item.get("value") or "").rstrip(" :")
                place = (page.page_number, -1, index)
                pairs.append(Pair(label, text, text, page.page_number, place, "under a heading"))
    return pairs


def _of_table(page: int, table: int, rows: list[list[str]], is_label: Callable[[str], bool]) -> Iterable[Pair]:
    for number, row in enumerate(rows):
        filled = [cell for cell in row if cell]
        for column, cell in enumerate(row):
            if not cell or len(cell) > 80:
                continue
            label = cell.rstrip(" :")
            right = next((other for other in row[column + 1 :] if other), "")
            if right and (len(filled) == 2 or cell.endswith(":")) and _may_be_value(right, is_label):
                yield Pair(label, right, right, page, (page, -2, table, number, column), "beside")
            below = rows[number + 1][column] if number + 1 < len(rows) and column < len(rows[number + 1]) else ""
            if below and not any(character.isdigit() for character in "".join(filled)):
                # Another row below would make a list of it.
                single = number + 2 >= len(rows) or not any(rows[number + 2])
                if _may_be_value(below, is_label) and (single or cell.endswith(":")):
                    yield Pair(label, below, below, page, (page, -2, table, number + 1, column), "below")


def table_texts(item: dict[str, Any]) -> list[list[str]]:
    """The cells of a table item as they are written; its `rows` have numbers as floats."""
    written = item.get("csv")
    if isinstance(written, str) and written:
        return [[cell.strip() for cell in row] for row in csv.reader(StringIO(written))]
    rows = item.get("rows")
    if not isinstance(rows, list):
        return []
    return [["" if cell is None else str(cell).strip() for cell in row] for row in rows if isinstance(row, list)]


def _flat(items: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for item in items:
        if item.get("type") in {"header", "footer", "list"} and isinstance(item.get("items"), list):
            yield from _flat(item["items"])
        else:
            yield item
