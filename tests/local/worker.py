"""A process of its own that runs local LlamaCloud on a folder, for tests that kill it or start several.

Run as `python -m tests.local.worker DATA LEASE_SECONDS [DOCUMENT…]`: accepts a job for each document (printing its id
once it is accepted), prints READY, and goes on working until its input closes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from llama_cloud_ext.local import dispatcher
from tests.local import fake_engine
from tests.local.clients import local_client, submit
from tests.local.worker_process import WorkerProcess, work_until_input_closes


def logged_parse(path: Path, *arguments: object, **options: object) -> object:
    """The stand-in engine, leaving a line for each run it begins."""
    with (Path(sys.argv[1]).parent / "runs.log").open("a") as log:
        log.write(f"{path.name} {os.getpid()}\n")
    return fake_engine.parse(path, *arguments, **options)  # type: ignore[arg-type]


async def main(data: Path, documents: Sequence[str]) -> None:
    """Accept the documents, then work until the input closes."""
    async with local_client(data, engine=logged_parse) as client:
        await client.get("/api/v1/projects")
        for document in documents:
            print((await submit(client, document))["id"], flush=True)
        await work_until_input_closes()


class Worker(WorkerProcess):
    """A running worker.

    Args:
        data: The data folder.
        documents: Documents to accept at the start.
        lease_seconds: How long its leases last.
    """

    def __init__(self, data: Path, *documents: str, lease_seconds: float = dispatcher.LEASE_SECONDS) -> None:
        super().__init__("tests.local.worker", data, lease_seconds, *documents)
        self.job_ids: list[str] = []

    def wait_until_ready(self) -> None:
        """Wait until every document has been accepted."""
        self.job_ids = self.lines_until_ready()


def runs(data: Path) -> list[tuple[str, int]]:
    """Which job was begun by which process, in order."""
    log = data.parent / "runs.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(job, int(pid)) for job, pid in (line.split() for line in lines)]


def wait_for_runs(data: Path, count: int) -> None:
    """Wait until so many jobs were begun."""
    while len(runs(data)) < count:
        time.sleep(0.01)


if __name__ == "__main__":
    dispatcher.LEASE_SECONDS = float(sys.argv[2])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[3:]))
