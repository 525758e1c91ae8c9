"""The same call through the official SDK and through this package gives the same request."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext import LlamaParseReader
from llama_cloud_ext.wire import files, parse, projects
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from tests.contract.comparison import KEY, SCOPE, Call, by_path, compare, each_call, ours, recorded
from tests.contract.official_sdk import OfficialSdk
from tests.contract.recording import Recorder

AFTER = datetime(2026, 11, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
EVERYTHING: dict[str, Any] = {
    "tier": "agentic",
    "version": "latest",
    "agentic_options": {"custom_prompt": "Keep the footnotes."},
    "client_name": "contract",
    "crop_box": {"top": 0.1, "bottom": 0.95},
    "disable_cache": False,
    "input_options": {"spreadsheet": {"detect_sub_tables_in_sheets": True}},
    "output_options": {"images_to_save": [], "markdown": {"annotate_links": False}},
    "page_ranges": {"target_pages": "1,3-5", "max_pages": 10},
    "processing_control": {"timeouts": {"base_in_seconds": 60}},
    "processing_options": {"ocr_parameters": {"languages": ["en", "de"]}, "ignore": {"ignore_text_in_image": True}},
    "webhook_configurations": [{"webhook_url": "https://example.com/hook", "webhook_events": ["parse.success"]}],
}
ONLY_OURS = {
    "configuration_id": "cfg-1",
    "user_metadata": {"team": "tables"},
    "webhook_configuration_ids": ["whk-1"],
}
"""Options that the SDK's upload leaves out although the endpoint takes them; ours sends them."""


