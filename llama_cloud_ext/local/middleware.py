"""What surrounds every request: errors become answers, keys are checked, trouble is simulated."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from llama_cloud_ext.local.answers import json_answer
from llama_cloud_ext.local.presigned import ROUTE
from llama_cloud_ext.local.request_errors import RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.simulation import Simulation

logger = logging.getLogger(__name__)


class ErrorAnswers:
    """Turns exceptions into answers. A 5xx carries a correlation id, and the log has the same id with the cause."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            logger.debug("the client of %s %s left early", scope["method"], scope["path"])
        except RequestError as error:
            await json_answer({"detail": error.detail}, error.status)(scope, receive, send)
        except Exception as error:
            if started:  # too late for an answer; most often the client has gone
                logger.debug("answering %s %s ended early: %s", scope["method"], scope["path"], error)
                await cut(scope, receive, reset=False)
                return
            answer, correlation_id = server_error(500)
            logger.exception("%s %s failed, correlation id %s", scope["method"], scope["path"], correlation_id)
            await answer(scope, receive, send)


class KeyCheck:
    """Lets only requests with the right API key pass; presigned URLs carry their own permission."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and not scope["path"].startswith(f"{ROUTE}/"):
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not hmac.compare_digest(given, self._expected):
                raise RequestError(401, "Invalid API Key" if given else "Missing API Key")
        await self._app(scope, receive, send)


class LoopbackOnly:
    """Keeps web pages out of a server that needs no key: they reach the loopback through the browser, under a host
    name of their own (DNS rebinding) or with their origin in the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            for address in (f"//{headers.get('host', '')}", headers.get("origin", "")):
                if address and not is_loopback(urlsplit(address).hostname or ""):
                    message = "Only local programs may use this server; start it with an API key for others."
                    await json_answer({"detail": message}, 403)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Example:
        >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class OpenCloud:
    """Opens the data folder before the first request gets any further."""

    def __init__(self, app: ASGIApp, cloud: LocalCloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http":
            await self._cloud.ensure_open()
        await self._app(scope, receive, send)


class SimulatedTrouble:
    """Applies a simulation's rate limit and faults."""

    def __init__(self, app: ASGIApp, simulation: Simulation) -> None:
        # Errors become answers on this side too, so that they can be lost like any other answer.
        self._app = ErrorAnswers(app)
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, well or badly."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._simulation.admit():
            limit = self._simulation.requests_per_minute
            raise RequestError(429, f"Rate limit exceeded. The limit is {limit:g} requests per minute.")
        fault = self._simulation.draw_fault()
        if fault is None:
            await self._app(scope, receive, send)
        elif fault == "429":
            raise RequestError(429, "Rate limit exceeded (simulated).")
        elif fault in {"500", "503"}:
            await server_error(int(fault))[0](scope, receive, send)
        elif fault == "reset":
            await cut(scope, receive, reset=True)
        elif fault == "lost":
            await self._app(scope, receive, _nowhere)
            await cut(scope, receive, reset=False)
        else:
            await self._truncate(scope, receive, send)

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        cutting = False

        async def halved(message: Message) -> None:
            nonlocal cutting
            if cutting:
                return
            if message["type"] == "http.response.body":
                cutting = True
                body = message.get("body", b"")
                message = {**message, "body": body[: len(body) // 2], "more_body": True}
            await send(message)

        await self._app(scope, receive, halved)
        await cut(scope, receive, reset=False)


async def cut(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Cut the connection of a request, and wait until it is down.

    Args:
        scope: The request's scope; its `state` holds `cut`, which our transport and our server put there.
        receive: The request's channel.
        reset: Whether the peer sees a reset instead of a close.
    """
    if (cut_connection := scope.get("state", {}).get("cut")) is None:
        return  # under another server: it closes a connection whose answer stays incomplete
    cut_connection(reset)
    while (await receive())["type"] != "http.disconnect":
        pass


def server_error(status: int) -> tuple[Response, str]:
    """A 5xx answer with a fresh correlation id, and that id."""
    correlation_id = str(uuid.uuid4())
    detail = "Service Unavailable" if status == 503 else "Internal Server Error"
    body = {"detail": detail, "correlation_id": correlation_id}
    return json_answer(body, status, {"x-correlation-id": correlation_id}), correlation_id


async def _nowhere(message: Message) -> None:
    del message
