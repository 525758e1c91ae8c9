"""The options of a parse job: every one of them reaches the request, and wrong ones raise before it."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, SecretStr

from llama_cloud_ext.errors import ConfigurationError, LlamaCloudError
from llama_cloud_ext.parse.options import SHORTCUTS, ParseOptions
from llama_cloud_ext.wire.models.parse_configuration import (
    RECOVERY_KEY,
    ParseConfiguration,
)
from llama_cloud_ext.wire.models.parse_groups import AgenticOptions, CropBox, OutputOptions
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration

SDK_FIELDS = json.loads((Path(__file__).parents[1] / "contract/data/parse_create_fields.json").read_text())["fields"]

Step = str | int
"""A field's name, or 0 for the first element of a list."""


def choices(annotation: Any) -> list[Any]:
    """The types that an annotation allows, without None, and without pydantic's constraints."""
    if hasattr(annotation, "__metadata__"):
        return choices(get_args(annotation)[0])
    parts = get_args(annotation) if type(None) in get_args(annotation) or "Union" in type(annotation).__name__ else ()
    return [choice for part in parts if part is not type(None) for choice in choices(part)] or [annotation]


def is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def leaves(model: type[BaseModel]) -> Iterator[tuple[tuple[Step, ...], list[Any]]]:
    """Every option below `model` that is no group itself, with its path and the types it allows."""
    for name, field in model.model_fields.items():
        kinds = choices(field.annotation)
        inner = choices(get_args(kinds[0])[0]) if get_origin(kinds[0]) is list else []
        if is_group(kinds[0]):
            yield from (((name, *path), found) for path, found in leaves(kinds[0]))
        elif inner and is_group(inner[0]):
            yield from (((name, 0, *path), found) for path, found in leaves(inner[0]))
        else:
            yield (name,), kinds


def samples(kinds: list[Any]) -> list[Any]:
    """Values of every allowed type; the falsy ones among them, because those get lost first."""
    found: list[Any] = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            found += get_args(kind)
        elif get_origin(kind) is list:
            elements = samples(choices(get_args(kind)[0]))
            found += [[], elements[:1], elements]
        elif get_origin(kind) is dict:
            found += [{}, {"key": "value"}]
        else:
            found += {bool: [True, False], int: [1, 300], float: [0.25, 1.0], str: ["words"], SecretStr: ["words"]}[
                kind
            ]
    return found


SPECIAL: dict[str, list[Any]] = {
    # Values that mean something have their own form.
    "target_pages": ["1,3,5-8"],
    "version": ["latest", "2026-10-16"],
    "webhook_url": ["https://example.com/hook"],
    "tier": ["fast", "cost_effective", "agentic", "agentic_plus"],
    "left": [0.0, 0.25],
    "top": [0.0, 0.25],
    "extra_time_per_page_in_seconds": [0, 300],
}

COMPANIONS: dict[str, dict[str, Any]] = {
    # What an option cannot stand without, or would otherwise decide.
    "fast_options": {"tier": "fast"},
    "configuration_id": {"tier": "agentic", "version": "latest"},
}

SIBLINGS: dict[Step, dict[str, Any]] = {
    # What a group needs besides the option.
    "auto_mode_configuration": {"parsing_conf": {}},
    "parsing_conf": {"tier": "agentic", "version": "latest"},
}


def nested(path: tuple[Step, ...], value: Any) -> Any:
    """`value` at `path`, as the dicts and lists that a caller writes."""
    if not path:
        return value
    name, rest = path[0], path[1:]
    if rest and rest[0] == 0:
        return {name: [SIBLINGS.get(name, {}) | nested(rest[1:], value)]}
    return {name: SIBLINGS.get(name, {}) | nested(rest, value) if rest else value}


OPTIONS = [(path, kinds) for path, kinds in leaves(ParseConfiguration) if path[0] in ParseOptions.model_fields]
CASES = [
    pytest.param(path, value, id=f"{'.'.join(map(str, path))}={value!r:.40}")
    for path, kinds in OPTIONS
    for value in SPECIAL.get(str(path[-1]), samples(kinds))
]


def without_first_elements(path: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in path if step != 0)


@pytest.mark.parametrize(("path", "value"), CASES)
def test_every_option_reaches_the_request(path: tuple[Step, ...], value: Any) -> None:
    """Ensure an option's value stands in the body at its place, False, 0 and [] included, and nothing else is added."""
    written = COMPANIONS.get(str(path[0]), {}) | nested(path, value)
    body = ParseOptions(**written).configuration().to_body()
    assert body == {"tier": "agentic", "version": "latest"} | written
    assert json.loads(json.dumps(body)) == body


