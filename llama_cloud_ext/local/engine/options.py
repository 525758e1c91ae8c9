"""The create body of a job as the engine reads it, and which of its options have no effect here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from llama_cloud_ext.local.engine.crop import CropBox
from llama_cloud_ext.local.engine.result import EngineError, EngineStopped
from llama_cloud_ext.local.engine.tables import TableStyle

_NOT_FOR_ENGINES = frozenset(
    {
        "client_name",
        "configuration_id",
        "disable_cache",
        "file_id",
        "http_proxy",
        "organization_id",
        "project_id",
        "source_url",
        "tier",
        "user_metadata",
        "version",
        "webhook_configuration_ids",
        "webhook_configurations",
    }
)
"""What the server sees to, or what says where a job comes from."""

_EVERYWHERE = frozenset(
    {
        "output_options.additional_outputs.concatenated_stripped_txt",
        "output_options.additional_outputs.stripped_md",
        "output_options.markdown.annotate_links",
        "output_options.markdown.tables.compact_markdown_tables",
        "output_options.markdown.tables.markdown_table_multiline_separator",
        "output_options.markdown.tables.output_tables_as_markdown",
        "page_ranges",
        "processing_control.job_failure_conditions.allowed_page_failure_ratio",
        "processing_control.timeouts",
    }
)

_RENDERED = _EVERYWHERE | {
    "crop_box",
    "output_options.additional_outputs.word_bbox",
    "output_options.extract_printed_page_number",
    "output_options.images_to_save",
    "output_options.markdown.inline_images",
    "output_options.markdown.tables.merge_continued_tables",
    "output_options.spatial_text.preserve_very_small_text",
    "processing_control.job_failure_conditions.fail_on_image_extraction_error",
    "processing_options.ignore.ignore_diagonal_text",
}

APPLIED: dict[str, frozenset[str]] = {
    "pdf": _RENDERED | {"output_options.save_output_pdf"},
    "image": _RENDERED,
    "office": _EVERYWHERE
    | {
        "input_options.presentation.include_hidden_slides",
        "input_options.spreadsheet.include_hidden_sheets",
        "output_options.images_to_save.embedded",
    },
    "text": _EVERYWHERE,
}
"""Per kind of document the options that do something, or groups of them; `unapplied` names the rest. One of several
values of a list is written like a member of a group."""


@dataclass(frozen=True)
class EngineOptions:
    """What the engine needs of a create body; every attribute has the default of the service.

    Example:
        >>> EngineOptions.of({"tier": "fast"}).fast
        True
    """

    configuration: dict[str, Any] = field(default_factory=dict)
    fast: bool = False
    target_pages: str | None = None
    max_pages: int | None = None
    crop: CropBox | None = None
    images: frozenset[str] | None = None
    tables: TableStyle = field(default_factory=TableStyle)
    merge_tables: bool = False
    annotate_links: bool = False
    inline_images: bool = False
    printed_page_numbers: bool = False
    words: bool = False
    save_pdf: bool = False
    spreadsheet: bool = False
    guess_sheet_names: bool = True
    include_hidden: bool = False
    ignore_diagonal_text: bool = False
    very_small_text: bool = False
    fail_on_image_error: bool = False
    languages: tuple[str, ...] = ()
    timeout_base: float | None = None
    timeout_per_page: float = 0.0

    @classmethod
    def of(cls, configuration: dict[str, Any]) -> EngineOptions:
        """Read a create body; groups and fields that are missing or null have their defaults."""
        inputs = _group(configuration, "input_options")
        output = _group(configuration, "output_options")
        markdown = _group(output, "markdown")
        tables = _group(markdown, "tables")
        sheets = _group(output, "tables_as_spreadsheet")
        processing = _group(configuration, "processing_options")
        control = _group(configuration, "processing_control")
        timeouts = _group(control, "timeouts")
        ranges = _group(configuration, "page_ranges")
        images = output.get("images_to_save")
        separator = tables.get("markdown_table_multiline_separator")
        return cls(
            configuration=configuration,
            fast=configuration.get("tier") == "fast",
            target_pages=ranges.get("target_pages") or None,
            max_pages=ranges.get("max_pages"),
            crop=CropBox.of(_group(configuration, "crop_box")),
            images=None if images is None else frozenset(images),
            tables=TableStyle(
                as_markdown=tables.get("output_tables_as_markdown") is not False,
                compact=bool(tables.get("compact_markdown_tables")),
                line_separator="<br>" if separator is None else separator,
            ),
            merge_tables=bool(tables.get("merge_continued_tables")),
            annotate_links=bool(markdown.get("annotate_links")),
            inline_images=bool(markdown.get("inline_images")),
            printed_page_numbers=bool(output.get("extract_printed_page_number")),
            words="word_bbox" in (output.get("additional_outputs") or ()),
            save_pdf=bool(output.get("save_output_pdf")),
            spreadsheet=bool(sheets.get("enable")),
            guess_sheet_names=sheets.get("guess_sheet_name") is not False,
            include_hidden=bool(
                _group(inputs, "presentation").get("include_hidden_slides")
                or _group(inputs, "spreadsheet").get("include_hidden_sheets")
            ),
            ignore_diagonal_text=bool(_group(processing, "ignore").get("ignore_diagonal_text")),
            very_small_text=bool(_group(output, "spatial_text").get("preserve_very_small_text")),
            fail_on_image_error=bool(_group(control, "job_failure_conditions").get("fail_on_image_extraction_error")),
            languages=tuple(_group(processing, "ocr_parameters").get("languages") or ()),
            timeout_base=timeouts.get("base_in_seconds"),
            timeout_per_page=timeouts.get("extra_time_per_page_in_seconds") or 0.0,
        )

    def saves(self, category: str) -> bool:
        """Whether images of a category are kept. Where nothing was said the service keeps the crops of figures."""
        if self.images is None:
            return category == "layout" and not self.fast
        return category in self.images

    def unapplied(self, kind: str, *, applied: frozenset[str] = frozenset()) -> list[str]:
        """The options that were set and do nothing for this kind of document.

        Args:
            kind: "pdf", "image", "office" or "text".
            applied: Further options that did something in this very run.

        Returns:
            Dotted names, sorted.
        """
        known = APPLIED[kind] | applied
        return sorted(
            path
            for path in _set_options(self.configuration)
            if path not in known and not any(path.startswith(f"{group}.") for group in known)
        )


class Watch:
    """Says when a job is to end early: because it was stopped, or because its time is over.

    Args:
        options: With the job's time limits.
        should_stop: The caller's wish.
    """

    def __init__(self, options: EngineOptions, should_stop: Callable[[], bool]) -> None:
        self._options = options
        self._should_stop = should_stop
        self._started = time.monotonic()

    def check(self, pages: int = 0) -> None:
        """Go on or not.

        Args:
            pages: How many pages the job has, as far as known.

        Raises:
            EngineStopped: The caller wants it.
            EngineError: TIMEOUT, when base + pages x extra seconds have passed.
        """
        if self._should_stop():
            raise EngineStopped
        base = self._options.timeout_base
        if base is None:
            return
        limit = base + pages * self._options.timeout_per_page
        if time.monotonic() - self._started > limit:
            raise EngineError(
                "TIMEOUT",
                f"Parsing took longer than {limit:g} s (processing_control.timeouts); raise the limit or parse fewer "
                "pages with page_ranges.",
            )


def _group(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _set_options(group: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in group.items():
        path = f"{prefix}{name}"
        if path in _NOT_FOR_ENGINES or value is None or value is False or value in ({}, [], ""):
            continue
        if isinstance(value, dict):
            yield from _set_options(value, f"{path}.")
        elif isinstance(value, list) and all(isinstance(part, str) for part in value):
            yield from (f"{path}.{part}" for part in value)
        else:
            yield path
