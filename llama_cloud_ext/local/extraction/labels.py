"""How well a label fits a field."""

from __future__ import annotations

from functools import lru_cache

from llama_cloud_ext.local.extraction.label_words import PHRASES, words_of_label
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.values import sort_of

LEAST_FIT = 0.6
"""Below this a label is taken for another field's."""

LONGEST_LABEL = 8
"""Words; longer texts before a colon are sentences."""

PREPOSITIONS = frozenset({"to", "from", "with"})
"""Words that are labels of their own before a colon only."""

_OF_NUMBERS = frozenset({"amount", "value", "sum"})
_OF_CODES = frozenset({"number", "id", "code"})
_OF_DOCUMENTS = frozenset({"invoice", "receipt", "document", "bill", "order", "form"})
_LONGEST_DESCRIPTION = 7


def fit(label: str, field: Field) -> float:
    """How well a label fits a field, from 0 to 1.

    Args:
        label: As it stands on the page.
        field: With its name, description and the names above it.

    Returns:
        1 for the same words, 0.95 for a phrase of the same meaning; less where the label leaves out what the document
        itself says ("Date" for `invoice_date`), or says what the field's parents say. 0 where another word makes
        another meaning of it: "Total without VAT" is no `total`.

    Example:
        >>> due = Field("due_date", "string", format="date")
        >>> fit("Due date", due), fit("Fällig bis", due), fit("Date", due)
        (1.0, 0.95, 0.0)
    """
    words = words_of_label(label)
    if not words or len(words) > LONGEST_LABEL or words_of_field(field).isdisjoint(words):
        return 0.0
    if field.needs_parent:
        parent = set(words_of_label(field.parents[-1])) if field.parents else set()
        if not parent & set(words):
            return 0.0
    return max((_fit(words, phrase, weight, field) for phrase, weight in _phrases(field)), default=0.0)


@lru_cache(maxsize=20_000)
def words_of_field(field: Field) -> frozenset[str]:
    """The words that a label of a field may have; one without any of them does not fit."""
    return frozenset(word for phrase, _ in _phrases(field) for word in phrase)


@lru_cache(maxsize=20_000)
def _phrases(field: Field) -> tuple[tuple[tuple[str, ...], float], ...]:
    """What the field may be called, with how much less it counts than its name."""
    phrases: dict[tuple[str, ...], float] = {}
    name = words_of_label(field.name)
    if name:
        phrases[name] = 1.0
    description = words_of_label(field.description)
    if description and len(description) <= _LONGEST_DESCRIPTION:
        phrases.setdefault(description, 0.95)
    for words, weight in list(phrases.items()):
        for group in PHRASES:
            if " ".join(words) in group:
                for other in group:
                    phrases.setdefault(tuple(other.split()), 0.95 * weight)
    return tuple(phrases.items())


def _fit(label: tuple[str, ...], wanted: tuple[str, ...], weight: float, field: Field) -> float:
    if label == wanted:
        return weight
    have, want = set(label), set(wanted)
    if have == want:
        return 0.95 * weight
    context = {word for parent in field.parents for word in words_of_label(parent)}
    weak = _weak(field)
    extra, missing = have - want, want - have
    if extra <= context | weak and missing <= weak | context and (have & want) - weak:
        return 0.85 * weight
    by_document = (extra <= context | weak | _OF_DOCUMENTS and missing <= weak | context) or (
        extra <= context | weak and missing <= weak | context | _OF_DOCUMENTS
    )
    return 0.7 * weight if by_document and (have & want) - PREPOSITIONS else 0.0


def _weak(field: Field) -> frozenset[str]:
    if field.kind in {"number", "integer"}:
        return _OF_NUMBERS
    return _OF_CODES if sort_of(field) in {"code", "text", "iban", "bic"} else frozenset()
