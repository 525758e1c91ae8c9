"""Runs functions in the official SDK's environment, one after the other; started by `OfficialSdk`.

Reads one JSON request a line (the source of a function and its arguments), calls the function with an SDK client,
answers with one JSON line. Needs nothing but the SDK (with its httpx) and the standard library.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import linecache
import sys
import traceback
from typing import Any

import httpx
from llama_cloud import AsyncLlamaCloud, LlamaCloud
from recording import Recorder

API_KEY = "llx-contract"


def client_for(base_url: str | None, asynchronous: bool) -> Any:
    """A client; without a base URL, one that only records."""
    kind = AsyncLlamaCloud if asynchronous else LlamaCloud
    if base_url is None:
        recorder = Recorder()
        client = kind(
            api_key=API_KEY,
            base_url="https://cloud.example",
            http_client=httpx.Client(transport=httpx.MockTransport(recorder)),
            # What the recorder answers is just enough to go on.
            _strict_response_validation=False,
        )
        client.recorded = recorder.requests
        return client
    return kind(api_key=API_KEY, base_url=base_url)


def make_strict(kind: Any) -> None:
    """Let clients, also those that the SDK's own classes make, refuse answers without a model and retry nothing."""
    initialise = kind.__init__

    @functools.wraps(initialise)
    def strict(self: Any, **options: Any) -> None:
        initialise(self, **{"_strict_response_validation": True, "max_retries": 0, **options})

    kind.__init__ = strict


def call(request: dict[str, Any]) -> Any:
    """Define the function and call it with a client and its arguments."""
    file_name = f"<{request['name']}>"
    linecache.cache[file_name] = (len(request["source"]), None, request["source"].splitlines(True), file_name)
    names: dict[str, Any] = {}
    exec(compile(request["source"], file_name, "exec"), names)  # noqa: S102 - the tests' own code
    function = names[request["name"]]
    client = client_for(request["base_url"], inspect.iscoroutinefunction(function))
    answer = function(client, **request["arguments"])
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer


def main() -> None:
    """Answer requests until standard input closes."""
    make_strict(LlamaCloud)
    make_strict(AsyncLlamaCloud)
    output, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            answer = {"result": call(json.loads(line))}
            text = json.dumps(answer, default=str)
        except BaseException:
            text = json.dumps({"error": traceback.format_exc()})
        output.write(text + "\n")
        output.flush()


if __name__ == "__main__":
    main()
