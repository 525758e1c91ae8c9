"""Fields from words: the names in a prompt, or the labels of a document, to properties of a JSON schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_cloud_ext.local.extraction.dates import dates_in
from llama_cloud_ext.local.extraction.label_words import folded, words_of_label
from llama_cloud_ext.local.extraction.numbers import numbers_in
from llama_cloud_ext.local.extraction.pairs import pairs_of_lines, table_texts
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.segments import lines_of

MOST_FIELDS = 40
"""Fields made of a document's labels: more are hardly the ones that somebody wants."""

_LONGEST_NAME = 6
"""Words; longer pieces of a prompt are sentences."""

_LEAD = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:(?:i|we)\s+(?:need|want|would like)(?:\s+to)?\s*|(?:can|could)\s+you\s+)?"
    r"(?:extract|get|find|give\s+me|return|list|read|pull(?:\s+out)?|capture|collect)?\s*(?:me\s+)?"
    r"(?:(?:a|the)\s+schema\s+(?:for|with)\s+)?(?:the\s+)?(?:following(?:\s+fields)?\s*:?|fields?\s*:)?\s*"
)
_TAIL = re.compile(
    r"(?i)\s+(?:from|of|in|on)\s+(?:(?:the|these|this|each|every|all|an?|my|our)\s+)?"
    r"(?:invoices?|receipts?|documents?|pages?|files?|forms?|contracts?|resumes?|reports?|papers?|letters?|"
    r"statements?|orders?|pdfs?|e?-?mails?)\W*$"
)
_LIST = re.compile(
    r"(?i)(?P<name>(?:[\w-]+\s+){0,2}[\w-]*[^s\W]s)\s*"
    r"(?:,?\s*(?:each\s+)?(?:with|including|having|containing)(?:\s+(?:their|its|the))?\s+|\s*[:(]\s*)"
    r"(?P<fields>[^.;\n()]+?)(?:\)|(?=,\s*(?:and|plus)\s+(?:the|an?)\s|[.;\n()]|\Z))"
)
_SEPARATOR = re.compile(r"\s*(?:[,;\n•]|\band\b|\bund\b|\bet\b|(?<!\w)&(?!\w)|^\s*[-*]\s|\.\s|\.$)\s*", re.MULTILINE)
_TYPE = re.compile(
    r"(?i)\(\s*(?P<type>[a-z ]+?)\s*\)|:\s*(?P<after>string|text|number|integer|int|float|boolean|bool|date)\b"
)
_TYPES: dict[str, dict[str, Any]] = {
    **{key: {"type": "string"} for key in ("string", "text", "str")},
    **{key: {"type": "number"} for key in ("number", "float", "decimal", "amount", "money")},
    **{key: {"type": "integer"} for key in ("integer", "int", "whole number", "count")},
    **{key: {"type": "boolean"} for key in ("boolean", "bool", "yes or no", "true or false")},
    "date": {"type": "string", "format": "date"},
    "list": {"type": "array", "items": {"type": "string"}},
}
_AMOUNTS = """
    amount total subtotal price cost sum tax vat balance salary fee discount weight height width percent rate net gross
"""
_NUMBERS = frozenset(_AMOUNTS.split())
_SUGGESTIONS: tuple[tuple[frozenset[str], dict[str, Any]], ...] = (
    (frozenset({"date", "birth"}), {"type": "string", "format": "date"}),
    (frozenset({"email"}), {"type": "string", "format": "email"}),
    (frozenset({"number", "id", "code", "name", "address", "currency"}), {"type": "string"}),
    (frozenset({"count", "age", "year", "pages"}), {"type": "integer"}),
    (_NUMBERS | {"quantity"}, {"type": "number"}),
)
"""Words of a name, and the type that they suggest; the first that applies counts."""
_OF_SENTENCES = frozenset(
    {"it", "me", "please", "that", "this", "what", "which", "how", "everything", "anything", "should", "must", "can"}
)
"""Words that names of fields do not have."""
_ARTICLES = re.compile(r"(?i)^(?:the|a|an|its|their|all|each|any|also)\s+")


def fields_in_prompt(prompt: str) -> dict[str, Any]:
    """The properties that a prompt names.

    Args:
        prompt: "vendor name, total amount (number) and line items with description and price", or a bulleted list.

    Returns:
        Property schemas by name; {} if it names none.

    Example:
        >>> fields_in_prompt("Extract the vendor name, invoice date and total amount")["invoice_date"]
        {'anyOf': [{'type': 'string', 'format': 'date'}, {'type': 'null'}]}
    """
    text = _LEAD.sub("", prompt.strip())
    properties: dict[str, Any] = {}
    lists: dict[str, Any] = {}

    def take(match: re.Match[str]) -> str:
        names = list(_SEPARATOR.split(_TYPE.sub(_marked, match["fields"])))
        inner = _properties(names)
        head = _SEPARATOR.split(match["name"])[-1]
        name = name_of(_ARTICLES.sub("", head))
        if len(inner) < 2 or not name:
            return match[0]
        lists[name] = {"type": "array", "items": object_schema(inner)}
        return f"{match['name'].removesuffix(head)}, {name} ,"

    text = _LIST.sub(take, text)
    text = _TAIL.sub("", text)
    properties = _properties(_SEPARATOR.split(_TYPE.sub(_marked, text)))
    return {name: lists.get(name, node) for name, node in properties.items()}


