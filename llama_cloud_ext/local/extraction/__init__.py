"""Extraction without a service: data out of pages, by rules or by an LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_index.core.llms import LLM


@dataclass(frozen=True)
class SourcePage:
    """One page of a document."""

    page_number: int
    text: str
    markdown: str
    items: list[dict[str, Any]]
    width: float | None
    height: float | None


@dataclass(frozen=True)
class ExtractionRequest:
    """What is to be extracted."""

    schema: Mapping[str, Any]
    target: str
    system_prompt: str | None
    cite_sources: bool
    confidence_scores: bool


@dataclass(frozen=True)
class Extraction:
    """What was extracted."""

    data: dict[str, Any] | list[dict[str, Any]]
    field_metadata: dict[str, Any]
    pages_extracted: int
    notes: dict[str, Any]


class ExtractionFailed(Exception):  # noqa: N818 - a job's outcome
    """An extraction that cannot be."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def extract(pages: Sequence[SourcePage], request: ExtractionRequest, *, llm: LLM | None) -> Extraction:
    """Extract."""
    import re

    def one(text: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        for name, field in request.schema.get("properties", {}).items():
            found = re.search(rf"^{name}: *(.+)$", text, re.MULTILINE | re.IGNORECASE)
            value = found and found[1].strip()
            data[name] = float(value) if value and field.get("type") == "number" else value
            metadata[name] = {"citation": [{"page": number, "matching_text": value or ""}], "confidence": 0.9}
        return data, metadata

    notes = {"extractor": "rule-based"}
    each = [one(page.text, page.page_number) for page in pages]
    if request.target != "per_doc":
        kind = "page_metadata" if request.target == "per_page" else "row_metadata"
        return Extraction([data for data, _ in each], {kind: [more for _, more in each]}, len(pages), notes)
    data, metadata = each[0]
    return Extraction(data, {"document_metadata": metadata}, len(pages), notes)


def generate_schema(
    *,
    prompt: str | None,
    pages: Sequence[SourcePage] | None,
    data_schema: Mapping[str, Any] | None,
    llm: LLM | None,
) -> dict[str, Any]:
    """Make a schema."""
    return dict(data_schema or {"type": "object", "properties": {"text": {"type": "string"}}})
