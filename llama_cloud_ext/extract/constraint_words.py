"""What a JSON schema bounds or formats, in plain words: the service reads descriptions, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

MAX_DIGITS = "x-max-digits"
DECIMAL_PLACES = "x-decimal-places"
"""JSON schema has no keyword for the digits of a `Decimal`."""

TEMPORAL_FORMATS = {
    "date": "A date as YYYY-MM-DD.",
    "date-time": "A date and time in ISO 8601, as YYYY-MM-DDTHH:MM:SS.",
    "time": "A time as HH:MM:SS.",
    "duration": "A duration in ISO 8601, such as P3DT4H30M.",
}
"""What Pydantic would also read from a number, as seconds since 1970 or midnight."""

_FORMATS = {
    **TEMPORAL_FORMATS,
    "email": "An e-mail address.",
    "name-email": "An e-mail address, with a name before it or without.",
    "uri": "A URL.",
    "multi-host-uri": "A URL.",
    "path": "A file path.",
    "file-path": "A file path.",
    "directory-path": "A directory path.",
    "uuid": "A UUID.",
    "base64": "Encoded in base64.",
    "base64url": "Encoded in base64 for URLs.",
    # Bytes and secrets are read from any text.
    "binary": "",
    "password": "",
}

_SENTENCES = {
    "minimum": "At least {}.",
    "exclusiveMinimum": "More than {}.",
    "maximum": "At most {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "pattern": "Matches the regular expression {}",
    MAX_DIGITS: "At most {} digits.",
    DECIMAL_PLACES: "At most {} decimal places.",
    "contentMediaType": "Text of the type {}.",
}
_COUNTED = {
    ("minLength", "maxLength"): ("character", "characters"),
    ("minItems", "maxItems"): ("item", "items"),
}


def constraint_words(schema: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each constraint, format and list of examples; nothing of what the service takes as it is.

    Args:
        schema: JSON schema of one value.

    Example:
        >>> list(constraint_words({"type": "string", "format": "date"}))
        ['A date as YYYY-MM-DD.']
        >>> list(constraint_words({"type": "array", "minItems": 1, "maxItems": 3}))
        ['At least 1 item.', 'At most 3 items.']
    """
    if (form := schema.get("format")) is not None and (sentence := _FORMATS.get(form, f"Format: {form}.")):
        yield sentence
    for keyword, template in _SENTENCES.items():
        if keyword in schema:
            yield template.format(_plain_number(schema[keyword]))
    for (least, most), names in _COUNTED.items():
        yield from _count(schema.get(least), schema.get(most), *names)
    if schema.get("uniqueItems"):
        yield "No item twice."
    if examples := schema.get("examples"):
        yield f"Examples: {listed(examples)}."


def listed(values: list[Any]) -> str:
    """Values with commas: texts as they are, anything else as JSON.

    Example:
        >>> listed(["A-1", 2, True])
        'A-1, 2, true'
    """
    return ", ".join(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)


def _count(least: int | None, most: int | None, one: str, many: str) -> Iterator[str]:
    if least is not None and least == most:
        yield f"Exactly {least} {one if least == 1 else many}."
        return
    if least is not None:
        yield f"At least {least} {one if least == 1 else many}."
    if most is not None:
        yield f"At most {most} {one if most == 1 else many}."


def _plain_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
