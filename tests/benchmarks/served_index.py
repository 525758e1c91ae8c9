"""Local LlamaCloud in a process of its own, for measuring clients of an index; it counts requests.

`GET /_stats` tells how many requests there were since `POST /_reset`. Its data folder is temporary and
kept by a reset. Requests that measure the server itself carry the header `x-uncounted`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from llama_cloud_ext.local import create_app
from tests.benchmarks.child_server import ChildServer, serve_to_parent

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class CountedRequests:
    """ASGI middleware that counts requests."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.requests = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Count a request and pass it on, or answer one about the count."""
        if scope["type"] == "http":
            if scope["path"] in ("/_stats", "/_reset"):
                await self._answer(scope["path"], send)
                return
            self.requests += not any(name == b"x-uncounted" for name, _ in scope["headers"])
        await self.app(scope, receive, send)

    async def _answer(self, path: str, send: Send) -> None:
        if path == "/_reset":
            self.requests = 0
        body = b'{"requests": %d}' % self.requests
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class ServedIndex(ChildServer):
    """Local LlamaCloud in a child process; a context manager.

    Example:
        >>> with ServedIndex() as cloud:
        ...     cloud.requests()
        0
    """

    def __init__(self) -> None:
        super().__init__("tests.benchmarks.served_index")

    def requests(self) -> int:
        """Requests since the count was reset last."""
        return int(self.ask("/_stats")["requests"])

    def reset(self) -> None:
        """Count from here."""
        self.ask("/_reset", b"")

    def documents(self, name: str) -> int:
        """How many documents an index of this name holds; 0 if there is no such index."""
        found = self.ask(f"/api/v1/pipelines?pipeline_name={quote(name)}")
        return sum(
            self.ask(f"/api/v1/pipelines/{one['id']}/documents/paginated?limit=1")["total_count"] for one in found
        )


if __name__ == "__main__":
    serve_to_parent(
        uvicorn.Config(
            CountedRequests(create_app(None)),
            # What `serve` takes.
            http=H11Protocol,
            lifespan="on",
            log_level="critical",
            access_log=False,
            timeout_keep_alive=75,
        )
    )
