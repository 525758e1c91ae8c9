"""Requests to LlamaCloud: authorised, paced, retried, and their failures explained.

A `Connection` is a light view, one for each settings, over the `Pool` that all settings of one account share: its
HTTP connections and its rate limiter. Both live on the I/O loop, and a forked process starts with none.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic_core import from_json

from llama_cloud_ext.errors import ConfigurationError, NotFoundError, TransportError
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.attempts import persist
from llama_cloud_ext.wire.downloads import Download, Downloader
from llama_cloud_ext.wire.http_client import HttpClient, body_of, leave_connection_of, without_query
from llama_cloud_ext.wire.query import Params, query_pairs
from llama_cloud_ext.wire.rate_limit import RateLimiter
from llama_cloud_ext.wire.responses import error_from
from llama_cloud_ext.wire.retry import RetryPolicy, is_idempotent
from llama_cloud_ext.wire.settings import Settings

if TYPE_CHECKING:
    import httpx

    from llama_cloud_ext.wire.multipart import MultipartBody

__all__ = ["JSON", "Connection", "Download", "Pool", "Scope", "connection_for"]

JSON = Any
Scope = bool | Literal["project"]

# Decoding this much JSON takes about a millisecond; more of it would hold up every other request of the loop.
_DECODED_ON_THE_LOOP = 128 * 1024
_WEB_PAGE = "A web page answered: check base_url=, and whether a proxy asks for a login."
# A repeated request gets at least this many seconds, however little of its budget is left.
_LEAST_TIMEOUT = 1.0


class Pool:
    """What all settings of one account share: the HTTP client and the rate limiter."""

    def __init__(self, settings: Settings) -> None:
        self.client = HttpClient(settings)
        self.limiter = RateLimiter(settings.requests_per_minute)


class Connection:
    """LlamaCloud as one settings sees it. Lives on the I/O loop; get one from `connection_for`.

    Args:
        settings: Whom to talk to, and as whom.
        pool: Shared with other settings of the account; a new one if None.
        policy: The patience and its clock; by default the settings' retry budget on the real clock.
    """

    def __init__(self, settings: Settings, pool: Pool | None = None, *, policy: RetryPolicy | None = None) -> None:
        self.settings = settings
        self.pool = pool or Pool(settings)
        self.policy = policy or RetryPolicy(budget=settings.retry_budget)
        self._downloader = Downloader(self.pool.client, settings, self.policy)
        self._private_headers = _private_headers(settings)

    @property
    def limiter(self) -> RateLimiter:
        """The rate limiter of the account."""
        return self.pool.limiter

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: JSON = None,
        body: MultipartBody | None = None,
        scoped: Scope = True,
        recover: Callable[[], Awaitable[JSON | None]] | None = None,
        permit: Callable[[], Awaitable[None]] | None = None,
        is_answer: Callable[[JSON], bool] | None = None,
        idempotent: bool | None = None,
        timeout: float | None = None,
        budget: float | None = None,
    ) -> JSON:
        """Send a request until it succeeds, cannot succeed, or its time is up.

        Args:
            method: HTTP method.
            path: Path below the base URL, e.g. ``"/api/v2/parse"``.
            params: Query; see `query_pairs`.
            json: Body as JSON.
            body: Body as an upload, read again from its start for each send.
            scoped: Whether to add the settings' project and organization to the query, or only the project.
            recover: For a create: looks up what an earlier send, whose answer was lost, may have created. Called before
                the create is repeated; what it returns is the result, None means that nothing was created.
            permit: Asked right before each send, which may be minutes after the call: what it raises ends the request.
            is_answer: Tells whether an answer is one to this request. Where a server, a proxy or a connection mixes up
                answers, what came counts as none, and is never taken for another file's result.
            idempotent: Whether the request may be repeated although the service may have acted on it; None decides by
                the method, the body and `recover`.
            timeout: Seconds for connecting and each wait; None for the settings'.
            budget: Seconds for the request with its retries, without the time spent waiting for its turn; None for the
                settings'.

        Returns:
            The decoded body, None if it is empty.

        Raises:
            ApiError: The service refused, or failed until the time was up.
            TransportError: No answer; `.sent` says whether the service may have acted.
            SourceError: The upload's source failed while it was read.
        """
        method = method.upper()
        url = self._url(path, params, scoped=scoped)
        headers, content = _encode(json, body)
        seconds = self.settings.timeout if timeout is None else timeout
        repeatable = is_idempotent(
            method, has_body=content is not None, recoverable=recover is not None, declared=idempotent
        )

        async def send(attempt: int, left: float) -> JSON:
            # What may be repeated freely may also be cut short, so that the budget really ends it.
            limit = min(seconds, max(left, _LEAST_TIMEOUT)) if repeatable and attempt > 1 else seconds
            try:
                answer = await self._send(
                    method, url, headers=headers, content=content, timeout=limit, is_answer=is_answer
                )
            except NotFoundError:
                if method == "DELETE" and attempt > 1:
                    return None  # an earlier send, whose answer was lost, has deleted it
                raise
            if recover is not None and not (isinstance(answer, dict | list) and answer):
                # Accepted, and yet nothing says what was created: as good as an answer that never came.
                raise TransportError(
                    "the answer says nothing of what was created", request=f"{method} {without_query(url)}", sent=True
                )
            return answer

        return await persist(
            send,
            what=f"{method} {urlsplit(url).path}",
            policy=self.policy if budget is None else replace(self.policy, budget=budget),
            idempotent=repeatable,
            recover=recover,
            permit=permit,
            limiter=self.limiter,
        )

    async def content(self, path: str, *, params: Params | None = None) -> Download:
        """Fetch a file that the service hands out under its API, with the key; presigned URLs go to `download`.

        Args:
            path: Path below the base URL.
            params: Query; see `query_pairs`.

        Returns:
            The whole file.

        Raises:
            ApiError: The service refused, or failed until the time was up.
            TransportError: No answer, an empty one, or a web page.
        """
        url = self._url(path, params, scoped=True)

        async def send(attempt: int, left: float) -> Download:
            limit = min(self.settings.timeout, max(left, _LEAST_TIMEOUT)) if attempt > 1 else self.settings.timeout
            data, response = await self._exchange("GET", url, headers={"Accept": "*/*"}, content=None, timeout=limit)
            content_type = response.headers.get("content-type", "")
            if not data:
                raise TransportError("the file is empty", request=f"GET {without_query(url)}", sent=True)
            if "html" in content_type:
                raise TransportError(
                    "the answer is no file",
                    request=f"GET {without_query(url)}",
                    sent=True,
                    transient=False,
                    hint=_WEB_PAGE,
                )
            return Download(data, content_type or None)

        return await persist(
            send, what=f"GET {urlsplit(url).path}", policy=self.policy, idempotent=True, limiter=self.limiter
        )

    async def download(self, url: str) -> Download:
        """Fetch a file of a result into memory; see `Downloader.to_memory`.

        Args:
            url: Presigned URL, absolute or relative to the base URL.
        """
        return await self._downloader.to_memory(url)

    async def download_to(self, url: str, path: Path) -> int:
        """Fetch a file of a result on to disk in constant memory, and return its size; see `Downloader.to_file`.

        Args:
            url: Presigned URL, absolute or relative to the base URL.
            path: Where the file appears once it is whole; its folder must exist.
        """
        return await self._downloader.to_file(url, path)

    async def aclose(self) -> None:
        """Close the account's HTTP connections; a later request opens new ones."""
        await self.pool.client.aclose()

    async def _send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: Any,
        timeout: float,
        is_answer: Callable[[JSON], bool] | None,
    ) -> JSON:
        data, response = await self._exchange(method, url, headers=headers, content=content, timeout=timeout)
        if not data.strip():
            return None
        content_type = response.headers.get("content-type", "")
        try:
            decoded = _decode(data) if len(data) <= _DECODED_ON_THE_LOOP else await io_loop.in_thread(_decode, data)
        except (ValueError, RecursionError) as error:
            is_page = "html" in content_type
            raise TransportError(
                f"the answer ({len(data)} bytes) is not JSON",
                request=f"{method} {without_query(url)}",
                sent=True,
                transient=not is_page,
                hint=_WEB_PAGE if is_page else None,
            ) from error
        if is_answer is not None and not is_answer(decoded):
            await leave_connection_of(response)
            raise TransportError(
                "the answer belongs to another request",
                request=f"{method} {without_query(url)}",
                sent=True,
                hint="Something between here and the service mixes answers up: check proxy= and base_url=.",
            )
        return decoded

    async def _exchange(
        self, method: str, url: str, *, headers: dict[str, str], content: Any, timeout: float
    ) -> tuple[bytes, httpx.Response]:
        """Send once; the body of a successful answer, and the answer."""
        async with self.pool.client.answer(
            method, url, headers=headers, private_headers=self._private_headers, content=content, timeout=timeout
        ) as response:
            data = b"".join([piece async for piece in body_of(response, timeout)])
        if not response.is_success:
            raise error_from(
                response.status_code,
                response.headers,
                data,
                method=method,
                url=without_query(url),
                host=self.settings.host,
            )
        return data, response

    def _url(self, path: str, params: Params | None, *, scoped: Scope) -> str:
        pairs = query_pairs(params)
        if scoped:
            given = {name for name, _ in pairs}
            scope = {"project_id": self.settings.project_id}
            if scoped != "project":
                scope["organization_id"] = self.settings.organization_id
            pairs += [(name, value) for name, value in scope.items() if value and name not in given]
        url = f"{self.pool.client.base_url}/{path.lstrip('/')}"
        return f"{url}?{urlencode(pairs)}" if pairs else url


