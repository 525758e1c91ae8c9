"""Job slots: never more unfinished jobs than asked for, and never one fewer than there could be."""

from __future__ import annotations

import asyncio

import pytest

from llama_cloud_ext.wire.job_slots import JobSlots


async def test_no_more_than_the_limit_at_a_time_and_in_order() -> None:
    """Ensure places are bounded and handed out first come, first served."""
    slots = JobSlots(2)
    order: list[int] = []
    held = peak = 0

    async def work(number: int) -> None:
        nonlocal held, peak
        async with await slots.acquire():
            order.append(number)
            held += 1
            peak = max(peak, held)
            await asyncio.sleep(0.001)
            held -= 1

    await asyncio.gather(*(work(n) for n in range(10)))
    assert peak == 2
    assert order == list(range(10))


async def test_releasing_twice_frees_one_place() -> None:
    """Ensure a place that is given back twice is still one place."""
    slots = JobSlots(1)
    first = await slots.acquire()
    first.release()
    first.release()
    await slots.acquire()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(slots.acquire(), 0.01)


async def test_a_cancelled_waiter_loses_no_place() -> None:
    """Ensure cancellation while waiting, or just when a place was handed over, leaks nothing."""
    slots = JobSlots(1)
    first = await slots.acquire()
    waiter = asyncio.create_task(slots.acquire())
    late = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.sleep(0)
    first.release()
    late.cancel()
    await asyncio.gather(waiter, late, return_exceptions=True)
    await asyncio.wait_for(slots.acquire(), 1)


async def test_parked_jobs_are_watched_only_when_somebody_needs_their_place() -> None:
    """Ensure submitted jobs cost no looks until the next job waits, and then free their place when they end."""
    slots = JobSlots(1)
    looked: list[str] = []
    ended = asyncio.Event()

    async def wait() -> None:
        looked.append("looked")
        await ended.wait()

    (await slots.acquire()).park(wait)
    await asyncio.sleep(0.01)
    assert looked == []
    follower = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0.01)
    assert looked == ["looked"]
    assert not follower.done()
    ended.set()
    await asyncio.wait_for(follower, 1)


async def test_a_parked_job_that_cannot_be_watched_gives_its_place_back() -> None:
    """Ensure an error while watching a parked job does not keep its place for ever."""
    slots = JobSlots(1)

    async def wait() -> None:
        raise OSError("unreachable")

    (await slots.acquire()).park(wait)
    await asyncio.wait_for(slots.acquire(), 1)


async def test_a_waiter_cancelled_while_a_place_comes_free_ends_cancelled() -> None:
    """Ensure a place that is freed between a waiter's cancellation and its end goes to the next one."""
    slots = JobSlots(1)
    first = await slots.acquire()
    waiter = asyncio.create_task(slots.acquire())
    follower = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    waiter.cancel()
    first.release()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await asyncio.wait_for(follower, 1)
