"""What becomes of a field: its value with what is known of it, in the shapes of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.local.extraction.citations import Citations
from llama_cloud_ext.local.extraction.schema_fields import Field


@dataclass(frozen=True)
class Outcome:
    """A leaf: one value.

    Attributes:
        value: None if nothing was found.
        text: The text that says it, as it is on the page; "" if that is not known.
        page: Number of its page.
        label: The label it was read by, if any.
        confidence: From 0 to 1; None if nobody knows.
        reasoning: How it was found.
    """

    value: Any = None
    text: str = ""
    page: int = 0
    label: str = ""
    confidence: float | None = None
    reasoning: str = ""


NOTHING = Outcome()

Tree = Outcome | dict[str, Any] | list[Any]
"""Outcomes in the shape of the data: objects and lists of trees."""


def data_of(tree: Tree) -> Any:
    """The values alone.

    Example:
        >>> data_of({"total": Outcome(5.0), "lines": [{"name": NOTHING}]})
        {'total': 5.0, 'lines': [{'name': None}]}
    """
    if isinstance(tree, Outcome):
        return tree.value
    if isinstance(tree, dict):
        return {name: data_of(inner) for name, inner in tree.items()}
    return [data_of(inner) for inner in tree]


@dataclass(frozen=True)
class MetadataWriter:
    """Writes what is known of each field.

    Args:
        citations: Finds the places; None if they are not wanted.
        confidences: Whether confidences are wanted.
    """

    citations: Citations | None
    confidences: bool

    def of(self, tree: Tree) -> Any:
        """The metadata of a tree, in its shape; leaves without a value are left out of objects."""
        if isinstance(tree, dict):
            return {name: self.of(inner) for name, inner in tree.items() if not _is_empty(inner)}
        if isinstance(tree, list):
            return [self.of(inner) for inner in tree]
        return self._leaf(tree)

    def _leaf(self, outcome: Outcome) -> dict[str, Any]:
        leaf: dict[str, Any] = {}
        if self.citations is not None and outcome.text:
            leaf["citation"] = [self.citations.of(outcome.text, outcome.page, near=outcome.label)]
        if self.confidences and outcome.confidence is not None:
            confidence = round(outcome.confidence, 2)
            leaf["confidence"] = confidence
            leaf["extraction_confidence"] = confidence
        if leaf and outcome.reasoning:
            leaf["reasoning"] = outcome.reasoning
        return leaf


def _is_empty(tree: Tree) -> bool:
    return isinstance(tree, Outcome) and tree.value is None


def paths_of(tree: Tree, path: str = "") -> tuple[list[str], list[str]]:
    """The paths of the leaves that have a value, and of those that have none; rows of a list count once.

    Example:
        >>> paths_of({"total": Outcome(5.0), "seller": {"name": NOTHING}})
        (['total'], ['seller.name'])
    """
    if isinstance(tree, Outcome):
        return ([], [path]) if tree.value is None else ([path], [])
    found: list[str] = []
    missing: list[str] = []
    inner_paths = (
        [(f"{path}.{name}" if path else name, inner) for name, inner in tree.items()]
        if isinstance(tree, dict)
        else [(f"{path}[]", inner) for inner in tree]
    )
    if not inner_paths and path:
        missing.append(path)
    for inner_path, inner in inner_paths:
        more_found, more_missing = paths_of(inner, inner_path)
        found += more_found
        missing += more_missing
    found = list(dict.fromkeys(found))
    return found, [name for name in dict.fromkeys(missing) if name not in found]


def empty_tree(field: Field) -> Tree:
    """A tree in which nothing was found."""
    if field.kind == "object":
        return {inner.name: empty_tree(inner) for inner in field.properties}
    return [] if field.kind == "array" else NOTHING
