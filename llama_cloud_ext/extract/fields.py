"""What a result says of each field: where it was found, and how sure the service is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llama_cloud_ext.wire.models.extract_response import BBox, CitationRecord, ExtractMetadata, FieldRecord

# What an entry for one field may hold; told from a nested object by the data beside it, never by these names alone.
_OF_A_WHOLE = ("citation", "confidence", "extraction_confidence", "parsing_confidence", "reasoning")


class Citation:
    """One place that a field was read from.

    Args:
        record: The service's entry.
    """

    def __init__(self, record: CitationRecord) -> None:
        self._record = record

    @property
    def page(self) -> int | None:
        """The page, from 1."""
        return self._record.page

    @property
    def text(self) -> str:
        """The text there, verbatim; "" where the service quotes none."""
        return self._record.matching_text or ""

    @property
    def boxes(self) -> list[BBox]:
        """Where it stands, each with `x`, `y`, `w`, `h` in points from the page's upper left corner."""
        return self._record.bounding_boxes

    @property
    def page_width(self) -> float | None:
        """Width of the page, in points."""
        return self._record.page_dimensions.width if self._record.page_dimensions else None

    @property
    def page_height(self) -> float | None:
        """Height of the page, in points."""
        return self._record.page_dimensions.height if self._record.page_dimensions else None

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-able data: `page`, `text`, and `boxes` with the page's size where there are any."""
        boxes = [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in self.boxes]
        placed = {"boxes": boxes, "page_width": self.page_width, "page_height": self.page_height} if boxes else {}
        return {"page": self.page, "text": self.text, **placed}

    def __repr__(self) -> str:
        return f"Citation(page={self.page}, text={self.text!r})"


class ExtractField:
    """One field of a result.

    Args:
        path: Its place, such as "lines[0].amount".
        value: Its value as the service sent it.
        record: What the service says of it.

    Attributes:
        path: Its place in the data.
        value: Its value as the service sent it.
    """

    def __init__(self, path: str, value: Any, record: FieldRecord) -> None:
        self.path = path
        self.value = value
        self._record = record

    @property
    def citations(self) -> list[Citation]:
        """Where it was found; empty unless `cite_sources=True` asked for it."""
        return [Citation(record) for record in self._record.citation]

    @property
    def page(self) -> int | None:
        """The page of the first citation, from 1."""
        return next((citation.page for citation in self.citations if citation.page is not None), None)

    @property
    def confidence(self) -> float | None:
        """How sure the service is of the value, from 0 to 1; None unless `confidence_scores=True` asked for it."""
        return self._record.confidence

    @property
    def extraction_confidence(self) -> float | None:
        """How sure it is that the field means this value."""
        return self._record.extraction_confidence

    @property
    def parsing_confidence(self) -> float | None:
        """How sure it is to have read the text right."""
        return self._record.parsing_confidence

    @property
    def reasoning(self) -> str | None:
        """Why it chose this value, where it says so."""
        return self._record.reasoning

    @property
    def raw(self) -> dict[str, Any]:
        """The entry as the service sent it."""
        return self._record.raw

    def __repr__(self) -> str:
        return f"ExtractField({self.path!r}, {self.value!r}, page={self.page}, confidence={self.confidence})"


def read_fields(data: Any, metadata: ExtractMetadata) -> dict[str, ExtractField]:
    """Find what the service says of each field.

    Args:
        data: The extracted data as the service sent it: an object, or a list of them.
        metadata: The job's `extract_metadata`.

    Returns:
        The fields by path, in the order of the data: those that hold a value, and nulls and whole objects that the
        service says something of. The paths of a list of objects begin with its place: "[0].total".

    Example:
        >>> entry = {"citation": [{"page": 1, "matching_text": "Total 3"}], "confidence": 0.9}
        >>> fields = read_fields(
        ...     {"total": 3}, ExtractMetadata({"field_metadata": {"document_metadata": {"total": entry}}})
        ... )
        >>> fields["total"]
        ExtractField('total', 3, page=1, confidence=0.9)
    """
    said = metadata.field_metadata
    about: Any = said.document_metadata
    if isinstance(data, list):
        about = said.page_metadata or said.row_metadata
    return {field.path: field for field in _walk("", data, about)}


def _walk(path: str, value: Any, about: Any) -> Iterator[ExtractField]:
    if isinstance(value, Mapping):
        about = about if isinstance(about, Mapping) else {}
        own = {name: about[name] for name in _OF_A_WHOLE if name in about and name not in value}
        if path and own:
            yield ExtractField(path, dict(value), FieldRecord(own))
        for name, item in value.items():
            yield from _walk(f"{path}.{name}" if path else str(name), item, about.get(name))
    elif isinstance(value, list):
        # Some deployments say one thing of a whole list of plain values.
        whole = FieldRecord(dict(about)) if isinstance(about, Mapping) and about else None
        if whole is not None:
            yield ExtractField(path, value, whole)
        entries = about if isinstance(about, list) else []
        for index, item in enumerate(value):
            yield from _walk(f"{path}[{index}]", item, entries[index] if index < len(entries) else None)
    elif value is not None or about:
        yield ExtractField(path, value, FieldRecord(dict(about) if isinstance(about, Mapping) else {}))
