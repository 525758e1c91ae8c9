"""What the service takes as the JSON schema of an extraction, checked before anything is uploaded.

Facts: https://developers.llamaindex.ai/llamaparse/extract/guides/schema_design/ and
https://developers.llamaindex.ai/llamaparse/general/limitations/ for the limits, the root, defaults, and how a field is
marked as one that may be missing; the size as JSON is in
https://developers.llamaindex.ai/typescript/cloud/llamaextract/features/schema_design alone. Older guides have 5 levels,
and none says what a level is: here, an object within an object, which refuses the least. There is no list of keywords.
Those that only format or bound a value (`format`, `pattern`, `minimum` …) are "not supported", yet stand in the schemas
of the SDK's own examples: they pass here, and nobody heeds them. What would change the shape of the data is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.wire.models.schema_references import InliningError, field_path, inline_references
from llama_cloud_ext.wire.models.strict import nearest

MAX_LEVELS = 7
"""Objects within objects; the root is the first, and an object in a list counts as one in a field."""

MAX_PROPERTIES = 5_000
"""Fields of all objects together."""

MAX_CHARACTERS = 120_000
"""Names, titles, descriptions, enum values and examples together."""

MAX_JSON_CHARACTERS = 150_000
"""The schema as JSON, without white space."""

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")

_SHAPE = {
    *("type", "properties", "required", "items", "anyOf", "enum", "const", "additionalProperties", "title"),
    *("description", "default", "$ref", "$defs", "definitions"),
}
_UNHEEDED = {
    *("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "maxItems", "uniqueItems", "contentMediaType", "contentEncoding"),
    *("$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly"),
}
_TEXT = ("title", "description", "enum", "const", "examples")

_NAMED_FIELDS = "Name each field under `properties`, or take a list of objects with the fields `key` and `value`."
_IN_WORDS = "Say it in the description, and check the extracted data yourself."
_REFUSED = {
    "oneOf": "Write anyOf.",
    "discriminator": "Leave it out: the alternatives of anyOf are told apart by an enum with a single value.",
    "allOf": "Write one object with the fields of all.",
    "nullable": 'Write {"anyOf": [{…}, {"type": "null"}]}.',
    "prefixItems": "Make it an object with a named field for each item.",
    "patternProperties": _NAMED_FIELDS,
    "propertyNames": _NAMED_FIELDS,
    "minProperties": _NAMED_FIELDS,
    "maxProperties": _NAMED_FIELDS,
    "unevaluatedProperties": _NAMED_FIELDS,
    "dependentRequired": _IN_WORDS,
    "dependentSchemas": _IN_WORDS,
    "contains": _IN_WORDS,
    "not": _IN_WORDS,
    "if": _IN_WORDS,
    "then": _IN_WORDS,
    "else": _IN_WORDS,
}


@dataclass(frozen=True)
class SchemaProblem:
    """Something in a schema that the service does not take.

    Attributes:
        path: Dotted path of the field, such as "lines[].amount"; "" for the root.
        message: What is wrong there.
        hint: The next step.
    """

    path: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def schema_problems(schema: Mapping[str, Any]) -> list[SchemaProblem]:
    """Everything in a schema that the service does not take; nothing where it can be sent.

    Args:
        schema: JSON schema of one extracted object. Definitions are counted at every place where they are used.

    Example:
        >>> total = {"type": "number", "default": 0}
        >>> for problem in schema_problems({"type": "object", "properties": {"total": total}}):
        ...     print(problem)
        total: has the default 0, and the service takes none but null
    """
    check = _Check()
    try:
        inlined = inline_references(schema)
    except InliningError as error:
        return [SchemaProblem(error.path, error.message, error.hint)]
    check.root(inlined)
    return check.problems


class _Check:
    def __init__(self) -> None:
        self.problems: list[SchemaProblem] = []
        self._properties = 0
        self._characters = 0

    def root(self, schema: Any) -> None:
        if not isinstance(schema, Mapping):
            return self._schema(schema, path="", level=0)
        kind = schema.get("type")
        if kind != "object":
            hint = 'The root must have "type": "object". Wrap anything else in an object with one field for it.'
            return self._found("", f"the root is of type {_short(kind)}" if kind else "the root has no type", hint)
        self._schema(schema, path="", level=0)
        advice = "Extract in several goes, with a part of the fields in each, and merge the results."
        if self._properties > MAX_PROPERTIES:
            self._found("", f"has {self._properties:,} properties, of {MAX_PROPERTIES:,} allowed", advice)
        if self._characters > MAX_CHARACTERS:
            message = f"has {self._characters:,} characters of names, descriptions and enum values, "
            self._found("", f"{message}of {MAX_CHARACTERS:,} allowed", f"Shorten the descriptions. {advice}")
        try:
            text = json.dumps(schema, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            return self._found("", f"cannot be written as JSON: {error}", "Use nothing but JSON's own types.")
        if len(text) > MAX_JSON_CHARACTERS:
            self._found("", f"is {len(text):,} characters of JSON, of {MAX_JSON_CHARACTERS:,} allowed", advice)
        return None

    def _found(self, path: str, message: str, hint: str) -> None:
        self.problems.append(SchemaProblem(path, message, hint))

    def _schema(self, node: Any, *, path: str, level: int) -> None:
        if not isinstance(node, Mapping):
            return self._found(path, f"{_short(node)} is not a schema", 'Write an object such as {"type": "string"}.')
        self._keywords(node, path)
        self._characters += sum(_text_length(node[key]) for key in _TEXT if key in node)
        if not isinstance(node.get("description", ""), str):
            self._found(path, "has a description that is no text", "Write the description as a string.")
        if (default := node.get("default")) is not None:
            hint = 'Let it be null, {"anyOf": [{…}, {"type": "null"}]}, and put the default in after extraction.'
            self._found(path, f"has the default {_short(default)}, and the service takes none but null", hint)
        if "anyOf" in node:
            return self._alternatives(node["anyOf"], path, level)
        if "enum" in node or "const" in node:
            self._choices(node.get("enum", [node.get("const")]), path)
        kind = node.get("type")
        if kind == "object":
            self._object(node, path, level + 1)
        elif kind == "array":
            self._array(node, path, level)
        elif isinstance(kind, list):
            self._found(path, f"has several types, {_short(kind)}", 'Write {"anyOf": [{"type": …}, {"type": …}]}.')
        elif kind is None and not {"enum", "const"} & set(node):
            self._found(path, "has no type", f'Add "type": one of {", ".join(TYPES)}.')
        elif kind is not None and kind not in TYPES:
            meant = nearest(kind, TYPES) if isinstance(kind, str) else None
            hint = f"Did you mean {meant!r}?" if meant else f"Types are {', '.join(TYPES)}."
            self._found(path, f"has the type {_short(kind)}, which there is not", hint)
        return None

    def _keywords(self, node: Mapping[Any, Any], path: str) -> None:
        known = _SHAPE | _UNHEEDED
        for key in node:
            if key in known:
                continue
            if key in _REFUSED:
                self._found(path, f"{key} is not supported", _REFUSED[key])
            else:
                meant = nearest(key, known) if isinstance(key, str) else None
                hint = f"Did you mean {meant!r}?" if meant else "Leave it out."
                self._found(path, f"{key!r} is no keyword of JSON schema that the service knows", hint)

    def _alternatives(self, alternatives: Any, path: str, level: int) -> None:
        if not isinstance(alternatives, list) or not alternatives:
            return self._found(path, "anyOf is not a list of schemas", 'Write {"anyOf": [{…}, {"type": "null"}]}.')
        for alternative in alternatives:
            self._schema(alternative, path=path, level=level)
        return None

    def _choices(self, choices: Any, path: str) -> None:
        if not isinstance(choices, list) or not choices:
            self._found(path, "enum is not a list of values", 'Write {"type": "string", "enum": ["…", "…"]}.')
        elif any(isinstance(choice, list | dict) for choice in choices):
            self._found(path, "enum holds lists or objects", "Use texts, numbers or booleans.")

    def _object(self, node: Mapping[str, Any], path: str, level: int) -> None:
        if level > MAX_LEVELS:
            hint = "Flatten the objects, or extract the inner ones with a schema of their own."
            return self._found(path, f"is on level {level}, of {MAX_LEVELS} allowed", hint)
        if not isinstance(node.get("additionalProperties", False), bool):
            self._found(path, "has fields without fixed names", _NAMED_FIELDS)
        properties = node.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            return self._found(path, "is an object without fields", _NAMED_FIELDS)
        # Names that are not among the properties pass: one of the SDK's own examples has one.
        if not isinstance(node.get("required", []), list):
            self._found(path, "required is not a list of names", 'Write {"required": ["…", "…"]}.')
        self._properties += len(properties)
        for name, schema in properties.items():
            if not isinstance(name, str) or not name.strip():
                self._found(path, f"has a field named {name!r}", "Name fields with words.")
                continue
            self._characters += len(name)
            self._schema(schema, path=field_path(path, name), level=level)
        return None

    def _array(self, node: Mapping[str, Any], path: str, level: int) -> None:
        if "items" not in node:
            return self._found(path, "is a list of unknown items", 'Add "items", such as {"type": "string"}.')
        if isinstance(node["items"], list):
            hint = _REFUSED["prefixItems"]
            return self._found(f"{path}[]", "has a schema for each position", hint)
        return self._schema(node["items"], path=f"{path}[]", level=level)


def _text_length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_text_length, value)) if isinstance(value, list) else 0


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
