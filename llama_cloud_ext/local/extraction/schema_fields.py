"""A JSON schema as a tree of fields, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["string", "number", "integer", "boolean", "array", "object", "unknown"]

_KINDS = ("object", "array", "number", "integer", "boolean", "string")
DEEPEST = 12
"""Levels that are read. The service allows seven; recursive schemas have no end."""


@dataclass(frozen=True)
class Field:
    """One field to extract.

    Attributes:
        name: Its name in the schema; "" for the root and for entries of arrays.
        kind: Its type; "unknown" where the schema does not say one.
        description: What the schema says about it.
        format: "date", "email", …; "" if none.
        choices: The values that it may have (`enum`, `const`), None left out; empty for any.
        properties: Of an object.
        entry: Of an array.
        parents: The names above it, outermost first.
        needs_parent: Whether a label has to name the object too that the field belongs to.
    """

    name: str
    kind: Kind
    description: str = ""
    format: str = ""
    choices: tuple[Any, ...] = ()
    properties: tuple[Field, ...] = ()
    entry: Field | None = None
    parents: tuple[str, ...] = ()
    needs_parent: bool = False


def fields_of(schema: Mapping[str, Any]) -> Field:
    """The tree of a schema. Never raises: what cannot be understood is "unknown".

    Args:
        schema: A JSON schema with `properties`, `items`, `anyOf`, `allOf`, `$ref` into itself, `enum`.

    Example:
        >>> due = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}
        >>> root = fields_of({"properties": {"due": due}})
        >>> root.kind, root.properties[0].name, root.properties[0].format
        ('object', 'due', 'date')
    """
    return _field("", schema, schema, (), 0)


def _field(name: str, node: Any, root: Mapping[str, Any], parents: tuple[str, ...], depth: int) -> Field:
    node = _resolved(node, root)
    description = node.get("description") or node.get("title") or ""
    description = description if isinstance(description, str) else ""
    given_format = node.get("format")
    kind = _kind(node)
    if depth >= DEEPEST and kind in {"object", "array"}:
        kind = "unknown"
    inner = (*parents, name) if name else parents
    properties: tuple[Field, ...] = ()
    entry = None
    if kind == "object" and isinstance(node.get("properties"), Mapping):
        properties = tuple(_field(str(key), value, root, inner, depth + 1) for key, value in node["properties"].items())
    if kind == "array":
        entry = _field("", node.get("items", {}), root, inner, depth + 1)
    return Field(
        name,
        kind,
        description,
        given_format if isinstance(given_format, str) else "",
        tuple(choice for choice in _choices(node) if choice is not None),
        properties,
        entry,
        parents,
    )


def _resolved(node: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """A node with its references, and the first alternative that is not null, put in their places."""
    described: dict[str, Any] = {}
    for _ in range(DEEPEST):
        if not isinstance(node, Mapping):
            break
        # What is said where a definition is used is closer to the field than what the definition says.
        described = {key: node[key] for key in ("description", "title") if isinstance(node.get(key), str)} | described
        following = _target(node["$ref"], root) if "$ref" in node else _alternative(node)
        if following is None:
            return {**node, **described}
        kept = {key: value for key, value in node.items() if key not in {"$ref", "anyOf", "oneOf", "allOf"}}
        node = {**kept, **following} if isinstance(following, Mapping) else following
    return described


def _alternative(node: Mapping[str, Any]) -> Any:
    for keyword in ("anyOf", "oneOf", "allOf"):
        alternatives = node.get(keyword)
        if isinstance(alternatives, list):
            for alternative in alternatives:
                if isinstance(alternative, Mapping) and alternative.get("type") != "null":
                    return alternative
    return None


def _target(reference: Any, root: Mapping[str, Any]) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for part in reference.lstrip("#").strip("/").split("/"):
        if part:
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node


def _kind(node: Mapping[str, Any]) -> Kind:
    declared = node.get("type")
    kinds = declared if isinstance(declared, list) else [declared]
    for kind in _KINDS:
        if kind in kinds:
            return kind  # type: ignore[return-value]  # the members of _KINDS are members of Kind
    if "properties" in node:
        return "object"
    if "items" in node:
        return "array"
    return _kind_of_values(_choices(node))


def _choices(node: Mapping[str, Any]) -> list[Any]:
    listed = node.get("enum")
    if isinstance(listed, list):
        return listed
    return [node["const"]] if "const" in node else []


def _kind_of_values(values: Iterable[Any]) -> Kind:
    return "string" if any(isinstance(value, str) for value in values) else "unknown"
