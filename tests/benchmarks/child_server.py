"""A server in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from typing_extensions import Self


class ChildServer:
    """A module of the benchmarks that serves on a loopback port; a context manager.

    Args:
        module: Its name. As a program it calls `serve_to_parent`.
        *arguments: For its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().strip()
        if not self.base_url.startswith("http"):
            raise RuntimeError(f"{module} did not start")

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """Request one of the server's paths: its JSON. With a body it is a POST."""
        request = urllib.request.Request(self.base_url + path, data=body)  # noqa: S310 - always loopback http
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - an address of ours
            return json.load(response)

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        """Start of the `with` block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self.close()


def serve_to_parent(config: uvicorn.Config, port: int = 0, *, until_stdin_closes: bool = True) -> None:
    """Serve on a loopback port until ended; the first line of standard output is the address.

    Args:
        config: What is served.
        port: The port; 0 for any free one.
        until_stdin_closes: Whether to end when the parent process does.
    """
    # With its protocol, so that asyncio knows it for TCP and switches Nagle's algorithm off.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    config.load()
    server = uvicorn.Server(config)
    if until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])
