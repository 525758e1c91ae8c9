"""The parameters of the older parse API, as the parse engine's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.wire.models.older_parse_parameters import PARSE_MODES

_TABLES = "output_options.markdown.tables"
_FAILURES = "processing_control.job_failure_conditions"
_HOMES = {
    "aggressive_table_extraction": "processing_options.aggressive_table_extraction",
    "annotate_links": "output_options.markdown.annotate_links",
    "compact_markdown_table": f"{_TABLES}.compact_markdown_tables",
    "disable_ocr": "processing_options.ignore.ignore_text_in_image",
    "do_not_unroll_columns": "output_options.spatial_text.do_not_unroll_columns",
    "extract_printed_page_number": "output_options.extract_printed_page_number",
    "html_make_all_elements_visible": "input_options.html.make_all_elements_visible",
    "html_remove_fixed_elements": "input_options.html.remove_fixed_elements",
    "html_remove_navigation_elements": "input_options.html.remove_navigation_elements",
    "inline_images_in_markdown": "output_options.markdown.inline_images",
    "markdown_table_multiline_header_separator": f"{_TABLES}.markdown_table_multiline_separator",
    "merge_tables_across_pages_in_markdown": f"{_TABLES}.merge_continued_tables",
    "output_pdf_of_document": "output_options.save_output_pdf",
    "page_error_tolerance": f"{_FAILURES}.allowed_page_failure_ratio",
    "presentation_out_of_bounds_content": "input_options.presentation.out_of_bounds_content",
    "presentation_skip_embedded_data": "input_options.presentation.skip_embedded_data",
    "preserve_layout_alignment_across_pages": "output_options.spatial_text.preserve_layout_alignment_across_pages",
    "preserve_very_small_text": "output_options.spatial_text.preserve_very_small_text",
    "remove_hidden_text": "processing_options.ignore.ignore_hidden_text",
    "skip_diagonal_text": "processing_options.ignore.ignore_diagonal_text",
    "spreadsheet_extract_sub_tables": "input_options.spreadsheet.detect_sub_tables_in_sheets",
    "spreadsheet_force_formula_computation": "input_options.spreadsheet.force_formula_computation_in_sheets",
    "spreadsheet_include_hidden_sheets": "input_options.spreadsheet.include_hidden_sheets",
    "strict_mode_buggy_font": f"{_FAILURES}.fail_on_buggy_font",
    "strict_mode_image_extraction": f"{_FAILURES}.fail_on_image_extraction_error",
    "strict_mode_image_ocr": f"{_FAILURES}.fail_on_image_ocr_error",
    "strict_mode_reconstruction": f"{_FAILURES}.fail_on_markdown_reconstruction_error",
}
"""Where the engine has what is given as it is. With each result it tells which of its options did nothing."""

_EDGES = {"bbox_top": "top", "bbox_left": "left", "bbox_right": "right", "bbox_bottom": "bottom"}
_READ_HERE = frozenset(
    {
        *_HOMES,
        *_EDGES,
        "disable_image_extraction",
        "do_not_cache",
        "fast_mode",
        "images_to_save",
        "invalidate_cache",
        "lang",
        "languages",
        "max_pages",
        "output_tables_as_HTML",
        "parse_mode",
        "premium_mode",
        "save_images",
        "take_screenshot",
        "target_pages",
        "tier",
        "type",
    }
)


def configuration_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parse engine's configuration for parameters of the older parse API, which count pages from 0.

    Args:
        parameters: The parameters.

    Example:
        >>> configuration_of({"target_pages": "0", "tier": "fast"})
        {'tier': 'fast', 'version': 'latest', 'page_ranges': {'target_pages': '1'}}
        >>> configuration_of({"bbox_bottom": 0.1})["crop_box"]
        {'bottom': 0.9}
    """
    found: dict[str, Any] = {"tier": _tier(parameters), "version": "latest"}
    if target := parameters.get("target_pages"):
        _put(found, "page_ranges.target_pages", ",".join(_from_one(part) for part in str(target).split(",")))
    if most := parameters.get("max_pages"):
        _put(found, "page_ranges.max_pages", most)
    for name, home in _HOMES.items():
        if (value := parameters.get(name)) is not None:
            _put(found, home, value)
    for name, edge in _EDGES.items():
        if margin := parameters.get(name):
            # A margin then, and now the distance from the top or the left.
            _put(found, f"crop_box.{edge}", round(1 - margin, 6) if edge in ("right", "bottom") else margin)
    if parameters.get("output_tables_as_HTML"):
        _put(found, f"{_TABLES}.output_tables_as_markdown", False)
    if parameters.get("do_not_cache") or parameters.get("invalidate_cache"):
        found["disable_cache"] = True
    if languages := parameters.get("languages") or ([lang] if (lang := parameters.get("lang")) else None):
        _put(found, "processing_options.ocr_parameters.languages", languages)
    if (images := _images(parameters)) is not None:
        _put(found, "output_options.images_to_save", images)
    return found


def without_effect(parameters: Mapping[str, Any]) -> list[str]:
    """The parameters that are set and that nothing here reads, sorted.

    Args:
        parameters: The parameters.

    Example:
        >>> without_effect({"tier": "fast", "system_prompt": "Be brief.", "high_res_ocr": False})
        ['system_prompt']
    """
    return sorted(name for name, value in parameters.items() if value and name not in _READ_HERE)


def _tier(parameters: Mapping[str, Any]) -> str:
    if tier := parameters.get("tier"):
        return str(tier)
    if mode := parameters.get("parse_mode"):
        return PARSE_MODES.get(mode, "agentic")
    return "fast" if parameters.get("fast_mode") else "agentic_plus" if parameters.get("premium_mode") else "agentic"


def _images(parameters: Mapping[str, Any]) -> list[str] | None:
    """The images that are kept; None where nothing is said of them."""
    named = parameters.get("images_to_save")
    if named is None and not any(parameters.get(name) for name in ("save_images", "take_screenshot")):
        return [] if parameters.get("disable_image_extraction") else None
    images = list(named or ())
    if parameters.get("save_images"):
        images.append("embedded")
    if parameters.get("take_screenshot"):
        images.append("screenshot")
    return list(dict.fromkeys(images))


def _put(configuration: dict[str, Any], path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        configuration = configuration.setdefault(group, {})
    configuration[name] = value


def _from_one(pages: str) -> str:
    """A page or a range of pages, counted from 0, as it is counted from 1.

    Example:
        >>> _from_one("0"), _from_one("2-4")
        ('1', '3-5')
    """
    return "-".join(str(int(number) + 1) if number.strip().isdecimal() else number for number in pages.split("-"))
