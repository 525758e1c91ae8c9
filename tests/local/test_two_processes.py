"""Several processes on one data folder."""

from __future__ import annotations

import time
from pathlib import Path

from llama_cloud_ext.local.blobs import Blobs
from llama_cloud_ext.local.dispatcher import available_cores
from llama_cloud_ext.local.job_table import JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord
from llama_cloud_ext.local.store import Store
from tests.local.clients import PARSE, expanded, finished, local_client
from tests.local.worker import Worker, runs, wait_for_runs


async def test_no_job_runs_twice(tmp_path: Path) -> None:
    """Ensure two processes share the work of one folder, run each job once, and see each other's results."""
    data = tmp_path / "data"
    documents = [f"SLEEP 0.05\f{number}" for number in range(30)]
    with Worker(data, *documents[:15]) as one, Worker(data, *documents[15:]) as two:
        one.wait_until_ready()
        two.wait_until_ready()
        async with local_client(data) as client:
            for job_id in [*one.job_ids, *two.job_ids]:
                assert (await finished(client, job_id, within=20))["status"] == "COMPLETED"
            texts = [
                (await expanded(client, job_id, "text"))["text"]["pages"][1]["text"]
                for job_id in [*one.job_ids, *two.job_ids]
            ]
    assert texts == [str(number) for number in range(30)]
    begun = [job for job, _ in runs(data)]
    assert len(begun) == len(set(begun)), "a job was begun twice"


async def test_leases_are_renewed(tmp_path: Path) -> None:
    """Ensure a job that takes longer than a lease lasts stays with its living owner."""
    data = tmp_path / "data"
    with Worker(data, "SLEEP 4", lease_seconds=2.0) as worker:
        worker.wait_until_ready()
        async with local_client(data) as client:
            assert (await finished(client, worker.job_ids[0]))["status"] == "COMPLETED"
        assert len(runs(data)) == 1


async def test_a_killed_process_is_replaced_by_another(tmp_path: Path) -> None:
    """Ensure a process that is already running takes over a killed one's jobs within a second or so."""
    data = tmp_path / "data"
    with Worker(data, "SLEEP 30") as worker:
        worker.wait_until_ready()
        wait_for_runs(data, 1)
        async with local_client(data) as client:
            await client.get(PARSE)
            (source,) = (data / "sources").iterdir()
            source.write_bytes(b"SLEEP 0.01")
            worker.kill()
            started = time.monotonic()
            assert (await finished(client, worker.job_ids[0]))["status"] == "COMPLETED"
            assert time.monotonic() - started < 3


def test_cancelling_reaches_the_other_process(tmp_path: Path) -> None:
    """Ensure jobs that another process cancels stop where they run: the cores are free again."""
    data = tmp_path / "data"
    with Worker(data, *["SLEEP 60"] * available_cores()) as worker:
        worker.wait_until_ready()
        store = Store(data / "llamacloud.sqlite3")
        jobs = JobTable(store.database, "jobs", ParseJobRecord)
        for job_id in worker.job_ids:
            assert jobs.cancel(job_id).result() is not None
        Blobs(data).source("pjb-next").write_bytes(b"x")
        jobs.add("pjb-next", "a.txt", {"tier": "fast", "version": "latest"}).result()
        deadline = time.monotonic() + 10
        while (job := jobs.get("pjb-next").result()) is not None and not job.finished:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        store.close()
