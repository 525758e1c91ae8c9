"""HTTP without a network: an httpx transport that hands requests to an ASGI application in the same event loop.

This is the one module outside `wire/` that imports httpx: what it implements is httpx's own transport interface, and
`wire/` may know nothing of applications.

httpx brings an ASGI transport, but one that keeps whole bodies in memory, ignores timeouts, and shows an application's
bugs and the caller's cancellation to the wrong side. Here the application runs in a task of its own, bodies pass
through bounded queues in both directions, and a caller that leaves is a disconnect for the application, as on a socket.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

logger = logging.getLogger(__name__)

QUEUED_CHUNKS = 2
"""Chunks of a body that may wait on each side; memory stays at a few of them, whatever the length of the body."""

LOOK_AGAIN = 0.1
"""Seconds after which a running upload is looked at again: its end starts another clock."""

GOODBYE_SECONDS = 5.0
"""How long closing waits for requests under way."""


class AsgiTransport(httpx.AsyncBaseTransport):
    """Sends requests to an ASGI application.

    Args:
        app: The application. Its lifespan is not run.

    Example:
        >>> import asyncio
        >>> async def app(scope, receive, send):
        ...     await send({"type": "http.response.start", "status": 204, "headers": []})
        ...     await send({"type": "http.response.body"})
        >>> async def main():
        ...     async with httpx.AsyncClient(transport=AsgiTransport(app)) as client:
        ...         return (await client.get("http://local/")).status_code
        >>> asyncio.run(main())
        204
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Run one request.

        Raises:
            httpx.ReadTimeout: Nothing came for longer than the read timeout.
            httpx.WriteTimeout: The application took nothing for longer than the write timeout.
            httpx.TransportError: The application cut the connection.
        """
        exchange = _Exchange(request)
        task = asyncio.create_task(exchange.run(self._app))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await exchange.response_started()
        except BaseException:
            exchange.disconnect()
            raise
        return httpx.Response(exchange.status, headers=exchange.headers, stream=_ResponseStream(exchange))

    async def aclose(self) -> None:
        """Let requests under way end, and stop those that do not."""
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GOODBYE_SECONDS)
            for task in late:
                task.cancel()


class _ResponseStream(httpx.AsyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._exchange.next_chunk()) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._exchange.disconnect()


class _Exchange:
    """One request and its answer: the application's `receive` and `send` on one side, httpx on the other."""

    def __init__(self, request: httpx.Request) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self._request = request
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous client needs an asynchronous request body")
        self._body = request.stream
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._loop = asyncio.get_running_loop()
        self._uploaded: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_CHUNKS)
        self._answer: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_CHUNKS)
        self._progress = self._loop.time()
        self._upload_complete = False
        self._body_received = False
        self._started = asyncio.Event()
        self._disconnected = asyncio.Event()
        self._error: BaseException | None = None
        self._pump = asyncio.create_task(self._upload())

    # -- the client's side --------------------------------------------------------------------------------------

    async def response_started(self) -> None:
        while not self._started.is_set():
            # The clock of the answer starts when the upload has ended, as it does on a socket.
            timeout = self._timeouts.get("read" if self._upload_complete else "write")
            remaining = None if timeout is None else self._progress + timeout - self._loop.time()
            if remaining is not None and remaining <= 0:
                raise self._timed_out()
            waiting = remaining if self._upload_complete else min(remaining or LOOK_AGAIN, LOOK_AGAIN)
            try:
                await asyncio.wait_for(self._started.wait(), waiting)
            except asyncio.TimeoutError:
                continue
        if self._error is not None:
            raise self._error

    async def next_chunk(self) -> bytes | None:
        if self._error is not None and self._answer.empty():
            raise self._error
        try:
            chunk = self._answer.get_nowait()
        except asyncio.QueueEmpty:
            try:
                chunk = await asyncio.wait_for(self._answer.get(), self._timeouts.get("read"))
            except asyncio.TimeoutError:
                raise httpx.ReadTimeout("the answer stalled", request=self._request) from None
        if chunk is None and self._error is not None:
            raise self._error
        return chunk

    def disconnect(self) -> None:
        self._disconnected.set()
        self._pump.cancel()
        _drain(self._answer)  # wakes an application that waits for room

    def _timed_out(self) -> httpx.TimeoutException:
        if self._upload_complete:
            return httpx.ReadTimeout("no answer in time", request=self._request)
        return httpx.WriteTimeout("the upload stalled", request=self._request)

    async def _upload(self) -> None:
        try:
            async for chunk in self._body:
                if chunk:
                    await self._uploaded.put(chunk)
                    self._progress = self._loop.time()
        except BaseException as error:
            if not self._disconnected.is_set():  # the caller's own stream failed: the caller gets to know
                self._fail(error)
            return
        self._upload_complete = True
        self._progress = self._loop.time()
        await self._uploaded.put(None)

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._disconnected.set()
        self._started.set()
        _drain(self._answer)
        self._answer.put_nowait(None)

    # -- the application's side ---------------------------------------------------------------------------------

    async def run(self, app: ASGIApp) -> None:
        sent_start = self._started.is_set
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception:
            # An application that turns its errors into answers, as ours does, raises none of its own.
            if self._disconnected.is_set():
                logger.debug("application failed after its client had gone", exc_info=True)
            elif not sent_start():
                correlation_id = str(uuid.uuid4())
                logger.exception("application failed, correlation id %s", correlation_id)
                await self._send_failure(correlation_id)
            else:
                logger.exception("application failed after its answer had begun")
        finally:
            self._pump.cancel()
            if not self._disconnected.is_set():
                self._error = self._error or httpx.RemoteProtocolError(
                    "peer closed connection without sending complete message body", request=self._request
                )
            self._started.set()
            if not self._disconnected.is_set():
                await self._answer.put(None)

    def _scope(self) -> dict[str, Any]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?", 1)[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 0),
            "state": {"cut": self._cut},
        }

    async def _receive(self) -> Message:
        if not self._body_received and not self._disconnected.is_set():
            chunk = await self._next_uploaded()
            if chunk is not None or not self._disconnected.is_set():
                self._body_received = chunk is None
                return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _next_uploaded(self) -> bytes | None:
        try:
            return self._uploaded.get_nowait()
        except asyncio.QueueEmpty:
            pass
        getting = asyncio.ensure_future(self._uploaded.get())
        leaving = asyncio.ensure_future(self._disconnected.wait())
        try:
            await asyncio.wait({getting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else None
        finally:
            getting.cancel()
            leaving.cancel()

    async def _send(self, message: Message) -> None:
        if self._disconnected.is_set():
            raise OSError("the client has gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
            self._started.set()
        elif message["type"] == "http.response.body":
            if body := message.get("body", b""):
                await self._answer.put(body)
            if not message.get("more_body", False):
                await self._answer.put(None)
                self._disconnected.set()

    async def _send_failure(self, correlation_id: str) -> None:
        body = f'{{"detail":"Internal Server Error","correlation_id":"{correlation_id}"}}'.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": 500, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _cut(self, reset: bool) -> None:
        """Cut the connection as a server may: what `state["cut"]` of a request does."""
        if reset:
            self._fail(httpx.ReadError("connection reset by peer", request=self._request))
        elif self._started.is_set():
            self._error = httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=self._request
            )
            self._disconnected.set()
            if self._answer.full():
                self._answer.get_nowait()
            self._answer.put_nowait(None)
        else:
            gone = "Server disconnected without sending a response."
            self._fail(httpx.RemoteProtocolError(gone, request=self._request))


def _drain(queue: asyncio.Queue[bytes | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
