"""What the engine hands back: pages, pictures, side files, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ImageCategory = Literal["embedded", "screenshot", "layout"]


class EngineError(Exception):
    """A document that cannot be parsed, with a code of the service's error reference.

    Args:
        code: UNSUPPORTED_FILE_TYPE, PDF_IS_PROTECTED, PDF_IS_BROKEN, NO_DATA_FOUND_IN_FILE, DOCUMENT_TOO_LARGE,
            TOO_MANY_PAGES or TIMEOUT.
        message: What is wrong with this document, and what to do about it.

    Example:
        >>> str(EngineError("PDF_IS_PROTECTED", "report.pdf needs a password."))
        'PDF_IS_PROTECTED: report.pdf needs a password.'
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class EngineStopped(EngineError):  # noqa: N818 - a stop that was asked for is no error
    """The caller's `should_stop` said so; what was parsed until then is dropped."""

    def __init__(self) -> None:
        super().__init__("CANCELLED", "Parsing was stopped.")


@dataclass
class EnginePage:
    """One page (a slide of a presentation, a sheet of a workbook).

    Attributes:
        number: From 1 on, in the whole document, whichever pages were asked for.
        text: Plain text with the layout kept by spaces.
        markdown: Markdown without running headers and footers; "" on the `fast` tier.
        items: Headings, text, lists, tables, … in reading order, as the API sends them, with boxes in points.
        width: In points; 0 where the format has no pages.
        height: In points; 0 where the format has no pages.
        header: Markdown of the running header.
        footer: Markdown of the running footer.
        printed_page_number: The number printed on the page, if it was asked for and there is one.
        speaker_notes: Notes below a slide.
        error: Why this page alone failed; everything else is empty then.
    """

    number: int
    text: str = ""
    markdown: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    header: str | None = None
    footer: str | None = None
    printed_page_number: str | None = None
    speaker_notes: str | None = None
    error: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to read on it."""
        return not (self.text.strip() or self.markdown.strip() or self.items or self.speaker_notes)


@dataclass
class EngineImage:
    """A picture of a page, or on a page.

    Attributes:
        filename: Unique in the document; items and markdown refer to it.
        page_number: From 1 on.
        category: "screenshot" of a whole page, "embedded" file from the document, "layout" crop of a figure.
        content: The file.
        content_type: "image/png", "image/jpeg", …
        bbox: x, y, w, h on the page in points; None for whole pages and formats without places.
    """

    filename: str
    page_number: int
    category: ImageCategory
    content: bytes
    content_type: str
    bbox: dict[str, float] | None = None


@dataclass
class EngineResult:
    """A parsed document.

    Attributes:
        pages: Those asked for, in order.
        images: Those asked for, in the order of the pages.
        total_pages: Of the document, asked for or not.
        engine: What parsed it, with its version: "liteparse 2.18.0".
        notes: Facts for the job's metadata; `options_not_applied` names every accepted option without effect here.
        output_pdf: The document as PDF, if asked for and possible.
        spreadsheet: An .xlsx file with all tables, if asked for and possible.
        words: One record a word (page_number, text, x, y, w, h), if asked for.
    """

    pages: list[EnginePage]
    total_pages: int
    engine: str
    images: list[EngineImage] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    output_pdf: bytes | None = None
    spreadsheet: bytes | None = None
    words: list[dict[str, Any]] | None = None
