"""What Extract answers, read so that nothing in it can make a finished, paid job crash."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.wire.models.parse_items import BBox, read_boxes
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_integer,
    as_mapping,
    as_moment,
    as_number,
    as_objects,
    as_text,
    as_text_or_empty,
    attribute,
    optional_model,
)


class PageDimensions(TolerantModel):
    """The size of the page that boxes are measured on, in points."""

    width = attribute(as_number)
    """Width."""
    height = attribute(as_number)
    """Height."""


class CitationRecord(TolerantModel):
    """One place of a document that a field was read from."""

    page = attribute(as_integer)
    """The page, from 1."""
    matching_text = attribute(as_text)
    """The text there, verbatim."""
    bounding_boxes = attribute(read_boxes)
    """Where it stands on the page, in points from the upper left; none on `turbo`."""
    page_dimensions = attribute(optional_model(PageDimensions))
    """The size of the page."""


def _citations(value: Any) -> list[CitationRecord]:
    return [CitationRecord(citation) for citation in as_objects([value] if isinstance(value, dict) else value)]


class FieldRecord(TolerantModel):
    """What the service says of one field."""

    citation = attribute(_citations)
    """Where it was found."""
    confidence = attribute(as_number)
    """How sure the service is of the value, from 0 to 1."""
    extraction_confidence = attribute(as_number)
    """How sure it is that the field means this value."""
    parsing_confidence = attribute(as_number)
    """How sure it is to have read the text right."""
    reasoning = attribute(as_text)
    """Why it chose this value."""


class FieldMetadata(TolerantModel):
    """What the service says of all fields, in the shape of the data."""

    document_metadata = attribute(as_mapping)
    """Of the one object of a document."""
    page_metadata = attribute(lambda value: list(as_objects(value)))
    """Of each page's object, with `per_page`."""
    row_metadata = attribute(lambda value: list(as_objects(value)))
    """Of each row's object, with `per_table_row`."""


class ExtractMetadata(TolerantModel):
    """What the service says of an extraction."""

    field_metadata = attribute(lambda value: FieldMetadata(as_mapping(value)))
    """Of its fields."""
    parse_job_id = attribute(as_text)
    """The parse job that read the document."""
    parse_tier = attribute(as_text)
    """The tier of that job."""


class ExtractUsage(TolerantModel):
    """What a job cost."""

    credits = attribute(as_number)
    """Credits in all; None until the service has counted."""
    extract_credits = attribute(as_number)
    """Those of the extraction."""
    parse_credits = attribute(as_number)
    """Those of parsing, which all jobs on one parse job report again."""


class ExtractJobRecord(TolerantModel):
    """An extract job as it is listed, created and fetched."""

    id = attribute(as_text_or_empty)
    """The job's id."""
    project_id = attribute(as_text)
    """The project it belongs to."""
    status = attribute(as_text_or_empty)
    """The state, in the service's own word."""
    file_input = attribute(as_text)
    """The file or parse job that was extracted from."""
    configuration = attribute(as_mapping)
    """The configuration, where it was asked for."""
    configuration_id = attribute(as_text)
    """The saved configuration, if it used one."""
    error_message = attribute(as_text)
    """Why it failed."""
    extract_metadata = attribute(lambda value: ExtractMetadata(as_mapping(value)))
    """Citations and confidence."""
    metadata = attribute(as_mapping)
    """What else the service says of the job."""
    usage = attribute(optional_model(ExtractUsage))
    """What it cost, where it was asked for."""
    created_at = attribute(as_moment)
    """When it was created."""
    updated_at = attribute(as_moment)
    """When its state last changed."""


__all__ = ["BBox", "CitationRecord", "ExtractJobRecord", "ExtractMetadata", "FieldRecord", "PageDimensions"]
