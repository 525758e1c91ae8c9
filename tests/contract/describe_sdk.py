"""Describe, as JSON, what the official SDK lets one send when creating a parse job.

Run it with a Python that has the SDK installed:

    python tests/contract/describe_sdk.py > tests/contract/data/parse_create_fields.json

Every field becomes `{"literals": [...], "open": bool, "list": bool, "group": {...} or null}`: the values that it is
limited to (none when free), whether any other string is taken as well, whether it is a list, and its own fields.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import typing_extensions

NOT_IN_THE_BODY = ("organization_id", "project_id")


def describe_group(group: Any) -> dict[str, Any]:
    """The fields of a TypedDict, by name."""
    return {name: describe_field(hint) for name, hint in sorted(typing_extensions.get_type_hints(group).items())}


def describe_field(hint: Any) -> dict[str, Any]:
    """One field, from its annotation."""
    choices = _choices(hint)
    elements = [element for choice in choices if (element := _element(choice)) is not None]
    inner = [choice for element in elements for choice in _choices(element)] or choices
    groups = [choice for choice in inner if typing_extensions.is_typeddict(choice)]
    return {
        "literals": sorted(value for choice in inner if _origin(choice) is typing.Literal for value in choice.__args__),
        "open": str in inner,
        "list": bool(elements),
        "group": describe_group(groups[0]) if groups else None,
    }


def _choices(hint: Any) -> list[Any]:
    if _origin(hint) in (typing.Union, types.UnionType):
        return [choice for choice in hint.__args__ if choice is not type(None)]
    return [hint]


def _element(hint: Any) -> Any:
    origin = _origin(hint)
    is_list = origin is list or getattr(origin, "__name__", "") == "SequenceNotStr"
    is_list = is_list or (isinstance(origin, type) and origin is not dict and issubclass(origin, Iterable))
    return hint.__args__[0] if is_list else None


def _origin(hint: Any) -> Any:
    return typing.get_origin(hint)


def describe() -> dict[str, Any]:
    """The body of a parse job's creation, as the installed SDK has it."""
    from llama_cloud.types import parsing_create_params

    fields = describe_group(parsing_create_params.ParsingCreateParams)
    return {
        "sdk": metadata.version("llama-cloud"),
        "fields": {name: field for name, field in fields.items() if name not in NOT_IN_THE_BODY},
    }


if __name__ == "__main__":
    json.dump(describe(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
