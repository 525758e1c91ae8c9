"""The job watcher, in virtual time: how much it loses, how much it asks, and what faults do to it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from llama_cloud_ext.errors import (
    AuthenticationError,
    BadRequestError,
    JobDeadlineError,
    LlamaCloudError,
    NotFoundError,
    ServerError,
    TransportError,
)
from llama_cloud_ext.wire.watcher import JobKind, JobWatcher, RecentDurations, poll_interval
from tests import virtual_time

LATENCY = 0.004


class Service:
    """Jobs that end after a while of virtual time, and a count of what they were asked."""

    def __init__(self, *, heeds_job_ids: bool = True) -> None:
        self.jobs: dict[str, tuple[float, float]] = {}
        self.requests = 0
        self.heeds_job_ids = heeds_job_ids
        self.faults: list[LlamaCloudError] = []
        self.final = "COMPLETED"
        self.kind = JobKind("parse", self.get, self.list_jobs, frozenset({"COMPLETED", "FAILED", "CANCELLED"}))

    def start(self, job_id: str, duration: float) -> dict[str, Any]:
        self.jobs[job_id] = (asyncio.get_running_loop().time(), duration)
        return self.record(job_id)

    def record(self, job_id: str) -> dict[str, Any]:
        born, duration = self.jobs[job_id]
        ended = asyncio.get_running_loop().time() >= born + duration
        epoch = datetime(2026, 1, 1, tzinfo=timezone.utc)
        return {
            "id": job_id,
            "status": self.final if ended else "RUNNING",
            "created_at": (epoch + timedelta(seconds=born)).isoformat(),
            "updated_at": (epoch + timedelta(seconds=born + (duration if ended else 0))).isoformat(),
        }

    async def _answer(self) -> None:
        self.requests += 1
        await asyncio.sleep(LATENCY)
        if self.faults:
            raise self.faults.pop(0)

    async def get(self, _connection: Any, job_id: str) -> dict[str, Any]:
        await self._answer()
        if job_id not in self.jobs:
            raise NotFoundError(status=404, detail="Parse job not found")
        return self.record(job_id)

    async def list_jobs(self, _connection: Any, job_ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        await self._answer()
        for job_id in list(self.jobs):
            if job_id in job_ids or not self.heeds_job_ids:
                yield self.record(job_id)


def watcher(service: Service, seed: int = 7, kind: JobKind | None = None) -> JobWatcher:
    """A watcher on virtual time with random numbers of its own."""
    connection: Any = SimpleNamespace()
    clock = asyncio.get_running_loop().time
    return JobWatcher(connection, kind or service.kind, clock=clock, uniform=random.Random(seed).random)


async def waited(service: Service, jobs: JobWatcher, job_id: str, duration: float) -> float:
    """Start a job and wait for it; the seconds lost after its end."""
    record = service.start(job_id, duration)
    begun = asyncio.get_running_loop().time()
    await jobs.wait(job_id, known=record)
    return asyncio.get_running_loop().time() - begun - duration


def test_the_time_lost_stays_near_a_tenth_over_jobs_of_all_lengths() -> None:
    """Ensure single jobs of 0.3 to 12 s lose at most 12 % in all, and none more than 20 % and a quarter second."""

    async def main() -> None:
        service = Service()
        jobs = watcher(service)
        durations = [0.3 + index * 11.7 / 99 for index in range(100)]
        random.Random(3).shuffle(durations)
        lost = [await waited(service, jobs, f"job-{index}", seconds) for index, seconds in enumerate(durations)]
        assert sum(lost) <= 0.12 * sum(durations)
        assert all(late <= 0.2 * seconds + 0.25 for late, seconds in zip(lost, durations, strict=True))

    virtual_time.run(main)


@pytest.mark.parametrize(("seconds", "most"), [(12, 19), (120, 36)])
def test_a_job_is_asked_for_only_so_often(seconds: float, most: int) -> None:
    """Ensure that with its create and its result a 12 s job takes at most 21 requests, one of two minutes 38."""

    async def main() -> None:
        for seed in range(20):
            service = Service()
            await waited(service, watcher(service, seed), "job", seconds)
            assert service.requests <= most

    virtual_time.run(main)


def test_jobs_in_flight_share_their_requests() -> None:
    """Ensure fifty jobs cost hardly more requests than one."""

    async def main() -> None:
        service = Service()
        jobs = watcher(service)
        await asyncio.gather(*(waited(service, jobs, f"job-{n}", 5.0) for n in range(50)))
        assert service.requests <= 20

    virtual_time.run(main)


def test_jobs_alike_are_seen_at_their_end() -> None:
    """Ensure jobs of one length soon lose next to nothing, and a sudden long one no more than ever."""

    async def main() -> None:
        service = Service()
        jobs = watcher(service)
        lengths = random.Random(5)
        lost = [await waited(service, jobs, f"job-{n}", lengths.uniform(3.0, 3.1)) for n in range(20)]
        assert max(lost[5:]) < 0.2
        assert await waited(service, jobs, "long", 9.0) <= 0.2 * 9 + 0.25

    virtual_time.run(main)


def test_durations_that_differ_foresee_nothing() -> None:
    """Ensure no guess is made from few, from unlike or from unusable durations."""
    durations = RecentDurations()
    for seconds in (1, 9, 2, 8, 3, 7):
        durations.note({"created_at": "2026-01-01T00:00:00Z", "updated_at": f"2026-01-01T00:00:0{seconds}Z"})
    durations.note({"created_at": None, "updated_at": "soon"})
    durations.note({"created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:05Z"})
    assert durations.foreseen(0) is None
    assert RecentDurations().foreseen(0) is None


def test_where_the_filter_is_ignored_each_job_is_asked_for() -> None:
    """Ensure a deployment that lists all jobs, or too few, still gets every job seen to its end."""

    async def main() -> None:
        service = Service(heeds_job_ids=False)
        for n in range(5):
            service.start(f"foreign-{n}", 100.0)
        jobs = watcher(service)
        lost = await asyncio.gather(*(waited(service, jobs, f"job-{n}", 4.0) for n in range(4)))
        assert max(lost) <= 0.2 * 4 + 0.25

    virtual_time.run(main)


def test_a_refused_list_falls_back_to_single_requests() -> None:
    """Ensure a deployment without the list endpoint's filter (400, 404, 405, 422) is served all the same."""

    async def main() -> None:
        service = Service()
        service.faults = [BadRequestError(status=400, detail="unknown query parameter job_ids")]
        jobs = watcher(service)
        lost = await asyncio.gather(*(waited(service, jobs, f"job-{n}", 2.0) for n in range(3)))
        assert max(lost) <= 0.2 * 2 + 0.25

    virtual_time.run(main)


