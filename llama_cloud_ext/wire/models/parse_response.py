"""What the service says of a parse job, read tolerantly."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, TypeVar

from llama_cloud_ext.wire.models.parse_items import BBox, read_items
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_boolean,
    as_integer,
    as_mapping,
    as_moment,
    as_number,
    as_objects,
    as_text,
    as_text_or_empty,
    as_texts,
    attribute,
    list_of,
    list_of_models,
    optional_model,
)


class ParseStatus(str, enum.Enum):
    """The state of a parse job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @classmethod
    def of(cls, value: Any) -> ParseStatus:
        """The state that the service names; one that is not known yet is still running.

        Example:
            >>> ParseStatus.of("completed").terminal, ParseStatus.of("SHINING").terminal
            (True, False)
        """
        name = value.strip().upper() if isinstance(value, str) else ""
        return cls(name) if name in cls.__members__ else cls.RUNNING

    @property
    def terminal(self) -> bool:
        """Whether the job has ended, well or not."""
        return self in (ParseStatus.COMPLETED, ParseStatus.FAILED, ParseStatus.CANCELLED)


class JobUsage(TolerantModel):
    """What a job cost."""

    credits = attribute(as_number)
    """Credits billed; None until the service has counted."""


class JobRecord(TolerantModel):
    """A parse job as it is listed, created and fetched."""

    id = attribute(as_text_or_empty)
    """The job's id."""
    project_id = attribute(as_text)
    """The project it belongs to."""
    status = attribute(ParseStatus.of)
    """The state; `raw["status"]` has the service's own word."""
    tier = attribute(as_text)
    """The tier that read the pages."""
    name = attribute(as_text)
    """A name for people."""
    error_message = attribute(as_text)
    """Why the job failed."""
    usage = attribute(optional_model(JobUsage))
    """What the job cost, when asked for."""
    user_metadata = attribute(as_texts)
    """The tags that the job was created with."""
    created_at = attribute(as_moment)
    """When it was created."""
    updated_at = attribute(as_moment)
    """When its state last changed."""


class Page(TolerantModel):
    """What the pages of all kinds of result share.

    Args:
        raw: The page's JSON.
        position: The number that the page has by its place, for when the service gives none.
    """

    def __init__(self, raw: Any = None, position: int = 1) -> None:
        super().__init__(raw)
        given = as_integer(self.raw.get("page_number"))
        self.page_number: int = position if given is None or given < 1 else given
        """The page's number in the document, from 1."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.raw, self.page_number)

    @property
    def success(self) -> bool:
        """Whether the page was read."""
        said = as_boolean(self.raw.get("success"))
        return self.raw.get("error") is None if said is None else said

    @property
    def error(self) -> str | None:
        """Why the page could not be read; None when it was."""
        return None if self.success else as_text(self.raw.get("error")) or "the service gives no reason"


class TextPage(Page):
    """A page as plain text."""

    text = attribute(as_text_or_empty)
    """The text, laid out as on the page."""


class LineNumber(TolerantModel):
    """A line number printed in the margin."""

    line_number = attribute(as_text_or_empty)
    """The number as printed."""
    start_index = attribute(as_integer)
    """Where its line starts in the page's markdown, in UTF-16 code units."""
    end_index = attribute(as_integer)
    """Where its line ends, exclusive."""


class MarkdownPage(Page):
    """A page as markdown."""

    markdown = attribute(as_text_or_empty)
    """The markdown."""
    header = attribute(as_text)
    """The running header."""
    footer = attribute(as_text)
    """The running footer."""
    line_numbers = attribute(list_of_models(LineNumber))
    """Line numbers printed in the margin."""


class ItemsPage(Page):
    """A page as structured items."""

    items = attribute(read_items)
    """The items in reading order."""
    page_width = attribute(as_number)
    """The page's width, points."""
    page_height = attribute(as_number)
    """The page's height, points."""
    revisions = attribute(lambda value: list(as_objects(value)))
    """Tracked changes and comments, as the service describes them."""


