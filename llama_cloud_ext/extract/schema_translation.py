"""From the JSON schema of a Pydantic class to what the service takes: the same fields, the rest in words.

The table of what becomes of what stands in `DataSchema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.extract.constraint_words import constraint_words, listed
from llama_cloud_ext.extract.model_schema import NOT_DESCRIBABLE, UNTITLED
from llama_cloud_ext.wire.models.extract_schema import TYPES, SchemaProblem
from llama_cloud_ext.wire.models.schema_references import field_path

_NULL = {"type": "null"}
_ORDER = ("type", "anyOf", "enum", "title", "description", "items", "properties", "required", "additionalProperties")
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}

_SKIP = "or leave the field out of the schema with a default and pydantic's SkipJsonSchema."


def translated(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[SchemaProblem]]:
    """The schema to send, and what of the class cannot be said in one.

    Args:
        schema: What `model_schema` gives.

    Returns:
        The schema, and the problems. With problems, the schema is of no use.

    Example:
        >>> total = {"type": "number", "minimum": 0, "default": 0}
        >>> sent, problems = translated({"type": "object", "properties": {"total": total}})
        >>> sent["properties"]["total"]
        {'anyOf': [{'type': 'number'}, {'type': 'null'}], 'description': 'At least 0.'}
    """
    translation = _Translation()
    return translation.schema(schema, ""), translation.problems


class _Translation:
    def __init__(self) -> None:
        self.problems: list[SchemaProblem] = []

    def schema(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        shape = self._shape(node, path)
        # Of a `Literal` or an enum in an optional field, the words come with the shape.
        words = [node.get("description"), *constraint_words(node), shape.pop("description", None)]
        title = str(node.get("title", UNTITLED))
        described = {"title": None if title.startswith(UNTITLED) else title, "description": _sentences(words)}
        whole = {**shape, **{key: text for key, text in described.items() if text}}
        return {key: whole[key] for key in _ORDER if key in whole}

    def _refuse(self, path: str, message: str, hint: str) -> dict[str, Any]:
        self.problems.append(SchemaProblem(path, message, hint))
        return {}

    def _shape(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        if NOT_DESCRIBABLE in node:
            message = f"has a type that JSON schema cannot describe ({node[NOT_DESCRIBABLE]})"
            return self._refuse(path, message, f"Use a type that can be written in JSON, {_SKIP}")
        if alternatives := node.get("anyOf") or node.get("oneOf"):
            return self._union([self.schema(alternative, path) for alternative in alternatives])
        if "enum" in node or "const" in node:
            return self._choice(node["enum"] if "enum" in node else [node["const"]], path)
        build = {"object": self._object, "array": self._array}.get(str(node.get("type")), self._value)
        return build(node, path)

    def _value(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        if node.get("type") in TYPES:
            return {"type": node["type"]}
        return self._refuse(path, "can be anything, so nobody knows what to look for", f"Give it a type, {_SKIP}")

    def _union(self, alternatives: list[dict[str, Any]]) -> dict[str, Any]:
        flat: list[dict[str, Any]] = []
        for alternative in alternatives:
            inner = alternative["anyOf"] if alternative.keys() == {"anyOf"} else [alternative]
            flat += [schema for schema in inner if schema and schema not in flat]
        values = [schema for schema in flat if schema != _NULL]
        if len(values) != 1:
            return {"anyOf": flat}
        return _nullable(values[0]) if len(values) < len(flat) else dict(values[0])

    def _object(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        fields = node.get("properties")
        if not fields and node.get("additionalProperties"):
            hint = "Use a list of a model with the fields `key` and `value`, or a model with a field for each key, "
            return self._refuse(path, "is a dict, and the service finds fields of fixed names only", hint + _SKIP)
        if not fields:
            return self._refuse(path, "is an object without fields", f"Give it fields, {_SKIP}")
        properties = {}
        for name, field in fields.items():
            schema = self.schema(field, field_path(path, name))
            optional = name not in node.get("required", ()) and not _is_constant(field)
            properties[name] = _nullable(schema) if optional and schema else schema
        # The service's guides differ on what a missing name here means; null as a type means the same in all of them.
        shape = {"type": "object", "properties": properties, "required": list(properties)}
        return shape | ({"additionalProperties": False} if node.get("additionalProperties") is False else {})

    def _array(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        at = f"{path}[]"
        positions = node.get("prefixItems")
        if not positions:
            return {"type": "array", "items": self.schema(node.get("items", {}), at)}
        items = [self.schema(position, at) for position in positions]
        names = [str(position.get("title", "")).removeprefix(UNTITLED) for position in positions]
        if any(_untitled(item) != _untitled(items[0]) for item in items):
            return self._refuse(path, "is a tuple of different types", "Use a model with a named field for each item.")
        order = f"In this order: {listed(names)}." if all(names) else None
        return {"type": "array", "items": _untitled(items[0])} | ({"description": order} if order else {})

    def _choice(self, choices: list[Any], path: str) -> dict[str, Any]:
        values = [choice for choice in choices if choice is not None]
        kinds = list(dict.fromkeys(_JSON_TYPES.get(type(value), "") for value in values))
        if "" in kinds:
            return self._refuse(path, "is an enum of lists or objects", "Use texts, numbers or booleans.")
        shape: dict[str, Any]
        if kinds == ["string"]:
            shape = {"type": "string", "enum": values}
        elif not kinds:
            return dict(_NULL)
        else:
            types = [{"type": kind} for kind in kinds]
            shape = {**(types[0] if len(types) == 1 else {"anyOf": types}), "description": f"One of: {listed(values)}."}
        return _nullable(shape) if len(values) < len(choices) else shape


def _sentences(words: list[str | None]) -> str:
    texts = [word.strip() for word in words if word and word.strip()]
    return " ".join(text if text[-1] in ".!?:;…" or text == texts[-1] else f"{text}." for text in texts)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if _NULL in (schema, *schema.get("anyOf", ())):
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], _NULL]}
    # What an object says of itself stays with it; what is said of a value is said of the field.
    moved = () if schema.get("type") == "object" else ("title", "description")
    inner = {key: value for key, value in schema.items() if key not in moved}
    return {"anyOf": [inner, dict(_NULL)], **{key: schema[key] for key in moved if key in schema}}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _is_constant(field: Mapping[str, Any]) -> bool:
    # A `Literal` of one value with that value as its default: alternatives of a union are told apart by it.
    return "const" in field and field.get("default") == field["const"]