def test_no_option_is_left_out_of_that_test() -> None:
    """Ensure the cases above are all that the service takes, and that the reader's fields are all accounted for."""
    tested = {without_first_elements(path) for path, _ in OPTIONS}
    offered = {path for path, field in sdk_leaves(SDK_FIELDS) if path[0] not in ("file_id", "source_url")}
    assert tested == offered
    assert {path[0] for path in tested} | SHORTCUTS.keys() | {"result_type"} == ParseOptions.model_fields.keys()


def sdk_leaves(fields: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for name, field in fields.items():
        if field["group"]:
            yield from (((name, *path), found) for path, found in sdk_leaves(field["group"]))
        else:
            yield (name,), field


def ours(path: tuple[str, ...]) -> list[Any]:
    return next(kinds for found, kinds in leaves(ParseConfiguration) if without_first_elements(found) == path)


@pytest.mark.parametrize(
    ("path", "theirs"), [pytest.param(path, field, id=".".join(path)) for path, field in sdk_leaves(SDK_FIELDS)]
)
def test_values_are_those_of_the_sdk(path: tuple[str, ...], theirs: dict[str, Any]) -> None:
    """Ensure closed sets of values, and which options are lists, are the official SDK's."""
    kinds = ours(path)
    is_list = get_origin(kinds[0]) is list
    assert is_list == theirs["list"]
    inner = choices(get_args(kinds[0])[0]) if is_list else kinds
    literals = {value for kind in inner if get_origin(kind) is Literal for value in get_args(kind)}
    if theirs["literals"] and not theirs["open"]:
        assert literals == set(theirs["literals"])
    elif path == ("tier",):
        assert literals == {*theirs["literals"], "configured"}
    elif theirs["literals"]:
        assert inner == [str]


@pytest.mark.parametrize(
    ("written", "body"),
    [
        ({"custom_prompt": "Be brief."}, {"agentic_options": {"custom_prompt": "Be brief."}}),
        ({"target_pages": "1, 3 - 4"}, {"page_ranges": {"target_pages": "1,3-4"}}),
        ({"target_pages": [4, 3, 1]}, {"page_ranges": {"target_pages": "1,3-4"}}),
        ({"page_ranges": {"target_pages": " 1 - 3"}}, {"page_ranges": {"target_pages": "1-3"}}),
        ({"max_pages": 5, "target_pages": 2}, {"page_ranges": {"max_pages": 5, "target_pages": "2"}}),
        ({"languages": ["en", "fr"]}, {"processing_options": {"ocr_parameters": {"languages": ["en", "fr"]}}}),
        ({"images": []}, {"output_options": {"images_to_save": []}}),
        (
            {"images": ["layout"], "output_options": {"save_output_pdf": False}},
            {"output_options": {"images_to_save": ["layout"], "save_output_pdf": False}},
        ),
        ({"max_pages": 5, "page_ranges": {"max_pages": 5}}, {"page_ranges": {"max_pages": 5}}),
        ({"target_pages": [1, 2], "page_ranges": {"target_pages": "1 - 2"}}, {"page_ranges": {"target_pages": "1-2"}}),
        ({"tier": None, "version": None}, {}),
        ({"configuration_id": "cfg-1"}, {"tier": "configured", "version": "configured", "configuration_id": "cfg-1"}),
        (
            {"configuration_id": "cfg-1", "tier": "fast"},
            {"tier": "fast", "version": "configured", "configuration_id": "cfg-1"},
        ),
        (
            {"configuration_id": "cfg-1", "custom_prompt": "Be brief."},
            {
                "tier": "configured",
                "version": "configured",
                "configuration_id": "cfg-1",
                "agentic_options": {"custom_prompt": "Be brief."},
            },
        ),
        ({"agentic_options": AgenticOptions(custom_prompt="a")}, {"agentic_options": {"custom_prompt": "a"}}),
        (
            {"tier": "fast", "processing_options": {"forms": "default"}},
            {"tier": "fast", "processing_options": {"forms": "default"}},
        ),
        ({"max_pages": 2, "target_pages": "5,9"}, {"page_ranges": {"max_pages": 2, "target_pages": "5,9"}}),
    ],
)
def test_shortcuts_and_defaults(written: dict[str, Any], body: dict[str, Any]) -> None:
    """Ensure shortcuts land in their groups beside what the groups hold, and the defaults are the documented ones."""
    assert ParseOptions(**written).configuration().to_body() == {"tier": "agentic", "version": "latest"} | body


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"output_options": {"markdown": {"table": {}}}}, ["output_options.markdown.table", "did you mean 'tables'?"]),
        ({"agentic_options": {"promt": "x"}}, ["agentic_options.promt", "'custom_prompt'"]),
        ({"teir": "fast"}, ["teir", "'tier'"]),
        ({"webhook_configurations": [{}, {"url": "x"}]}, ["webhook_configurations[1].url", "'webhook_url'"]),
        (
            {"processing_options": {"auto_mode_configuration": [{"parsing_conf": {"teir": "fast"}}]}},
            ["processing_options.auto_mode_configuration[0].parsing_conf.teir", "'tier'"],
        ),
        ({"tier": "fats"}, ["tier", "'fats'", "did you mean 'fast'?"]),
        ({"languages": ["eng"]}, ["languages[0]", "'eng'", "ch_sim"]),
        ({"images": ["screenshots"]}, ["images[0]", "'screenshot'"]),
        ({"result_type": "md"}, ["result_type", "markdown, text"]),
        ({"version": "newest"}, ["version='newest'", "'latest'"]),
        ({"version": "2026-13-01"}, ["version='2026-13-01'"]),
        (
            {"processing_options": {"auto_mode_configuration": [{"parsing_conf": {"tier": "fast", "version": "new"}}]}},
            ["auto_mode_configuration[0].parsing_conf.version='new'", "'latest'"],
        ),
        ({"max_pages": 0}, ["max_pages", "greater than or equal to 1"]),
        ({"target_pages": "0,2"}, ["target_pages='0,2'", "v1"]),
        ({"page_ranges": {"target_pages": "3-1"}}, ["target_pages='3-1'", "backwards"]),
        ({"target_pages": "1-3,2"}, ["target_pages", "page 2 more than once"]),
        ({"target_pages": "1-3", "max_pages": 2}, ["target_pages='1-3'", "max_pages=2"]),
        ({"max_pages": 2, "page_ranges": {"max_pages": 3}}, ["max_pages=2", "page_ranges.max_pages"]),
        (
            {"custom_prompt": "a", "agentic_options": {"custom_prompt": "b"}},
            ["custom_prompt", "agentic_options.custom_prompt"],
        ),
        ({"images": [], "output_options": {"images_to_save": ["layout"]}}, ["images=[]", "images_to_save"]),
        (
            {"languages": ["en"], "processing_options": {"ocr_parameters": {"languages": []}}},
            ["languages=['en']", "processing_options.ocr_parameters.languages"],
        ),
        ({"tier": "fast", "result_type": "markdown"}, ["tier='fast'", "result_type='text'"]),
        ({"tier": "fast", "custom_prompt": "x"}, ["tier='fast'", "custom_prompt", "cost_effective"]),
        ({"tier": "agentic", "fast_options": {"a": 1}}, ["fast_options", "tier='agentic'"]),
        ({"tier": "fast", "processing_options": {"forms": "enrich"}}, ["forms", "tier='fast'"]),
        (
            {"tier": "fast", "processing_options": {"specialized_chart_parsing": "agentic"}},
            ["specialized_chart_parsing", "tier='fast'"],
        ),
        (
            {"tier": "cost_effective", "processing_options": {"cost_optimizer": {"enable": True}}},
            ["cost_optimizer", "'cost_effective'", "agentic_plus"],
        ),
        (
            {"tier": "fast", "output_options": {"watermark_handling": "remove"}},
            ["watermark_handling", "tier='fast'"],
        ),
        (
            {"version": "2026-06-15", "output_options": {"watermark_handling": "remove"}},
            ["watermark_handling", "2026-09-28", "2026-06-15"],
        ),
        ({"tier": "configured"}, ["tier='configured'", "configuration_id"]),
        ({"version": "configured"}, ["version='configured'", "configuration_id"]),
        ({"crop_box": {"left": 0.9, "right": 0.1}}, ["crop_box", "left (0.9)", "right (0.1)"]),
        ({"crop_box": {"top": 1}}, ["crop_box", "top (1.0)"]),
        ({"crop_box": {"bottom": 1.5}}, ["crop_box.bottom", "less than or equal to 1"]),
        ({"crop_box": {"left": -0.1}}, ["crop_box.left", "greater than or equal to 0"]),
        (
            {"processing_control": {"timeouts": {"base_in_seconds": 7201}}},
            ["processing_control.timeouts.base_in_seconds", "7200"],
        ),
        (
            {"processing_control": {"timeouts": {"extra_time_per_page_in_seconds": 301}}},
            ["extra_time_per_page_in_seconds", "300"],
        ),
        (
            {"processing_control": {"job_failure_conditions": {"allowed_page_failure_ratio": 5}}},
            ["allowed_page_failure_ratio", "less than or equal to 1"],
        ),
        (
            {"processing_options": {"auto_mode_configuration": [{"parsing_conf": {"tier": "fast"}}]}},
            ["auto_mode_configuration[0].parsing_conf", "tier is set without version"],
        ),
        ({"processing_options": {"auto_mode_configuration": [{}]}}, ["parsing_conf", "required"]),
        ({"user_metadata": {"a": 1}}, ["user_metadata.a", "string"]),
        ({"user_metadata": {RECOVERY_KEY: "x"}}, ["user_metadata", RECOVERY_KEY, "another name"]),
        (
            {"webhook_configurations": [{"webhook_url": "ftp://x"}]},
            ["webhook_configurations[0].webhook_url", "https://"],
        ),
        (
            {"webhook_configurations": [{"webhook_events": ["parse.succes"]}]},
            ["webhook_events[0]", "did you mean 'parse.success'?"],
        ),
    ],
)
def test_wrong_options_raise_at_once(written: dict[str, Any], words: list[str]) -> None:
    """Ensure unknown, wrong and contradictory options raise on construction, with their path and the way out."""
    with pytest.raises(ConfigurationError) as raised:
        ParseOptions(**written)
    for word in words:
        assert word in str(raised.value)
    assert isinstance(raised.value, ValueError)


