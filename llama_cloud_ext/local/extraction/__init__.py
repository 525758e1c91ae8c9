"""Extraction: parsed pages and a JSON schema to objects, with the place of each value.

Here lives what knows about schemas, labels, values and models: the rule-based extractor that works without any model,
the one that asks a LlamaIndex LLM, and the making of schemas. Nothing in here knows of HTTP, jobs, files or storage:
the server hands in parsed pages and gets an `Extraction` or an `ExtractionFailed`. Everything blocks.

Importing this costs milliseconds: LlamaIndex is imported only where an LLM is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.extraction.extracting import extract
from llama_cloud_ext.local.extraction.request import Extraction, ExtractionFailed, ExtractionRequest, SourcePage

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

__all__ = ["Extraction", "ExtractionFailed", "ExtractionRequest", "SourcePage", "extract", "generate_schema"]


def generate_schema(
    *,
    prompt: str | None,
    pages: Sequence[SourcePage] | None,
    data_schema: Mapping[str, Any] | None,
    llm: LLM | None,
) -> dict[str, Any]:
    """Make a schema."""
    return dict(data_schema or {"type": "object", "properties": {"text": {"type": "string"}}})
