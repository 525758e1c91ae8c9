"""The rate limiter on a clock of the test's own: nothing here really waits."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from itertools import count

import pytest

from llama_cloud_ext.wire.rate_limit import RateLimiter


class FakeTime:
    """A clock that jumps to the next sleeper whenever every task is waiting."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), future))
        await future

    async def run(self, *tasks: asyncio.Task[object]) -> None:
        while not all(task.done() for task in tasks):
            for _ in range(10):
                await asyncio.sleep(0)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if self._sleepers and not all(task.done() for task in tasks):
                moment, _, future = heapq.heappop(self._sleepers)
                self.now = max(self.now, moment)
                future.set_result(None)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def limiter(time: FakeTime, requests_per_minute: float | None = None) -> RateLimiter:
    return RateLimiter(requests_per_minute, clock=time.clock, sleep=time.sleep)


async def turns(time: FakeTime, limiter: RateLimiter, number: int) -> list[float]:
    """The moments at which so many callers, asking at once, got their turns."""
    start = time.now
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(number)]
    await time.run(*tasks)
    return [task.result() - start for task in tasks]


async def test_unlimited_by_default(time: FakeTime) -> None:
    """Ensure nothing waits before the first 429."""
    assert await turns(time, limiter(time), 1_000) == [0.0] * 1_000


async def test_no_minute_sees_more_than_asked_for(time: FakeTime) -> None:
    """Ensure a rate holds for every window of a minute, and is used up in each."""
    moments = await turns(time, limiter(time, 60), 200)
    assert moments == sorted(moments)
    for index in range(len(moments) - 60):
        assert moments[index + 60] - moments[index] > 60
    assert moments[59] == 0.0
    assert moments[-1] < 3 * 61 + 1


async def test_less_than_one_a_minute(time: FakeTime) -> None:
    """Ensure a rate of a half means one in two minutes."""
    moments = await turns(time, limiter(time, 0.5), 3)
    assert moments == pytest.approx([0, 120.5, 241])


async def test_first_come_first_served(time: FakeTime) -> None:
    """Ensure turns come in the order of asking."""
    shared = limiter(time, 1)
    order: list[int] = []

    async def ask(number: int) -> None:
        await shared.acquire()
        order.append(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(6)]
    await time.run(*tasks)
    assert order == list(range(6))


async def test_cancelled_callers_take_no_turn(time: FakeTime) -> None:
    """Ensure callers that are cancelled at the head and in the middle of the queue cost nobody a turn."""
    shared = limiter(time, 1)
    start = await shared.acquire()
    tasks = [asyncio.create_task(shared.acquire()) for _ in range(4)]
    for _ in range(5):
        await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    await time.run(tasks[1], tasks[3])
    assert [tasks[1].result() - start, tasks[3].result() - start] == pytest.approx([60.5, 121.0])
    assert tasks[0].cancelled()
    assert tasks[2].cancelled()


async def test_a_429_halves_the_recent_pace(time: FakeTime) -> None:
    """Ensure the first 429 halves the pace of the last seconds, which holds once a request is accepted again."""
    shared = limiter(time)
    await turns(time, shared, 50)  # in the last second
    shared.slow_down()
    assert shared.pace == pytest.approx(25)
    shared.speed_up()
    moments = await turns(time, shared, 3)
    assert moments == pytest.approx([1 / 27, 2 / 27, 3 / 27])


async def test_one_burst_brakes_once(time: FakeTime) -> None:
    """Ensure the many refusals of one burst count as one, and its late successes do not end the probing."""
    shared = limiter(time)
    tasks = [asyncio.create_task(shared.acquire()) for _ in range(50)]
    await time.run(*tasks)
    for task in tasks:
        shared.slow_down(task.result())
    assert shared.pace == pytest.approx(25)
    shared.speed_up(tasks[0].result())
    assert await turns(time, shared, 1) == pytest.approx([0.1])