class MetadataPage(Page):
    """Facts about a page."""

    confidence = attribute(as_number)
    """How well the page was read, 0 to 1."""
    cost_optimized = attribute(as_boolean)
    """Whether it was read the cheaper way."""
    original_orientation_angle = attribute(as_integer)
    """By how much it was turned, degrees."""
    printed_page_number = attribute(as_text)
    """The number printed on it."""
    slide_section_name = attribute(as_text)
    """The slide's section."""
    speaker_notes = attribute(as_text)
    """The slide's notes."""
    triggered_auto_mode = attribute(as_boolean)
    """Whether a rule of auto mode matched."""
    watermark = attribute(as_text)
    """The watermark's text."""


class FormsPage(Page):
    """The forms on a page (beta)."""

    forms = attribute(lambda value: list(as_objects(value)))
    """The forms, as the service describes them."""
    detected_form_types = attribute(list_of(as_text))
    """Kinds of forms found."""


class ImageRecord(TolerantModel):
    """An image that a job kept."""

    filename = attribute(as_text_or_empty)
    """Its name; not to be used as a path as it is."""
    index = attribute(as_integer)
    """Its place among the job's images, from 0."""
    category = attribute(as_text)
    """"screenshot", "embedded" or "layout"."""
    content_type = attribute(as_text)
    """Its MIME type."""
    presigned_url = attribute(as_text)
    """Where to download it, for a short while."""
    size_bytes = attribute(as_integer)
    """Its size, when given."""
    bbox = attribute(optional_model(BBox))
    """Where it stands on its page."""


class ResultFile(TolerantModel):
    """A result that is a file."""

    size_bytes = attribute(as_integer)
    """Its size."""
    exists = attribute(as_boolean)
    """Whether it was made; None when the service does not say."""
    presigned_url = attribute(as_text)
    """Where to download it, for a short while."""


P = TypeVar("P", bound=Page)


def _pages(model: type[P]) -> Callable[[Any], list[P]]:
    """A reader of `{"pages": [...]}`, or of the bare array; a page without a number follows the one before."""

    def read_all(value: Any) -> list[P]:
        pages: list[P] = []
        for raw in as_objects(value.get("pages") if isinstance(value, dict) else value):
            pages.append(model(raw, pages[-1].page_number + 1 if pages else 1))
        return pages

    return read_all


def _images(value: Any) -> list[ImageRecord]:
    listed = value.get("images") if isinstance(value, dict) else value
    return [ImageRecord(image) for image in as_objects(listed)]


def _files(value: Any) -> dict[str, ResultFile]:
    return {name: ResultFile(file) for name, file in as_mapping(value).items() if isinstance(file, dict)}


class ParseResponse(TolerantModel):
    """The answer of `GET /api/v2/parse/{job_id}`. Reading it never raises, whatever the answer holds.

    Parts that were not asked for, by `expand`, are empty.

    Example:
        >>> response = ParseResponse({"job": {"id": "pjb-1"}, "markdown": {"pages": [{"markdown": "# A"}, None]}})
        >>> response.job.id, [(page.page_number, page.markdown) for page in response.markdown]
        ('pjb-1', [(1, '# A')])
    """

    job = attribute(JobRecord)
    """The job."""
    text = attribute(_pages(TextPage))
    """Plain text, page by page."""
    markdown = attribute(_pages(MarkdownPage))
    """Markdown, page by page."""
    items = attribute(_pages(ItemsPage))
    """Structured items, page by page."""
    metadata = attribute(_pages(MetadataPage))
    """Facts about each page."""
    forms = attribute(_pages(FormsPage))
    """Forms, page by page (beta)."""
    images = attribute(_images, "images_content_metadata")
    """The images that the job kept."""
    document_metadata = attribute(lambda value: as_mapping(as_mapping(value).get("document")), "metadata")
    """Facts about the whole document."""
    job_metadata = attribute(as_mapping)
    """How the job ran, as the service describes it."""
    raw_parameters = attribute(as_mapping)
    """The configuration that the service used."""
    markdown_full = attribute(as_text)
    """The whole markdown as one string."""
    text_full = attribute(as_text)
    """The whole plain text as one string."""
    result_content_metadata = attribute(_files)
    """Results that are files, by name, such as "xlsx" and "outputPDF"."""
