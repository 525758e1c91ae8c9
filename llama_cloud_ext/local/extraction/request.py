"""What an extraction is given and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["per_doc", "per_page", "per_table_row"]


class ExtractionFailed(Exception):  # noqa: N818 - named as the failure of the job that it becomes
    """A document from which nothing can be extracted, or a model that does not answer.

    Args:
        code: For the job's error message: LLM_FAILED, LLM_ANSWER_INVALID, NO_SCHEMA.
        message: What is wrong, and what to do about it.

    Example:
        >>> str(ExtractionFailed("NO_SCHEMA", "Give a prompt or a file."))
        'NO_SCHEMA: Give a prompt or a file.'
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True)
class SourcePage:
    """A parsed page.

    Attributes:
        page_number: From 1 on.
        text: Plain text with the layout kept by spaces.
        markdown: The same as markdown.
        items: The page's items as a parse result has them, with boxes.
        width: In points; None or 0 where the format has no pages.
        height: In points; None or 0 where the format has no pages.
    """

    page_number: int
    text: str = ""
    markdown: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True)
class ExtractionRequest:
    """What is asked of a document.

    Attributes:
        schema: JSON schema of one object.
        target: One object a document, a page, or a table row.
        system_prompt: The user's instructions; only a model can follow them.
        cite_sources: Whether the places of the values are wanted.
        confidence_scores: Whether confidences are wanted.
    """

    schema: Mapping[str, Any]
    target: Target = "per_doc"
    system_prompt: str | None = None
    cite_sources: bool = False
    confidence_scores: bool = False


@dataclass(frozen=True)
class Extraction:
    """What was extracted.

    Attributes:
        data: An object, or a list of them for pages and table rows.
        field_metadata: Under "document_metadata", "page_metadata" or "row_metadata", what is known of each field, in
            the shape of the data.
        pages_extracted: How many pages were read.
        notes: Facts for the job's metadata; `extractor` is "rule-based" or the model's name, `extractor_note` says
            what that means for these values.
    """

    data: dict[str, Any] | list[dict[str, Any]]
    field_metadata: dict[str, Any]
    pages_extracted: int
    notes: dict[str, Any]
