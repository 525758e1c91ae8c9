"""The new places of v1's settings."""

from __future__ import annotations

import re
import typing
from typing import get_args

import pytest
from pydantic import BaseModel

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.legacy_options import (
    LEGACY_OPTIONS,
    SAME_NAMES,
    explain_unknown_option,
)
from llama_cloud_ext.parse.options import ParseOptions
from llama_cloud_ext.wire.models.older_parse_parameters import PARSE_MODES
from llama_cloud_ext.wire.models.parse_configuration import ParseConfiguration
from llama_cloud_ext.wire.models.parse_groups import Tier

V1_SETTINGS = re.findall(
    r"\w+",
    """
adaptive_long_table aggressive_table_extraction annotate_links api_key auto_mode auto_mode_configuration_json
auto_mode_trigger_on_image_in_page auto_mode_trigger_on_regexp_in_page auto_mode_trigger_on_table_in_page
auto_mode_trigger_on_text_in_page azure_openai_api_version azure_openai_deployment_name azure_openai_endpoint
azure_openai_key backoff_pattern base_url bbox_bottom bbox_left bbox_right bbox_top bounding_box check_for_updates
check_interval compact_markdown_table complemental_formatting_instruction content_guideline_instruction
continuous_mode custom_client disable_image_extraction disable_ocr do_not_cache do_not_unroll_columns extract_charts
extract_layout extract_printed_page_number fast_mode formatting_instruction gpt4o_api_key gpt4o_mode
guess_xlsx_sheet_name hide_footers hide_headers high_res_ocr html_make_all_elements_visible
html_remove_fixed_elements html_remove_navigation_elements http_proxy ignore_document_elements_for_layout_detection
ignore_errors inline_images_in_markdown input_s3_region invalidate_cache is_formatting_instruction
job_timeout_extra_time_per_page_in_seconds job_timeout_in_seconds keep_page_separator_when_merging_tables language
line_level_bounding_box markdown_table_multiline_header_separator max_check_interval max_pages max_timeout
merge_tables_across_pages_in_markdown model num_workers organization_id outlined_table_extraction
output_pdf_of_document output_s3_path_prefix output_s3_region output_tables_as_HTML page_error_tolerance
page_footer_prefix page_footer_suffix page_header_prefix page_header_suffix page_prefix page_separator page_suffix
parse_mode parsing_instruction partition_pages precise_bounding_box premium_mode presentation_out_of_bounds_content
preserve_layout_alignment_across_pages preserve_very_small_text preset project_id remove_hidden_text
replace_failed_page_mode replace_failed_page_with_error_message_prefix replace_failed_page_with_error_message_suffix
result_type save_images show_progress skip_diagonal_text specialized_chart_parsing_agentic
specialized_chart_parsing_efficient specialized_chart_parsing_plus specialized_image_parsing split_by_page
spreadsheet_extract_sub_tables spreadsheet_force_formula_computation strict_mode_buggy_font
strict_mode_image_extraction strict_mode_image_ocr strict_mode_reconstruction structured_output
structured_output_json_schema structured_output_json_schema_name system_prompt system_prompt_append take_screenshot
target_pages tier use_vendor_multimodal_model user_prompt vendor_multimodal_api_key vendor_multimodal_model_name
verbose version webhook_url
""",
)
"""Every field of v1's LlamaParse class, as of its last release."""

OF_THE_READER = {"on_error", "job_timeout", "transport"}
"""New places that are no parse options but settings of the reader around them."""


def group_in(annotation: object) -> type[BaseModel] | None:
    """The model that an optional, possibly listed, group consists of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((group for part in get_args(annotation) if (group := group_in(part))), None)


def test_every_setting_of_v1_is_accounted_for() -> None:
    """Ensure no setting of v1 gets a bare "unknown option"."""
    assert len(V1_SETTINGS) == 123
    assert set(V1_SETTINGS) <= LEGACY_OPTIONS.keys() | SAME_NAMES
    assert not LEGACY_OPTIONS.keys() & SAME_NAMES


def test_names_that_stayed_are_options_of_the_reader() -> None:
    """Ensure what is said to have kept its name, or to be a setting of the reader, is one."""
    from llama_cloud_ext import LlamaParseReader

    assert LlamaParseReader.model_fields.keys() >= SAME_NAMES | OF_THE_READER
    assert not LEGACY_OPTIONS.keys() & LlamaParseReader.model_fields.keys()


@pytest.mark.parametrize("name", sorted(LEGACY_OPTIONS))
def test_new_places_exist(name: str) -> None:
    """Ensure each new place is an option that there is, and each setting without one says why."""
    option = LEGACY_OPTIONS[name]
    assert name not in ParseOptions.model_fields
    if option.home is None:
        assert option.note
        return
    first, *rest = option.home.split(".")
    assert first in ParseOptions.model_fields.keys() | OF_THE_READER
    model: type[BaseModel] = ParseConfiguration
    for step, following in zip([first, *rest], rest, strict=False):
        group = group_in(model.model_fields[step].annotation)
        assert group is not None
        assert following in group.model_fields
        model = group


@pytest.mark.parametrize("name", sorted(LEGACY_OPTIONS))
def test_using_one_names_its_new_place(name: str) -> None:
    """Ensure a v1 setting raises before anything is sent, and the error says where it went."""
    with pytest.raises(ConfigurationError) as raised:
        ParseOptions(**{name: True})
    text = str(raised.value)
    assert name in text
    assert "v1" in text
    assert (LEGACY_OPTIONS[name].home or LEGACY_OPTIONS[name].note) in text


def test_parse_modes_name_tiers() -> None:
    """Ensure every parse mode of v1 has a tier, and the error tells them all."""
    assert set(PARSE_MODES.values()) <= set(typing.get_args(Tier))
    with pytest.raises(ConfigurationError) as raised:
        ParseOptions(parse_mode="parse_page_with_agent")  # type: ignore[call-arg]
    for mode, tier in PARSE_MODES.items():
        assert f"{mode} is now {tier}" in str(raised.value)


def test_explains_what_is_no_setting_of_v1() -> None:
    """Ensure a typing error gets the nearest option, and nonsense the list of options."""
    assert "did you mean 'tier'?" in explain_unknown_option("teir", ["tier", "version"])
    assert "known here: tier, version" in explain_unknown_option("zzzzzz", ["version", "tier"])