CALLS: list[Call] = [
    (
        "parsing.create",
        EVERYTHING | ONLY_OURS | {"file_id": "dfl-1"},
        parse.create,
        [EVERYTHING | ONLY_OURS | {"file_id": "dfl-1"}],
        {},
    ),
    (
        "parsing.create",
        {
            "tier": "fast",
            "version": "2026-06-15",
            "source_url": "https://example.com/ä b.pdf?x=1",
            "http_proxy": "http://p:1",
        },
        parse.create,
        [
            {
                "tier": "fast",
                "version": "2026-06-15",
                "source_url": "https://example.com/ä b.pdf?x=1",
                "http_proxy": "http://p:1",
            }
        ],
        {},
    ),
    ("parsing.get", {"job_id": "pjb-1"}, parse.get, ["pjb-1"], {}),
    ("parsing.get", {"job_id": "a/b c?ü"}, parse.get, ["a/b c?ü"], {}),
    (
        "parsing.get",
        {"job_id": "pjb-1", "expand": ["markdown", "items"], "image_filenames": "image_0.png,image_1.jpg"},
        parse.get,
        ["pjb-1"],
        {"expand": ["markdown", "items"], "image_filenames": ["image_0.png", "image_1.jpg"]},
    ),
    ("parsing.list", {}, parse.list_jobs, [], {}),
    (
        "parsing.list",
        {"status": "FAILED", "created_at_on_or_after": AFTER, "created_at_on_or_before": "2026-12-01", "page_size": 7},
        parse.list_jobs,
        [],
        {"status": "FAILED", "created_at_on_or_after": AFTER, "created_at_on_or_before": "2026-12-01", "page_size": 7},
    ),
    (
        "parsing.list",
        {"job_ids": ["pjb-1", "pjb-2"], "page_size": 2},
        parse.list_jobs,
        [],
        {"job_ids": ["pjb-1", "pjb-2"], "page_size": 2},
    ),
    ("parsing.cancel", {"job_id": "pjb-1"}, parse.cancel, ["pjb-1"], {}),
    ("parsing.delete", {"job_id": "pjb-1"}, parse.delete, ["pjb-1"], {}),
    ("parsing.list_versions", {}, parse.versions, [], {}),
    (
        "files.retrieve",
        {"file_id": "dfl-1", "expand": ["download_url"]},
        files.get,
        ["dfl-1"],
        {"expand": ["download_url"]},
    ),
    ("files.list", {}, files.list_files, [], {}),
    (
        "files.list",
        {"file_ids": ["a", "b"], "file_name": "x & y.pdf", "external_file_id": "e", "order_by": "name", "page_size": 3},
        files.list_files,
        [],
        {"file_ids": ["a", "b"], "file_name": "x & y.pdf", "external_file_id": "e", "order_by": "name", "page_size": 3},
    ),
    ("files.query", {}, files.query, [], {}),
    (
        "files.query",
        {
            "filter": {"file_ids": ["a"], "only_manually_uploaded": False},
            "order_by": "name desc",
            "page_size": 2,
            "page_token": "t",
        },
        files.query,
        [{"file_ids": ["a"], "only_manually_uploaded": False}],
        {"order_by": "name desc", "page_size": 2, "page_token": "t"},
    ),
    (
        "files.content",
        {"file_id": "dfl-1", "expires_at_seconds": 60},
        files.content,
        ["dfl-1"],
        {"expires_at_seconds": 60},
    ),
    ("files.delete", {"file_id": "dfl-1"}, files.delete, ["dfl-1"], {}),
    ("projects.list", {"project_name": "Default"}, projects.list_projects, [], {"project_name": "Default"}),
    ("projects.get", {"project_id": "prj-1"}, projects.get, ["prj-1"], {}),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(recording_sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(recording_sdk, call, scope)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A file whose name and content try an encoder."""
    path = tmp_path / "Jahresbericht & Größe 'x'.pdf"
    path.write_bytes(b"%PDF-1.7\r\n--boundary\r\n\xff\x00")
    return path


def test_file_uploads_send_what_the_sdk_sends(recording_sdk: OfficialSdk, paper: Path) -> None:
    """Ensure that a file upload has the SDK's fields, file name, content type and content."""
    arguments = {"purpose": "parse", "external_file_id": "mine"}
    expected = recording_sdk.run(
        by_path, function="files.create", path=str(paper), field="file", arguments=arguments | SCOPE
    )
    assert ours(files.upload, paper, scoped=True, **arguments) == expected


def test_parse_uploads_send_what_the_sdk_sends(recording_sdk: OfficialSdk, paper: Path) -> None:
    """Ensure that an upload to parse has the SDK's configuration and file."""
    expected = recording_sdk.run(
        by_path, function="parsing.create", path=str(paper), field="upload_file", arguments=EVERYTHING | SCOPE
    )
    assert ours(parse.upload, EVERYTHING, paper, scoped=True) == expected


def test_parse_uploads_also_carry_what_the_sdk_leaves_out(recording_sdk: OfficialSdk, paper: Path) -> None:
    """Ensure that an upload carries the configuration id, user metadata and webhook ids, and nothing else besides."""
    arguments = EVERYTHING | ONLY_OURS
    (expected,) = recording_sdk.run(
        by_path, function="parsing.create", path=str(paper), field="upload_file", arguments=arguments
    )
    (sent,) = ours(parse.upload, arguments, paper)
    configuration = sent["fields"]["configuration"]["json"]
    assert {name: configuration.pop(name) for name in ONLY_OURS} == ONLY_OURS
    assert sent == expected


def test_the_reader_sends_what_the_sdk_sends(recording_sdk: OfficialSdk, paper: Path) -> None:
    """Ensure that the reader, given the same options, creates the SDK's job; only its own tag comes on top."""
    recorder = Recorder()
    reader = LlamaParseReader(
        api_key=KEY, base_url="https://cloud.example", transport=httpx.MockTransport(recorder), **EVERYTHING, **SCOPE
    )
    reader.parse(paper)
    (expected,) = recording_sdk.run(
        by_path, function="parsing.create", path=str(paper), field="upload_file", arguments=EVERYTHING | SCOPE
    )
    created = recorder.requests[0]
    assert list(created["fields"]["configuration"]["json"].pop("user_metadata")) == [RECOVERY_KEY]
    assert created == expected


def test_the_reader_passes_urls_on_as_the_sdk_does(recording_sdk: OfficialSdk) -> None:
    """Ensure that a URL goes to the service as `source_url`, and shortcuts in the groups where the API has them."""
    recorder = Recorder()
    reader = LlamaParseReader(
        api_key=KEY,
        base_url="https://cloud.example",
        transport=httpx.MockTransport(recorder),
        tier="cost_effective",
        custom_prompt="Keep the footnotes.",
        target_pages="2-3",
        languages=["de"],
        user_metadata={"team": "tables"},
    )
    reader.parse("https://example.com/report.pdf?signature=1")
    arguments = {
        "tier": "cost_effective",
        "version": "latest",
        "source_url": "https://example.com/report.pdf?signature=1",
        "agentic_options": {"custom_prompt": "Keep the footnotes."},
        "page_ranges": {"target_pages": "2-3"},
        "processing_options": {"ocr_parameters": {"languages": ["de"]}},
        "user_metadata": {"team": "tables"},
    }
    (expected,) = recording_sdk.run(recorded, function="parsing.create", arguments=arguments, scope={})
    created = recorder.requests[0]
    assert created["json"]["user_metadata"].pop(RECOVERY_KEY)
    assert created == expected
