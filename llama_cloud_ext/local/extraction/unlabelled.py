"""Values whose form leaves no doubt, so that they need no label."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_cloud_ext.local.extraction.dates import dates_in, times_in
from llama_cloud_ext.local.extraction.label_words import words_of_label
from llama_cloud_ext.local.extraction.numbers import CURRENCY
from llama_cloud_ext.local.extraction.outcomes import Outcome
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.segments import Line, Segment
from llama_cloud_ext.local.extraction.values import EMAIL, IBAN, URL, currency_of, sort_of

CONFIDENCE = 0.6
"""Of a value that nothing but its form and its being the only one speaks for."""

_LONGEST_SEGMENT = 60
"""Characters: in longer segments such values are parts of sentences."""

_PHONE = re.compile(r"(?<![\w+])\+\d[\d\s()./-]{6,18}\d(?![\w-])")
_PATTERNS = {"email": EMAIL, "url": URL, "iban": IBAN, "phone": _PHONE}
_MOMENTS: dict[str, Callable[[str], Iterable[Any]]] = {"date": dates_in, "time": times_in}
_OF_THE_DOCUMENT = frozenset({"date", "time", "invoice", "receipt", "document", "issue", "issued", "order"})


def value_without_label(
    field: Field, siblings: Sequence[Field], pages: Sequence[SourcePage], lines: Sequence[Line], *, whole: bool
) -> Outcome | None:
    """The only value of a field's form in a region.

    Args:
        field: What is wanted.
        siblings: The fields beside it; of two that want the same form, neither gets the only value.
        pages: Of the region, for headings.
        lines: Of the region.
        whole: Whether it is the whole document.

    Returns:
        None unless there is exactly one.
    """
    sort = sort_of(field)
    if sort == "text":
        return _title(field, pages) if whole else None
    if field.needs_parent or sum(sort_of(other) == sort for other in siblings) > 1:
        return None
    if sort in {"date", "time"} and not set(words_of_label(field.name)) <= _OF_THE_DOCUMENT:
        return None
    found = list(_found(field, sort, lines))
    if len({value for value, _, _ in found}) != 1:
        return None
    value, text, segment = found[0]
    if not value:  # a currency's sign, where an ISO code is wanted
        return None
    return Outcome(value, text, segment.page, "", CONFIDENCE, "The only one of its form, without a label.")


def _found(field: Field, sort: str, lines: Iterable[Line]) -> Iterable[tuple[str, str, Segment]]:
    for line in lines:
        for segment in line.segments:
            text = segment.text
            if sort == "currency":
                for match in CURRENCY.finditer(text):
                    yield currency_of(match[0], field) or "", match[0], segment
                continue
            if len(text) > _LONGEST_SEGMENT:
                continue
            if sort in _PATTERNS:
                for match in _PATTERNS[sort].finditer(text):
                    yield match[0], match[0], segment
            for moment in _MOMENTS[sort](text) if sort in _MOMENTS else ():
                if not _is_of_something_else(text, moment.text):
                    yield moment.value.isoformat(), moment.text, segment


def _is_of_something_else(text: str, value: str) -> bool:
    """Whether a label before the value says that it is not the document's own: "Expiration Date: 01/31/2009"."""
    before = text[: text.find(value)].rstrip()
    return before.endswith(":") and not set(words_of_label(before)) <= _OF_THE_DOCUMENT


def _title(field: Field, pages: Sequence[SourcePage]) -> Outcome | None:
    """The first heading of the document, for a field that asks for its title."""
    if words_of_label(field.name) not in {("title",), ("document", "title")}:
        return None
    for page in pages[:1]:
        for item in page.items:
            value = item.get("value")
            if item.get("type") == "heading" and isinstance(value, str) and value.strip():
                return Outcome(value, value, page.page_number, "", CONFIDENCE, "The first heading.")
    return None