def test_several_problems_are_told_together() -> None:
    """Ensure one error names all wrong options, so that nobody fixes them one run at a time."""
    with pytest.raises(ConfigurationError) as raised:
        ParseOptions(teir="fast", max_pages=0, crop_box={"left": 2})  # type: ignore[call-arg,arg-type]
    for word in ("teir", "max_pages", "crop_box.left"):
        assert word in str(raised.value)


def test_groups_check_themselves() -> None:
    """Ensure a group that is built by itself raises the same error, from this package's tree."""
    with pytest.raises(LlamaCloudError, match=r"markdown\.table: unknown option; did you mean 'tables'"):
        OutputOptions(markdown={"table": 1})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^left \(0\.5\) must be smaller than right \(0\.5\)"):
        CropBox(left=0.5, right=0.5)
    with pytest.raises(ConfigurationError, match="file_id and source_url"):
        ParseConfiguration(tier="agentic", version="latest", file_id="f", source_url="https://example.com")


def test_errors_survive_pickling() -> None:
    """Ensure the errors reach a parent process as they were."""
    with pytest.raises(ConfigurationError) as raised:
        ParseOptions(output_options={"markdown": {"table": {}}})  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_options_assigned_later_are_checked_when_used() -> None:
    """Ensure an assignment after construction is merged and checked before anything is sent."""
    options = ParseOptions()
    options.output_options = {"markdown": {"annotate_links": False}}  # type: ignore[assignment]
    options.images = ["layout"]
    body = options.configuration().to_body()
    assert body["output_options"] == {"markdown": {"annotate_links": False}, "images_to_save": ["layout"]}
    options.tier = "fats"  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="did you mean 'fast'"):
        options.configuration()


