"""The official SDK 1.6.0, the last with beta batch-processing: its strict client, and its requests beside ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.wire import batch_processing
from llama_cloud_ext.wire.models.batch_processing import BatchProcessingOptions
from llama_cloud_ext.wire.models.older_parse_parameters import BatchParseParameters
from tests.contract.comparison import Call, compare, each_call
from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_index_sdk_fields import choices, described
from tests.virtualenvs import virtualenv

OLDER_SDK = "llama-cloud==1.6.0"
AN_ID = "bjb-1"
"""A plain one: this SDK puts ids into paths as they are, which later ones and ours do not."""


@pytest.fixture(scope="module")
def older_python() -> Path:
    """The Python of a virtual environment with the older SDK."""
    return virtualenv("sdk-1.6", [OLDER_SDK])


@pytest.fixture(scope="module")
def older_sdk(older_python: Path, served_cloud: str) -> Iterator[OfficialSdk]:
    """The older SDK, talking to the served cloud and refusing every answer that its models do not describe."""
    official = OfficialSdk(older_python, served_cloud)
    yield official
    official.close()


@pytest.fixture(scope="module")
def older_recorder(older_python: Path) -> Iterator[OfficialSdk]:
    """The older SDK, recording its requests."""
    official = OfficialSdk(older_python, None)
    yield official
    official.close()


PARAMETERS = {"tier": "agentic", "target_pages": "0,2-3", "output_tables_as_html": True, "output_bucket": "kept"}
OF_DIRECTORY = BatchProcessingOptions(
    directory_id="dir-ä",
    parameters=PARAMETERS,
    webhook_url="https://hook.example/",
    page_size=50,
    continue_as_new_threshold=500,
)
JOB_CONFIG = {"job_name": "parse_raw_file_job", "parameters": PARAMETERS}
CREATED = {
    "job_config": {**JOB_CONFIG, "webhook_url": "https://hook.example/"},
    "directory_id": "dir-ä",
    "page_size": 50,
    "continue_as_new_threshold": 500,
}
OF_ITEMS = BatchProcessingOptions(item_ids=["dfl-1", "dfl-2"], parameters=PARAMETERS)
LISTED = {"directory_id": "dir-ä", "job_type": "parse", "status": "dispatched"}
PAGE = {"limit": 100, "offset": 0}
CALLS: list[Call] = [
    ("beta.batch.create", CREATED, batch_processing.create, [OF_DIRECTORY], {}),
    (
        "beta.batch.create",
        {"job_config": JOB_CONFIG, "item_ids": ["dfl-1", "dfl-2"]},
        batch_processing.create,
        [OF_ITEMS],
        {},
    ),
    ("beta.batch.get_status", {"job_id": AN_ID}, batch_processing.get_status, [AN_ID], {}),
    ("beta.batch.list", PAGE, batch_processing.list_batches, [], {}),
    ("beta.batch.list", LISTED | PAGE | {"limit": 7}, batch_processing.list_batches, [], LISTED | {"page_size": 7}),
    ("beta.batch.cancel", {"job_id": AN_ID}, batch_processing.cancel, [AN_ID], {}),
    (
        "beta.batch.cancel",
        {"job_id": AN_ID, "reason": "enough"},
        batch_processing.cancel,
        [AN_ID],
        {"reason": "enough"},
    ),
    (
        "beta.batch.job_items.list",
        {"job_id": AN_ID, "status": "failed"} | PAGE,
        batch_processing.list_items,
        [AN_ID],
        {"status": "failed"},
    ),
    (
        "beta.batch.job_items.get_processing_results",
        {"item_id": AN_ID, "job_type": "parse"},
        batch_processing.processing_results,
        [AN_ID],
        {"job_type": "parse"},
    ),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(older_recorder: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(older_recorder, call, scope)


def test_parameters_are_the_sdks(older_recorder: OfficialSdk) -> None:
    """Ensure that files can be parsed by every parameter of the SDK's, with the same choices, and by no other."""
    name = "beta.batch_create_params.JobConfigBatchParseJobRecordCreateParameters"
    theirs = older_recorder.run(described, names=[name])[name]["fields"]
    assert {
        field: sorted(choices(info.annotation)) for field, info in BatchParseParameters.model_fields.items()
    } == theirs