def _private_headers(settings: Settings) -> dict[str, str]:
    """What only the service's own host may see; an Authorization header of the user's replaces the key."""
    headers = {name.lower(): value for name, value in settings.headers}
    if settings.api_key is not None:
        headers.setdefault("authorization", f"Bearer {settings.api_key.get_secret_value()}")
    return headers


def _decode(data: bytes) -> JSON:
    try:
        return from_json(data)  # twice as fast on results of megabytes
    except ValueError:
        return jsonlib.loads(data)  # takes what only Python writes: lone surrogates, very deep nesting


def _encode(json: JSON, body: MultipartBody | None) -> tuple[dict[str, str], Any]:
    headers = {"Accept": "application/json"}
    if body is not None:
        return {**headers, **body.headers}, body
    if json is None:
        return headers, None
    try:
        content = jsonlib.dumps(json, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the request's options cannot be written as JSON: {error}",
            hint="Use strings, finite numbers, booleans, lists and dictionaries.",
        ) from error
    return {**headers, "Content-Type": "application/json"}, content


class _Registry:
    def __init__(self) -> None:
        self.pools: dict[tuple[object, ...], Pool] = {}
        self.connections: dict[Settings, Connection] = {}


# A forked child finds its parent's entries here and leaves them alone: closing them would end the parent's connections.
_registries: dict[tuple[int, asyncio.AbstractEventLoop], _Registry] = {}


def connection_for(settings: Settings) -> Connection:
    """The connection for some settings; equal settings get the same one, one account's settings share its pool.

    Args:
        settings: Resolved settings.

    Returns:
        A connection that belongs to the running event loop, which is the I/O loop.

    Raises:
        RuntimeError: No event loop is running.
    """
    loop = asyncio.get_running_loop()
    key = (os.getpid(), loop)
    if key not in _registries:
        for stale in [known for known in _registries if known[0] == key[0] and known[1].is_closed()]:
            del _registries[stale]
        _registries[key] = _Registry()
    registry = _registries[key]
    connection = registry.connections.get(settings)
    if connection is None:
        pool = registry.pools.setdefault(settings.account, Pool(settings))
        connection = registry.connections[settings] = Connection(settings, pool)
    return connection


async def held_up(settings: Settings) -> float:
    """Seconds for which requests with some settings wait for a rate limit; 0 if none waits."""
    return connection_for(settings).limiter.delay


async def close_connections() -> None:
    """Close what the running loop's connections hold open; later requests open it anew, at the rates known by then."""
    registry = _registries.get((os.getpid(), asyncio.get_running_loop()))
    if registry is not None:
        await asyncio.gather(*(pool.client.aclose() for pool in registry.pools.values()))
