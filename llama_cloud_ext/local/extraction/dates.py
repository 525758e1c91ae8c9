"""Dates and times as they are written, to ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

from llama_cloud_ext.local.extraction.label_words import folded

Order = Literal["day first", "month first"] | None

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jaenner janvier janv",
            "february feb februar fevrier fevr",
            "march mar maerz mrz mars",
            "april apr avril avr",
            "may mai",
            "june jun juni juin",
            "july jul juli juillet juil",
            "august aug aout",
            "september sep sept septembre",
            "october oct oktober okt octobre",
            "november nov novembre",
            "december dec dezember dez decembre",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = r"(?P<month>[^\W\d_]{3,9})\.?"
_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?P<year>\d{4})"
_END = r"(?![\w])"
_NAMED = (
    re.compile(
        rf"(?<![\w.-]){_DAY}(?:st|nd|rd|th|er|\.)?\s?(?:of\s|-)?\s?{_MONTH},?[\s-]\s?{_YEAR}{_END}", re.IGNORECASE
    ),
    re.compile(rf"(?<![\w.-]){_MONTH}\s{_DAY}(?:st|nd|rd|th)?,?\s{_YEAR}{_END}", re.IGNORECASE),
)
_ISO = re.compile(r"(?<![\w.-])(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d/.-])")
_CJK = re.compile(r"(?P<year>\d{4})年\s?(?P<month>\d{1,2})月\s?(?P<day>\d{1,2})日")
_NUMERIC = re.compile(
    r"(?<![\w./-])(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})(?![\w/-]|\.\d)"
)
_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?:\.\d+)?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?(?![\d:])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class WrittenDate:
    """A date in a text: what it says, as it is written, and where it begins."""

    value: date
    text: str
    start: int


@dataclass(frozen=True)
class WrittenTime:
    """A time in a text: what it says, as it is written, and where it begins."""

    value: time
    text: str
    start: int


def dates_in(text: str, order: Order = None) -> list[WrittenDate]:
    """The dates of a text that can be read in one way only.

    Args:
        text: Of a line or a cell.
        order: Whether the document writes days or months first; None if it is not known. Then "03/04/2024" is no date.

    Example:
        >>> [str(found.value) for found in dates_in("12.05.2026, April 18, 2026; 3/4/2024; 1/31/2009")]
        ['2026-05-12', '2026-04-18', '2009-01-31']
    """
    found: list[WrittenDate] = []
    for pattern in (_ISO, _CJK):
        for match in pattern.finditer(text):
            _add(found, match, int(match["year"]), int(match["month"]), int(match["day"]))
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            month = _MONTHS.get(folded(match["month"]))
            if month is not None:
                _add(found, match, int(match["year"]), month, int(match["day"]))
    for match in _NUMERIC.finditer(text):
        first, second = int(match["first"]), int(match["second"])
        direction = _order_of(match) or order or ("day first" if first == second else None)
        if direction is not None:
            day, month = (first, second) if direction == "day first" else (second, first)
            _add(found, match, _full_year(match["year"]), month, day)
    return sorted(found, key=lambda written: written.start)


def times_in(text: str) -> list[WrittenTime]:
    """The times of a text.

    Example:
        >>> [str(found.value) for found in times_in("from 9:30 to 5:15 pm")]
        ['09:30:00', '17:15:00']
    """
    found = []
    for match in _TIME.finditer(text):
        hour = int(match["hour"])
        if match["half"]:
            if not 1 <= hour <= 12:
                continue
            hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
        found.append(
            WrittenTime(time(hour, int(match["minute"]), int(match["second"] or 0)), match[0].strip(), match.start())
        )
    return found


def date_order(texts: Iterable[str]) -> Order:
    """Whether a document writes days or months first, by its dates that tell; None if they do not or disagree.

    Example:
        >>> date_order(["01/02/2026", "31/01/2026"])
        'day first'
    """
    orders = {_order_of(match) for text in texts for match in _NUMERIC.finditer(text)} - {None}
    return orders.pop() if len(orders) == 1 else None


def _order_of(match: re.Match[str]) -> Order:
    first, second = int(match["first"]), int(match["second"])
    if match["mark"] == ".":
        return "day first"
    if first > 12 >= second:
        return "day first"
    return "month first" if second > 12 >= first else None


def _full_year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else 2000 + year if year < 70 else 1900 + year


def _add(found: list[WrittenDate], match: re.Match[str], year: int, month: int, day: int) -> None:
    try:
        value = date(year, month, day)
    except ValueError:
        return
    if all(match.end() <= other.start or other.start + len(other.text) <= match.start() for other in found):
        found.append(WrittenDate(value, match[0], match.start()))
