"""What the endpoint functions of Extract and of saved configurations send is what the official SDK sends."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext import LlamaExtract
from llama_cloud_ext.extract.saved_configurations import PRODUCT_TYPE
from llama_cloud_ext.wire import configurations, extract, files
from tests.contract.comparison import ODD_ID, SCOPE, Call, by_path, compare, connection, each_call, ours, recorded
from tests.contract.official_sdk import OfficialSdk
from tests.contract.recording import EXTRACT_JOB, FILE, Recorder

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "total": {"type": "number", "description": "Gesamtbetrag, größer als 0"},
        "due": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}},
    },
    "required": ["total"],
}
SETTINGS: dict[str, Any] = {
    "tier": "agentic",
    "version": "2.0",
    "advanced_citations": False,
    "cite_sources": True,
    "confidence_scores": False,
    "disable_cache": True,
    "extraction_target": "per_page",
    "max_pages": 3,
    "parse_config_id": "cfg-parse",
    "system_prompt": "Beträge in Euro.",
    "target_pages": "1-3,7",
}
SPREADSHEET: dict[str, Any] = {
    "tier": "agentic_plus",
    "parse_tier": "fast",
    "spreadsheet_mode": True,
    "sheet_names": ["Tabelle 1", "ä & b"],
}
CONFIGURATION = {"data_schema": SCHEMA, **SETTINGS}
PARAMETERS = {"product_type": PRODUCT_TYPE, **CONFIGURATION}
WEBHOOKS: dict[str, Any] = {
    "webhook_configurations": [
        {
            "webhook_url": "https://example.com/hook",
            "webhook_events": ["extract.success", "extract.error"],
            "webhook_headers": {"X-Team": "a"},
            "webhook_output_format": "json",
            "webhook_signing_secret": "s",
        }
    ],
    "webhook_configuration_ids": ["whk-1", "whk-2"],
}
ON_A_FILE: dict[str, Any] = {"file_input": "dfl-1", "configuration": CONFIGURATION, **WEBHOOKS}
ON_A_PARSE_JOB: dict[str, Any] = {"file_input": "pjb-1", "configuration_id": "cfg-1"}
ALL_EXPANDED = ["configuration", "extract_metadata", "usage"]
FILTERS: dict[str, Any] = {
    "configuration_id": "cfg-1",
    "created_at_on_or_after": "2026-11-01T12:30:00+02:00",
    "created_at_on_or_before": "2026-12-01",
    "document_input_type": "parse_job_id",
    "expand": ["configuration", "extract_metadata"],
    "file_input": ODD_ID,
    "page_size": 7,
    "status": "THROTTLED",
}

CALLS: list[Call] = [
    ("extract.create", ON_A_FILE, extract.create, [ON_A_FILE], {}),
    ("extract.create", ON_A_PARSE_JOB, extract.create, [ON_A_PARSE_JOB], {}),
    ("extract.get", {"job_id": ODD_ID}, extract.get, [ODD_ID], {}),
    (
        "extract.get",
        {"job_id": "ext-1", "expand": ALL_EXPANDED},
        extract.get,
        ["ext-1"],
        {"expand": ALL_EXPANDED},
    ),
    ("extract.list", {}, extract.list_jobs, [], {}),
    ("extract.list", FILTERS, extract.list_jobs, [], FILTERS),
    (
        "extract.list",
        {"job_ids": ["ext-1", "ext-2"], "page_size": 2},
        extract.list_jobs,
        [],
        {"job_ids": ["ext-1", "ext-2"]},
    ),
    ("extract.cancel", {"job_id": ODD_ID}, extract.cancel, [ODD_ID], {}),
    ("extract.delete", {"job_id": ODD_ID}, extract.delete, [ODD_ID], {}),
    ("extract.delete", {"job_id": "ext-1", "force": True}, extract.delete, ["ext-1"], {"force": True}),
    ("extract.delete", {"job_id": "ext-1", "force": False}, extract.delete, ["ext-1"], {"force": False}),
    ("extract.validate_schema", {"data_schema": SCHEMA}, extract.validate_schema, [SCHEMA], {}),
    ("extract.generate_schema", {"prompt": "Total & date"}, extract.generate_schema, [], {"prompt": "Total & date"}),
    (
        "extract.generate_schema",
        {"prompt": "", "file_id": "dfl-1", "data_schema": SCHEMA, "name": "Rechnung"},
        extract.generate_schema,
        [],
        {"prompt": "", "file_id": "dfl-1", "data_schema": SCHEMA, "name": "Rechnung"},
    ),
    (
        "configurations.create",
        {"name": "Rechnung ä", "parameters": PARAMETERS},
        configurations.upsert,
        ["Rechnung ä", PARAMETERS],
        {},
    ),
    ("configurations.retrieve", {"config_id": ODD_ID}, configurations.get, [ODD_ID], {}),
    (
        "configurations.update",
        {"config_id": ODD_ID, "name": "new", "parameters": PARAMETERS},
        configurations.update,
        [ODD_ID],
        {"name": "new", "parameters": PARAMETERS},
    ),
    (
        "configurations.update",
        {"config_id": "cfg-1", "name": "new"},
        configurations.update,
        ["cfg-1"],
        {"name": "new"},
    ),
    ("configurations.list", {}, configurations.list_configurations, [], {}),
    (
        "configurations.list",
        {"product_type": ["extract_v2", "parse_v2"], "name": "ä & b", "latest_only": False, "page_size": 5},
        configurations.list_configurations,
        [],
        {"product_types": ["extract_v2", "parse_v2"], "name": "ä & b", "latest_only": False, "page_size": 5},
    ),
    ("configurations.delete", {"config_id": ODD_ID}, configurations.delete, [ODD_ID], {}),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(recording_sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(recording_sdk, call, scope)


def test_moments_are_written_as_the_sdk_writes_them(recording_sdk: OfficialSdk) -> None:
    """Ensure that a datetime among the filters is sent as its ISO form is."""
    moment = datetime(2026, 11, 1, 12, 30, tzinfo=timezone.utc)
    arguments = {"created_at_on_or_after": moment.isoformat()}
    expected = recording_sdk.run(recorded, function="extract.list", arguments=arguments, scope={})
    assert ours(extract.list_jobs, created_at_on_or_after=moment) == expected


def test_uploads_for_extract_send_what_the_sdk_sends(recording_sdk: OfficialSdk, tmp_path: Path) -> None:
    """Ensure that a file which is uploaded for an extraction says so, as the SDK's upload does."""
    paper = tmp_path / "Rechnung & Anhang 'x'.pdf"
    paper.write_bytes(b"%PDF-1.7\r\n--boundary\r\n\xff\x00")
    arguments = {"purpose": "extract", "external_file_id": "mine"}
    expected = recording_sdk.run(
        by_path, function="files.create", path=str(paper), field="file", arguments=arguments | SCOPE
    )
    assert ours(files.upload, paper, scoped=True, **arguments) == expected