def test_merging_leaves_the_callers_groups_alone() -> None:
    """Ensure a group shared by several readers is not changed by one's shortcuts."""
    group = OutputOptions(save_output_pdf=True)
    first = ParseOptions(output_options=group, images=["layout"])
    assert first.configuration().to_body()["output_options"]["images_to_save"] == ["layout"]
    assert group.to_body() == {"save_output_pdf": True}
    assert ParseOptions(output_options=group).configuration().to_body()["output_options"] == {"save_output_pdf": True}


SECRETS = {
    "webhook_configurations": [
        {
            "webhook_url": "https://example.com/hook",
            "webhook_signing_secret": "s3cret-signature",
            "webhook_headers": {"Authorization": "Bearer s3cret-token"},
        }
    ],
    "http_proxy": "http://user:s3cret-proxy@proxy",
}


def test_secrets_are_sent_but_never_shown() -> None:
    """Ensure secrets are in the body, pickles and copies, but in no repr, dump, fingerprint or error."""
    options = ParseOptions(**SECRETS)  # type: ignore[arg-type]
    for same in (options, pickle.loads(pickle.dumps(options)), copy.deepcopy(options)):
        body = json.dumps(same.configuration().to_body())
        for secret in ("s3cret-signature", "s3cret-token", "s3cret-proxy"):
            assert secret in body
        shown = [repr(same), str(same.configuration()), same.fingerprint()]
        dumped = [
            same.model_dump(),
            same.model_dump(mode="json"),
            same.model_dump_json(),
            same.configuration().model_dump(),
        ]
        assert "s3cret" not in " ".join(map(str, shown + dumped))
    with pytest.raises(ConfigurationError) as raised:
        WebhookConfiguration(webhook_signing_secret=["s3cret"])  # type: ignore[arg-type]
    assert "s3cret" not in f"{raised.value}{raised.value.__cause__}"


