"""The parameters of the first Parse API, which pipelines and beta batches have kept."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field

from llama_cloud_ext.wire.models.languages import ParsingLanguage
from llama_cloud_ext.wire.models.parse_groups import ImageCategory
from llama_cloud_ext.wire.models.strict import StrictModel
from llama_cloud_ext.wire.settings import Secret

ParseMode = Literal[
    "parse_document_with_agent",
    "parse_document_with_llm",
    "parse_document_with_lvm",
    "parse_page_with_agent",
    "parse_page_with_layout_agent",
    "parse_page_with_llm",
    "parse_page_with_lvm",
    "parse_page_without_llm",
]

PARSE_MODES = {
    "parse_page_without_llm": "fast",
    "parse_page_with_llm": "cost_effective",
    "parse_page_with_lvm": "agentic",
    "parse_page_with_agent": "agentic",
    "parse_page_with_layout_agent": "agentic_plus",
    "parse_document_with_llm": "cost_effective",
    "parse_document_with_lvm": "agentic",
    "parse_document_with_agent": "agentic_plus",
}
"""The tier that comes nearest to each `parse_mode`."""

# The APIs' names with capitals; the SDK's arguments for them have none.
_NAMES_ON_THE_WIRE = {"output_tables_as_html": "output_tables_as_HTML", "output_bucket": "outputBucket"}


def _named(name: str) -> Any:
    """An optional field that is read under both of its names."""
    return Field(default=None, validation_alias=AliasChoices(name, _NAMES_ON_THE_WIRE[name]))


class ParseParameters(StrictModel):
    """The parameters that pipelines and beta batches have in common.

    Both APIs have kept the names of the first Parse API; pages in `target_pages` count from 0 here. Which of them there
    are is the service's word, and so is what they do.
    """

    adaptive_long_table: bool | None = None
    aggressive_table_extraction: bool | None = None
    annotate_links: bool | None = None
    auto_mode: bool | None = None
    auto_mode_configuration_json: str | None = None
    auto_mode_trigger_on_image_in_page: bool | None = None
    auto_mode_trigger_on_regexp_in_page: str | None = None
    auto_mode_trigger_on_table_in_page: bool | None = None
    auto_mode_trigger_on_text_in_page: str | None = None
    azure_openai_api_version: str | None = None
    azure_openai_deployment_name: str | None = None
    azure_openai_endpoint: str | None = None
    azure_openai_key: Secret | None = None
    bbox_bottom: float | None = None
    bbox_left: float | None = None
    bbox_right: float | None = None
    bbox_top: float | None = None
    bounding_box: str | None = None
    compact_markdown_table: bool | None = None
    complemental_formatting_instruction: str | None = None
    content_guideline_instruction: str | None = None
    continuous_mode: bool | None = None
    disable_image_extraction: bool | None = None
    disable_ocr: bool | None = None
    disable_reconstruction: bool | None = None
    do_not_cache: bool | None = None
    do_not_unroll_columns: bool | None = None
    enable_cost_optimizer: bool | None = None
    extract_charts: bool | None = None
    extract_layout: bool | None = None
    extract_printed_page_number: bool | None = None
    fast_mode: bool | None = None
    formatting_instruction: str | None = None
    gpt4o_api_key: Secret | None = None
    gpt4o_mode: bool | None = None
    guess_xlsx_sheet_name: bool | None = None
    hide_footers: bool | None = None
    hide_headers: bool | None = None
    high_res_ocr: bool | None = None
    html_make_all_elements_visible: bool | None = None
    html_remove_fixed_elements: bool | None = None
    html_remove_navigation_elements: bool | None = None
    http_proxy: str | None = None
    ignore_document_elements_for_layout_detection: bool | None = None
    images_to_save: list[ImageCategory] | None = None
    inline_images_in_markdown: bool | None = None
    input_s3_path: str | None = None
    input_s3_region: str | None = None
    input_url: str | None = None
    internal_is_screenshot_job: bool | None = None
    invalidate_cache: bool | None = None
    is_formatting_instruction: bool | None = None
    job_timeout_extra_time_per_page_in_seconds: float | None = None
    job_timeout_in_seconds: float | None = None
    keep_page_separator_when_merging_tables: bool | None = None
    languages: list[ParsingLanguage] | None = None
    layout_aware: bool | None = None
    line_level_bounding_box: bool | None = None
    markdown_table_multiline_header_separator: str | None = None
    max_pages: int | None = None
    max_pages_enforced: int | None = None
    merge_tables_across_pages_in_markdown: bool | None = None
    model: str | None = None
    outlined_table_extraction: bool | None = None
    output_pdf_of_document: bool | None = None
    output_s3_path_prefix: str | None = None
    output_s3_region: str | None = None
    output_tables_as_html: bool | None = _named("output_tables_as_html")
    page_error_tolerance: float | None = None
    page_footer_prefix: str | None = None
    page_footer_suffix: str | None = None
    page_header_prefix: str | None = None
    page_header_suffix: str | None = None
    page_prefix: str | None = None
    page_separator: str | None = None
    page_suffix: str | None = None
    parse_mode: ParseMode | None = None
    parsing_instruction: str | None = None
    precise_bounding_box: bool | None = None
    premium_mode: bool | None = None
    presentation_out_of_bounds_content: bool | None = None
    presentation_skip_embedded_data: bool | None = None
    preserve_layout_alignment_across_pages: bool | None = None
    preserve_very_small_text: bool | None = None
    preset: str | None = None
    priority: Literal["low", "medium", "high", "critical"] | None = None
    project_id: str | None = None
    remove_hidden_text: bool | None = None
    replace_failed_page_mode: Literal["blank_page", "error_message", "raw_text"] | None = None
    replace_failed_page_with_error_message_prefix: str | None = None
    replace_failed_page_with_error_message_suffix: str | None = None
    save_images: bool | None = None
    skip_diagonal_text: bool | None = None
    specialized_chart_parsing_agentic: bool | None = None
    specialized_chart_parsing_efficient: bool | None = None
    specialized_chart_parsing_plus: bool | None = None
    specialized_image_parsing: bool | None = None
    spreadsheet_extract_sub_tables: bool | None = None
    spreadsheet_force_formula_computation: bool | None = None
    spreadsheet_include_hidden_sheets: bool | None = None
    strict_mode_buggy_font: bool | None = None
    strict_mode_image_extraction: bool | None = None
    strict_mode_image_ocr: bool | None = None
    strict_mode_reconstruction: bool | None = None
    structured_output: bool | None = None
    structured_output_json_schema: str | None = None
    structured_output_json_schema_name: str | None = None
    system_prompt: str | None = None
    system_prompt_append: str | None = None
    take_screenshot: bool | None = None
    target_pages: str | None = None
    tier: str | None = None
    use_vendor_multimodal_model: bool | None = None
    user_prompt: str | None = None
    vendor_multimodal_api_key: Secret | None = None
    vendor_multimodal_model_name: str | None = None
    version: str | None = None
    webhook_configurations: list[dict[str, Any]] | None = Field(default=None, repr=False)
    webhook_url: str | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire, under the API's names."""
        return {_NAMES_ON_THE_WIRE.get(name, name): value for name, value in super().to_body().items()}


class LlamaParseParameters(ParseParameters):
    """Parameters for parsing an index's files: `LlamaParseParameters` of the service's API.

    Example:
        >>> LlamaParseParameters(parse_mode="parse_page_with_agent", take_screenshot=True).to_body()
        {'parse_mode': 'parse_page_with_agent', 'take_screenshot': True}
    """

    annotate_line_numbers: bool | None = None
    annotate_revisions: bool | None = None
    confidence_score_effort: str | None = None


class BatchParseParameters(ParseParameters):
    """Parameters for parsing the files of a beta batch.

    Example:
        >>> BatchParseParameters(tier="agentic", target_pages="0-2").to_body()
        {'target_pages': '0-2', 'tier': 'agentic'}
    """

    custom_metadata: dict[str, Any] | None = None
    lang: str | None = None
    output_bucket: str | None = _named("output_bucket")
    pipeline_id: str | None = None
    resource_info: dict[str, Any] | None = None
    type: Literal["parse"] | None = None