async def test_refusals_end_in_probing(time: FakeTime) -> None:
    """Ensure single requests try again ever less often while all are refused, without the pace falling further."""
    shared = limiter(time)
    await turns(time, shared, 50)
    shared.slow_down()
    gaps = []
    for _ in range(8):
        before = time.now
        task = asyncio.create_task(shared.acquire())
        await time.run(task)
        gaps.append(time.now - before)
        shared.slow_down(task.result())
    assert gaps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4, 4])
    assert shared.pace == pytest.approx(25)


async def test_stray_429s_brake_nobody(time: FakeTime) -> None:
    """Ensure two refusals in ten answers change nothing, and the third brakes."""
    shared = limiter(time)
    tasks = [asyncio.create_task(shared.acquire()) for _ in range(20)]
    await time.run(*tasks)
    turn = [task.result() for task in tasks]
    for number in range(18):
        shared.slow_down(turn[number]) if number % 6 == 0 else shared.speed_up(turn[number])
    assert shared.pace is None
    shared.slow_down(turn[18])
    shared.slow_down(turn[19])
    assert shared.pace is not None


async def test_a_stray_429_in_quiet_traffic(time: FakeTime) -> None:
    """Ensure a single 429 among few requests costs half a second, not the pace of a quiet minute."""
    shared = limiter(time)
    await turns(time, shared, 1)
    shared.slow_down()
    assert await turns(time, shared, 1) == pytest.approx([0.5])


async def test_pace_recovers(time: FakeTime) -> None:
    """Ensure accepted requests bring the pace back little by little until the brake comes off."""
    shared = limiter(time)
    await turns(time, shared, 50)
    shared.slow_down()
    paces = []
    while shared.pace is not None:
        paces.append(shared.pace)
        shared.speed_up()
    assert paces == sorted(paces)
    assert 10 < len(paces) < 30


async def test_quiet_time_lifts_the_brake(time: FakeTime) -> None:
    """Ensure the brake comes off by itself when no 429 has come for two minutes."""
    shared = limiter(time)
    for _ in range(20):
        shared.slow_down()
    time.now += 121
    assert await turns(time, shared, 3) == [0.0] * 3


async def test_stray_429s_do_not_stall(time: FakeTime) -> None:
    """Ensure a service that refuses one request in twenty at random is still used at full speed."""
    shared = limiter(time)
    start = time.now
    for number in range(400):
        (turn,) = [moment + time.now for moment in await turns(time, shared, 1)]
        time.now += 0.05
        shared.slow_down(turn) if number % 20 == 0 else shared.speed_up()
    assert time.now - start < 3 * 400 * 0.05


@pytest.mark.parametrize("is_told", [True, False], ids=["told of the limit", "not told"])
@pytest.mark.parametrize(("files", "requests", "limit"), [(40, 3, 60), (1000, 2, 600), (60, 2, 20)])
async def test_files_pass_a_limit_as_fast_as_it_allows(
    time: FakeTime, files: int, requests: int, limit: int, is_told: bool
) -> None:
    """Ensure files of two or three requests each, 32 at a time, take at most 1.15 of what the limit allows for."""
    shared = limiter(time, limit if is_told else None)
    workers = asyncio.Semaphore(32)
    lately: deque[float] = deque()
    taken = refused = 0

    async def file() -> None:
        nonlocal taken, refused
        async with workers:
            for _ in range(requests):
                while True:
                    turn = await shared.acquire()
                    await time.sleep(0.05)
                    while lately and lately[0] <= time.now - 60:
                        lately.popleft()
                    if len(lately) < limit:
                        lately.append(time.now)
                        taken += 1
                        shared.speed_up()
                        break
                    refused += 1
                    shared.slow_down(turn)
                    await time.sleep(1)

    start = time.now
    await time.run(*(asyncio.create_task(file()) for _ in range(files)))
    assert taken == files * requests
    minutes = -(-taken // limit) - 1  # the first requests pass at once, the last ones need not wait for a whole minute
    assert time.now - start <= max(1.15 * 60 * minutes, 60 * minutes + 6)
    assert not (is_told and refused)
