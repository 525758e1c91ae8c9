"""A simulated LlamaCloud in a process of its own, for measuring clients and for testing them against faults.

It parses nothing: a job of the file `report-2.5.pdf` is done after 2.5 s. See `Scenario` for what can go wrong.
`GET /_stats` tells what was counted; `POST /_reset` (a scenario as JSON) starts over. Run it by hand with
`python -m tests.benchmarks.simulated_cloud --port 8123`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.benchmarks.child_server import ChildServer, serve_to_parent
from tests.benchmarks.simulated_routes import route_of
from tests.benchmarks.simulated_service import Answer, Call, JsonObject, Scenario, SimulatedService

KEPT_OF_A_BODY = 1 << 20
"""Bytes of a request body that are looked at; an upload's fields come before its file."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class CuttableProtocol(H11Protocol):
    """Hands each request its transport, so that a connection can be reset in the middle of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it; asyncio takes any
        """Remember the transport where requests see it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class SimulatedApp:
    """The ASGI application: reads a request, lets the scenario spoil it, answers it."""

    def __init__(self, service: SimulatedService) -> None:
        self.service = service

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = dict(scope["headers"]).get(b"host", b"127.0.0.1").decode()
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        head, size = await self._read(receive)
        call = Call(scope["method"], scope["path"], query, head, size, f"http://{host}")
        if call.path in ("/_stats", "/_reset"):
            await self._send(send, self._control(call))
        else:
            self.service.connections.add(tuple(scope["client"]))
            await self._serve(call, scope["state"]["transport"], send)

    @staticmethod
    async def _read(receive: Receive) -> tuple[bytes, int]:
        head, size, more = bytearray(), 0, True
        while more:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if len(head) < KEPT_OF_A_BODY:
                head += part
            more = message.get("more_body", False)
        return bytes(head), size

    def _control(self, call: Call) -> Answer:
        if call.path == "/_reset":
            try:
                self.service.reset(Scenario.of(json.loads(call.head or b"{}")))
            except (TypeError, ValueError) as error:
                return Answer(400, {"detail": str(error)})
        return Answer(200, self.service.stats())

    async def _serve(self, call: Call, transport: asyncio.Transport, send: Send) -> None:
        service = self.service
        name, function, named = route_of(call)
        service.requests[name] += 1
        service.bytes_received += call.size
        if service.scenario.latency:
            await asyncio.sleep(service.scenario.latency)
        if service.over_the_rate():
            wait = service.scenario.retry_after
            headers = {} if wait is None else {"retry-after": f"{wait:g}"}
            await self._count_and_send(send, Answer(429, {"detail": "Rate limit exceeded."}, headers=headers))
            return
        fault = service.drawn_fault()
        if fault in (None, "truncated", "slow", "duplicate"):
            if fault == "slow":
                await asyncio.sleep(service.scenario.slow_seconds)
            answer = function(service, call, *named)
            if fault in ("slow", "duplicate"):
                service.statuses[fault] += 1
                await self._count_and_send(send, answer)
                if fault == "duplicate":
                    transport.write(answer.as_http())
                return
            if answer.created_job:
                fault = service.lost_answer(fault)
            if fault not in ("cut", "truncated"):
                await self._count_and_send(send, Answer(int(fault), {"detail": "Bad gateway"}) if fault else answer)
                return
            service.statuses[fault] += 1
            if fault == "truncated":
                await self._send_half(send, answer)
        elif fault == "cut":
            service.statuses["cut"] += 1
        else:
            detail = "Too many requests" if fault == "429" else "Internal server error, correlation id 0000-sim"
            await self._count_and_send(send, Answer(int(fault), {"detail": detail}))
            return
        transport.abort()

    async def _count_and_send(self, send: Send, answer: Answer) -> None:
        self.service.statuses[str(answer.status)] += 1
        await self._send(send, answer)

    @staticmethod
    async def _send(send: Send, answer: Answer) -> None:
        body = answer.encoded()
        headers = {"content-type": answer.content_type, "content-length": str(len(body)), **answer.headers}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": body})

    @staticmethod
    async def _send_half(send: Send, answer: Answer) -> None:
        body = answer.encoded()
        headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.01)  # let the half leave before the connection is reset


class SimulatedCloud(ChildServer):
    """A simulated cloud in a child process; a context manager.

    Args:
        scenario: Options of `Scenario` to start with.

    Example:
        >>> with SimulatedCloud(duration=1.0) as cloud:
        ...     cloud.stats()["requests"]
        0
    """

    def __init__(self, **scenario: Any) -> None:
        super().__init__("tests.benchmarks.simulated_cloud", "--port", "0", "--until-stdin-closes")
        self.reset(**scenario)

    def reset(self, **scenario: Any) -> None:
        """Forget all jobs and counts, and behave as these options of `Scenario` say."""
        self.ask("/_reset", json.dumps(scenario).encode())

    def stats(self) -> JsonObject:
        """What the service has counted since the last reset (see `SimulatedService.stats`)."""
        counted: JsonObject = self.ask("/_stats")
        return counted


def serve(port: int, until_stdin_closes: bool = False) -> None:
    """Serve on a loopback port (0: any free one) until ended; the first line of standard output is the address."""
    config = uvicorn.Config(
        SimulatedApp(SimulatedService()),
        http=CuttableProtocol,
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=75,
    )
    serve_to_parent(config, port, until_stdin_closes=until_stdin_closes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent process does")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.until_stdin_closes)
