"""Leases on a ledger's entries: one holder at a time, and none that a crash leaves behind."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import threading
import uuid
from typing import Any

import pytest

from llama_cloud_ext.errors import LedgerError
from llama_cloud_ext.jobs import ledger_leases
from llama_cloud_ext.jobs.ledger_leases import Leases
from llama_cloud_ext.jobs.ledger_store import LedgerStore, ledger_store

ENTRY = "ab/entry"
FIRST, SECOND = f"{ENTRY}/lease-000001", f"{ENTRY}/lease-000002"


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> LedgerStore:
    """A store of the test's own."""
    return ledger_store(f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def clock() -> Clock:
    """The clock of all processes."""
    return Clock()


def leases(store: LedgerStore, clock: Clock, seconds: float = 60.0) -> Leases:
    """The leases of one process."""
    return Leases(store, seconds, clock=clock)


async def test_one_holder(store: LedgerStore, clock: Clock) -> None:
    """Ensure an entry that one process holds is not another's, nor a second task's, and is free again afterwards."""
    one, two = leases(store, clock), leases(store, clock)
    async with one.held(ENTRY) as lease:
        assert lease is not None
        assert await lease.is_held()
        async with one.held(ENTRY) as again, two.held(ENTRY) as other:
            assert again is other is None
        async with two.held("ab/other") as another:
            assert another is not None
    assert list(store.names()) == []
    async with two.held(ENTRY) as lease:
        assert lease is not None


async def test_an_expired_lease_is_taken_over(store: LedgerStore, clock: Clock) -> None:
    """Ensure a lease that has ended is another's, and the one that held it learns so and takes nothing away."""
    one, two = leases(store, clock), leases(store, clock)
    async with one.held(ENTRY) as stalled:
        assert stalled is not None
        clock.now += 61
        assert not await stalled.is_held(), "by its own clock"
        async with two.held(ENTRY) as lease:
            assert lease is not None
            assert list(store.names()) == [SECOND]
            clock.now -= 61
            assert not await stalled.is_held(), "by the other's word, though their clocks differ"
            stalled.renew()
            stalled.give_back()
            assert list(store.names()) == [SECOND]
            clock.now += 61
            assert await lease.is_held()


async def test_a_number_that_is_used_again(store: LedgerStore, clock: Clock) -> None:
    """Ensure a process that stalled for several leases spoils none that has its old lease's name."""
    one, two = leases(store, clock), leases(store, clock)
    async with one.held(ENTRY) as stalled:
        assert stalled is not None
        clock.now += 61
        async with two.held(ENTRY):
            pass
        async with two.held(ENTRY) as lease:
            assert lease is not None
            assert lease.name == FIRST == stalled.name
            stalled.renew()
            stalled.give_back()
            assert await lease.is_held()


async def test_leases_are_renewed(store: LedgerStore) -> None:
    """Ensure a lease is held for as long as its block lasts, and not written again after its end."""
    short = Leases(store, 0.2)
    async with short.held(ENTRY) as lease:
        assert lease is not None
        for _ in range(6):
            await asyncio.sleep(0.05)
            assert await lease.is_held()
    await asyncio.sleep(0.1)
    assert list(store.names()) == []


async def test_a_renewal_that_fails(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure a store that fails now and then neither ends the block nor the renewals."""
    puts = iter([LedgerError("away for a moment")])

    def failing(name: str, data: bytes, put: Any = store.put) -> None:
        for error in puts:
            raise error
        put(name, data)

    monkeypatch.setattr(store, "put", failing)
    async with Leases(store, 0.2).held(ENTRY) as lease:
        assert lease is not None
        await asyncio.sleep(0.19)
        assert await lease.is_held()
    assert "away for a moment" in caplog.text


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[1]", b"{}", b'{"ends": "soon"}', b'{"ends": 999}', b'{"ends": 99999999}'],
    ids=["empty", "half", "list", "nothing", "word", "ended", "far away"],
)
async def test_a_record_that_holds_nobody_off(store: LedgerStore, clock: Clock, record: bytes) -> None:
    """Ensure what is half written, has ended, or was written by a clock that is wrong by hours keeps nobody waiting."""
    store.put(FIRST, record)
    async with leases(store, clock).held(ENTRY) as lease:
        assert lease is not None
        assert list(store.names()) == [SECOND]


async def test_a_lease_of_a_dead_process(store: LedgerStore, clock: Clock) -> None:
    """Ensure a process of this machine that was killed keeps nobody waiting, one of another machine for its time."""
    ended = multiprocessing.get_context("fork").Process(target=int)
    ended.start()
    ended.join()
    machine = ledger_leases._machine()
    for where, pid, free in (
        (machine, ended.pid, machine is not None),
        (machine, os.getpid(), False),
        ("another", ended.pid, False),
        (machine, "no number", False),
    ):
        store.put(FIRST, json.dumps({"ends": clock.now + 60, "machine": where, "pid": pid}).encode())
        async with leases(store, clock).held(ENTRY) as lease:
            assert (lease is not None) is free, (where, pid)


async def test_cancelled_while_it_is_taken(store: LedgerStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a lease whose taker is cancelled meanwhile does not stay behind."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(name: str, data: bytes, create: Any = store.create) -> bool:
        reached.set()
        go_on.wait(5)
        return bool(create(name, data))

    monkeypatch.setattr(store, "create", slow)
    mine = leases(store, clock)

    async def hold() -> None:
        async with mine.held(ENTRY):
            raise AssertionError("it was cancelled")

    task = asyncio.create_task(hold())
    await asyncio.to_thread(reached.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    for _ in range(500):
        if not mine._held_here:
            break
        await asyncio.sleep(0.01)
    assert list(store.names()) == []


async def test_a_store_that_fails(store: LedgerStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a store that cannot be written raises, and one that fails at the end of a lease does not."""

    def failing(*_: Any) -> Any:
        raise LedgerError("read-only")

    mine = leases(store, clock)
    with monkeypatch.context() as patch:
        patch.setattr(store, "create", failing)
        with pytest.raises(LedgerError, match="read-only"):
            async with mine.held(ENTRY):
                pass
    async with mine.held(ENTRY) as lease:
        assert lease is not None
        monkeypatch.setattr(store, "delete", failing)
