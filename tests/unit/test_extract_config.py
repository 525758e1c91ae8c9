"""The settings of an extraction: each reaches the body, old names lead to new ones, contradictions say the way out."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from llama_cloud_ext import ChunkMode, ConfigurationError, ExtractConfig, ExtractMode, ExtractTarget
from llama_cloud_ext.extract import legacy_config
from llama_cloud_ext.extract.legacy_config import LEGACY_NAMES

SPECIAL: dict[str, list[Any]] = {
    "version": ["latest", "2.0", "2", "2026-11-25"],
    "target_pages": ["1", "1-3,7", " 2 - 4 , 9 "],
    "system_prompt": ["", "Heed the footnotes."],
    "parse_config_id": ["cfg-1"],
    "max_pages": [1, 10_000],
    "sheet_names": [[], ["Sheet 1", "ä"]],
}
COMPANIONS: dict[str, dict[str, Any]] = {"sheet_names": {"spreadsheet_mode": True}}


@pytest.fixture(autouse=True)
def _warn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test hears of old names, which are told once a program."""
    monkeypatch.setattr(legacy_config, "_warned", set())


def values(name: str) -> list[Any]:
    """Values of a setting, those among them that are false in Python."""
    if name in SPECIAL:
        return SPECIAL[name]
    kinds = [kind for kind in get_args(ExtractConfig.model_fields[name].annotation) if kind is not type(None)]
    (kind,) = kinds
    return list(get_args(kind)) if get_origin(kind) is Literal else {bool: [True, False]}[kind]


CASES = [(name, value) for name in ExtractConfig.model_fields for value in values(name)]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_every_setting_reaches_the_body(name: str, value: Any) -> None:
    """Ensure each setting, with each of its values, is sent as given, from every form that it may be given in."""
    given = {name: value, **COMPANIONS.get(name, {})}
    config = ExtractConfig(**given)
    assert config.to_body() == given
    assert ExtractConfig.of(given) == config
    assert ExtractConfig.of(config) is config
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


def test_what_is_left_out_is_not_sent() -> None:
    """Ensure the service decides on everything that nobody set."""
    assert ExtractConfig().to_body() == ExtractConfig.of(None).to_body() == {}
    assert ExtractConfig.of({"tier": None}).to_body() == {}


def test_objects_of_the_sdks_are_taken() -> None:
    """Ensure a Pydantic object with the same fields is a configuration, enums among its values."""

    class Theirs(BaseModel):
        extraction_target: ExtractTarget = ExtractTarget.PER_PAGE
        cite_sources: bool = False
        page_range: str | None = None

    assert ExtractConfig.of(Theirs()).to_body() == {"extraction_target": "per_page", "cite_sources": False}


OLD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"extraction_mode": "FAST"}, {"tier": "cost_effective", "parse_tier": "fast"}, "tier="),
    ({"extraction_mode": ExtractMode.BALANCED}, {"tier": "cost_effective"}, "tier="),
    ({"extraction_mode": "multimodal"}, {"tier": "agentic"}, "tier="),
    ({"extraction_mode": ExtractMode.PREMIUM}, {"tier": "agentic", "parse_tier": "agentic_plus"}, "tier="),
    ({"page_range": "1-5"}, {"target_pages": "1-5"}, "target_pages="),
    ({"invalidate_cache": False}, {"disable_cache": False}, "disable_cache="),
    ({"citation_bbox": True}, {"cite_sources": True}, "cite_sources="),
    ({"extraction_target": "PER_PAGE"}, {"extraction_target": "per_page"}, "per_page"),
    ({"chunk_mode": ChunkMode.SECTION}, {}, "v2 has no such setting"),
    *(
        ({name: True}, {}, "v2 has no such setting")
        for name in ("use_reasoning", "high_resolution_mode", "multimodal_fast_mode", "num_pages_context")
    ),
    *(({name: "x"}, {}, "v2 has no such setting") for name in ("extract_model", "parse_model", "priority")),
]


@pytest.mark.parametrize(("old", "new", "advice"), OLD, ids=[str(next(iter(old))) for old, _, _ in OLD])
def test_old_names_lead_to_new_ones(old: dict[str, Any], new: dict[str, Any], advice: str) -> None:
    """Ensure a setting of v1 becomes v2's, with one warning a program that says what to write."""
    with pytest.warns(FutureWarning, match=advice) as told:
        assert ExtractConfig(**old).to_body() == new
    assert len(told) == 1
    assert next(iter(old)) in str(told[0].message)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ExtractConfig(**old).to_body() == new
        ExtractConfig(**dict.fromkeys(old))


def test_all_old_names_are_tried() -> None:
    """Ensure the list above has every name of v1 that is known."""
    assert {name for old, _, _ in OLD for name in old} - {"extraction_target"} == LEGACY_NAMES


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"extraction_target": "per_page", "tier": "agentic_plus"}, "tier='agentic'"),
    ({"extraction_target": "per_table_row", "tier": "turbo"}, "tier='agentic'"),
    ({"extraction_target": "per_page", "version": "2.1"}, "version='2.0'"),
    ({"extraction_target": "per_page", "version": "latest"}, "version='2.0'"),
    ({"tier": "turbo", "parse_tier": "fast"}, "leave it out"),
    ({"tier": "turbo", "parse_config_id": "cfg-1"}, "leave it out"),
    ({"parse_tier": "fast", "parse_config_id": "cfg-1"}, "leave one out"),
    ({"spreadsheet_mode": True, "tier": "agentic"}, "agentic_plus"),
    ({"spreadsheet_mode": True, "cite_sources": True}, "leave out cite_sources"),
    ({"spreadsheet_mode": True, "confidence_scores": True}, "leave out confidence_scores"),
    ({"sheet_names": ["a"]}, "spreadsheet_mode=True"),
    ({"advanced_citations": True, "cite_sources": False}, "cite_sources=True"),
    ({"version": "newest"}, "latest"),
    ({"target_pages": "0-3"}, "from 1"),
    ({"target_pages": "1;2"}, "'1-3,7'"),
    ({"max_pages": 0}, "max_pages"),
    ({"tier": "agentik"}, "agentic"),
    ({"cite_source": True}, "cite_sources"),
    ({"extraction_mode": "FASTER"}, "FAST"),
    ({"extraction_mode": "PREMIUM", "tier": "turbo"}, "Keep tier alone"),
    ({"page_range": "1", "target_pages": "2"}, "Keep target_pages alone"),
]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("given", "way_out"), CONTRADICTIONS)
def test_what_cannot_be_says_the_way_out(given: dict[str, Any], way_out: str) -> None:
    """Ensure wrong and contradicting settings raise, each naming itself and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        ExtractConfig(**given)
    assert way_out in str(caught.value)
    with pytest.raises(ConfigurationError):
        ExtractConfig.of(given)


def test_what_only_looks_contradictory_is_taken() -> None:
    """Ensure neighbours of the contradictions work."""
    for given in (
        {"extraction_target": "per_doc", "tier": "agentic_plus", "version": "latest"},
        {"extraction_target": "per_page", "version": "2.0", "tier": "cost_effective"},
        {"extraction_target": "per_page", "version": "2025-01-01"},
        {"spreadsheet_mode": True, "tier": "agentic_plus", "cite_sources": False},
        {"spreadsheet_mode": False, "tier": "turbo"},
    ):
        assert ExtractConfig(**given).to_body() == given
