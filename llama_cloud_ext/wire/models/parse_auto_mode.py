"""Auto mode: rules that parse single pages differently, by their content or the file's name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.parse_groups import ChartParsing, CropBox, SpatialText, Tier
from llama_cloud_ext.wire.models.strict import Ratio, StrictModel

Count = Annotated[int, Field(ge=0)] | str
"""A number of things on a page; the service also takes it as a string."""

Threshold = Ratio | str
"""A confidence from 0 to 1; the service also takes it as a string."""


class AutoModeIgnore(StrictModel):
    """Text to leave out on the pages that a rule matches."""

    ignore_diagonal_text: bool | None = None
    """Leave out text that is neither horizontal nor vertical."""

    ignore_hidden_text: bool | None = None
    """Leave out text that the document marks as hidden."""


class AutoModePresentation(StrictModel):
    """How matched slides are read."""

    out_of_bounds_content: bool | None = None
    """Read content that lies outside the slide."""

    skip_embedded_data: bool | None = None
    """Leave out the data tables embedded in charts."""


class AutoModeParsing(StrictModel):
    """What changes on the pages that a rule matches (`parsing_conf`)."""

    adaptive_long_table: bool | None = None
    """Adapt to tables that run over many rows."""

    aggressive_table_extraction: bool | None = None
    """Look for tables also where no lines are drawn."""

    crop_box: CropBox | None = None
    """The part of the page to read; ratios from 0 to 1."""

    custom_prompt: str | None = None
    """Instructions for these pages, in place of the job's own."""

    extract_layout: bool | None = None
    """Compute the layout of the page."""

    high_res_ocr: bool | None = None
    """Recognise text at a high resolution."""

    ignore: AutoModeIgnore | None = None
    """Text to leave out."""

    language: str | None = None
    """The main language of the page."""

    outlined_table_extraction: bool | None = None
    """Read tables with outlined cells by a method of their own."""

    presentation: AutoModePresentation | None = None
    """How slides are read."""

    spatial_text: SpatialText | None = None
    """How the plain text keeps the layout."""

    specialized_chart_parsing: ChartParsing | None = None
    """Have a model read charts."""

    tier: Tier | None = None
    """The tier for these pages. Needs `version`."""

    version: str | None = None
    """The version of that tier: "latest" or a date as YYYY-MM-DD. Needs `tier`."""

    @model_validator(mode="after")
    def _tier_comes_with_its_version(self) -> Self:
        if (self.tier is None) != (self.version is None):
            given, wanted = ("tier", "version") if self.version is None else ("version", "tier")
            raise ConfigurationError(
                f"{given} is set without {wanted}; the service takes them only together",
                hint="Set both, for example tier='agentic' with version='latest'.",
            )
        return self


class AutoModeConfiguration(StrictModel):
    """One rule: when a page matches the triggers, it is parsed as `parsing_conf` says.

    Example:
        >>> AutoModeConfiguration(table_in_page=True, parsing_conf={"specialized_chart_parsing": "efficient"}).to_body()
        {'parsing_conf': {'specialized_chart_parsing': 'efficient'}, 'table_in_page': True}
    """

    parsing_conf: AutoModeParsing
    """What changes on matching pages. Required."""

    filename_match_glob: str | None = None
    """The file's name matches this glob pattern."""

    filename_match_glob_list: list[str] | None = None
    """The file's name matches one of these glob patterns."""

    filename_regexp: str | None = None
    """The file's name matches this regular expression."""

    filename_regexp_mode: str | None = None
    """Flags for `filename_regexp`, such as "i" to ignore case."""

    full_page_image_in_page: bool | None = None
    """The page is one image, as scans are."""

    full_page_image_in_page_threshold: Threshold | None = None
    """The share of the page from which an image counts as a full page; 0 to 1, the service's default is 0.8."""

    image_in_page: bool | None = None
    """The page holds an image."""

    layout_element_in_page: str | None = None
    """The page holds a layout element of this type."""

    layout_element_in_page_confidence_threshold: Threshold | None = None
    """How sure the detection of `layout_element_in_page` must be; 0 to 1."""

    page_contains_at_least_n_charts: Count | None = None
    """The page has at least so many charts."""

    page_contains_at_least_n_images: Count | None = None
    """The page has at least so many images."""

    page_contains_at_least_n_layout_elements: Count | None = None
    """The page has at least so many layout elements."""

    page_contains_at_least_n_lines: Count | None = None
    """The page has at least so many lines."""

    page_contains_at_least_n_links: Count | None = None
    """The page has at least so many links."""

    page_contains_at_least_n_numbers: Count | None = None
    """The page has at least so many words that are numbers."""

    page_contains_at_least_n_percent_numbers: Count | None = None
    """At least so many per cent of the page's words are numbers."""

    page_contains_at_least_n_tables: Count | None = None
    """The page has at least so many tables."""

    page_contains_at_least_n_words: Count | None = None
    """The page has at least so many words."""

    page_contains_at_most_n_charts: Count | None = None
    """The page has at most so many charts."""

    page_contains_at_most_n_images: Count | None = None
    """The page has at most so many images."""

    page_contains_at_most_n_layout_elements: Count | None = None
    """The page has at most so many layout elements."""

    page_contains_at_most_n_lines: Count | None = None
    """The page has at most so many lines."""

    page_contains_at_most_n_links: Count | None = None
    """The page has at most so many links."""

    page_contains_at_most_n_numbers: Count | None = None
    """The page has at most so many words that are numbers."""

    page_contains_at_most_n_percent_numbers: Count | None = None
    """At most so many per cent of the page's words are numbers."""

    page_contains_at_most_n_tables: Count | None = None
    """The page has at most so many tables."""

    page_contains_at_most_n_words: Count | None = None
    """The page has at most so many words."""

    page_longer_than_n_chars: Count | None = None
    """The page's text is longer than so many characters."""

    page_md_error: bool | None = None
    """The markdown of the page could not be built."""

    page_shorter_than_n_chars: Count | None = None
    """The page's text is shorter than so many characters."""

    regexp_in_page: str | None = None
    """The page's content matches this regular expression."""

    regexp_in_page_mode: str | None = None
    """Flags for `regexp_in_page`, such as "i" to ignore case."""

    table_in_page: bool | None = None
    """The page holds a table."""

    text_in_page: str | None = None
    """The page's text or markdown contains this string."""

    trigger_mode: Literal["and", "or"] | None = None
    """Whether all triggers must match ("and", the service's default) or one will do ("or")."""
