"""LlamaBatchReader with a ledger: what is sent again after a call that came to no end, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from llama_cloud_ext import (
    JobDeadlineError,
    JobFailedError,
    LedgerEntries,
    LlamaBatchReader,
    LlamaCloudBatches,
    LlamaCloudDirectories,
    PartialFailureError,
    QuotaError,
    RequestTimeoutError,
    TransportError,
)
from llama_cloud_ext.batch import filling, ledgered, starting
from llama_cloud_ext.wire import batches, recovery
from tests.http.scripted import in_turn
from tests.http.scripted_batches import ScriptedBatches

FILES: list[Any] = [b"one", b"two"]
NAMED = [{"file_name": "1.txt"}, {"file_name": "2.txt"}]
LOST = httpx.ReadTimeout("the answer was lost")
MEMORY = "local::memory:"


class Invoice(BaseModel):
    """What the invoices have."""

    total: float | None


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for is there at once, or not at all."""
    quick = functools.partial(recovery.look_up_repeatedly, pauses=(0.0, 0.0))
    for module in (recovery, starting):
        monkeypatch.setattr(module, "look_up_repeatedly", quick)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of its own."""
    return tmp_path / "ledger"


def states(ledger: Path) -> list[tuple[str | None, str]]:
    """Product and state of all entries."""
    return sorted((str(entry.product), entry.state) for entry in LedgerEntries(ledger))


def errors_of(call: Callable[[], Any]) -> list[type]:
    """What the files of a call failed with."""
    with pytest.raises(PartialFailureError) as raised:
        call()
    return [type(failure.error) for failure in raised.value.failures]


@contextlib.contextmanager
def no_batches() -> Iterator[None]:
    """A service that cannot be reached once the files are uploaded."""

    async def down(*_: Any, **__: Any) -> Any:
        raise TransportError("down", request="POST /api/v2/batches", sent=False)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "create", down)
        yield


def test_what_was_done_costs_no_request(ledger: Path) -> None:
    """Ensure a second call sends nothing, a file under another name neither, and a new one is all that is sent."""
    service = ScriptedBatches()
    reader = service.reader(ledger=ledger)
    first = reader.parse(FILES, extra_info=NAMED)
    assert states(ledger) == [("parse", "done")] * 2
    service.forget()
    again = reader.parse([*FILES, b"one"], extra_info=[*NAMED, {"file_name": "other.txt"}])
    assert [one.pages for one in again[:2]] == [one.pages for one in first]
    assert (again[2].source.name, again[2].pages) == ("other.txt", first[0].pages)
    assert [len(reader.load_data(file)) for file in FILES] == [1, 1]
    assert service.requests == []
    service.uploads = 0
    reader.parse([*FILES, b"three"])
    assert (service.steps["upload"], service.steps["create batch"]) == (1, 1)
    service.reader(ledger=ledger, tier="fast").parse(FILES)
    assert service.steps["create batch"] == 2


def test_one_content_is_sent_once(ledger: Path) -> None:
    """Ensure files of one content become one upload, with a result for each, and fail together."""
    service = ScriptedBatches()
    named = [{"file_name": "1.txt"}, {"file_name": "copy.txt"}]
    results = service.reader(ledger=ledger).parse([b"one", b"one"], extra_info=named)
    assert [result.source.name for result in results] == ["1.txt", "copy.txt"]
    assert results[0].pages == results[1].pages
    assert service.steps["upload"] == 1
    service.job_status = "FAILED"
    other = service.reader(ledger=ledger, tier="fast")
    assert errors_of(lambda: other.parse([b"one", b"one"], extra_info=named)) == [JobFailedError] * 2


def test_a_batch_that_is_left_is_gone_on_with(ledger: Path) -> None:
    """Ensure a batch that was not waited for is collected by the next call, which uploads and creates nothing."""
    service = ScriptedBatches(looks=["RUNNING"] * 3)
    assert errors_of(lambda: service.reader(ledger=ledger, job_timeout=0.01).parse(FILES)) == [JobDeadlineError] * 2
    assert states(ledger) == [("batch", "running")]
    service.looks.clear()
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2
    assert (service.steps["upload"], service.steps["create batch"], service.steps["delete directory"]) == (2, 1, 1)
    assert states(ledger) == [("parse", "done")] * 2


def test_a_create_that_was_lost_is_found(ledger: Path) -> None:
    """Ensure a batch whose answer was lost for good is found by the next call, by its directory."""
    lost = {"after create batch": [LOST], "batches": [httpx.ConnectError("down")]}
    service = ScriptedBatches(fault=in_turn(lost))
    assert errors_of(lambda: service.reader(ledger=ledger, retry_budget=0).parse(FILES)) == [RequestTimeoutError] * 2
    assert states(ledger) == [("batch", "begun")]
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2
    assert (service.steps["upload"], service.steps["create batch"]) == (2, 1)


def test_a_refused_batch_is_forgotten(ledger: Path) -> None:
    """Ensure nothing is left of a batch that the plan does not allow, so that the next call begins anew."""
    service = ScriptedBatches(fault=in_turn({"create batch": [402]}))
    assert errors_of(lambda: service.reader(ledger=ledger).parse(FILES)) == [QuotaError] * 2
    assert states(ledger) == []
    assert service.steps["delete directory"] == 1
    service.uploads = 0
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2


def test_a_batch_that_has_vanished_is_begun_anew(ledger: Path) -> None:
    """Ensure a call that finds its batch gone from the service creates another one."""
    service = ScriptedBatches(looks=["RUNNING"] * 3)
    errors_of(lambda: service.reader(ledger=ledger, job_timeout=0.01).parse(FILES))
    service.looks.clear()
    service.uploads = 0
    service.fault = in_turn({"batch": [404]})
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2
    assert service.steps["create batch"] == 2


def test_a_failed_file_is_tried_anew(ledger: Path) -> None:
    """Ensure a job that failed is no result: the next call makes a new one, for that file alone."""
    service = ScriptedBatches(job_status="FAILED")
    assert errors_of(lambda: service.reader(ledger=ledger).parse(FILES)) == [JobFailedError] * 2
    assert states(ledger) == []
    service.job_status, service.uploads = "COMPLETED", 0
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2


def test_a_directory_that_is_gone_is_made_anew(ledger: Path) -> None:
    """Ensure a call that was lost before its batch, and whose directory has expired, is begun with another one."""
    service = ScriptedBatches(fault=in_turn({"create batch": [LOST], "batches": [httpx.ConnectError("down")]}))
    assert errors_of(lambda: service.reader(ledger=ledger, retry_budget=0).parse(FILES)) == [RequestTimeoutError] * 2
    service.fault, service.uploads = in_turn({"files": [404]}), 0
    assert len(service.reader(ledger=ledger).parse(FILES)) == 2
    assert (service.steps["create directory"], service.steps["upload"], len(service.batches)) == (2, 4, 1)


def test_an_upload_that_arrived_late(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure an upload that the service refuses, as the one of a lost call came in after the look, is that one."""

    async def nothing(*_: Any) -> dict[str, str]:
        return {}

    reader = LlamaBatchReader(base_url=MEMORY, ledger=ledger, tier="fast")
    with no_batches():
        assert errors_of(lambda: reader.parse([b"late one"])) == [TransportError]
    monkeypatch.setattr(filling.BatchFiller, "_present", nothing)
    assert reader.parse([b"late one"])[0].text.strip() == "late one"