@pytest.mark.parametrize("settings", [SETTINGS, SPREADSHEET, {}], ids=["settings", "spreadsheet", "none"])
def test_the_extractor_sends_what_the_sdk_sends(
    recording_sdk: OfficialSdk, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Ensure that the extractor uploads, creates and fetches with the SDK's requests; an id of the upload is added."""
    paper = tmp_path / "a.pdf"
    paper.write_bytes(b"%PDF-1.7")
    recorder = Recorder()
    result = LlamaExtract(**connection(recorder), **WEBHOOKS).extract(SCHEMA, settings, paper)
    assert result.data == EXTRACT_JOB["extract_result"]
    uploaded, created, fetched = recorder.requests
    assert len(uploaded["fields"].pop("external_file_id")["content"]) == 32
    assert [uploaded] == recording_sdk.run(
        by_path, function="files.create", path=str(paper), field="file", arguments={"purpose": "extract"} | SCOPE
    )
    body = {"file_input": FILE["id"], "configuration": {"data_schema": SCHEMA, **settings}, **WEBHOOKS}
    assert [created] == recording_sdk.run(recorded, function="extract.create", arguments=body, scope=SCOPE)
    arguments = {"job_id": EXTRACT_JOB["id"], "expand": ALL_EXPANDED}
    assert [fetched] == recording_sdk.run(recorded, function="extract.get", arguments=arguments, scope=SCOPE)


def test_agents_send_what_the_sdk_sends(recording_sdk: OfficialSdk) -> None:
    """Ensure that an agent is looked for, saved, run, changed, listed and deleted with the SDK's requests."""
    recorder = Recorder()
    extractor = LlamaExtract(**connection(recorder))
    agent = extractor.create_agent("Rechnung", SCHEMA, SETTINGS)
    agent.config = SETTINGS
    agent.data_schema = SCHEMA
    agent.save()
    extractor.list_agents()
    agent.list_extraction_runs(status="FAILED", limit=5)
    extractor.get_agent(id=agent.id)
    agent.delete_extraction_run("ext-1")
    extractor.delete_agent(agent.id)
    found = {"latest_only": True, "product_type": ["extract_v2"]}
    ids = {"config_id": agent.id}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configurations.list", {**found, "name": "Rechnung"}),
        ("configurations.create", {"name": "Rechnung", "parameters": PARAMETERS}),
        ("configurations.update", {**ids, "parameters": PARAMETERS}),
        ("configurations.list", found),
        ("extract.list", {"configuration_id": agent.id, "status": "FAILED", "page_size": 5}),
        ("configurations.retrieve", ids),
        ("extract.get", {"job_id": "ext-1"}),
        ("extract.delete", {"job_id": "ext-1"}),
        ("configurations.delete", ids),
    ]
    expected = [
        request
        for function, arguments in calls
        for request in recording_sdk.run(recorded, function=function, arguments=arguments, scope=SCOPE)
    ]
    assert recorder.requests == expected
    assert json.dumps(recorder.requests).count("llx-contract") == len(expected)


def test_every_call_of_the_sdk_is_compared(recording_sdk: OfficialSdk) -> None:
    """Ensure that a method which a newer SDK has for Extract or configurations is noticed."""
    waits = {"run", "wait_for_completion"}  # with requests of the others
    for resource in ("extract", "configurations"):
        offered = set(recording_sdk.run(methods_of, resource=resource))
        compared = {function.partition(".")[2] for function, *_ in CALLS if function.startswith(f"{resource}.")}
        assert offered - waits == compared


def methods_of(client: Any, resource: str) -> list[str]:
    """The public methods of a resource of the SDK."""
    import inspect

    members = vars(type(getattr(client, resource)))
    return [name for name, member in members.items() if inspect.isfunction(member) and not name.startswith("_")]
