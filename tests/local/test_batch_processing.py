"""LlamaBatchProcessing against local LlamaCloud: beta batches from creation to Documents."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext import (
    ConfigurationError,
    ConflictError,
    FailedItem,
    JobCancelledError,
    JobDeadlineError,
    LlamaBatchProcessing,
    NotFoundError,
    ParseResult,
    PartialFailureError,
    Progress,
)
from llama_cloud_ext.wire import directories, directory_files
from llama_cloud_ext.wire.io_loop import run
from llama_cloud_ext.wire.models.directory import DirectoryFileOptions, DirectoryOptions
from llama_cloud_ext.wire.sources import resolve_source
from llama_cloud_ext.wire.transport import connection_for


@pytest.fixture
def processing(tmp_path: Path) -> LlamaBatchProcessing:
    """A service of its own."""
    return LlamaBatchProcessing(base_url=f"local:{tmp_path / 'cloud'}")


def directory_of(processing: LlamaBatchProcessing, **files: bytes) -> tuple[str, list[str]]:
    """A directory with these files: its id, and theirs."""

    async def made() -> tuple[str, list[str]]:
        connection = connection_for(processing.settings())
        directory = await directories.create(connection, DirectoryOptions(name="beta"))
        ids = []
        for name, content in files.items():
            source = resolve_source(
                content, extra_info={"file_name": f"{name}.pdf" if content.startswith(b"%PDF") else f"{name}.txt"}
            )
            record = await directory_files.upload(
                connection, directory["id"], source, DirectoryFileOptions(unique_id=name)
            )
            ids.append(str(record["id"]))
        return str(directory["id"]), ids

    return run(made)


def test_a_directory_becomes_documents(processing: LlamaBatchProcessing) -> None:
    """Ensure a batch is created, waited for with progress, and its files come back, a failed one as a record."""
    directory_id, ids = directory_of(processing, a=b"Total: 1.50", b=b"  ", c=b"Total: 2.50")
    seen: list[Progress] = []
    processing.show_progress = seen.append
    batch = processing.create(directory_id, parameters={"tier": "cost_effective"})
    assert batch.total_items == 3
    done = processing.wait_for_completion(batch.id)
    assert (done.status, done.processed_items, done.failed_items, done.progress_percentage) == ("completed", 3, 1, 100)
    assert "3 of 3 items, 1 failed" in repr(done)
    first, second, third = processing.results(batch.id)
    assert isinstance(first, ParseResult)
    assert isinstance(third, ParseResult)
    assert "1.50" in first.text
    assert isinstance(second, FailedItem)
    assert (second.source, second.index) == ("b.txt", 1)
    assert [document.metadata["file_name"] for document in processing.load_data(batch.id)] == ["a.txt", "c.txt"]
    assert [item.id for item in processing.items(batch.id, status="completed")] == [ids[0], ids[2]]
    assert max((one.done, one.total, one.failed) for one in seen) == (3, 3, 1)


async def test_the_same_asynchronously(processing: LlamaBatchProcessing) -> None:
    """Ensure every asynchronous twin does what its other half does, and what was done before is skipped."""
    directory_id, ids = directory_of(processing, a=b"Total: 1.50")
    batch = await processing.acreate(directory_id)
    await processing.await_for_completion(batch.id)
    again = await processing.acreate(item_ids=ids)
    assert (await processing.await_for_completion(again.id)).skipped_items == 1
    (item,) = await processing.aitems(again.id)
    assert (item.status, item.skip_reason) == ("skipped", "already_processed")
    (document,) = await processing.aload_data(again.id, split_by_page=False)
    assert "1.50" in document.text
    (result,) = await processing.aprocessing_results(ids[0])
    assert (result.job_type, result.item_id) == ("parse", ids[0])
    assert [one.id for one in await processing.alist_batches(directory_id=directory_id)] == [batch.id]
    assert (await processing.astatus(batch.id)).status == "completed"
    with pytest.raises(ConflictError):
        await processing.acancel(batch.id)


RECORD = {
    "completed_at": "completed_at",
    "effective_at": "effective_at",
    "error_message": "error_message",
    "job_record_id": "job_record_id",
    "started_at": "started_at",
    "status": "status",
}
JOB = {
    **RECORD,
    "created_at": "created_at",
    "directory_id": "directory_id",
    "failed_items": "failed_items",
    "id": "id",
    "job_type": "job_type",
    "processed_items": "processed_items",
    "project_id": "project_id",
    "skipped_items": "skipped_items",
    "total_items": "total_items",
    "updated_at": "updated_at",
    "workflow_id": "workflow_id",
}
ITEM = {**RECORD, "item_id": "id", "item_name": "name", "job_id": "job_id", "skip_reason": "skip_reason"}
RESULT = {
    "item_id": "item_id",
    "job_config": "job_config",
    "job_type": "job_type",
    "output_metadata": "output_metadata",
    "output_s3_path": "output_s3_path",
    "parameters_hash": "parameters_hash",
    "processed_at": "processed_at",
    "result_id": "id",
}
CANCELLATION = {"job_id", "message", "processed_items", "status"}


def test_every_documented_field_is_answered(processing: LlamaBatchProcessing) -> None:
    """Ensure each record has the fields that the service documents, no others, and an attribute for each."""
    directory_id, ids = directory_of(processing, a=b"Total: 1.50")
    batch = processing.create(directory_id, parameters={"tier": "fast"})
    done = processing.wait_for_completion(batch.id)
    (listed,) = processing.list_batches()
    (item,) = processing.items(batch.id)
    (result,) = processing.processing_results(ids[0])
    for record, fields in (
        (batch, JOB),
        (listed, JOB),
        (done, JOB | {"progress_percentage": "progress_percentage"}),
        (item, ITEM),
        (result, RESULT),
    ):
        assert set(record.raw) == set(fields)
        assert set(fields.values()) <= set(dir(record))
    assert result.job_config == {"job_name": "parse_raw_file_job", "parameters": {"tier": "fast"}}
    assert (result.id, result.output_s3_path) == (item.job_id, f"local://parse/{item.job_id}")


def test_the_order_of_parameters_makes_no_other_batch(processing: LlamaBatchProcessing) -> None:
    """Ensure a file is skipped only where it was processed in the same way, and keys are not kept."""
    directory_id, ids = directory_of(processing, a=b"Total: 1.50")
    for parameters, skipped in (
        ({"resource_info": {"a": 1, "b": 2}, "gpt4o_api_key": "s3cret"}, 0),
        ({"gpt4o_api_key": "s3cret", "resource_info": {"b": 2, "a": 1}}, 1),
        ({"gpt4o_api_key": "s3cret"}, 0),
    ):
        batch = processing.create(directory_id, parameters=parameters)
        assert processing.wait_for_completion(batch.id).skipped_items == skipped
    results = processing.processing_results(ids[0])
    assert len({result.parameters_hash for result in results}) == len(results) == 2
    assert "s3cret" not in str([result.raw for result in results])


def test_parameters_have_their_effect(processing: LlamaBatchProcessing, data_dir: Path) -> None:
    """Ensure pages count from 0, and what the engine knows under another name reaches it."""
    directory_id, _ = directory_of(processing, lorem=(data_dir / "latex-lorem.pdf").read_bytes())
    texts = []
    for margin in (0.0, 0.5):
        parameters = {"tier": "fast", "target_pages": "1", "bbox_bottom": margin}
        (result,) = processing.results(processing.create(directory_id, parameters=parameters).id)
        assert isinstance(result, ParseResult)
        assert [page.number for page in result.pages] == [2]
        texts.append(result.text)
    assert 0 < len(texts[1]) < 0.8 * len(texts[0])


def test_waiting_ends(tmp_path: Path) -> None:
    """Ensure a deadline and a cancellation end a wait, and name the batch."""
    processing = LlamaBatchProcessing(base_url=f"local:{tmp_path / 'cloud'}?latency=20&max_concurrent_jobs=2")
    directory_id, _ = directory_of(processing, a=b"one", b=b"two")
    batch = processing.create(directory_id)
    with pytest.raises(JobDeadlineError, match=batch.id):
        processing.wait_for_completion(batch.id, timeout=0.2)
    cancellation = processing.cancel(batch.id, "enough")
    assert set(cancellation.raw) == CANCELLATION
    assert (cancellation.job_id, cancellation.status, cancellation.processed_items) == (batch.id, "cancelled", 0)
    assert f"job_id={batch.id!r}, processed_items=0" in repr(cancellation)
    with pytest.raises(JobCancelledError, match=batch.id):
        processing.wait_for_completion(batch.id)
    assert {item.status for item in processing.items(batch.id)} == {"cancelled"}


def test_what_cannot_be(processing: LlamaBatchProcessing) -> None:
    """Ensure wrong use is refused before anything is sent, unknown ids are named, and nothing but failures raises."""
    for wrong in ({}, {"directory_id": "dir-1", "item_ids": ["dfl-1"]}):
        with pytest.raises(ConfigurationError, match="directory"):
            processing.create(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigurationError, match=r"parameters\.teir: unknown option; did you mean 'tier'"):
        processing.create("dir-1", parameters={"teir": "fast"})
    with pytest.raises(ConfigurationError, match="num_workers"):
        LlamaBatchProcessing(base_url="local::memory:", num_workers=0)
    for call in (processing.status, processing.items, processing.cancel, processing.processing_results):
        with pytest.raises(NotFoundError):
            call("bjb-none")  # type: ignore[operator]  # methods of one argument each
    directory_id, _ = directory_of(processing, a=b"  ")
    with pytest.raises(PartialFailureError, match=r"a\.txt"):
        processing.results(processing.create(directory_id).id)


def test_a_lost_answer_makes_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a create whose answer was lost is found by its directory; one of single files is not repeated either."""
    from llama_cloud_ext.errors import TransportError
    from llama_cloud_ext.wire.transport import Connection

    processing = LlamaBatchProcessing(base_url=f"local:{tmp_path / 'cloud'}")
    directory_id, ids = directory_of(processing, a=b"one")
    exchange = Connection._exchange
    lost: list[str] = []

    async def losing(self: Connection, method: str, url: str, *rest: Any, **options: Any) -> Any:
        answer = await exchange(self, method, url, *rest, **options)
        if method == "POST" and not lost:
            lost.append(url)
            raise TransportError("the answer was lost", request=url, sent=True)
        return answer

    monkeypatch.setattr(Connection, "_exchange", losing)
    batch = processing.create(directory_id)
    assert lost
    assert [one.id for one in processing.list_batches()] == [batch.id]
    lost.clear()
    with pytest.raises(TransportError, match="the answer was lost"):
        processing.create(item_ids=ids)
    assert [one.directory_id for one in processing.list_batches()] == [None, directory_id]


def test_it_travels(processing: LlamaBatchProcessing) -> None:
    """Ensure it pickles without its connection, and shows no key."""
    copy = pickle.loads(pickle.dumps(processing))
    assert copy.list_batches() == []
    assert "llx-secret" not in repr(LlamaBatchProcessing(api_key="llx-secret", base_url="https://cloud.example"))
