"""The ledger's promise: each entry is worked on once, whoever asks, and whatever stalls or fails meanwhile."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llama_cloud_ext.errors import BadRequestError, LedgerError, LlamaCloudError, ServerError, TransportError
from llama_cloud_ext.jobs import ledger as module
from llama_cloud_ext.jobs.ledger import Hold, Ledger, LedgerWork
from llama_cloud_ext.jobs.ledger_records import EntryRecords, Intent
from llama_cloud_ext.jobs.ledger_store import LedgerStore, ledger_store
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.wire.job_slots import JobSlots, Slot

KEY = "a" * 64
PLACE = f"aa/{KEY}"


@pytest.fixture
def store() -> LedgerStore:
    """A store of the test's own."""
    return ledger_store(f"memory://{uuid.uuid4().hex}")


class Service:
    """Jobs that are done at once. What a test sets happens before a job is accepted, or instead of it."""

    def __init__(self) -> None:
        self.created: list[Intent] = []
        self.recovered: list[Intent] = []
        self.before: Callable[[], Awaitable[None]] | None = None
        self.error: LlamaCloudError | None = None
        self.late_error: LlamaCloudError | None = None
        self.slots = JobSlots(4)

    def work(self) -> LedgerWork:
        """What a caller does on an entry: it uploads, notes that, and creates."""

        async def create(intent: Intent, slot: Slot, hold: Hold) -> CreatedJob:
            if self.before is not None:
                await self.before()
            await hold.note(intent)
            if self.error is not None:
                raise self.error
            self.created.append(intent)
            if self.late_error is not None:
                raise self.late_error
            return CreatedJob(f"job-{len(self.created)}", slot=slot)

        async def recover(intent: Intent) -> CreatedJob | None:
            self.recovered.append(intent)
            tags = [created.tag for created in self.created]
            return CreatedJob(f"job-{tags.index(intent.tag) + 1}") if intent.tag in tags else None

        async def collect(job: CreatedJob, keep: Keep) -> dict[str, Any]:
            response = {"id": job.job_id}
            await keep(response)
            if job.slot is not None:
                job.slot.release()
            return response

        return LedgerWork({"file": "a.pdf"}, self.slots.acquire, create, recover, collect)


def process(store: LedgerStore, lease_seconds: float = 60.0) -> Ledger:
    """The ledger as one process has it."""
    return Ledger(store, "memory://x", lease_seconds=lease_seconds)


async def test_many_callers_in_many_processes(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure of many who ask at once, in one process and in several, one creates and all get the result."""
    monkeypatch.setattr(module, "_FIRST_LOOK_SECONDS", 0.01)
    service = Service()
    processes = [process(store) for _ in range(4)]
    results = await asyncio.gather(*(one.result(KEY, service.work()) for one in processes for _ in range(5)))
    assert results == [{"id": "job-1"}] * 20
    assert [job.job_id for job in await asyncio.gather(*(one.job(KEY, service.work()) for one in processes))] == [
        "job-1"
    ] * 4
    assert len(service.created) == 1


async def test_a_process_that_stalls_creates_nothing(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a process that wakes after its lease was taken over does not create, and takes the other's job."""
    monkeypatch.setattr(module, "_FIRST_LOOK_SECONDS", 0.01)
    service, other = Service(), Service()

    async def stall() -> None:
        service.before = None
        for name in store.names(PLACE):
            if "lease" in name:
                store.put(name, b"{}")  # as if it had ended long ago
        assert await process(store).result(KEY, other.work()) == {"id": "job-1"}

    service.before = stall
    assert await process(store).result(KEY, service.work()) == {"id": "job-1"}
    assert (len(service.created), len(other.created)) == (0, 1)
    assert other.recovered[0].tag == other.created[0].tag, "with the tag by which the stalled one would look"


@pytest.mark.parametrize(
    ("error", "looked_for"),
    [(TransportError("gone", sent=True), True), (ServerError(status=502), True), (BadRequestError(status=400), False)],
    ids=["no answer", "502", "400"],
)
async def test_what_an_error_leaves(store: LedgerStore, error: LlamaCloudError, *, looked_for: bool) -> None:
    """Ensure after an error that leaves it open whether a job exists it is looked for, and used; else created anew."""
    service = Service()
    if looked_for:
        service.late_error = error
    else:
        service.error = error
    with pytest.raises(type(error)):
        await process(store).result(KEY, service.work())
    service.late_error = service.error = None
    assert await process(store).result(KEY, service.work()) == {"id": "job-1"}
    assert len(service.created) == 1
    assert len(service.recovered) == int(looked_for)
    assert service.slots._free == 4, "no place is lost"


async def test_a_cancelled_create_is_looked_for(store: LedgerStore) -> None:
    """Ensure a caller that gives up in the middle of a create gives back its place and its lease, and is continued."""
    service, reached = Service(), asyncio.Event()

    async def linger() -> None:
        reached.set()
        await asyncio.sleep(60)

    service.before = linger
    task = asyncio.create_task(process(store).result(KEY, service.work()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(store.names()) == [f"{PLACE}/intent.json"]
    assert service.slots._free == 4
    service.before = None
    assert await process(store).result(KEY, service.work()) == {"id": "job-1"}
    assert len(service.recovered) == 1


async def test_a_late_failure_forgets_no_newer_job(store: LedgerStore) -> None:
    """Ensure a process that sees a job fail leaves the job that another has created in its place meanwhile."""
    records = EntryRecords(store, KEY, {})
    await records.note_job(CreatedJob("job-2"))
    await records.forget("job-1")
    assert (job := await records.job()) is not None
    assert job.job_id == "job-2"
    await records.forget("job-2")
    assert await records.job() is None


async def test_a_store_that_fails(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a store that fails before the create raises and creates nothing, and after it loses nothing."""
    service = Service()
    failing = LedgerError("unreachable", location="memory://x")

    def fail(*_: Any) -> Any:
        raise failing

    for method in ("read", "names", "create", "put"):
        with monkeypatch.context() as patch:
            patch.setattr(store, method, fail)
            with pytest.raises(LedgerError, match="unreachable"):
                await process(store).result(KEY, service.work())
        assert service.slots._free == 4
    assert service.created == []

    async def from_now_on() -> None:
        monkeypatch.setattr(store, "delete", fail)

    service.before = from_now_on
    assert await process(store).result(KEY, service.work()) == {"id": "job-1"}
