"""Extractions outlive their process: nothing accepted is lost, whatever happens."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS
from llama_cloud_ext.local.extract_jobs import ExtractJobs
from llama_cloud_ext.local.extraction import Extraction, ExtractionRequest, SourcePage
from llama_cloud_ext.local.job_table import JobQueue, JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord
from tests.local.clients import finished, local_client, submit, upload_file
from tests.local.extract_calls import ended, extract, extract_client, extracting
from tests.local.extraction_worker import ExtractionWorker


@pytest.fixture
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """What extracts is not waited for: it cannot be told to stop."""
    monkeypatch.setattr("llama_cloud_ext.local.dispatcher.LONGEST_GOODBYE", 0.1)


def at_once(pages: Sequence[SourcePage], request: ExtractionRequest, *, llm: Any) -> Extraction:
    """Extract, without the patience that a document asks for."""
    return Extraction({"text": pages[0].text}, {}, len(pages), {})


def wait_for_status(data: Path, status: str, count: int) -> None:
    """Wait until so many extract jobs are in a status."""
    connection = sqlite3.connect(data / "llamacloud.sqlite3")
    deadline = time.monotonic() + 20
    select = "SELECT COUNT(*) FROM extract_jobs WHERE status = ?"
    while connection.execute(select, (status,)).fetchone()[0] < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    connection.close()


async def test_kill_in_the_middle(tmp_path: Path) -> None:
    """Ensure after kill -9 while parsing and while extracting every accepted job completes at the next start."""
    data = tmp_path / "data"
    with ExtractionWorker(data, "LINGER 60", "SLEEP 60", "one", "two") as worker:
        job_ids = worker.lines_until_ready()
        wait_for_status(data, "RUNNING", 1)
        worker.kill()
    for source in (data / "sources").iterdir():
        source.write_bytes(source.read_bytes().replace(b"SLEEP 60", b"SLEEP 0.1"))
    async with local_client(data, extractor=at_once) as client:
        jobs = [await ended(client, job_id) for job_id in job_ids]
    assert [job["status"] for job in jobs] == ["COMPLETED"] * 4
    assert [job["extract_result"].get("text") for job in jobs[:2]] == ["LINGER 60", "SLEEP 0.1"]


async def test_closing_returns_jobs_to_the_queue(tmp_path: Path, short_goodbye: None) -> None:
    """Ensure an orderly end does not wait for what extracts, and the job completes at the next start."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"LINGER 4", "doc.txt")
        job = await extract(client, file["id"])
        await extracting(client, job["id"])
        started = time.monotonic()
    assert time.monotonic() - started < 2
    async with local_client(tmp_path, extractor=at_once) as client:
        assert (await ended(client, job["id"]))["extract_result"] == {"text": "LINGER 4"}


async def test_a_job_that_kills_its_process_fails_in_the_end(tmp_path: Path, short_goodbye: None) -> None:
    """Ensure a document that takes its process down every time becomes FAILED instead of doing so for ever."""
    async with extract_client(tmp_path) as client:
        parsed = await finished(client, (await submit(client, "LINGER 60"))["id"])
        job = await extract(client, parsed["id"])
        await extracting(client, job["id"])
    database = Database(tmp_path / "llamacloud.sqlite3")
    jobs = ExtractJobs(database, JobTable(database, "jobs", ParseJobRecord))
    for number in range(MOST_ATTEMPTS):
        claimed = jobs.queue(f"dead-{number}").claim(-1.0).result()
        assert claimed is not None
    database.close()
    async with extract_client(tmp_path) as client:
        job = await ended(client, job["id"])
        assert job["status"] == "FAILED"
        assert job["error_message"].startswith("DOCUMENT_TOO_LARGE: extraction was interrupted 5 times")


async def test_a_database_that_fails_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure what could not be written is extracted again without waiting for a lease."""
    monkeypatch.setattr("llama_cloud_ext.local.dispatcher.LEASE_SECONDS", 600.0)
    finish, failures = JobQueue.finish, iter([sqlite3.OperationalError("disk I/O error")])

    def failing(queue: JobQueue[Any], job_id: str, **outcome: Any) -> Any:
        if job_id.startswith("ext-"):
            for error in failures:
                raise error
        return finish(queue, job_id, **outcome)

    monkeypatch.setattr(JobQueue, "finish", failing)
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one", "doc.txt")
        job = await ended(client, (await extract(client, file["id"]))["id"])
        assert job["extract_result"]["pages"][0]["text"] == "one"
