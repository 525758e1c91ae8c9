"""LlamaParseReader against a service that fails, forgets and loses answers: nothing lost, nothing paid twice."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Any

import pytest
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index_instrumentation import get_dispatcher

from llama_cloud_ext import (
    ConfigurationError,
    FailedItem,
    JobDeadlineError,
    JobFailedError,
    LlamaParseReader,
    ParseResult,
    PartialFailureError,
)
from llama_cloud_ext.parse.events import ParseJobCompletedEvent, ParseJobFailedEvent, ParseJobSubmittedEvent
from tests.benchmarks.simulated_cloud import SimulatedCloud

PDF = b"%PDF-1.7 stands for a file"


@pytest.fixture
def options(simulated_cloud: SimulatedCloud) -> dict[str, Any]:
    """Connection options with a key of the test's own, hence its own pool, limiter and knowledge of the service."""
    return {"base_url": simulated_cloud.base_url, "api_key": f"llx-{uuid.uuid4().hex}"}


def named(count: int, seconds: float = 0.3) -> list[dict[str, str]]:
    """Metadata that names so many files, each a job of so many seconds."""
    return [{"file_name": f"file-{index}-{seconds}.pdf"} for index in range(count)]


def test_one_request_in_five_failing_loses_no_file_and_repeats_no_job(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure 64 files arrive through 429, 500, 503, cut connections and truncated bodies, each parsed once."""
    simulated_cloud.reset(one_in_fails=5, fault_kinds=["429", "500", "503", "cut", "truncated"])
    results = LlamaParseReader(**options).parse([PDF] * 64, extra_info=named(64))
    stats = simulated_cloud.stats()
    assert [result.source.name for result in results] == [info["file_name"] for info in named(64)]
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (64, 0)


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"lost_kinds": ["cut", "502", "truncated"]},
        {"surfaces_after": 1.2},
        {"echo_user_metadata": False},
        {"heed_job_ids": False},
    ],
    ids=["cut", "cut, 502 and truncated", "shown late", "tags not returned", "filter ignored"],
)
def test_a_lost_create_answer_is_looked_up(
    simulated_cloud: SimulatedCloud, options: dict[str, Any], service: dict[str, Any]
) -> None:
    """Ensure one create answer in five of 200 may get lost and no job is made twice, on every kind of deployment."""
    simulated_cloud.reset(one_create_in_lost=5, **service)
    results = LlamaParseReader(**options).parse([PDF] * 200, extra_info=named(200))
    stats = simulated_cloud.stats()
    assert stats["creates_lost"] >= 35
    assert len({result.job_id for result in results}) == 200
    assert [result.source.name for result in results] == [info["file_name"] for info in named(200)]
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (200, 0)


def test_more_workers_than_the_account_runs_jobs_only_queue(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure 64 jobs at a time, of which the account runs 4, all arrive, about as soon as it can, and are made once."""
    simulated_cloud.reset(jobs_at_once=4)
    started = time.monotonic()
    results = LlamaParseReader(**options, num_workers=64).parse([PDF] * 64, extra_info=named(64, 0.25))
    took = time.monotonic() - started
    stats = simulated_cloud.stats()
    assert [result.source.name for result in results] == [info["file_name"] for info in named(64, 0.25)]
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (64, 0)
    assert stats["max_unfinished"] > 32
    # A create and a result for each, and shared looks.
    assert stats["requests"] < 2 * 64 + 40
    assert took < 64 / 4 * 0.25 * 2


def test_a_rate_limit_slows_down_and_loses_nothing(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure more files than the rate allows all arrive, whether the service says when to come back or not."""
    for retry_after in (None, 1.0):
        simulated_cloud.reset(rate=30, rate_window=3.0, retry_after=retry_after)
        results = LlamaParseReader(**options).parse([PDF] * 20, extra_info=named(20))
        assert len(results) == 20
        assert simulated_cloud.stats()["jobs_created"] == 20


async def test_a_rate_of_ones_own_is_kept(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure requests_per_minute bounds what the service sees, over two readers of one account."""
    first = LlamaParseReader(**options, requests_per_minute=12)
    second = LlamaParseReader(**options, requests_per_minute=12, tier="fast")
    for reader in (first, second):
        await reader.asubmit([PDF] * 6, extra_info=named(6))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(second.asubmit(PDF, extra_info=named(1)[0]), 1.5)
    assert simulated_cloud.stats()["requests"] == 12


def test_failed_jobs_in_both_modes(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure one failed job in eight is four records in their places, and PartialFailureError in strict mode."""
    simulated_cloud.reset(one_job_in_fails=8)
    lenient = LlamaParseReader(**options, on_error="skip").parse([PDF] * 32, extra_info=named(32))
    assert sum(isinstance(outcome, FailedItem) for outcome in lenient) == 4
    assert all(outcome.index == place for place, outcome in enumerate(lenient) if isinstance(outcome, FailedItem))
    with pytest.raises(PartialFailureError) as caught:
        LlamaParseReader(**options).load_data([PDF] * 32, extra_info=named(32))
    assert sum(isinstance(outcome, ParseResult) for outcome in caught.value.results) == 28
    assert all(isinstance(failure.error, JobFailedError) for failure in caught.value.failures)


def test_the_job_deadline_is_apart_from_the_http_timeout(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure the deadline raises on time with the job's id, and the job is then collected without a second one."""
    reader = LlamaParseReader(**options, job_timeout=0.6, timeout=30)
    started = time.monotonic()
    with pytest.raises(JobDeadlineError) as caught:
        reader.load_data(PDF, extra_info={"file_name": "slow-2.0.pdf"})
    assert time.monotonic() - started < 1.5
    assert caught.value.job_id
    assert "slow-2.0.pdf" in str(caught.value)
    patient = LlamaParseReader(**options)
    assert patient.get_result(caught.value.job_id).pages
    assert simulated_cloud.stats()["jobs_created"] == 1


def test_prefetched_jobs_are_few_at_a_time_and_made_once(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure prefetch keeps to num_workers, load_data finds every job, and a failure is raised by its own file."""
    simulated_cloud.reset(one_job_in_fails=6)
    reader = LlamaParseReader(**options, num_workers=3)
    files = [PDF + str(index).encode() for index in range(6)]
    reader.prefetch(files)
    outcomes = []
    for content in files:
        try:
            outcomes.append(reader.load_data(content, extra_info={"a": 1})[0].metadata["a"])
        except JobFailedError:
            outcomes.append("failed")
    stats = simulated_cloud.stats()
    assert sorted(map(str, outcomes)) == ["1"] * 5 + ["failed"]
    assert stats["jobs_created"] == 6
    assert stats["max_unfinished"] <= 3


def test_one_job_a_file_and_parts_exclude_each_other(options: dict[str, Any]) -> None:
    """Ensure prefetch and submit say that they cannot divide a document."""
    reader = LlamaParseReader(**options, partition_pages=10)
    for call in (reader.prefetch, reader.submit):
        with pytest.raises(ConfigurationError, match="partition_pages"):
            call(PDF)


def test_a_part_that_fails_is_named_and_the_others_are_kept(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure a document in parts with a failed part raises with the missing range and the results of the rest."""
    simulated_cloud.reset(one_job_in_fails=2)
    reader = LlamaParseReader(**options, partition_pages=5, target_pages="1-10")
    with pytest.raises(PartialFailureError) as caught:
        reader.parse(PDF, extra_info={"file_name": "long-0.1.pdf"})
    assert [type(outcome) for outcome in caught.value.results].count(ParseResult) == 1
    assert "pages" in caught.value.failures[0].source
    assert caught.value.hint is not None
    assert "target_pages" in caught.value.hint


def test_instrumentation_tells_of_every_job(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure completed, failed and submitted jobs are dispatched as events with file and job id."""
    seen: list[BaseEvent] = []

    class Handler(BaseEventHandler):
        @classmethod
        def class_name(cls) -> str:
            return "Handler"

        def handle(self, event: BaseEvent, **_: Any) -> None:
            seen.append(event)

    root = get_dispatcher()
    handler = Handler()
    root.add_event_handler(handler)
    try:
        simulated_cloud.reset(one_job_in_fails=2)
        reader = LlamaParseReader(**options, on_error="skip")
        reader.parse([PDF, PDF], extra_info=named(2, 0.1))
        job = reader.submit(PDF, extra_info=named(1, 0.1)[0])
    finally:
        root.event_handlers.remove(handler)
    kinds = [type(event) for event in seen]
    assert kinds.count(ParseJobCompletedEvent) == 1
    assert kinds.count(ParseJobFailedEvent) == 1
    submitted = next(event for event in seen if isinstance(event, ParseJobSubmittedEvent))
    assert submitted.job_id == job.job_id


def test_secrets_stay_out_of_logs_and_errors(
    simulated_cloud: SimulatedCloud, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure the key is in no log record and no exception, through faults and failures."""
    simulated_cloud.reset(one_in_fails=4, one_job_in_fails=3)
    with caplog.at_level(logging.DEBUG):
        outcomes = LlamaParseReader(**options, on_error="skip").parse([PDF] * 9, extra_info=named(9, 0.1))
    shown = caplog.text + "".join(repr(outcome) + str(outcome) for outcome in outcomes)
    assert options["api_key"] not in shown
