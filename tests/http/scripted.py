"""What services inside a transport share: every request is kept, and each step fails as a test says."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

HOST = "cloud.example.com"
BASE_URL = f"https://{HOST}"

Fault = Exception | int | httpx.Response | dict[str, Any] | list[Any] | None
"""What happens instead of the usual answer: it raises, answers a status, or answers this. None for nothing."""


def in_turn(script: Mapping[str, Sequence[Fault]]) -> Callable[[str, httpx.Request], Fault]:
    """A fault that has each step do one thing after the other, and then as usual."""
    left = {step: list(faults) for step, faults in script.items()}
    return lambda step, request: left[step].pop(0) if left.get(step) else None


class ScriptedTransport(httpx.AsyncBaseTransport):
    """A service without a network. A subclass names the steps and answers them.

    Args:
        fault: Called with the step and the request before anything is done, and with "after " and the step when it is.
    """

    steps_by_request: Sequence[tuple[str, str, str]] = ()
    """Method, pattern of the path, and what the step is called."""

    def __init__(self, fault: Callable[[str, httpx.Request], Fault] | None = None) -> None:
        self.fault = fault
        self.requests: list[httpx.Request] = []
        self.steps: Counter[str] = Counter()
        self.loops: set[int] = set()

    @property
    def connection(self) -> dict[str, Any]:
        """Connection options that lead here."""
        return {"api_key": "llx-test", "base_url": BASE_URL, "transport": self}

    def body(self, place: int = -1) -> Any:
        """What a request carried."""
        return json.loads(self.requests[place].content)

    def bodies(self, step: str) -> list[Any]:
        """What all requests of a step carried."""
        return [json.loads(request.content) for request in self.requests if self._step(request) == step]

    def paths(self) -> list[str]:
        """What was asked for, in its order."""
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()
        self.steps.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        await request.aread()
        self.requests.append(request)
        self.loops.add(id(asyncio.get_running_loop()))
        step = self._step(request)
        self.steps[step] += 1
        if (early := self._faulty(step, request)) is not None:
            return early
        answer = self._answer(step, request)
        late = self._faulty(f"after {step}", request)
        return answer if late is None else late

    def _faulty(self, step: str, request: httpx.Request) -> httpx.Response | None:
        fault = self.fault(step, request) if self.fault else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, int):
            return httpx.Response(fault, json={"detail": f"scripted {fault}"})
        if isinstance(fault, httpx.Response) or fault is None:
            return fault
        return httpx.Response(200, json=fault)

    def _step(self, request: httpx.Request) -> str:
        # Ids with a slash travel encoded, and are one segment of the path only there.
        path = request.url.raw_path.decode().partition("?")[0]
        for method, pattern, step in self.steps_by_request:
            if request.method == method and re.fullmatch(pattern, path):
                return step
        return "unknown"

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        raise NotImplementedError


def answer(value: Any, status: int = 200) -> httpx.Response:
    """JSON written as a hostile service would: lone surrogates and infinities included."""
    return httpx.Response(status, content=json.dumps(value).encode(), headers={"content-type": "application/json"})


def segment(request: httpx.Request, place: int) -> str:
    """One segment of a path, decoded."""
    return httpx.URL(request.url.raw_path.decode().partition("?")[0].split("/")[place]).path
