"""Extraction: parsed pages and a JSON schema to objects, with the place of each value.

Here lives what knows about schemas, labels, values and models: the rule-based extractor that works without any model,
the one that asks a LlamaIndex LLM, and the making of schemas. Nothing in here knows of HTTP, jobs, files or storage:
the server hands in parsed pages and gets an `Extraction` or an `ExtractionFailed`. Everything blocks.

Importing this costs milliseconds: LlamaIndex is imported only where an LLM is used.
"""

from __future__ import annotations

from llama_cloud_ext.local.extraction.extracting import extract
from llama_cloud_ext.local.extraction.request import Extraction, ExtractionFailed, ExtractionRequest, SourcePage
from llama_cloud_ext.local.extraction.schema_generation import generate_schema

__all__ = ["Extraction", "ExtractionFailed", "ExtractionRequest", "SourcePage", "extract", "generate_schema"]