def test_a_directory_that_is_half_full(ledger: Path) -> None:
    """Ensure uploads of a call that was lost are used, and what the next call does not want is taken out unpaid."""
    reader, directories = LlamaBatchReader(base_url=MEMORY, ledger=ledger), LlamaCloudDirectories(base_url=MEMORY)
    others = {one.id for one in directories.list_directories()}
    with no_batches():
        assert errors_of(lambda: reader.parse([b"half one", b"half two"])) == [TransportError] * 2
    (directory,) = [one for one in directories.list_directories() if one.id not in others]
    assert len(directories.list_files(directory.id)) == 2
    results = reader.parse([b"half two", b"half three"])
    assert [result.pages[0].text for result in results] == ["half two", "half three"]
    (batch,) = LlamaCloudBatches(base_url=MEMORY).list_batches(source_directory_id=directory.id)
    assert len(LlamaCloudBatches(base_url=MEMORY).get(batch.id, results=True).results or []) == 1
    assert reader.parse(b"half one")[0].pages[0].text == "half one"


def test_portions_and_two_calls_at_once(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure calls for the same files at the same time share batches of the size that the service takes."""
    monkeypatch.setattr(ledgered, "MOST_FILES", 2)
    files: list[Any] = [f"shared {number}".encode() for number in range(5)]
    before = len(LlamaCloudBatches(base_url=MEMORY).list_batches(limit=None))

    async def both() -> list[Any]:
        readers = [LlamaBatchReader(base_url=MEMORY, ledger=ledger, tier="fast") for _ in range(2)]
        return await asyncio.gather(*(reader.aload_data(files) for reader in readers))

    one, other = asyncio.run(both())
    assert [document.text for document in one] == [file.decode() for file in files]
    assert [document.to_dict() for document in one] == [document.to_dict() for document in other]
    assert len(LlamaCloudBatches(base_url=MEMORY).list_batches(limit=None)) == before + 3
    assert states(ledger) == [("parse", "done")] * 5


def test_extracted_data_are_kept(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure extraction goes by the ledger as well, without even saving a configuration again."""
    reader = LlamaBatchReader(base_url=MEMORY, ledger=ledger)
    files: list[Any] = [b"Total: 1.50", b"Total: 2.50"]
    assert [one.data.total for one in reader.extract(Invoice, None, files)] == [1.5, 2.5]
    assert states(ledger) == [("extract", "done")] * 2
    elsewhere = LlamaBatchReader(base_url=MEMORY, ledger=ledger, num_workers=1)
    monkeypatch.setattr("llama_cloud_ext.wire.transport.Connection.request", None)
    assert [one.data.total for one in elsewhere.extract(Invoice, None, files)] == [1.5, 2.5]
