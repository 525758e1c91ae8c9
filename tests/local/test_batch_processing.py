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
            source = resolve_source(content, extra_info={"file_name": f"{name}.txt"})
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


def test_waiting_ends(tmp_path: Path) -> None:
    """Ensure a deadline and a cancellation end a wait, and name the batch."""
    processing = LlamaBatchProcessing(base_url=f"local:{tmp_path / 'cloud'}?latency=20&max_concurrent_jobs=2")
    directory_id, _ = directory_of(processing, a=b"one", b=b"two")
    batch = processing.create(directory_id)
    with pytest.raises(JobDeadlineError, match=batch.id):
        processing.wait_for_completion(batch.id, timeout=0.2)
    processing.cancel(batch.id, "enough")
    with pytest.raises(JobCancelledError, match=batch.id):
        processing.wait_for_completion(batch.id)
    assert {item.status for item in processing.items(batch.id)} == {"cancelled"}


def test_what_cannot_be(processing: LlamaBatchProcessing) -> None:
    """Ensure wrong use is refused before anything is sent, unknown ids are named, and nothing but failures raises."""
    for wrong in ({}, {"directory_id": "dir-1", "item_ids": ["dfl-1"]}):
        with pytest.raises(ConfigurationError, match="directory"):
            processing.create(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigurationError, match="num_workers"):
        LlamaBatchProcessing(base_url="local::memory:", num_workers=0)
    for call in (processing.status, processing.items, processing.cancel, processing.processing_results):
        with pytest.raises(NotFoundError):
            call("bjb-none")  # type: ignore[operator]  # methods of one argument each
    directory_id, _ = directory_of(processing, a=b"  ")
    with pytest.raises(PartialFailureError, match=r"a\.txt"):
        processing.results(processing.create(directory_id).id)


def test_a_lost_answer_makes_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a create whose answer was lost is found by its directory, instead of being repeated."""
    from llama_cloud_ext.errors import TransportError
    from llama_cloud_ext.wire.transport import Connection

    processing = LlamaBatchProcessing(base_url=f"local:{tmp_path / 'cloud'}")
    directory_id, _ = directory_of(processing, a=b"one")
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


def test_it_travels(processing: LlamaBatchProcessing) -> None:
    """Ensure it pickles without its connection, and shows no key."""
    copy = pickle.loads(pickle.dumps(processing))
    assert copy.list_batches() == []
    assert "llx-secret" not in repr(LlamaBatchProcessing(api_key="llx-secret", base_url="https://cloud.example"))
