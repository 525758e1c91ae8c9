"""A process of its own that runs local LlamaCloud on a folder, for tests that kill it or start several.

Run as `python -m tests.local.worker DATA LEASE_SECONDS [DOCUMENT…]`: accepts a job for each document (printing its id
once it is accepted), prints READY, and goes on working until its input closes.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from llama_cloud_ext.local import jobs
from tests.local import fake_engine
from tests.local.clients import local_client, submit

ROOT = Path(__file__).parents[2]


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
        print("READY", flush=True)
        closed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait_for_end() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=wait_for_end, daemon=True).start()
        await closed.wait()


class Worker:
    """A running worker; a context manager that ends it.

    Args:
        data: The data folder.
        documents: Documents to accept at the start.
        lease_seconds: How long its leases last.
    """

    def __init__(self, data: Path, *documents: str, lease_seconds: float = jobs.LEASE_SECONDS) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.local.worker", str(data), str(lease_seconds), *documents],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.job_ids: list[str] = []

    def wait_until_ready(self) -> None:
        """Wait until every document has been accepted."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline().strip()) != "READY":
            assert line, "the worker ended"
            self.job_ids.append(line)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> Worker:
        """Leave it running."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it still runs, the orderly way."""
        if self.process.poll() is None:
            self.process.communicate(timeout=20)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


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
    jobs.LEASE_SECONDS = float(sys.argv[2])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[3:]))
