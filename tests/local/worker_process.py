"""What the processes of tests that kill them, or start several, have in common."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[2]
W = TypeVar("W", bound="WorkerProcess")


class WorkerProcess:
    """A module of tests as a running process; a context manager that ends it.

    Args:
        module: Run with `-m`; it prints lines, READY, and works until its input closes.
        arguments: Its arguments.
    """

    def __init__(self, module: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def lines_until_ready(self) -> list[str]:
        """Wait until everything has been accepted; what it printed before."""
        assert self.process.stdout is not None
        lines: list[str] = []
        while (line := self.process.stdout.readline().strip()) != "READY":
            assert line, "the worker ended"
            lines.append(line)
        return lines

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(10)

    def __enter__(self: W) -> W:
        """Leave it running."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it still runs, the orderly way."""
        if self.process.poll() is None:
            self.process.communicate(timeout=20)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


async def work_until_input_closes() -> None:
    """Say READY to the parent, and wait for its end."""
    print("READY", flush=True)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await closed.wait()