def test_a_batch_from_creation_to_its_results(older_sdk: OfficialSdk) -> None:
    """Ensure that the SDK reads every answer about a batch, its items, and what was done with them."""

    def journey(client: Any) -> None:
        import time

        directory = client.beta.directories.create(name="older batch")
        upload = client.beta.directories.files.upload
        names = {"a.txt": b"Total: 1.50", "b.txt": b"Total: 2.50", "broken.pdf": b"%PDF-1.4 nothing"}
        ids = [upload(directory.id, upload_file=item).id for item in names.items()]
        job_config = {"job_name": "parse_raw_file_job", "parameters": {"tier": "cost_effective"}}

        def ended(batch: Any) -> Any:
            found = client.beta.batch.get_status(batch.id)
            while found.job.status not in {"completed", "failed", "cancelled"}:
                time.sleep(0.02)
                found = client.beta.batch.get_status(batch.id)
            return found

        batch = client.beta.batch.create(job_config=job_config, directory_id=directory.id)
        assert (batch.job_type, batch.directory_id, batch.total_items) == ("parse", directory.id, 3)
        assert batch.status in {"pending", "running", "dispatched", "completed"}
        found = ended(batch)
        assert (found.job.status, found.progress_percentage) == ("completed", 100)
        assert (found.job.processed_items, found.job.failed_items, found.job.skipped_items) == (3, 1, 0)
        assert found.job.created_at <= found.job.started_at <= found.job.completed_at
        items = list(client.beta.batch.job_items.list(batch.id, limit=2))
        assert [(one.item_id, one.item_name) for one in items] == list(zip(ids, names, strict=True))
        assert [one.status for one in items] == ["completed", "completed", "failed"]
        assert items[2].error_message
        assert [one.item_id for one in client.beta.batch.job_items.list(batch.id, status="failed")] == ids[2:]
        parsed = client.parsing.get(items[1].job_id, expand=["text_full"])
        assert "2.50" in parsed.text_full
        again = ended(client.beta.batch.create(job_config=job_config, item_ids=ids[:1]))
        assert (again.job.skipped_items, again.job.failed_items, again.job.directory_id) == (1, 0, None)
        (skipped,) = client.beta.batch.job_items.list(again.job.id)
        assert (skipped.status, skipped.skip_reason, skipped.job_id) == (
            "skipped",
            "already_processed",
            items[0].job_id,
        )
        history = client.beta.batch.job_items.get_processing_results(ids[0])
        (result,) = history.processing_results
        assert (history.item_name, result.job_type) == ("a.txt", "parse")
        assert result.job_config.parameters.tier == "cost_effective"
        assert not client.beta.batch.job_items.get_processing_results(ids[0], job_type="extract").processing_results
        listed = client.beta.batch.list(directory_id=directory.id, status="completed", job_type="parse")
        assert [one.id for one in listed] == [batch.id]
        assert {batch.id, again.job.id} <= {one.id for one in client.beta.batch.list(limit=1)}

    older_sdk.run(journey)


def test_cancelling_and_refusals(older_sdk: OfficialSdk) -> None:
    """Ensure that the SDK reads a cancellation, and raises what it has for each refusal."""

    def journey(client: Any) -> list[str]:
        import llama_cloud

        directory = client.beta.directories.create(name="older refusals")
        client.beta.directories.files.upload(directory.id, upload_file=("a.txt", b"text"))
        job_config = {"parameters": {}}
        batch = client.beta.batch.create(job_config=job_config, directory_id=directory.id)
        refusals = []
        try:
            cancelled = client.beta.batch.cancel(batch.id, reason="enough")
            assert (cancelled.job_id, cancelled.status) == (batch.id, "cancelled")
            assert client.beta.batch.get_status(batch.id).job.status == "cancelled"
            client.beta.batch.cancel(batch.id)
        except llama_cloud.ConflictError:
            refusals.append("over")
        rules = [{"type": "invoice", "description": "A demand for money"}]
        classify = {
            "id": batch.id[4:],
            "project_id": batch.id[4:],
            "rules": rules,
            "status": "PENDING",
            "user_id": "me",
        }
        elsewhere = {"parameters": {"input_url": "https://example.com"}}
        for attempt in (
            lambda: client.beta.batch.create(job_config=job_config, directory_id="dir-none"),
            lambda: client.beta.batch.create(job_config=job_config, item_ids=["dfl-none"]),
            lambda: client.beta.batch.create(job_config=job_config),
            lambda: client.beta.batch.create(job_config={"parameters": {"tier": "best"}}, directory_id=directory.id),
            lambda: client.beta.batch.create(job_config={"parameters": {"teir": 1}}, directory_id=directory.id),
            lambda: client.beta.batch.create(job_config=classify, directory_id=directory.id),
            lambda: client.beta.batch.create(job_config=elsewhere, directory_id=directory.id),
            lambda: client.beta.batch.get_status("bjb-none"),
            lambda: client.beta.batch.list(status="wrong"),
            lambda: client.beta.batch.job_items.list("bjb-none"),
            lambda: client.beta.batch.job_items.get_processing_results("dfl-none"),
        ):
            try:
                attempt()
                refusals.append("none")
            except llama_cloud.APIStatusError as error:
                refusals.append(error.status_code)
        return refusals

    assert older_sdk.run(journey) == ["over", 404, 404, 422, 422, 422, 501, 501, 404, 422, 404, 404]
