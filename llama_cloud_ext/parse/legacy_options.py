"""What became of the settings of v1's `LlamaParse`, for the error that names the new place.

From the migration guide, https://developers.llamaindex.ai/llamaparse/parse/guides/migration-v1-to-v2/, and the
option descriptions of both versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from llama_cloud_ext.wire.models.older_parse_parameters import PARSE_MODES
from llama_cloud_ext.wire.models.strict import explain_unknown_name

ALWAYS_ON = "always on in v2; leave it out"
TIER_DECIDES = "the tier decides in v2"


class LegacyOption(NamedTuple):
    """The new place of a v1 setting.

    Attributes:
        home: The option to use instead, dotted where it is in a group; None when there is none.
        note: What differs, or what v2 does instead.
    """

    home: str | None
    note: str = ""


_PROMPT = "agentic_options.custom_prompt"
_AUTO = "processing_options.auto_mode_configuration"
_FAILURES = "processing_control.job_failure_conditions"
_TIMEOUTS = "processing_control.timeouts"
_TABLES = "output_options.markdown.tables"
_OCR = "processing_options.ocr_parameters.languages"
_EXTRACT = "extraction by a schema is LlamaCloud's Extract, not a parse option"
_PAGES = "v2 gives each page by itself: join `result.pages` as you like"
_HEADERS = "v2 keeps running headers and footers apart from the page: see page.header and page.footer"
_HEURISTIC = "on by default in v2; processing_options.disable_heuristics turns it off"
_S3 = "v2 takes a file or a URL: pass an s3:// path as the file, or a presigned address"

LEGACY_OPTIONS: dict[str, LegacyOption] = {
    "adaptive_long_table": LegacyOption(None, _HEURISTIC),
    "aggressive_table_extraction": LegacyOption("processing_options.aggressive_table_extraction"),
    "annotate_links": LegacyOption("output_options.markdown.annotate_links"),
    "auto_mode": LegacyOption(_AUTO, "a list of rules turns it on"),
    "auto_mode_configuration_json": LegacyOption(_AUTO, "a list of dicts instead of JSON text"),
    "auto_mode_trigger_on_image_in_page": LegacyOption(_AUTO, "image_in_page=True in a rule"),
    "auto_mode_trigger_on_regexp_in_page": LegacyOption(_AUTO, "regexp_in_page=… in a rule"),
    "auto_mode_trigger_on_table_in_page": LegacyOption(_AUTO, "table_in_page=True in a rule"),
    "auto_mode_trigger_on_text_in_page": LegacyOption(_AUTO, "text_in_page=… in a rule"),
    "azure_openai_api_version": LegacyOption("tier", TIER_DECIDES),
    "azure_openai_deployment_name": LegacyOption("tier", TIER_DECIDES),
    "azure_openai_endpoint": LegacyOption("tier", TIER_DECIDES),
    "azure_openai_key": LegacyOption("tier", TIER_DECIDES),
    "backoff_pattern": LegacyOption(None, "the waits between looks adapt to each job by themselves"),
    "bbox_bottom": LegacyOption("crop_box.bottom", "measured from the top edge now: 1 - the v1 margin"),
    "bbox_left": LegacyOption("crop_box.left"),
    "bbox_right": LegacyOption("crop_box.right", "measured from the left edge now: 1 - the v1 margin"),
    "bbox_top": LegacyOption("crop_box.top"),
    "bounding_box": LegacyOption("crop_box", "a group of four edges instead of a string of margins"),
    "check_for_updates": LegacyOption(None, "this package asks nobody about updates"),
    "check_interval": LegacyOption(None, "the waits between looks adapt to each job by themselves"),
    "compact_markdown_table": LegacyOption(f"{_TABLES}.compact_markdown_tables"),
    "complemental_formatting_instruction": LegacyOption(_PROMPT),
    "content_guideline_instruction": LegacyOption(_PROMPT),
    "continuous_mode": LegacyOption(f"{_TABLES}.merge_continued_tables", "for tables that run over pages"),
    "custom_client": LegacyOption("transport", "an httpx transport; see also verify, proxy and headers"),
    "disable_image_extraction": LegacyOption("output_options.images_to_save", "[] keeps no images"),
    "disable_ocr": LegacyOption("processing_options.ignore.ignore_text_in_image"),
    "do_not_cache": LegacyOption("disable_cache"),
    "do_not_unroll_columns": LegacyOption("output_options.spatial_text.do_not_unroll_columns"),
    "extract_charts": LegacyOption("processing_options.specialized_chart_parsing", '"efficient" or higher'),
    "extract_layout": LegacyOption(None, f"{ALWAYS_ON}: items carry their boxes"),
    "extract_printed_page_number": LegacyOption("output_options.extract_printed_page_number"),
    "fast_mode": LegacyOption("tier", 'tier="fast"'),
    "formatting_instruction": LegacyOption(_PROMPT),
    "gpt4o_api_key": LegacyOption("tier", TIER_DECIDES),
    "gpt4o_mode": LegacyOption("tier", TIER_DECIDES),
    "guess_xlsx_sheet_name": LegacyOption("output_options.tables_as_spreadsheet.guess_sheet_name"),
    "hide_footers": LegacyOption(None, _HEADERS),
    "hide_headers": LegacyOption(None, _HEADERS),
    "high_res_ocr": LegacyOption(None, ALWAYS_ON),
    "html_make_all_elements_visible": LegacyOption("input_options.html.make_all_elements_visible"),
    "html_remove_fixed_elements": LegacyOption("input_options.html.remove_fixed_elements"),
    "html_remove_navigation_elements": LegacyOption("input_options.html.remove_navigation_elements"),
    "ignore_document_elements_for_layout_detection": LegacyOption(None, TIER_DECIDES),
    "ignore_errors": LegacyOption("on_error", 'on_error="skip" keeps a record of each failure'),
    "inline_images_in_markdown": LegacyOption("output_options.markdown.inline_images"),
    "input_s3_path": LegacyOption(None, _S3),
    "input_s3_region": LegacyOption(None, _S3),
    "input_url": LegacyOption(None, "pass the URL as the file; it is sent as source_url"),
    "invalidate_cache": LegacyOption("disable_cache"),
    "is_formatting_instruction": LegacyOption(_PROMPT, "say in the prompt what may change"),
    "job_timeout_extra_time_per_page_in_seconds": LegacyOption(f"{_TIMEOUTS}.extra_time_per_page_in_seconds"),
    "job_timeout_in_seconds": LegacyOption(f"{_TIMEOUTS}.base_in_seconds"),
    "keep_page_separator_when_merging_tables": LegacyOption(None, "v2 decides how pages join where a table runs on"),
    "language": LegacyOption(_OCR, "a list; the shortcut is languages=[…]"),
    "line_level_bounding_box": LegacyOption("output_options.granular_bboxes", '["line"]'),
    "markdown_table_multiline_header_separator": LegacyOption(f"{_TABLES}.markdown_table_multiline_separator"),
    "max_check_interval": LegacyOption(None, "the waits between looks adapt to each job by themselves"),
    "max_timeout": LegacyOption("job_timeout", "seconds for the whole job"),
    "merge_tables_across_pages_in_markdown": LegacyOption(f"{_TABLES}.merge_continued_tables"),
    "model": LegacyOption("tier", TIER_DECIDES),
    "outlined_table_extraction": LegacyOption(
        None, f"{ALWAYS_ON} (processing_options.disable_heuristics turns it off)"
    ),
    "output_pdf_of_document": LegacyOption("output_options.save_output_pdf"),
    "output_s3_path_prefix": LegacyOption(None, "v2 does not write to buckets: save the result yourself"),
    "output_s3_region": LegacyOption(None, "v2 does not write to buckets: save the result yourself"),
    "output_tables_as_HTML": LegacyOption(
        f"{_TABLES}.output_tables_as_markdown", "the other way round: HTML unless this is True"
    ),
    "page_error_tolerance": LegacyOption(f"{_FAILURES}.allowed_page_failure_ratio"),
    "page_footer_prefix": LegacyOption(None, _HEADERS),
    "page_footer_suffix": LegacyOption(None, _HEADERS),
    "page_header_prefix": LegacyOption(None, _HEADERS),
    "page_header_suffix": LegacyOption(None, _HEADERS),
    "page_prefix": LegacyOption(None, _PAGES),
    "page_separator": LegacyOption(None, _PAGES),
    "page_suffix": LegacyOption(None, _PAGES),
    "parse_mode": LegacyOption("tier", ", ".join(f"{mode} is now {tier}" for mode, tier in PARSE_MODES.items())),
    "parsing_instruction": LegacyOption(_PROMPT, "the shortcut is custom_prompt=…"),
    "precise_bounding_box": LegacyOption(None, ALWAYS_ON),
    "premium_mode": LegacyOption("tier", 'tier="agentic_plus"'),
    "presentation_out_of_bounds_content": LegacyOption("input_options.presentation.out_of_bounds_content"),
    "presentation_skip_embedded_data": LegacyOption("input_options.presentation.skip_embedded_data"),
    "preserve_layout_alignment_across_pages": LegacyOption(
        "output_options.spatial_text.preserve_layout_alignment_across_pages"
    ),
    "preserve_very_small_text": LegacyOption("output_options.spatial_text.preserve_very_small_text"),
    "preset": LegacyOption("tier", "or configuration_id for a configuration saved with the service"),
    "remove_hidden_text": LegacyOption("processing_options.ignore.ignore_hidden_text"),
    "replace_failed_page_mode": LegacyOption(None, "failed pages are kept with their reason: see page.error"),
    "replace_failed_page_with_error_message_prefix": LegacyOption(
        None, "failed pages are kept with their reason: see page.error"
    ),
    "replace_failed_page_with_error_message_suffix": LegacyOption(
        None, "failed pages are kept with their reason: see page.error"
    ),
    "save_images": LegacyOption("output_options.images_to_save", 'the shortcut is images=["embedded"]'),
    "skip_diagonal_text": LegacyOption("processing_options.ignore.ignore_diagonal_text"),
    "specialized_chart_parsing_agentic": LegacyOption("processing_options.specialized_chart_parsing", '"agentic"'),
    "specialized_chart_parsing_efficient": LegacyOption("processing_options.specialized_chart_parsing", '"efficient"'),
    "specialized_chart_parsing_plus": LegacyOption("processing_options.specialized_chart_parsing", '"agentic_plus"'),
    "specialized_image_parsing": LegacyOption("tier", TIER_DECIDES),
    "spreadsheet_extract_sub_tables": LegacyOption("input_options.spreadsheet.detect_sub_tables_in_sheets"),
    "spreadsheet_force_formula_computation": LegacyOption(
        "input_options.spreadsheet.force_formula_computation_in_sheets"
    ),
    "strict_mode_buggy_font": LegacyOption(f"{_FAILURES}.fail_on_buggy_font"),
    "strict_mode_image_extraction": LegacyOption(f"{_FAILURES}.fail_on_image_extraction_error"),
    "strict_mode_image_ocr": LegacyOption(f"{_FAILURES}.fail_on_image_ocr_error"),
    "strict_mode_reconstruction": LegacyOption(f"{_FAILURES}.fail_on_markdown_reconstruction_error"),
    "structured_output": LegacyOption(None, _EXTRACT),
    "structured_output_json_schema": LegacyOption(None, _EXTRACT),
    "structured_output_json_schema_name": LegacyOption(None, _EXTRACT),
    "system_prompt": LegacyOption(_PROMPT),
    "system_prompt_append": LegacyOption(_PROMPT),
    "take_screenshot": LegacyOption("output_options.images_to_save", 'the shortcut is images=["screenshot"]'),
    "use_vendor_multimodal_model": LegacyOption("tier", TIER_DECIDES),
    "user_prompt": LegacyOption(_PROMPT),
    "vendor_multimodal_api_key": LegacyOption("tier", TIER_DECIDES),
    "vendor_multimodal_model_name": LegacyOption("tier", TIER_DECIDES),
    "verbose": LegacyOption(None, "use show_progress, and the standard logging module"),
    "webhook_url": LegacyOption(
        "webhook_configurations", '[{"webhook_url": …}]; it is told of events now, not sent the result'
    ),
}
"""Every setting of v1 whose name is no option any more."""

SAME_NAMES = frozenset(
    {
        "api_key",
        "base_url",
        "http_proxy",
        "max_pages",
        "num_workers",
        "organization_id",
        "partition_pages",
        "project_id",
        "result_type",
        "show_progress",
        "split_by_page",
        "target_pages",
        "tier",
        "version",
    }
)
"""Settings of v1 that are options here under their old name. `target_pages` counted from 0 there, from 1 here."""


def explain_unknown_option(name: str, known: Iterable[str]) -> str:
    """What to say of an option that does not exist.

    Args:
        name: What was written.
        known: The options that exist.

    Returns:
        A sentence with the new place of a v1 setting, or else the nearest option.

    Example:
        >>> explain_unknown_option("skip_diagonal_text", ["tier"])
        'was a setting of v1; use processing_options.ignore.ignore_diagonal_text now'
        >>> explain_unknown_option("teir", ["tier", "version"])
        "unknown option; did you mean 'tier'?"
    """
    legacy = LEGACY_OPTIONS.get(name)
    if legacy is None:
        return explain_unknown_name(name, known)
    if legacy.home is None:
        return f"was a setting of v1; {legacy.note}"
    note = f" ({legacy.note})" if legacy.note else ""
    return f"was a setting of v1; use {legacy.home} now{note}"
