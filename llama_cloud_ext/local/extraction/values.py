"""Texts to values of a field's type: what a field may be, and how its value is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.extraction.dates import Order, date_order, dates_in, times_in
from llama_cloud_ext.local.extraction.label_words import folded, words_of_label
from llama_cloud_ext.local.extraction.numbers import CURRENCY, DecimalMark, currency_code, decimal_mark, numbers_in
from llama_cloud_ext.local.extraction.schema_fields import Field

LONGEST_VALUE = 300
"""Characters of a text that is one value; longer ones are paragraphs that happen to follow a label."""

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]+[^\s<>\"')\].,;]")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
BIC = re.compile(r"\b[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b")
PHONE = re.compile(r"(?<![\w+])(?:\+|\(?0|\(?\d)[\d\s()./-]{5,18}\d(?![\w-])")

_TRUE = frozenset(["yes", "true", "ja", "oui", "y", "wahr", "vrai", "x", "checked", "selected", "si", "on"])
_FALSE = frozenset(["no", "false", "nein", "non", "n", "falsch", "faux", "unchecked", "off"])
_MARKED = re.compile(r"[☑☒✓✔✗✘]|\[\s?[xX✓]\s?\]|\(\s?[xX]\s?\)")
_UNMARKED = re.compile(r"☐|\[\s?\]|\(\s?\)|□|❏")
_CODE_WORDS = frozenset({"number", "id", "code", "sku", "iban", "bic", "zip", "serial", "barcode", "ssn", "version"})
_CODE = re.compile(r"[A-Za-z0-9#*][\w./#*+-]*")
_PLACEHOLDERS = frozenset({"none", "null", "nil", "n/a", "na", "n.a.", "tbd", "unknown", "not applicable", "undefined"})
"""Texts that stand where a value is missing."""
_BLANK = re.compile(r"[\W_]*\Z")


@dataclass(frozen=True)
class Conventions:
    """How a document writes numbers and dates, as far as it tells.

    Attributes:
        mark: Its decimal mark.
        order: Whether its dates begin with the day or with the month.
    """

    mark: DecimalMark = None
    order: Order = None

    @classmethod
    def of(cls, texts: Iterable[str]) -> Conventions:
        """Those of a document's texts. One with decimal commas writes days first."""
        texts = list(texts)
        mark = decimal_mark(texts)
        return cls(mark, date_order(texts) or ("day first" if mark == "," else None))


@dataclass(frozen=True)
class ReadValue:
    """A value that was read.

    Attributes:
        value: Of the field's type.
        text: The part of the text that says it, as it is written.
        quality: How sure it is that the text is meant so, up to 1.
    """

    value: Any
    text: str
    quality: float


def sort_of(field: Field) -> str:
    """What a field holds, by its type, format and name.

    Returns:
        "date", "datetime", "time", "email", "url", "phone", "iban", "bic", "currency", "code" or "text" for strings;
        "choice" for one of several values; otherwise the type.

    Example:
        >>> [sort_of(Field(name, "string")) for name in ("due_date", "contactEmail", "order_no", "summary")]
        ['date', 'email', 'code', 'text']
    """
    if field.choices:
        return "choice"
    if field.kind != "string":
        return field.kind
    by_format = {
        "date": "date",
        "date-time": "datetime",
        "time": "time",
        "email": "email",
        "uri": "url",
        "url": "url",
    }
    if field.format in by_format:
        return by_format[field.format]
    words = words_of_label(field.name)
    for sort in ("email", "phone", "iban", "bic", "currency", "date", "time"):
        if sort in words and (sort != "currency" or len(words) == 1):
            return sort
    if "website" in words:
        return "url"
    return "code" if _CODE_WORDS.intersection(words) or _asks_for_code(field) else "text"


def _asks_for_code(field: Field) -> bool:
    words = words_of_label(field.description)
    return 0 < len(words) <= 4 and bool(_CODE_WORDS.intersection(words))


def read_value(text: str, field: Field, conventions: Conventions) -> ReadValue | None:  # noqa: PLR0911 - one a sort
    """The value that a text gives a field.

    Args:
        text: What stands beside a label or in a cell.
        field: What is wanted; its type decides what counts.
        conventions: How the document writes numbers and dates.

    Returns:
        The value; None where the text says none, or several.

    Example:
        >>> read_value("2.920,00 EUR", Field("total", "number"), Conventions()).value
        2920.0
    """
    text = text.strip()
    if not text or (_BLANK.match(text) and not _MARKED.search(text)):
        return None
    sort = sort_of(field)
    if sort in {"text", "code"} and text.lower() in _PLACEHOLDERS:
        return None
    if sort == "choice":
        return _choice(text, field)
    if sort == "boolean":
        return _boolean(text)
    if sort in {"number", "integer"}:
        return _number(text, field, conventions)
    if sort in {"date", "datetime"}:
        return _date(text, sort, conventions, strict=bool(field.format))
    if sort == "time":
        times = times_in(text)
        return ReadValue(times[0].value.isoformat(), times[0].text, 0.95) if len(times) == 1 else None
    if sort == "currency":
        code = currency_of(text, field)
        return None if code is None else ReadValue(code, _written_currency(text, code), 0.95)
    patterns = {"email": EMAIL, "url": URL, "iban": IBAN, "bic": BIC, "phone": PHONE}
    if sort in patterns:
        return _matching(text, patterns[sort])
    return _code(text) if sort == "code" else _text(text)


