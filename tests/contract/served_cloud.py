"""Local LlamaCloud served on a loopback port by the command line, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.virtualenvs import ROOT, clean_environment

START_LIMIT_SECONDS = 30.0


class ServedCloud:
    """`llama-cloud-ext serve`; a context manager.

    Args:
        data: Folder of its data.
        options: More options of the command.
        environment: More environment variables.
    """

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "llama_cloud_ext.cli", "serve", "--data", str(data), "--port", str(port)]
        self._log = (data.parent / f"{data.name}.log").open("w+")
        self._process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=clean_environment(**environment),
        )

    def _wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + START_LIMIT_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.close()
                raise RuntimeError(f"the server did not start:\n{self.log()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.base_url + "/api/v1/projects", timeout=5).close()  # noqa: S310 - loopback
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return True
        except OSError:
            return False
        return True

    def log(self) -> str:
        """What the server wrote so far."""
        self._log.flush()
        return Path(self._log.name).read_text()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()

    def __enter__(self) -> ServedCloud:
        """Wait until the server answers."""
        self._wait_until_it_answers()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self.close()