@pytest.mark.parametrize("status", [500, 501])
def test_a_list_that_only_fails_is_done_without(status: int) -> None:
    """Ensure jobs are seen to their end where every list request is answered with a server error."""

    async def main() -> None:
        service = Service()

        async def failing(_connection: Any, _job_ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
            raise ServerError(status=status)
            yield {}

        jobs = watcher(service, kind=replace(service.kind, list_jobs=failing))
        lost = await asyncio.gather(*(waited(service, jobs, f"job-{n}", 3.0) for n in range(4)))
        assert max(lost) <= 0.2 * 3 + 0.25

    virtual_time.run(main)


def test_faults_while_polling_hurt_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure 5xx and cut connections between looks neither fail a job nor stop the watching."""

    async def main() -> None:
        service = Service()
        service.faults = [ServerError(status=502), TransportError("reset", sent=True)] * 3
        jobs = watcher(service)
        await asyncio.gather(*(waited(service, jobs, f"job-{n}", 4.0) for n in range(3)))

    with caplog.at_level(logging.WARNING):
        virtual_time.run(main)
    assert "trying again" in caplog.text


def test_a_service_that_falls_silent_is_given_up_after_ten_minutes() -> None:
    """Ensure an endless outage ends in the transport's error and not in waiting for ever."""

    async def main() -> float:
        service = Service()
        service.faults = [TransportError("unreachable") for _ in range(10_000)]
        with pytest.raises(TransportError):
            await waited(service, watcher(service), "job", 10**6)
        return asyncio.get_running_loop().time()

    assert 600 <= virtual_time.run(main) <= 660


@pytest.mark.parametrize("fault", [AuthenticationError(status=401, detail="Invalid API Key")])
def test_a_refusal_ends_the_wait_at_once(fault: LlamaCloudError) -> None:
    """Ensure 401 and 404 are not polled until the deadline."""

    async def main() -> None:
        service = Service()
        service.faults = [fault]
        jobs = watcher(service)
        with pytest.raises(AuthenticationError):
            await waited(service, jobs, "job", 50.0)
        with pytest.raises(NotFoundError):
            await jobs.wait("unknown")
        assert asyncio.get_running_loop().time() < 1

    virtual_time.run(main)


def test_the_deadline_holds_and_the_job_can_be_waited_for_again() -> None:
    """Ensure the deadline raises on time with the job's id, and a second wait finds the job's end."""

    async def main() -> None:
        service = Service()
        jobs = watcher(service)
        record = service.start("job", 30.0)
        with pytest.raises(JobDeadlineError) as caught:
            await jobs.wait("job", known=record, timeout=5.0)
        assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.01)
        assert caught.value.job_id == "job"
        assert caught.value.status == "RUNNING"
        assert (await jobs.wait("job"))["status"] == "COMPLETED"

    virtual_time.run(main)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "failed"])
