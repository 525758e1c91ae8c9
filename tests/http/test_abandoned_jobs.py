"""Jobs that a caller stops waiting for, and creates whose answer says nothing: no place is lost, no job made twice."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import pickle
import time
import uuid
from contextlib import aclosing, closing
from typing import Any

import pytest

from llama_cloud_ext import JobDeadlineError, LlamaParseReader
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.http.loopback import loopback, reply

PDF = b"%PDF-1.7 stands for a file"


@pytest.fixture
def options(simulated_cloud: SimulatedCloud) -> dict[str, Any]:
    """Connection options with a key of the test's own, hence a pool and a rate limiter of its own."""
    return {"base_url": simulated_cloud.base_url, "api_key": f"llx-{uuid.uuid4().hex}"}


def test_a_job_beyond_its_deadline_gives_its_place_back_when_it_has_ended(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure a deadline neither blocks the reader for ever nor lets it start too many jobs."""
    reader = LlamaParseReader(**options, num_workers=1, job_timeout=0.8)
    with pytest.raises(JobDeadlineError):
        reader.parse(PDF, {"file_name": "slow-1.2.pdf"})
    assert reader.parse(PDF, {"file_name": "next-0.1.pdf"}).pages
    assert simulated_cloud.stats()["max_unfinished"] == 1


async def test_a_cancelled_call_gives_its_place_back_when_its_job_has_ended(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure a cancelled call neither blocks the reader for ever nor lets it start too many jobs."""
    reader = LlamaParseReader(**options, num_workers=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.aparse(PDF, {"file_name": "slow-1.0.pdf"}), 0.4)
    assert (await asyncio.wait_for(reader.aparse(PDF, {"file_name": "next-0.1.pdf"}), 5)).pages
    assert simulated_cloud.stats()["max_unfinished"] == 1


def test_a_stream_that_is_left_early_does_not_block_its_reader(options: dict[str, Any]) -> None:
    """Ensure a reader goes on working after somebody stopped reading its results."""
    reader = LlamaParseReader(**options, num_workers=2)
    names = [{"file_name": f"{index}-{0.1 if index == 0 else 0.8}.pdf"} for index in range(6)]
    with closing(reader.stream([PDF + bytes([index]) for index in range(6)], names)) as stream:
        assert next(stream).pages
    started = time.monotonic()
    assert reader.parse(PDF, {"file_name": "next-0.1.pdf"}).pages
    assert time.monotonic() - started < 5


async def test_delete_after_removes_the_job_of_a_create_that_was_cancelled(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure a job that was made, while its caller no longer waited for the answer, is cancelled and deleted."""
    reader = LlamaParseReader(**options, delete_after=True)
    simulated_cloud.reset(one_create_in_lost=1, surfaces_after=1.0)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.aparse(PDF, {"file_name": "slow-9.0.pdf"}), 0.5)
    deadline = time.monotonic() + 5
    while simulated_cloud.stats()["jobs"] and time.monotonic() < deadline:  # noqa: ASYNC110  # in another process
        await asyncio.sleep(0.05)
    stats = simulated_cloud.stats()
    assert stats["jobs_created"] == 1
    assert stats["jobs"] == []


async def test_delete_after_cleans_up_behind_a_stream_that_is_left_early(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure the jobs still running are cancelled and deleted by the time that the stream is closed."""
    reader = LlamaParseReader(**options, delete_after=True)
    names = [{"file_name": f"{index}-{0.1 if index == 0 else 9}.pdf"} for index in range(3)]
    files = [PDF + bytes([index]) for index in range(3)]
    with closing(reader.stream(files, names)) as stream:
        assert next(stream).pages
    assert simulated_cloud.stats()["jobs"] == []
    async with aclosing(reader.astream(files, names)) as results:
        assert (await anext(results)).pages
    assert simulated_cloud.stats()["jobs"] == []


def test_a_pickle_takes_along_the_jobs_that_are_just_being_created(
    simulated_cloud: SimulatedCloud, options: dict[str, Any]
) -> None:
    """Ensure a worker collects what was prefetched just before the reader was sent to it, and no job is made twice."""
    simulated_cloud.reset(latency=0.2)
    reader = LlamaParseReader(**options)
    files = [PDF + bytes([index]) for index in range(4)]
    reader.prefetch(files)
    time.sleep(0.1)
    worker = pickle.loads(pickle.dumps(reader))
    assert len(worker.load_data(files)) == 4
    assert simulated_cloud.stats()["jobs_created"] == 4


def _load(reader: LlamaParseReader, answers: Any) -> None:
    try:
        answers.put(len(reader.load_data(PDF, {"file_name": "prefetched-0.1.pdf"})))
    except BaseException as error:
        answers.put(repr(error))


@pytest.mark.parametrize("wait", [0.0, 0.5])
def test_a_forked_child_loads_what_its_parent_has_prefetched(options: dict[str, Any], wait: float) -> None:
    """Ensure a child neither hangs nor fails on a job of its parent's, whether that exists already or not."""
    reader = LlamaParseReader(**options)
    reader.prefetch(PDF)
    time.sleep(wait)
    processes = multiprocessing.get_context("fork")
    answers = processes.Queue()
    child = processes.Process(target=_load, args=(reader, answers))
    child.start()
    assert answers.get(timeout=10) == 1
    child.join(5)
    assert len(reader.load_data(PDF, {"file_name": "prefetched-0.1.pdf"})) == 1


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"{}"])
async def test_an_answer_that_names_no_job_is_looked_up(answer: bytes) -> None:
    """Ensure a create that was accepted without saying what it made is found and not sent again."""
    async with loopback(reply(answer)) as service:

        async def list_the_job() -> None:
            while not service.received:  # noqa: ASYNC110  # the server has no event for it
                await asyncio.sleep(0.01)
            sent = service.received[0].body.split(b'name="configuration"')[1]
            tags = json.JSONDecoder().raw_decode(sent[sent.index(b"{") :].decode(errors="replace"))[0]["user_metadata"]
            record = {"id": "pjb-1", "status": "COMPLETED", "user_metadata": tags}
            service.replies.append(reply(json.dumps({"items": [record]}).encode()))
            pages = {"pages": [{"page_number": 1, "markdown": "found"}]}
            service.replies.append(reply(json.dumps({"job": record, "markdown": pages}).encode()))

        script = asyncio.create_task(list_the_job())
        result = await LlamaParseReader(base_url=service.url, api_key="llx-test").aparse(PDF)
        await script
    assert result.markdown == "found"
    assert [received.line.split()[0] for received in service.received] == ["POST", "GET", "GET"]


@pytest.mark.parametrize("metadata", [5, "tags", ["tags"], None])
async def test_an_answer_in_the_form_of_the_rest_guide_is_read(metadata: Any) -> None:
    """Ensure a create may answer its record within `job`, with tags of any shape."""
    record = {"id": "pjb-1", "status": "COMPLETED", "user_metadata": metadata}
    pages = {"pages": [{"page_number": 1, "markdown": "read"}]}
    async with loopback(
        reply(json.dumps({"job": record}).encode()), reply(json.dumps({"job": record, "markdown": pages}).encode())
    ) as service:
        result = await LlamaParseReader(base_url=service.url, api_key="llx-test").aparse(PDF)
    assert result.markdown == "read"
    assert len(service.received) == 2