_MARK = "\x00"


def _marked(match: re.Match[str]) -> str:
    kind = (match["type"] or match["after"] or "").lower()
    return f"{_MARK}{kind}{_MARK}" if kind in _TYPES else " "


def _properties(names: Iterable[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for written in names:
        plain, _, kind = written.partition(_MARK)
        plain = _ARTICLES.sub("", plain.strip(" \t-*•.:\"'`"))
        name = name_of(plain)
        words = plain.split()
        if not name or name in properties or len(words) > _LONGEST_NAME or _OF_SENTENCES.intersection(words):
            continue
        properties[name] = nullable(_TYPES.get(kind.strip(_MARK)) or type_of_name(plain))
    return properties


def type_of_name(name: str) -> dict[str, Any]:
    """The type that a field's name suggests.

    Example:
        >>> type_of_name("is paid"), type_of_name("unit price"), type_of_name("contact e-mail")
        ({'type': 'boolean'}, {'type': 'number'}, {'type': 'string', 'format': 'email'})
    """
    words = set(words_of_label(name))
    plain = folded(name).replace("_", " ").split()
    if plain[:1] and plain[0] in {"is", "has", "whether", "was", "are"}:
        return {"type": "boolean"}
    if plain[:2] == ["number", "of"]:
        return {"type": "integer"}
    for marks, node in _SUGGESTIONS:
        if marks & words:
            return dict(node)
    return {"type": "string"}


def fields_in_document(pages: Sequence[SourcePage]) -> dict[str, Any]:
    """The properties that a document itself shows: its labels with a colon, and the columns of its tables.

    Example:
        >>> list(fields_in_document([SourcePage(1, "Invoice number: RE-17\\nDate: 2026-05-12")]))
        ['invoice_number', 'date']
    """
    properties: dict[str, Any] = {}
    for page in pages:
        for pair in pairs_of_lines(lines_of(page.text, page.page_number), lambda text: False):
            name = name_of(re.sub(r"\([^()]*\)", "", pair.label))
            if pair.position == "after a colon" and name and len(pair.label.split()) <= _LONGEST_NAME:
                properties.setdefault(name, nullable(_type_of_value(pair.label, pair.value)))
        for item in page.items:
            rows = table_texts(item) if item.get("type") == "table" else []
            if len(rows) > 2 and len(names := _column_names(rows[0])) == len(rows[0]) >= 2:
                first = [
                    next((row[at] for row in rows[1:] if at < len(row) and row[at]), "") for at in range(len(names))
                ]
                columns = {
                    name: nullable(_type_of_value(name, value)) for name, value in zip(names, first, strict=False)
                }
                properties.setdefault("rows", {"type": "array", "items": object_schema(columns)})
    return dict(list(properties.items())[:MOST_FIELDS])


def _column_names(header: Sequence[str]) -> list[str]:
    names = [name_of(cell) for cell in header]
    return names if all(names) and len(set(names)) == len(names) else []


def _type_of_value(label: str, value: str) -> dict[str, Any]:
    if len(dates_in(value, "day first")) == 1:
        return {"type": "string", "format": "date"}
    numbers = numbers_in(value)
    if len(numbers) == 1 and len(numbers[0].text) == len(value.strip()) and type_of_name(label)["type"] != "string":
        return {"type": "number"}
    if len(numbers) == 1 and (numbers[0].is_money or numbers[0].is_percent):
        return {"type": "number"}
    return {"type": "string", "format": "email"} if re.fullmatch(r"\S+@\S+\.\w+", value) else {"type": "string"}


def name_of(text: str) -> str:
    """A property's name for some words; "" if there are none.

    Example:
        >>> name_of("Vendor's name"), name_of("Total (EUR)"), name_of("Fällig bis")
        ('vendors_name', 'total_eur', 'faellig_bis')
    """
    words = re.findall(r"[a-z0-9]+", folded(text).replace("'", ""))
    name = "_".join(words)
    return name if re.search(r"[a-z]", name) else ""


def nullable(node: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that allows null, unless it is a list: that can be empty.

    Example:
        >>> nullable({"type": "number"})
        {'anyOf': [{'type': 'number'}, {'type': 'null'}]}
    """
    return dict(node) if node.get("type") == "array" else {"anyOf": [dict(node), {"type": "null"}]}


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all of some properties."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}
