"""The option groups of a parse job that describe the input, the pages and the output."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import Given, Ratio, StrictModel

Tier = Literal["fast", "cost_effective", "agentic", "agentic_plus"]
"""What reads the pages: rules only (`fast`), or models of growing ability and price."""

ChartParsing = Literal["agentic", "agentic_plus", "efficient"]
"""How much effort a model spends on charts."""

ImageCategory = Literal["screenshot", "embedded", "layout"]
"""Renders of whole pages, images found in the document, or figures cropped out of pages."""


class AgenticOptions(StrictModel):
    """For the tiers that use models: `cost_effective`, `agentic` and `agentic_plus`."""

    custom_prompt: str | None = None
    """Instructions for the model, in plain words. The shortcut `custom_prompt` sets the same."""


class CropBox(StrictModel):
    """The part of every page to read. All four edges are ratios from 0 (top or left) to 1 (bottom or right)."""

    bottom: Ratio | None = None
    """Lower edge; what lies below is left out."""

    left: Ratio | None = None
    """Left edge; what lies to the left is left out."""

    right: Ratio | None = None
    """Right edge; what lies to the right is left out."""

    top: Ratio | None = None
    """Upper edge; what lies above is left out."""

    @model_validator(mode="after")
    def _encloses_something(self) -> Self:
        for near, far in (("left", "right"), ("top", "bottom")):
            low, high = getattr(self, near), getattr(self, far)
            if (0 if low is None else low) >= (1 if high is None else high):
                raise ConfigurationError(
                    f"{near} ({low}) must be smaller than {far} ({high}); both are measured from the page's {near} edge"
                )
        return self


class HtmlOptions(StrictModel):
    """For .html and .htm files."""

    make_all_elements_visible: bool | None = None
    """Show elements that the page's styles hide."""

    remove_fixed_elements: bool | None = None
    """Leave out elements with a fixed position, such as floating headers."""

    remove_navigation_elements: bool | None = None
    """Leave out navigation bars, side bars and menus."""


class ImageInputOptions(StrictModel):
    """For image files."""

    camera_photo_correction: bool | None = None
    """Find a photographed page in the picture, crop it and straighten it."""


class PresentationOptions(StrictModel):
    """For .pptx, .ppt, .odp and .key files."""

    include_hidden_slides: bool | None = None
    """Read hidden slides too."""

    out_of_bounds_content: bool | None = None
    """Read content that lies outside the slide."""

    skip_embedded_data: bool | None = None
    """Leave out the data tables embedded in charts."""


class SpreadsheetOptions(StrictModel):
    """For .xlsx, .xls, .csv and .ods files."""

    detect_sub_tables_in_sheets: bool | None = None
    """Find several tables on one sheet."""

    force_formula_computation_in_sheets: bool | None = None
    """Compute formulas instead of reading the stored values."""

    include_hidden_sheets: bool | None = None
    """Read hidden sheets too."""


class InputOptions(StrictModel):
    """How files of a certain format are read."""

    html: Given[HtmlOptions] | None = None
    """For HTML files."""

    image: Given[ImageInputOptions] | None = None
    """For image files."""

    pdf: dict[str, Any] | None = None
    """For PDF files; the service has no option here yet."""

    presentation: Given[PresentationOptions] | None = None
    """For slides."""

    spreadsheet: Given[SpreadsheetOptions] | None = None
    """For spreadsheets."""


class MarkdownTables(StrictModel):
    """How tables look in the markdown."""

    compact_markdown_tables: bool | None = None
    """Leave out the padding in the cells of markdown tables."""

    markdown_table_multiline_separator: str | None = None
    """What joins the lines of one cell in markdown tables, for example " "."""

    merge_continued_tables: bool | None = None
    """Join a table that runs over several pages; it appears on the first of them."""

    output_tables_as_markdown: bool | None = None
    """Write tables with pipes instead of HTML; merged cells cannot be shown then."""


class MarkdownOptions(StrictModel):
    """How the markdown looks."""

    annotate_line_numbers: bool | None = None
    """Report line numbers printed in the margin, with their place in the markdown."""

    annotate_links: bool | None = None
    """Write links with their addresses."""

    annotate_revisions: bool | None = None
    """Report tracked changes and comments of the document."""

    inline_images: bool | None = None
    """Put images into the markdown as data URIs."""

    tables: Given[MarkdownTables] | None = None
    """How tables look."""


class SpatialText(StrictModel):
    """How the plain text keeps the layout."""

    do_not_unroll_columns: bool | None = None
    """Keep columns side by side; always so on tiers above `fast`."""

    preserve_layout_alignment_across_pages: bool | None = None
    """Align columns alike on all pages."""

    preserve_very_small_text: bool | None = None
    """Keep text below the usual size."""


class TablesAsSpreadsheet(StrictModel):
    """An .xlsx file with all tables of the document."""

    enable: bool | None = None
    """Make the file; `ParseResult.save_xlsx` downloads it."""

    guess_sheet_name: bool | None = None
    """Name the sheets after what stands around the tables."""


class OutputOptions(StrictModel):
    """What the job produces."""

    additional_outputs: list[Literal["stripped_md", "concatenated_stripped_txt", "word_bbox"]] | None = None
    """Further files to keep: markdown without formatting, the same as one text, boxes of all words."""

    extract_printed_page_number: bool | None = None
    """Read the page numbers printed on the pages."""

    granular_bboxes: list[Literal["cell", "line", "word"]] | None = None
    """Boxes finer than an item's; they come as a file of their own, not within the items."""

    images_to_save: list[ImageCategory] | None = None
    """Kinds of images to keep; [] keeps none. The shortcut `images` sets the same."""

    markdown: Given[MarkdownOptions] | None = None
    """How the markdown looks."""

    save_output_pdf: bool | None = None
    """Keep a PDF of the document; not made for spreadsheets, plain text and audio."""

    spatial_text: Given[SpatialText] | None = None
    """How the plain text keeps the layout."""

    tables_as_spreadsheet: Given[TablesAsSpreadsheet] | None = None
    """An .xlsx file with all tables."""

    watermark_handling: Literal["move_to_end", "move_to_start", "remove"] | None = None
    """Where the text of watermarks goes. Not on the `fast` tier, and from version 2026-09-28 on."""


class PageRanges(StrictModel):
    """Which pages are read."""

    max_pages: Annotated[int, Field(ge=1)] | None = None
    """Read at most so many pages, from the first on. The shortcut `max_pages` sets the same."""

    target_pages: str | None = None
    """Pages to read, counted from 1: "1,3,5-8". The shortcut `target_pages` sets the same, and takes lists too."""
