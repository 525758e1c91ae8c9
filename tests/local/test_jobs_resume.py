"""Jobs outlive their process: nothing accepted is lost, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from llama_cloud_ext.local.blobs import Blobs
from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS
from llama_cloud_ext.local.job_table import FAILED, RUNNING, JobQueue, JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord
from llama_cloud_ext.local.leases import Owner
from llama_cloud_ext.local.store import Store
from tests.local.clients import expanded, finished, local_client, running, submit
from tests.local.worker import Worker, wait_for_runs


async def test_kill_during_a_job_loses_nothing(tmp_path: Path) -> None:
    """Ensure after kill -9 during jobs every accepted upload completes at the next start, at once."""
    data = tmp_path / "data"
    with Worker(data, "SLEEP 30", "SLEEP 30\fb", *(f"document {number}" for number in range(10))) as worker:
        worker.wait_until_ready()
        wait_for_runs(data, 2)
        worker.kill()
    # What was running runs again, from its start: the stand-in sleeps, so give it a shorter night.
    for source in (data / "sources").iterdir():
        source.write_bytes(source.read_bytes().replace(b"SLEEP 30", b"SLEEP 0.1"))
    async with local_client(data) as client:
        started = time.monotonic()
        for job_id in worker.job_ids:
            assert (await finished(client, job_id))["status"] == "COMPLETED"
        assert time.monotonic() - started < 4, "the dead owner's leases were waited for"
        assert (await expanded(client, worker.job_ids[-1], "text_full"))["text_full"] == "document 9"


async def test_closing_returns_running_jobs_to_the_queue(tmp_path: Path) -> None:
    """Ensure an orderly end stops running jobs at once, and they complete at the next start."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 1")
        await running(client, job["id"])
    async with local_client(tmp_path) as client:
        assert (await client.get(f"/api/v2/parse/{job['id']}")).json()["job"]["status"] in {"PENDING", "RUNNING"}
        assert (await finished(client, job["id"]))["status"] == "COMPLETED"


async def test_a_job_that_kills_its_process_fails_in_the_end(tmp_path: Path) -> None:
    """Ensure a document that takes its process down every time becomes FAILED instead of doing so for ever."""
    async with local_client(tmp_path) as client:
        await client.get("/api/v1/projects")
    blobs, store = Blobs(tmp_path), Store(tmp_path / "llamacloud.sqlite3")
    blobs.source("pjb-deadly").write_bytes(b"x")
    parse_jobs(store).add("pjb-deadly", "deadly.pdf", {"tier": "fast", "version": "latest"}).result()
    for number in range(MOST_ATTEMPTS):
        claimed = queue(store, f"dead-{number}").claim(-1.0).result()
        assert claimed is not None
        assert (claimed.status, claimed.attempts) == (RUNNING, number + 1)
    store.close()
    async with local_client(tmp_path) as client:
        job = await finished(client, "pjb-deadly")
        assert job["status"] == FAILED
        assert job["error_message"].startswith("DOCUMENT_TOO_LARGE: the process was killed 5 times")


def parse_jobs(store: Store) -> JobTable[ParseJobRecord]:
    """The parse jobs of a database."""
    return JobTable(store.database, "jobs", ParseJobRecord)


def queue(store: Store, owner: str) -> JobQueue[ParseJobRecord]:
    """The queue of parse jobs, for an owner."""
    return parse_jobs(store).queue(owner)


def test_leases(tmp_path: Path) -> None:
    """Ensure a lease keeps others away until it expires, is renewed by its owner alone, and ends with it."""
    store = Store(tmp_path / "test.sqlite3")
    parse_jobs(store).add("pjb-1", "a", {}).result()
    first = queue(store, "one").claim(60).result()
    assert first is not None
    assert queue(store, "two").claim(60).result() is None
    assert queue(store, "one").renew(0.05, [first]).result() == []
    time.sleep(0.06)
    taken = queue(store, "two").claim(60).result()
    assert taken is not None
    assert queue(store, "one").renew(60, [first]).result() == [first]
    assert queue(store, "one").finish("pjb-1", result_id="x").result() is False
    assert queue(store, "two").finish("pjb-1", result_id="x").result() is True
    assert queue(store, "three").claim(60, gone=["two"]).result() is None
    store.close()


def test_living_and_dead_owners(tmp_path: Path) -> None:
    """Ensure a dead owner's lease ends at once, and a living one's is honoured though it was renewed too late."""
    store = Store(tmp_path / "test.sqlite3")
    parse_jobs(store).add("pjb-1", "a", {}).result()
    queue(store, "one").claim(-1.0).result()
    assert queue(store, "two").claim(60, alive=["one"]).result() is None
    assert queue(store, "two").claim(60, alive=["other"]).result() is not None
    assert queue(store, "three").claim(60, gone=["two"]).result() is not None
    assert queue(store, "four").claim(-61.0, gone=["three"]).result() is not None
    assert queue(store, "five").claim(60, alive=["four"]).result() is not None
    store.close()


def test_fates_of_owners(tmp_path: Path) -> None:
    """Ensure a living owner of the same process is known to live, and a closed or unknown one to be gone."""
    one, two = Owner(tmp_path), Owner(tmp_path)
    assert one.fate_of(two.id) == two.fate_of(one.id) == one.fate_of(one.id) == "alive"
    two.close()
    assert one.fate_of(two.id) == one.fate_of("never-heard-of") == "gone"
    one.close()


def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path: Path) -> None:
    """Ensure the lock of an owner ends with its process, even while a forked child lives on."""
    script = """
        import os, sys, time
        from pathlib import Path
        from llama_cloud_ext.local.leases import Owner
        owner = Owner(Path(sys.argv[1]))
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        print(owner.id, child, flush=True)
        os.kill(os.getpid(), 9)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    owner, child = process.stdout.readline().split()
    process.wait(10)
    process.stdout.close()
    watcher = Owner(tmp_path)
    try:
        deadline = time.monotonic() + 5  # the child lets go once it is scheduled
        while watcher.fate_of(owner) != "gone":
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        watcher.close()
        os.kill(int(child), signal.SIGKILL)


def orphans(data: Path) -> list[Path]:
    """What the test below left lying about."""
    return list(data.glob("*/orphan"))


async def test_orphans_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure what crashes left on disk goes at a later start, and what records know stays."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x"))["id"])
    for folder in ("files", "sources", "incoming"):
        (tmp_path / folder / "orphan").write_bytes(b"x")
    (tmp_path / "results" / "orphan").mkdir()
    async with local_client(tmp_path) as client:
        await client.get("/api/v1/projects")
        assert len(orphans(tmp_path)) == 4, "too young to go"
    monkeypatch.setattr("llama_cloud_ext.local.blobs.ORPHAN_AGE", -1.0)
    async with local_client(tmp_path) as client:
        assert (await expanded(client, job["id"], "text_full"))["text_full"] == "x"
        assert orphans(tmp_path) == []
