"""The parameters of the older parse API, as the local engine reads them."""

from __future__ import annotations

from typing import Any

import pytest

from llama_cloud_ext.local.older_parameters import _HOMES, _READ_HERE, configuration_of, without_effect
from llama_cloud_ext.wire.models.older_parse_parameters import PARSE_MODES, BatchParseParameters
from llama_cloud_ext.wire.models.parse_configuration import ParseConfiguration


@pytest.mark.parametrize(
    ("parameters", "configuration"),
    [
        ({}, {"tier": "agentic"}),
        ({"fast_mode": True}, {"tier": "fast"}),
        ({"premium_mode": True}, {"tier": "agentic_plus"}),
        ({"fast_mode": True, "parse_mode": "parse_page_with_llm"}, {"tier": "cost_effective"}),
        ({"tier": "fast", "premium_mode": True}, {"tier": "fast"}),
        ({"target_pages": "0,2-4", "max_pages": 3}, {"page_ranges": {"target_pages": "1,3-5", "max_pages": 3}}),
        ({"max_pages": 0}, {}),
        ({"bbox_top": 0.1, "bbox_right": 0.2, "bbox_left": 0}, {"crop_box": {"top": 0.1, "right": 0.8}}),
        ({"lang": "de"}, {"processing_options": {"ocr_parameters": {"languages": ["de"]}}}),
        ({"lang": "de", "languages": ["fr"]}, {"processing_options": {"ocr_parameters": {"languages": ["fr"]}}}),
        ({"invalidate_cache": True}, {"disable_cache": True}),
        (
            {"output_tables_as_HTML": True, "annotate_links": True},
            {"output_options": {"markdown": {"annotate_links": True, "tables": {"output_tables_as_markdown": False}}}},
        ),
        ({"disable_image_extraction": True}, {"output_options": {"images_to_save": []}}),
        (
            {"images_to_save": ["layout"], "take_screenshot": True, "save_images": True},
            {"output_options": {"images_to_save": ["layout", "embedded", "screenshot"]}},
        ),
        (
            {"page_error_tolerance": 0.2, "system_prompt": "Be brief."},
            {"processing_control": {"job_failure_conditions": {"allowed_page_failure_ratio": 0.2}}},
        ),
    ],
)
def test_parameters_become_a_configuration(parameters: dict[str, Any], configuration: dict[str, Any]) -> None:
    """Ensure each parameter gets where the engine looks for it, and the result is a configuration."""
    found = configuration_of(BatchParseParameters(**parameters).to_body())
    assert found == {"tier": "agentic", "version": "latest"} | configuration
    ParseConfiguration(**found)


def test_every_home_exists() -> None:
    """Ensure what is passed on as it is has a name that the engine's configuration knows, and a known one before."""
    ratios = {"page_error_tolerance": 0.5, "markdown_table_multiline_header_separator": " "}
    ParseConfiguration(**configuration_of({name: ratios.get(name, True) for name in _HOMES}))
    assert set(BatchParseParameters.model_fields) | {"output_tables_as_HTML"} >= _READ_HERE
    for mode, tier in PARSE_MODES.items():
        assert configuration_of({"parse_mode": mode})["tier"] == tier


def test_what_does_nothing_is_named() -> None:
    """Ensure parameters that are set and not read are named, and none that are read or off."""
    given = {"tier": "fast", "system_prompt": "Be brief.", "auto_mode": True, "high_res_ocr": False}
    assert without_effect(given) == ["auto_mode", "system_prompt"]