def test_withheld_secrets_are_named() -> None:
    """Ensure a caller can tell what a dump does not hold, instead of losing a signature silently."""
    assert ParseOptions(**SECRETS).withheld_options() == [  # type: ignore[arg-type]
        "webhook_configurations[0].webhook_headers",
        "webhook_configurations[0].webhook_signing_secret",
        "http_proxy",
    ]
    assert ParseOptions(webhook_configurations=[WebhookConfiguration()]).withheld_options() == []


def test_dumps_rebuild_the_same_options() -> None:
    """Ensure options without secrets survive their dump, including what the defaults were decided to be."""
    options = ParseOptions(configuration_id="cfg-1", target_pages=[1, 2], crop_box=CropBox(top=0.5))
    assert ParseOptions(**options.model_dump()) == options
    assert ParseOptions.model_validate_json(options.model_dump_json()).configuration() == options.configuration()


def test_fingerprint_tells_results_apart_and_nothing_else() -> None:
    """Ensure equal results have equal fingerprints, however they were asked for, and different ones different."""
    plain = ParseOptions().fingerprint()
    alike = [
        ParseOptions(tier="agentic", version="latest"),
        ParseOptions(user_metadata={"team": "a"}, client_name="app"),
        ParseOptions(**SECRETS, webhook_configuration_ids=["whk-1"]),  # type: ignore[arg-type]
        ParseOptions(output_options={"markdown": {}}),  # type: ignore[arg-type]
        ParseOptions(result_type="text"),
    ]
    different = [
        ParseOptions(tier="fast"),
        ParseOptions(disable_cache=False),
        ParseOptions(images=[]),
        ParseOptions(max_pages=1),
        ParseOptions(configuration_id="cfg-1"),
    ]
    assert {options.fingerprint() for options in alike} == {plain}
    assert len({plain, *(options.fingerprint() for options in different)}) == len(different) + 1
    by_shortcut = ParseOptions(languages=["en"], max_pages=3)
    by_group = ParseOptions(
        page_ranges={"max_pages": 3},  # type: ignore[arg-type]
        processing_options={"ocr_parameters": {"languages": ["en"]}},  # type: ignore[arg-type]
    )
    assert by_shortcut.fingerprint() == by_group.fingerprint()


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ({}, "markdown"),
        ({"tier": "fast"}, "text"),
        ({"result_type": "text"}, "text"),
        ({"configuration_id": "c"}, "markdown"),
    ],
)
def test_result_type_follows_the_tier(written: dict[str, Any], resolved: str) -> None:
    """Ensure the fast tier gives text without being asked, and every other markdown."""
    assert ParseOptions(**written).resolved_result_type == resolved


def test_configuration_is_cheap() -> None:
    """Ensure making the body costs far less than a request."""
    options = ParseOptions(images=["layout"], languages=["en"], target_pages="1-3", custom_prompt="x", max_pages=9)
    options.configuration()
    best = min(_seconds(options.configuration) for _ in range(20))
    assert best < 0.001


def _seconds(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_options_import_neither_httpx_nor_llama_index() -> None:
    """Ensure looking at options costs no HTTP client and no framework."""
    heavy = {"httpx", "anyio", "llama_index", "pandas"}
    code = f"import sys, llama_cloud_ext.parse.options; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(("option", "value"), [("languages", "de"), ("images", "screenshot")])
def test_one_value_for_a_list_is_shown_as_a_list(option: str, value: str) -> None:
    """Ensure that a single value where several may stand is answered with what to write."""
    with pytest.raises(ConfigurationError, match=re.escape(f"{option}: is a list: write ['{value}']")):
        ParseOptions(**{option: value})
