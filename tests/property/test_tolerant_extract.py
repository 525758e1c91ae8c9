"""Whatever an extract job's record holds, looking at it never raises anything but that data do not fit a model."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.schema import MetadataMode
from pydantic import BaseModel

from llama_cloud_ext import ExtractResult, ExtractValidationError
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from tests.property.test_tolerant_responses import REMOVED, junk, places

LEAF = {
    "citation": [
        {
            "page": 1,
            "matching_text": "Amber",
            "bounding_boxes": [{"x": 1, "y": 2, "w": 3, "h": 4}],
            "page_dimensions": {"width": 612, "height": 792},
        }
    ],
    "confidence": 0.9,
    "extraction_confidence": 0.9,
    "parsing_confidence": 0.8,
    "reasoning": "as it says",
}
OBJECT = {"vendor": "Amber", "lines": [{"amount": 3}], "tags": ["a"]}
ABOUT = {"vendor": LEAF, "lines": [{"amount": LEAF}], "tags": LEAF}
RECORD: dict[str, Any] = {
    "id": "ext-1",
    "project_id": "prj-1",
    "status": "COMPLETED",
    "file_input": "dfl-1",
    "configuration_id": "cfg-1",
    "configuration": {"tier": "agentic", "extraction_target": "per_page", "data_schema": {"type": "object"}},
    "error_message": None,
    "extract_result": OBJECT,
    "extract_metadata": {
        "field_metadata": {"document_metadata": ABOUT, "page_metadata": [ABOUT], "row_metadata": [ABOUT]},
        "parse_job_id": "pjb-1",
        "parse_tier": "agentic",
    },
    "metadata": {"usage": {"num_pages_extracted": 3}},
    "usage": {"credits": 1.5, "extract_credits": 1, "parse_credits": 0.5},
    "created_at": "2026-10-16T08:00:00.123456Z",
    "updated_at": "2026-10-16T08:00:09Z",
}
PAGES = {**RECORD, "extract_result": [OBJECT, OBJECT]}
SOURCE = SourceIdentity("a.pdf", "file:/data/a.pdf", path="/data/a.pdf")


class Invoice(BaseModel):
    """A model that junk does not fit."""

    vendor: str
    lines: list[dict[str, int]] = []


SCHEMAS = DataSchema("data", {"type": "object"}), DataSchema("Invoice", {}, Invoice)


def look(record: Any) -> None:
    """Look at everything there is to look at."""
    for schema in SCHEMAS:
        result: ExtractResult[Any] = ExtractResult(record, source=SOURCE, schema=schema)
        with contextlib.suppress(ExtractValidationError):
            _ = result.data, result.objects
        for path, field in result.fields.items():
            assert isinstance(path, str)
            for citation in field.citations:
                repr((citation, citation.to_dict(), citation.page_width))
            repr((field, field.page, field.confidence, field.extraction_confidence, field.parsing_confidence))
            assert isinstance(field.raw, dict)
            assert field.reasoning is None or isinstance(field.reasoning, str)
        for document in result.documents():
            document.text.encode()
            document.get_content(MetadataMode.ALL).encode()
        job = result.job
        for name in (one for one in dir(type(job)) if not one.startswith("_")):
            getattr(job, name)
        repr((result, job))


def changed(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The record with another value at a path, or without it."""
    answer = copy.deepcopy(record)
    holder: Any = answer
    for step in path[:-1]:
        holder = holder[step]
    if value is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return answer


def test_every_field_may_be_anything() -> None:
    """Ensure replacing or removing any one field of a full record leaves everything readable."""
    for record in (RECORD, PAGES):
        for path in places(record):
            for value in (REMOVED, None, "junk", 1.5, [None], {"citation": {}}):
                look(changed(record, path, value))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([(record, path) for record in (RECORD, PAGES) for path in places(record)]), junk)
def test_any_mutation_of_any_field_reads(place: tuple[dict[str, Any], tuple[Any, ...]], value: Any) -> None:
    """Ensure no value whatever in any field makes looking at a result raise."""
    look(changed(place[0], place[1], value))


@settings(max_examples=100, deadline=None)
@given(junk, junk)
def test_any_data_and_any_metadata_read(data: Any, about: Any) -> None:
    """Ensure data and what is said of them may be of any two shapes."""
    look({**RECORD, "extract_result": data, "extract_metadata": {"field_metadata": {"document_metadata": about}}})
    look({**RECORD, "extract_result": [data], "extract_metadata": {"field_metadata": {"page_metadata": [about]}}})
    look({**RECORD, "extract_result": {"a": data}, "extract_metadata": about})
    look(data)
