"""Numbers and amounts of money as they are written, with a decimal point or a comma."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DecimalMark = Literal[".", ","] | None

_CODES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|JPY|CNY|INR|AUD|CAD|NZD|SGD|HKD|ZAR|BRL|MXN|TRY|KRW|ILS|AED"
_SIGNS = {
    **{"€": "EUR", "£": "GBP", "₹": "INR", "US$": "USD", "R$": "BRL", "₩": "KRW", "₺": "TRY", "₪": "ILS"},
    **{"Kč": "CZK", "zł": "PLN"},
}
_CURRENCY = rf"(?:US\$|R\$|[€$£¥₹₩₺₪]|(?<![^\W\d_])(?:Kč|zł|{_CODES})(?![^\W\d_]))"
_DIGITS = r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+"

CURRENCY = re.compile(_CURRENCY)

_OTHER_GROUPS = re.compile(r"\d[.,']\d{3}[.,]\d{1,2}(?!\d)")


def number_pattern(texts: Iterable[str]) -> str:
    """A number with its sign, and the currency or per cent beside it; for use in larger expressions.

    Args:
        texts: Of the document. Where it groups thousands by another mark, a space between digits parts two numbers.

    Example:
        >>> spaced, marked = number_pattern(["1 560,00"]), number_pattern(["1,560.00"])
        >>> re.findall(spaced, "2 780,00"), re.findall(marked, "2 780.00")
        (['2 780,00'], ['2', '780.00'])
    """
    digits = _DIGITS.replace(" ", "") if any(map(_OTHER_GROUPS.search, texts)) else _DIGITS
    return rf"(?:{_CURRENCY}\s?)?(?:[-−+]\s?)?(?:{_CURRENCY}\s?)?(?:{digits})(?:-(?!\w))?(?:\s?{_CURRENCY}|\s?%)?"


_NUMBER = re.compile(
    rf"(?<![\w.,/:#-])(?:{_CURRENCY}\s?)?(?P<sign>[-−+]\s?)?(?:{_CURRENCY}\s?)?(?P<digits>{_DIGITS})"
    rf"(?P<minus>-(?!\w))?(?P<unit>\s?{_CURRENCY}|\s?%)?(?![\w/:]|[.,-]\d|-\w)"
)


@dataclass(frozen=True)
class WrittenNumber:
    """A number in a text.

    Attributes:
        value: What it says.
        text: As it is written, currency included.
        start: Where it begins.
        is_money: Whether a currency stands beside it.
        is_percent: Whether a per cent sign does.
    """

    value: float
    text: str
    start: int
    is_money: bool
    is_percent: bool


def numbers_in(text: str, mark: DecimalMark = None) -> list[WrittenNumber]:
    """The numbers of a text. Parts of codes, dates and times are none.

    Args:
        text: Of a line or a cell.
        mark: The decimal mark of the document, for numbers that do not tell ("1.000").

    Example:
        >>> [number.value for number in numbers_in("2 x 1.250,50 EUR, INV-17, 3/4/2024")]
        [2.0, 1250.5]
    """
    found = []
    for match in _NUMBER.finditer(text):
        value = number_of(match["digits"], mark)
        if value is None:
            continue
        if (match["sign"] or "").strip() in {"-", "−"} or match["minus"]:
            value = -value
        found.append(
            WrittenNumber(
                value,
                match[0].strip(),
                match.start(),
                CURRENCY.search(match[0]) is not None,
                (match["unit"] or "").strip() == "%",
            )
        )
    return found


def number_of(digits: str, mark: DecimalMark = None) -> float | None:
    """A number without sign and currency.

    Args:
        digits: With separators of either kind.
        mark: The decimal mark where the number itself does not tell.

    Example:
        >>> number_of("2.400,00"), number_of("3,450.00"), number_of("1,250"), number_of("1,250", ",")
        (2400.0, 3450.0, 1250.0, 1.25)
    """
    text = re.sub(r"[' \u00a0\u202f]", "", digits)
    # "1,250" is more than a thousand in most documents; "1.250" is one and a quarter where decimals have points.
    decimal = decimal_mark_of(digits) or mark or "."
    text = text.replace(".", "").replace(",", ".") if decimal == "," else text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        return None


def decimal_mark_of(digits: str) -> DecimalMark:
    """The decimal mark that a number shows itself; None where it does not tell.

    Example:
        >>> decimal_mark_of("2.400,00"), decimal_mark_of("12.5"), decimal_mark_of("1.000"), decimal_mark_of("7")
        (',', '.', None, None)
    """
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rindex(".") > digits.rindex(",") else ","
    if points + commas == 0:
        return None
    separator: Literal[".", ","] = "." if points else ","
    other: Literal[".", ","] = "," if points else "."
    if points + commas > 1:
        return other  # it sets thousands apart, repeatedly
    whole, _, fraction = digits.partition(separator)
    thousands = len(fraction) == 3 and 1 <= len(whole.strip()) <= 3 and not whole.startswith("0")
    return None if thousands else separator


def decimal_mark(texts: Iterable[str]) -> DecimalMark:
    """The decimal mark of a document, by its numbers that tell; None if they do not agree.

    Example:
        >>> decimal_mark(["1.000", "2,50", "3.200,75"])
        ','
    """
    marks = [decimal_mark_of(match["digits"]) for text in texts for match in _NUMBER.finditer(text)]
    points, commas = marks.count("."), marks.count(",")
    if points == commas or min(points, commas) > 0.2 * (points + commas):
        return None
    return "." if points > commas else ","


def currency_code(text: str) -> str | None:
    """The ISO code of a currency that a text names; a sign that several countries have stays a sign.

    Example:
        >>> currency_code("2.920,00 EUR"), currency_code("£12"), currency_code("$5"), currency_code("12")
        ('EUR', 'GBP', '$', None)
    """
    match = CURRENCY.search(text)
    if match is None:
        return None
    return _SIGNS.get(match[0], match[0])
