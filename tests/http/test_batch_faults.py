"""What LlamaBatchReader sends, and what it makes of a service that fails."""

from __future__ import annotations

import functools
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from llama_cloud_ext import (
    JobCancelledError,
    JobDeadlineError,
    JobFailedError,
    PartialFailureError,
    QuotaError,
    TransportError,
)
from llama_cloud_ext.wire import recovery
from tests.http.scripted import in_turn
from tests.http.scripted_batches import ScriptedBatches

FILES: list[Any] = [b"one", b"two"]
NAMED = [{"file_name": "1.txt", "team": "a"}, {"file_name": "2.txt"}]
LOST = httpx.ReadTimeout("the answer was lost")


def failures_of(service: ScriptedBatches, **options: Any) -> list[Any]:
    """The errors of a call in which every file fails."""
    with pytest.raises(PartialFailureError) as raised:
        service.reader(**options).parse(FILES, extra_info=NAMED)
    assert len(raised.value.failures) == 2
    return [failure.error for failure in raised.value.failures]


def test_what_is_sent() -> None:
    """Ensure there is one ephemeral directory, one upload a file, one batch, and one list for all jobs."""
    service = ScriptedBatches()
    results = service.reader(tier="fast").parse(FILES, extra_info=NAMED)
    assert [result.source.name for result in results] == ["1.txt", "2.txt"]
    (directory,) = service.bodies("create directory")
    assert directory["type"] == "ephemeral"
    left = datetime.fromisoformat(directory["expires_at"]) - datetime.now(timezone.utc)
    assert timedelta(days=1.9) < left <= timedelta(days=2)
    (created,) = service.bodies("create batch")
    assert created == {
        "source_directory_id": "dir-1",
        "config": {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}},
    }
    assert (service.steps["upload"], service.steps["jobs"], service.steps["delete directory"]) == (2, 1, 1)
    uploads = [request.content.decode() for request in service.requests if request.url.path.endswith("/upload")]
    assert any('"team": "a"' in upload and "1.txt" in upload for upload in uploads)


def test_webhooks_are_sent_along() -> None:
    """Ensure whom the service shall tell is in the create, secrets included, and secrets are in no repr or dump."""
    hook = {"webhook_url": "https://example.com/h", "webhook_events": ["batch.success"], "webhook_signing_secret": "s3"}
    service = ScriptedBatches()
    reader = service.reader(webhook_configurations=[hook], webhook_configuration_ids=["whk-1"])
    reader.parse(FILES)
    (created,) = service.bodies("create batch")
    assert (created["webhook_configurations"], created["webhook_configuration_ids"]) == ([hook], ["whk-1"])
    assert "s3" not in repr(reader)
    assert "s3" not in str(reader.to_dict())


def test_a_lost_answer_starts_no_second_batch() -> None:
    """Ensure a batch that was accepted, but whose answer was lost, is found by its directory."""
    service = ScriptedBatches(fault=in_turn({"after create batch": [LOST]}))
    assert len(service.reader().parse(FILES, extra_info=NAMED)) == 2
    assert (service.steps["create batch"], service.steps["batches"]) == (1, 1)
    (looked_up,) = [request for request in service.requests if request.url.path == "/api/v2/batches"][1:]
    assert looked_up.url.params["source_directory_id"] == "dir-1"


def test_a_throttled_batch_is_waited_for() -> None:
    """Ensure THROTTLED, an unknown status, and results that are null for a moment longer are no end."""
    service = ScriptedBatches(looks=["THROTTLED", "SOMETHING_NEW", "RUNNING"], null_results=1)
    assert len(service.reader().parse(FILES, extra_info=NAMED)) == 2


def test_a_refused_batch_leaves_no_directory() -> None:
    """Ensure the files of a batch that the plan does not allow fail with the reason, and their directory goes."""
    service = ScriptedBatches(fault=in_turn({"create batch": [402]}))
    assert [type(error) for error in failures_of(service)] == [QuotaError] * 2
    assert service.steps["delete directory"] == 1


def test_a_failed_batch_fails_its_files() -> None:
    """Ensure FAILED and CANCELLED batches, and files without a job, are failures that name the batch."""
    failed = ScriptedBatches(looks=["FAILED"])
    assert [(type(error), error.job_id) for error in failures_of(failed)] == [(JobFailedError, "bat-1")] * 2
    assert failed.steps["delete directory"] == 1
    cancelled = {"id": "bat-1", "status": "CANCELLED", "results": []}
    stopped = ScriptedBatches(fault=in_turn({"batch": [cancelled, cancelled]}))
    assert [type(error) for error in failures_of(stopped)] == [JobCancelledError] * 2
    reasons = [
        {"source_directory_file_id": f"dfl-{number}", "error_message": "Unable to process source file."}
        for number in (1, 2)
    ]
    unmapped = {"id": "bat-1", "status": "COMPLETED", "results": reasons}
    service = ScriptedBatches(fault=in_turn({"batch": [unmapped, unmapped]}))
    errors = failures_of(service)
    assert [error.reason for error in errors] == ["Unable to process source file."] * 2


def test_what_can_be_resumed_is_kept_and_named() -> None:
    """Ensure a deadline leaves the directory, and the error says how to go on, which then gives the results."""
    service = ScriptedBatches(job_status="RUNNING")
    errors = failures_of(service, job_timeout=0.05)
    assert [type(error) for error in errors] == [JobDeadlineError] * 2
    assert all("dir-1" in error.hint and "resume(['bat-1'])" in error.hint for error in errors)
    assert service.steps["delete directory"] == 0
    service.job_status = "COMPLETED"
    assert [result.text for result in service.reader().resume("bat-1")] == ["pjb-1", "pjb-2"]
    assert service.steps["delete directory"] == 1


def test_a_batch_that_may_have_started_keeps_its_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a create that was never answered, and never found, leaves the directory and names it."""
    looks = functools.partial(recovery.look_up_repeatedly, pauses=(0.01,))
    monkeypatch.setattr(recovery, "look_up_repeatedly", looks)
    service = ScriptedBatches(fault=lambda step, request: LOST if step == "create batch" else None)
    errors = failures_of(service, retry_budget=0.1)
    assert all(isinstance(error, TransportError) and "dir-1" in str(error.hint) for error in errors)
    assert service.steps["delete directory"] == 0


def test_one_upload_that_fails_leaves_the_others() -> None:
    """Ensure a refused upload is a failure of its file alone."""
    service = ScriptedBatches(fault=in_turn({"upload": [413]}))
    outcomes = service.reader(on_error="skip", num_workers=1).parse(FILES, extra_info=NAMED)
    assert [type(outcome).__name__ for outcome in outcomes] == ["FailedItem", "ParseResult"]
    assert outcomes[0].source == "1.txt"
    with pytest.raises(PartialFailureError) as raised:
        ScriptedBatches(fault=in_turn({"upload": [413]})).reader().submit(FILES, extra_info=NAMED)
    assert json.loads(raised.value.results[0].to_json())["batches"][0]["batch_id"] == "bat-1"