def test_final_states_end_the_wait_and_unknown_ones_do_not(status: str) -> None:
    """Ensure failed and cancelled jobs are handed back in any spelling, and a new state counts as running."""

    async def main() -> None:
        service = Service()
        service.final = status
        await waited(service, watcher(service), "job", 1.0)
        service.final = "SHINING"
        with pytest.raises(JobDeadlineError):
            await watcher(service).wait("job", timeout=20.0)

    virtual_time.run(main)


def test_a_job_that_is_done_in_the_answer_to_its_create_is_not_asked_for() -> None:
    """Ensure a cached result costs no look."""

    async def main() -> None:
        service = Service()
        assert (await watcher(service).wait("job", known={"id": "job", "status": "COMPLETED"}))["id"] == "job"
        assert service.requests == 0

    virtual_time.run(main)


def test_intervals_grow_with_age_and_are_bounded() -> None:
    """Ensure the interval's table: a floor, a sixth of the age, a ceiling, a tenth of jitter."""
    assert [round(poll_interval(age, 1.0), 2) for age in (0, 1, 10, 100, 1000)] == [0.18, 0.34, 1.78, 16.18, 20.0]
    assert poll_interval(10, 0.0) == pytest.approx(0.9 * poll_interval(10, 1.0))
    assert poll_interval(-5, 1.0) == poll_interval(0, 1.0)


class StallingService(Service):
    """Looks at the job `stuck`, alone or in a list, take minutes; those that were called off are counted."""

    def __init__(self, *, heeds_job_ids: bool = True) -> None:
        super().__init__(heeds_job_ids=heeds_job_ids)
        self.out = 0
        self.called_off = 0

    async def _stall(self) -> None:
        self.out += 1
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        finally:
            self.out -= 1

    async def get(self, connection: Any, job_id: str) -> dict[str, Any]:
        if job_id == "stuck":
            await self._stall()
        return await super().get(connection, job_id)

    async def list_jobs(self, connection: Any, job_ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        if "stuck" in job_ids and self.heeds_job_ids:
            await self._stall()
        async for record in super().list_jobs(connection, job_ids):
            yield record


@pytest.mark.parametrize("heeds_job_ids", [True, False])
def test_a_look_that_hangs_keeps_no_other_job_waiting(heeds_job_ids: bool) -> None:
    """Ensure a job is seen soon after its end though a request about another one does not come back."""

    async def main() -> None:
        service = StallingService(heeds_job_ids=heeds_job_ids)
        service.start("stranger", 900.0)
        jobs = watcher(service)
        stuck = asyncio.create_task(waited(service, jobs, "stuck", 1.0))
        await asyncio.sleep(1.0)
        assert service.out == 1
        for number in range(3):
            assert await waited(service, jobs, f"job-{number}", 3.0) < 2.5
        stuck.cancel()

    virtual_time.run(main)


def test_looks_that_nobody_waits_for_are_called_off_and_the_job_is_waited_for_anew() -> None:
    """Ensure a deadline ends the request that was out, and a later wait for the same job gets its record."""

    async def main() -> None:
        service = StallingService()
        jobs = watcher(service)
        known = service.start("stuck", 1.0)
        with pytest.raises(JobDeadlineError):
            await jobs.wait("stuck", known=known, timeout=5.0)
        await asyncio.sleep(0)
        assert (service.called_off, service.out) == (1, 0)
        assert (await jobs.wait("stuck"))["status"] == "COMPLETED"

    virtual_time.run(main)


def test_each_job_gets_an_error_of_its_own() -> None:
    """Ensure a refusal that ends several waits is not one shared object, to which each caller adds its file and job."""

    async def main() -> None:
        service = Service()
        jobs = watcher(service)
        service.faults = [AuthenticationError(status=401, detail="Invalid key")]
        waits = [jobs.wait(name, known=service.start(name, 9.0)) for name in ("a", "b")]
        first, second = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(first, AuthenticationError)
        assert isinstance(second, AuthenticationError)
        assert first is not second

    virtual_time.run(main)