def currency_of(text: str, field: Field) -> str | None:
    """The currency that a text names; no mere sign for a field that wants an ISO code.

    Example:
        >>> field = Field("currency", "string", "ISO code of the currency")
        >>> currency_of("5 EUR", field), currency_of("$5", field), currency_of("$5", Field("currency", "string"))
        ('EUR', None, '$')
    """
    code = currency_code(text)
    wants_code = "iso" in field.description.lower() or "code" in words_of_label(field.name)
    return None if code is not None and wants_code and not code.isalpha() else code


def _written_currency(text: str, code: str) -> str:
    match = CURRENCY.search(text)
    return code if match is None else match[0]


def _matching(text: str, pattern: re.Pattern[str]) -> ReadValue | None:
    found = list(dict.fromkeys(match[0].strip() for match in pattern.finditer(text)))
    return ReadValue(found[0], found[0], 1.0) if len(found) == 1 else None


def _number(text: str, field: Field, conventions: Conventions) -> ReadValue | None:
    found = numbers_in(text, conventions.mark)
    if len(found) > 1:
        # "19 % of 200.00: 38.00": what is asked for decides; otherwise nobody can tell.
        wants_rate = "rate" in words_of_label(field.name) or "percent" in field.name.lower()
        found = [number for number in found if number.is_percent == wants_rate]
        money = [number for number in found if number.is_money]
        found = money if len(money) == 1 else found
    if len(found) != 1:
        return None
    number = found[0]
    alone = len(number.text) >= 0.5 * len(text)
    if field.kind == "integer":
        if number.value != int(number.value):
            return None
        return ReadValue(int(number.value), number.text, 1.0 if alone else 0.7)
    return ReadValue(number.value, number.text, 1.0 if alone else 0.7)


def _date(text: str, sort: str, conventions: Conventions, *, strict: bool) -> ReadValue | None:
    found = dates_in(text, conventions.order)
    if len(found) != 1:
        # A date that can be read in two ways is better given as it is written, unless ISO is asked for.
        raw = re.fullmatch(r"\d{1,2}[/-]\d{1,2}[/-](?:\d{4}|\d{2})", text)
        return ReadValue(text, text, 0.6) if raw and not strict else None
    written = found[0]
    value = written.value.isoformat()
    if sort == "datetime":
        times = times_in(text)
        value += f"T{times[0].value.isoformat()}" if len(times) == 1 else "T00:00:00"
    return ReadValue(value, written.text, 1.0)


def _choice(text: str, field: Field) -> ReadValue | None:
    marked = [match.end() for match in _MARKED.finditer(text)]
    if marked or _UNMARKED.search(text):
        text = " ".join(_UNMARKED.split(text[end:])[0] for end in marked)
    plain = f" {re.sub(r'[^a-z0-9]+', ' ', folded(text))} "
    named = [
        choice for choice in field.choices if f" {re.sub(r'[^a-z0-9]+', ' ', folded(str(choice))).strip()} " in plain
    ]
    longest = [choice for choice in named if not any(str(choice) in str(other) for other in named if other != choice)]
    if len(longest) != 1:
        return None
    written = re.search(re.escape(str(longest[0])), text, re.IGNORECASE)
    return ReadValue(longest[0], written[0] if written else text.strip(), 1.0)


def _boolean(text: str) -> ReadValue | None:
    if _MARKED.search(text) and _UNMARKED.search(text):
        text = _UNMARKED.split(text[_MARKED.search(text).end() :])[0]  # type: ignore[union-attr]  # just found
    elif _MARKED.fullmatch(text):
        return ReadValue(True, text, 0.9)
    elif _UNMARKED.fullmatch(text):
        return ReadValue(False, text, 0.9)
    words = set(re.findall(r"\w+", folded(text)))
    yes, no = words & _TRUE, words & _FALSE
    if bool(yes) == bool(no) or len(words) > 3:
        return None
    return ReadValue(bool(yes), text.strip(), 0.9)


def _code(text: str) -> ReadValue | None:
    """A number, an identifier: one word, or a few that have digits or capitals alone."""
    words = text.split()
    if len(words) > 6 or any(number.is_money or number.is_percent for number in numbers_in(text)):
        return None
    if len(words) == 1:
        match = _CODE.fullmatch(text.rstrip(".,;"))
        if match is None or text.endswith(":"):
            return None
        return ReadValue(match[0], match[0], 1.0 if any(character.isdigit() for character in text) else 0.75)
    parts = [word.strip(",;") for word in words]
    with_digits = [part for part in parts if any(character.isdigit() for character in part)]
    if len(with_digits) >= len(parts) - 1 and all(
        part.isupper() or part.isdigit() or part in with_digits for part in parts
    ):
        return ReadValue(text.rstrip(",;"), text.rstrip(",;"), 0.9)
    if len(with_digits) == 1 and parts[0] is with_digits[0] and len(parts[0]) >= 4:
        return ReadValue(parts[0], parts[0], 0.7)
    return None


def _text(text: str) -> ReadValue | None:
    if len(text) > LONGEST_VALUE or text.endswith(":"):
        return None
    return ReadValue(text, text, 0.9)
