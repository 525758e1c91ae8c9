"""JSON schema with every `$ref` replaced by what it stands for, as recursion and size are seen only then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

MAX_NODES = 50_000
"""Definitions that use each other ten times each grow without end; the service's limits are reached long before."""

MAX_DEPTH = 64
"""Schemas within schemas, lists and alternatives counted too. Far below the interpreter's own limit of recursion."""

_DEFINITIONS = ("$defs", "definitions")
_HOLD_NAMED_SCHEMAS = ("properties", "patternProperties")
_HOLD_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_HOLD_A_SCHEMA = ("items", "additionalProperties")


class InliningError(ValueError):
    """A schema whose references cannot be followed to an end.

    Args:
        path: Dotted path of the field, "" for the root.
        message: What is wrong there.
        hint: The next step.
    """

    def __init__(self, path: str, message: str, hint: str) -> None:
        super().__init__(path, message, hint)
        self.path = path
        self.message = message
        self.hint = hint


def field_path(path: str, name: str) -> str:
    """The path of a field of the object at `path`.

    Example:
        >>> field_path("", "lines"), field_path("lines[]", "amount")
        ('lines', 'lines[].amount')
    """
    return f"{path}.{name}" if path else name


def inline_references(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without `$ref` and definitions. What stands beside a `$ref` goes before what its target says.

    Args:
        schema: JSON schema; never changed.

    Raises:
        InliningError: On a reference that leads nowhere, outside the schema, or back to where it came from, and on a
            schema that is too large or too deep to be followed.

    Example:
        >>> inline_references({"$defs": {"Name": {"type": "string"}}, "properties": {"name": {"$ref": "#/$defs/Name"}}})
        {'properties': {'name': {'type': 'string'}}}
    """
    try:
        inlined: dict[str, Any] = _Inliner(schema).follow(schema, path="", trail={"#"}, depth=1)
    except RecursionError:  # a default or an example, as schemas within schemas are counted
        raise InliningError("", "holds values that are nested too deeply", "Leave them out.") from None
    return inlined


class _Inliner:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def follow(self, node: Any, *, path: str, trail: Set[str], depth: int) -> Any:
        if not isinstance(node, Mapping):
            return plain(node)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            hint = "Name less in one schema: extract it in several goes, with a schema for each."
            raise InliningError(path, f"more than {MAX_NODES:,} schemas in all, with the definitions written out", hint)
        if depth > MAX_DEPTH:
            raise InliningError(path, f"more than {MAX_DEPTH} schemas within each other", "Flatten the schema.")
        if (reference := node.get("$ref")) is not None:
            target = self._target(reference, path)
            if reference in trail:
                raise self._recursion(path, reference)
            merged = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
            return self.follow(merged, path=path, trail=trail | {reference}, depth=depth + 1)

        def deeper(child: Any, at: str) -> Any:
            return self.follow(child, path=at, trail=trail, depth=depth + 1)

        inlined: dict[str, Any] = {}
        for key, value in node.items():
            if key in _DEFINITIONS:
                continue
            if key in _HOLD_NAMED_SCHEMAS and isinstance(value, Mapping):
                inlined[key] = {name: deeper(child, field_path(path, str(name))) for name, child in value.items()}
            elif key in _HOLD_SCHEMAS and _is_list(value):
                at = f"{path}[]" if key == "prefixItems" else path
                inlined[key] = [deeper(child, at) for child in value]
            elif key in _HOLD_A_SCHEMA and isinstance(value, Mapping):
                inlined[key] = deeper(value, f"{path}[]" if key == "items" else path)
            else:
                inlined[key] = plain(value)
        return inlined

    def _target(self, reference: object, path: str) -> Mapping[str, Any]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            hint = "Copy the definition under `$defs` of the schema itself."
            raise InliningError(path, f"$ref {reference!r} leads out of the schema", hint)
        target: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            known = [f"#/{place}/{name}" for place in _DEFINITIONS for name in self._names(place)]
            hint = f"Defined are: {', '.join(known)}." if known else "Define it under `$defs`."
            raise InliningError(path, f"$ref {reference!r} leads nowhere", hint)
        return target

    def _names(self, place: str) -> Sequence[str]:
        definitions = self._root.get(place)
        return list(definitions) if isinstance(definitions, Mapping) else []

    def _recursion(self, path: str, reference: str) -> InliningError:
        name = str(self._root.get("title", "the root")) if reference == "#" else reference.rsplit("/", 1)[-1]
        hint = "Write out as many levels as the documents have, each under a name of its own, the last without it."
        return InliningError(f"{path} -> {name}", "contains itself, and the service takes no recursive schemas", hint)


def plain(value: Any) -> Any:
    """A deep copy of what JSON can hold: mappings as dicts, tuples as lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if _is_list(value) else value


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
