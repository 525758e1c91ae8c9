"""What a model is told of an extraction tool, within what tool calling takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from llama_cloud_ext.extract.data_schema import DataSchema

# OpenAI refuses longer descriptions, and LlamaIndex with it.
_LONGEST = 1024
_LONGEST_PURPOSE = 400
_LONGEST_FIELD = 100


def describe_schema(name: str, schema: DataSchema, given: type[Any] | Mapping[str, Any]) -> str:
    """Describe the tool for a schema, from the class's docstring and the fields' descriptions.

    Args:
        name: The schema's name.
        schema: The schema.
        given: What it was made of.

    Returns:
        At most 1,024 characters, with as many fields as there is room for.

    Example:
        >>> schema = {"type": "object", "properties": {"total": {"type": "number", "description": "Amount due"}}}
        >>> print(describe_schema("invoice", DataSchema.of(schema), schema))
        Extract invoice data from a document: exact values with the pages and quotes they come from. Fields:
        - total (number): Amount due
    """
    purpose = " ".join(_purpose(given).split())
    if len(purpose) > _LONGEST_PURPOSE:
        purpose = purpose[: _LONGEST_PURPOSE - 1] + "…"
    about = f" {purpose}" if purpose else ""
    spoken = name.replace("_", " ").replace("-", " ")
    text = (
        f"Extract {spoken} data from a document: exact values with the pages and quotes they come from.{about} Fields:"
    )
    fields = list(_fields(schema.json_schema))
    for position, field in enumerate(fields):
        left = len(fields) - position
        closing = f"\n… and {left} more" if left > 1 else ""
        if len(text) + len(field) + 1 + len(closing) > _LONGEST:
            return text + f"\n… and {left} more"
        text += f"\n{field}"
    return text


def _purpose(given: type[Any] | Mapping[str, Any]) -> str:
    if isinstance(given, Mapping):
        return str(given.get("description") or "")
    # A class without a docstring would otherwise show pydantic's.
    own = given.__doc__ if isinstance(given, type) and issubclass(given, BaseModel) else None
    return inspect.cleandoc(own) if own and own != BaseModel.__doc__ else ""


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, field in (schema.get("properties") or {}).items():
        described = " ".join(str(field.get("description") or "").split())
        line = f"- {name} ({_kind(field)})" + (f": {described}" if described else "")
        yield line if len(line) <= _LONGEST_FIELD else line[: _LONGEST_FIELD - 1] + "…"


def _kind(field: Mapping[str, Any]) -> str:
    kinds = [_kind(one) for one in field.get("anyOf") or () if one.get("type") != "null"]
    if kinds:
        return " or ".join(dict.fromkeys(kinds))
    kind = str(field.get("type") or "value")
    if kind == "array":
        return f"list of {_kind(field.get('items') or {})}"
    return kind
