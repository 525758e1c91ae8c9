"""Ingestions as the job watcher sees them: what is asked, what counts as done, and what waiting costs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from llama_cloud_ext.errors import JobDeadlineError, NotFoundError
from llama_cloud_ext.wire import ingestion_jobs
from llama_cloud_ext.wire.ingestion_jobs import (
    DIRECTORY_SYNC,
    DOCUMENT_COUNTS,
    DOCUMENT_INGESTION,
    FILE_COUNTS,
    FILE_INGESTION,
    PIPELINE_INGESTION,
    counted_status,
)
from llama_cloud_ext.wire.watcher import JobKind, JobWatcher
from tests import virtual_time

KINDS = (PIPELINE_INGESTION, DOCUMENT_COUNTS, FILE_COUNTS, DOCUMENT_INGESTION, FILE_INGESTION, DIRECTORY_SYNC)


class Answering:
    """A connection whose requests are counted, and answered by a function of the path."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()

    async def request(self, method: str, path: str, **_: Any) -> Any:
        assert method == "GET"
        self.asked[path] += 1
        await asyncio.sleep(0.01)
        return self.answer(path)


def watcher(connection: Any, kind: JobKind) -> JobWatcher:
    """A watcher on virtual time."""
    clock = asyncio.get_running_loop().time
    return JobWatcher(connection, kind, clock=clock, uniform=random.Random(1).random)


@pytest.mark.parametrize(
    ("kind", "job_id", "path"),
    [
        (PIPELINE_INGESTION, "p/1", "/api/v1/pipelines/p%2F1/status"),
        (DOCUMENT_INGESTION, "p-1/docs/a b.txt", "/api/v1/pipelines/p-1/documents/docs%2Fa%20b.txt/status"),
        (FILE_INGESTION, "p-1/f-1", "/api/v1/pipelines/p-1/files/f-1/status"),
    ],
)
async def test_a_look_at_a_status(kind: JobKind, job_id: str, path: str) -> None:
    """Ensure a status is asked for once, under its encoded ids, and carries the job's own id whatever came."""
    connection: Any = Answering(lambda _: {"id": "other", "status": "In_Progress", "job_id": "j", "error": None})
    record = await kind.get(connection, job_id)
    assert record == {"id": job_id, "status": "In_Progress", "job_id": "j", "error": None}
    assert connection.asked == {path: 1}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (DOCUMENT_COUNTS, "/api/v1/pipelines/p-1/documents/status-counts"),
        (FILE_COUNTS, "/api/v1/pipelines/p-1/files/status-counts"),
    ],
)
async def test_a_look_at_counts(kind: JobKind, path: str) -> None:
    """Ensure counts become one state, and are handed on."""
    connection: Any = Answering(lambda _: {"counts": {"SUCCESS": 2, "ERROR": 1}, "total_count": 3})
    assert await kind.get(connection, "p-1") == {
        "id": "p-1",
        "status": "PARTIAL_SUCCESS",
        "counts": {"SUCCESS": 2, "ERROR": 1},
    }
    assert connection.asked == {path: 1}


@pytest.mark.parametrize("junk", [None, [], "busy", {}, {"counts": None}, {"counts": [["SUCCESS", 1]]}])
async def test_an_answer_without_counts_is_not_done(junk: Any) -> None:
    """Ensure an answer that says nothing is not taken for the end."""
    connection: Any = Answering(lambda _: junk)
    record = await DOCUMENT_COUNTS.get(connection, "p-1")
    assert not DOCUMENT_COUNTS.is_terminal(record)
    assert record["counts"] == {}


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, "SUCCESS"),
        ({"SUCCESS": 0, "ERROR": 0, "IN_PROGRESS": 0, "NOT_STARTED": 0, "CANCELLED": 0}, "SUCCESS"),
        ({"SUCCESS": 3, "IN_PROGRESS": 0}, "SUCCESS"),
        ({"success": 3, "in_progress": 1}, "IN_PROGRESS"),
        ({"SUCCESS": 3, "NOT_STARTED": 1}, "IN_PROGRESS"),
        ({"ERROR": 3, "NOT_STARTED": 1}, "IN_PROGRESS"),
        ({"SUCCESS": 3, "SHINING": 1}, "IN_PROGRESS"),
        ({"SUCCESS": "3", "IN_PROGRESS": "1"}, "IN_PROGRESS"),
        ({"SUCCESS": 3.0, "IN_PROGRESS": None}, "SUCCESS"),
        ({"ERROR": 2}, "ERROR"),
        ({"CANCELLED": 2}, "CANCELLED"),
        ({"PARTIAL_SUCCESS": 2}, "PARTIAL_SUCCESS"),
        ({"SUCCESS": 1, "ERROR": 1}, "PARTIAL_SUCCESS"),
        ({"SUCCESS": 1, "CANCELLED": 1}, "PARTIAL_SUCCESS"),
        ({"ERROR": 1, "CANCELLED": 1}, "PARTIAL_SUCCESS"),
    ],
)
def test_counted_status(counts: dict[str, Any], status: str) -> None:
    """Ensure a whole is done when all of it is, and that anything unknown is still running."""
    assert counted_status(counts) == status


