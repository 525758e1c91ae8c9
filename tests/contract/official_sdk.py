"""The official SDK as a judge: functions of the tests run in its own virtual environment."""

from __future__ import annotations

import inspect
import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.virtualenvs import clean_environment


class OfficialSdk:
    """A process in the SDK's environment that calls functions of the tests with a strict SDK client.

    Args:
        python: The interpreter of that environment.
        base_url: Where the client sends its requests; None to record them in `client.recorded` instead.
    """

    def __init__(self, python: Path, base_url: str | None) -> None:
        self._base_url = base_url
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("sdk_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )

    def run(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Call a function over there; what it returns comes back as JSON.

        Args:
            function: `def journey(client, …)`, or `async def` for the async client. Its source travels, so it imports
                what it needs by itself and closes over nothing.
            arguments: JSON-able keyword arguments.

        Returns:
            The decoded result.

        Raises:
            AssertionError: The function raised; the message is its traceback.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        source = textwrap.dedent(inspect.getsource(function))
        request = {"source": source, "name": function.__name__, "base_url": self._base_url, "arguments": arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)
