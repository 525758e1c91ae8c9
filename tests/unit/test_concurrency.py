"""Several awaitables at a time, that end together."""

from __future__ import annotations

import asyncio

import pytest

from llama_cloud_ext.wire.concurrency import concurrently


async def test_results_keep_their_order_and_the_bound_holds() -> None:
    """Ensure so many run at the same time and no more, and results come in the order of the values."""
    running = most = 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (10 - number))
        running -= 1
        return 2 * number

    assert await concurrently(double, range(10), at_once=3) == [2 * number for number in range(10)]
    assert most == 3
    assert await concurrently(double, [], at_once=3) == []


async def test_the_first_failure_stops_the_rest() -> None:
    """Ensure a failure is raised as it is, after everything else was stopped."""
    stopped: list[int] = []

    async def fail_second(number: int) -> None:
        if number == 1:
            raise LookupError("second")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.append(number)
            raise

    with pytest.raises(LookupError, match="second"):
        await concurrently(fail_second, range(4), at_once=4)
    assert stopped == [0, 2, 3]


async def test_a_cancellation_stops_all() -> None:
    """Ensure nothing runs on when the caller is cancelled."""
    started: list[int] = []

    async def wait(number: int) -> None:
        started.append(number)
        await asyncio.sleep(30)

    task = asyncio.create_task(concurrently(wait, range(9), at_once=4))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert started == [0, 1, 2, 3]
    assert len(asyncio.all_tasks()) == 1