def test_kinds_are_told_apart() -> None:
    """Ensure no two kinds share a watcher: it is found by the product's name."""
    assert len({kind.product for kind in KINDS}) == len(KINDS)
    assert {name for name, value in vars(ingestion_jobs).items() if isinstance(value, JobKind)} == {
        "DIRECTORY_SYNC",
        "DOCUMENT_COUNTS",
        "DOCUMENT_INGESTION",
        "FILE_COUNTS",
        "FILE_INGESTION",
        "PIPELINE_INGESTION",
    }


@pytest.mark.parametrize("status", ["SUCCESS", "success", "ERROR", "PARTIAL_SUCCESS", "CANCELLED"])
def test_final_states(status: str) -> None:
    """Ensure waiting ends in each final state, however it is spelled."""
    assert all(kind.is_terminal({"status": status}) for kind in KINDS)


@pytest.mark.parametrize("status", [None, "", "NOT_STARTED", "IN_PROGRESS", "SHINING", 7, [], {"status": "SUCCESS"}])
def test_other_states_are_still_running(status: Any) -> None:
    """Ensure a new or unreadable state does not end the waiting."""
    assert not any(kind.is_terminal({"status": status}) for kind in KINDS)


def test_several_are_waited_for_at_once_and_asked_for_one_by_one() -> None:
    """Ensure twenty documents that end at different times are all seen in time, at the price of each alone."""

    async def asked_for(numbers: range) -> Counter[str]:
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def answer(path: str) -> dict[str, Any]:
            ended = loop.time() - begun >= int(path.split("/")[-2])
            return {"status": "SUCCESS" if ended else "IN_PROGRESS"}

        connection: Any = Answering(answer)
        jobs = watcher(connection, DOCUMENT_INGESTION)
        records = await asyncio.gather(*(jobs.wait(f"p-1/{number}") for number in numbers))
        assert [record["status"] for record in records] == ["SUCCESS"] * len(numbers)
        assert loop.time() - begun <= 1.2 * numbers[-1] + 0.25
        return connection.asked

    async def main() -> None:
        together = await asked_for(range(20))
        for number in range(20):
            for path, times in (await asked_for(range(number, number + 1))).items():
                assert together[path] <= times + 2

    virtual_time.run(main)


def test_an_old_one_is_not_asked_for_along_with_a_new_one() -> None:
    """Ensure an ingestion of an hour keeps its long intervals while new ones are watched closely."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ends = {"old": float("inf"), "new": 5.0}
        connection: Any = Answering(
            lambda path: {"status": "SUCCESS" if loop.time() >= ends[path.split("/")[-2]] else "IN_PROGRESS"}
        )
        jobs = watcher(connection, DOCUMENT_INGESTION)
        old = asyncio.ensure_future(jobs.wait("p-1/old", born=loop.time() - 3600))
        await jobs.wait("p-1/new")
        assert connection.asked["/api/v1/pipelines/p-1/documents/new/status"] > 5
        assert connection.asked["/api/v1/pipelines/p-1/documents/old/status"] == 1
        old.cancel()

    virtual_time.run(main)


def test_one_that_is_gone_ends_its_own_waiting_only() -> None:
    """Ensure a document that was deleted meanwhile raises, and the others are waited for to their end."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def answer(path: str) -> dict[str, Any]:
            if "gone" in path:
                raise NotFoundError(status=404, detail="Document not found")
            return {"status": "SUCCESS" if loop.time() > 2 else "NOT_STARTED"}

        jobs = watcher(Answering(answer), DOCUMENT_INGESTION)
        gone, there = await asyncio.gather(jobs.wait("p-1/gone"), jobs.wait("p-1/there"), return_exceptions=True)
        assert isinstance(gone, NotFoundError)
        assert there == {"id": "p-1/there", "status": "SUCCESS"}

    virtual_time.run(main)


def test_the_deadline_tells_what_was_last_seen() -> None:
    """Ensure an ingestion that is not done in time says so with its last state."""

    async def main() -> None:
        jobs = watcher(Answering(lambda _: {"counts": {"IN_PROGRESS": 4}}), FILE_COUNTS)
        with pytest.raises(
            JobDeadlineError, match="ingestion of files job p-1 was still IN_PROGRESS after 3 s"
        ) as info:
            await jobs.wait("p-1", timeout=3)
        assert info.value.job == {"id": "p-1", "status": "IN_PROGRESS", "counts": {"IN_PROGRESS": 4}}

    virtual_time.run(main)


def test_a_kind_without_a_list_never_lists() -> None:
    """Ensure the watcher copes with a kind that has no list, and with the same kind when it has one."""

    async def main() -> None:
        listed: list[list[str]] = []

        async def list_jobs(_connection: Any, job_ids: Any) -> Any:
            listed.append(list(job_ids))
            for job_id in job_ids:
                yield {"id": job_id, "status": "SUCCESS"}

        connection: Any = Answering(lambda _: {"status": "SUCCESS"})
        assert PIPELINE_INGESTION.list_jobs is None
        for kind in (PIPELINE_INGESTION, replace(PIPELINE_INGESTION, list_jobs=list_jobs)):
            jobs = watcher(connection, kind)
            await asyncio.gather(jobs.wait("a"), jobs.wait("b"))
        assert listed == [["a", "b"]]
        assert connection.asked == {"/api/v1/pipelines/a/status": 1, "/api/v1/pipelines/b/status": 1}

    virtual_time.run(main)
