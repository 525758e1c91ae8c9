"""Requests to LlamaCloud: authorised, paced, retried, and their failures explained.

A `Connection` is a light view, one for each settings, over the `Pool` that all settings of one account share: its
HTTP connections and its rate limiter. Both live on the I/O loop, and a forked process starts with none.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from llama_cloud_ext.errors import (
    ApiError,
    ConfigurationError,
    DownloadError,
    LlamaCloudError,
    NotFoundError,
    PlanLimitError,
    RateLimitError,
    TransportError,
)
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.http_client import HttpClient, without_query
from llama_cloud_ext.wire.query import Params, query_pairs
from llama_cloud_ext.wire.rate_limit import RateLimiter
from llama_cloud_ext.wire.responses import describe_detail, error_from
from llama_cloud_ext.wire.retry import RetryPolicy, decide, is_idempotent
from llama_cloud_ext.wire.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from llama_cloud_ext.wire.multipart import MultipartBody

__all__ = ["JSON", "Connection", "Download", "Pool", "connection_for"]

logger = logging.getLogger(__name__)

JSON = Any
T = TypeVar("T")

# Decoding this much JSON takes about a millisecond; more of it would hold up every other request of the loop.
_DECODED_ON_THE_LOOP = 128 * 1024
_DOWNLOAD_CHUNK = 256 * 1024
# A file that stays empty or cut off will not mend in the time that a whole request's budget allows.
_DOWNLOAD_ATTEMPTS = 5
# A repeated request gets at least this many seconds, however little of its budget is left.
_LEAST_TIMEOUT = 1.0
# Retries from this one on are worth a warning; before it they are part of a normal day.
_WARN_FROM = 3


@dataclass(frozen=True)
class Download:
    """A file that was fetched whole.

    Attributes:
        content: Its bytes, at least one.
        content_type: Its media type as the host named it, or None.
    """

    content: bytes
    content_type: str | None


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
        self._user_headers = dict(settings.headers)

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
        scoped: bool = True,
        recover: Callable[[], Awaitable[JSON | None]] | None = None,
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
            scoped: Whether to add the settings' project and organization to the query.
            recover: For a create: looks up what an earlier send, whose answer was lost, may have created. Called before
                the create is repeated; what it returns is the result, None means that nothing was created.
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
                return await self._send(method, url, headers=headers, content=content, timeout=limit)
            except NotFoundError:
                if method == "DELETE" and attempt > 1:
                    return None  # an earlier send, whose answer was lost, has deleted it
                raise

        return await self._persist(
            send,
            what=f"{method} {urlsplit(url).path}",
            policy=self.policy if budget is None else replace(self.policy, budget=budget),
            idempotent=repeatable,
            recover=recover,
            paced=True,
        )

    async def download(self, url: str) -> Download:
        """Fetch a file of a result into memory.

        Args:
            url: Presigned URL, absolute or relative to the base URL. The API key is never sent along, and the user's
                headers only to the service's own host.

        Returns:
            The whole file.

        Raises:
            DownloadError: It could not be fetched whole.
        """

        async def fetch(_attempt: int, _left: float) -> Download:
            chunks: list[bytes] = []
            async with self._open_download(url) as response:
                chunks.extend([chunk async for chunk in response.aiter_bytes(_DOWNLOAD_CHUNK)])
                self._check_whole(response, sum(map(len, chunks)), url)
                return Download(b"".join(chunks), response.headers.get("content-type"))

        return await self._persist_download(fetch, url)

    async def download_to(self, url: str, path: Path) -> int:
        """Fetch a file of a result on to disk, in constant memory.

        Args:
            url: As for `download`.
            path: Where the file appears once it is whole; its folder must exist.

        Returns:
            Its size in bytes.

        Raises:
            DownloadError: It could not be fetched whole; nothing is left behind, and an older file stays as it was.
            OSError: It could not be written.
        """
        partial = path.with_name(f".{uuid.uuid4().hex}.part")

        async def fetch(_attempt: int, _left: float) -> int:
            size = 0
            async with self._open_download(url) as response:
                file = await io_loop.in_thread(partial.open, "wb")
                try:
                    async for chunk in response.aiter_bytes(_DOWNLOAD_CHUNK):
                        size += await io_loop.in_thread(file.write, chunk)
                finally:
                    await io_loop.in_thread(file.close)
                self._check_whole(response, size, url)
            return size

        try:
            size = await self._persist_download(fetch, url)
            await io_loop.in_thread(partial.replace, path)
        finally:
            # Not in a thread: this must also happen when the task is being cancelled. After success there is none.
            partial.unlink(missing_ok=True)
        return size

    async def aclose(self) -> None:
        """Close the account's HTTP connections; a later request opens new ones."""
        await self.pool.client.aclose()

    # -- one send ---------------------------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: Any,
        timeout: float,
    ) -> JSON:
        async with self.pool.client.answer(
            method, url, headers=headers, private_headers=self._private_headers(), content=content, timeout=timeout
        ) as response:
            data = await response.aread()
        shown = without_query(url)
        if not response.is_success:
            raise error_from(
                response.status_code, response.headers, data, method=method, url=shown, host=self.settings.host
            )
        if not data.strip():
            return None
        try:
            if len(data) <= _DECODED_ON_THE_LOOP:
                return jsonlib.loads(data)
            return await io_loop.in_thread(jsonlib.loads, data)
        except (ValueError, RecursionError) as error:
            is_page = "html" in response.headers.get("content-type", "")
            raise TransportError(
                f"the answer ({response.status_code}, {len(data)} bytes) is not JSON",
                request=f"{method} {shown}",
                sent=True,
                transient=not is_page,
                hint="A web page answered: check base_url=, and whether a proxy asks for a login." if is_page else None,
            ) from error

    def _private_headers(self) -> dict[str, str]:
        """What only the service's own host may see; an Authorization header of the user's replaces the key."""
        if self.settings.api_key is None:
            return self._user_headers
        return {"authorization": f"Bearer {self.settings.api_key.get_secret_value()}", **_lowered(self._user_headers)}

    def _url(self, path: str, params: Params | None, *, scoped: bool) -> str:
        pairs = query_pairs(params)
        if scoped:
            given = {name for name, _ in pairs}
            scope = {"project_id": self.settings.project_id, "organization_id": self.settings.organization_id}
            pairs += [(name, value) for name, value in scope.items() if value and name not in given]
        url = f"{self.pool.client.base_url}/{path.lstrip('/')}"
        return f"{url}?{urlencode(pairs)}" if pairs else url

    # -- downloads --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _open_download(self, url: str) -> AsyncIterator[httpx.Response]:
        absolute = self._absolute(url)
        own = {name: value for name, value in self._user_headers.items() if name.lower() != "authorization"}
        try:
            async with self.pool.client.answer(
                "GET",
                absolute,
                # Compressed on the way, a file's length could not be checked.
                headers={"Accept": "*/*", "Accept-Encoding": "identity"},
                private_headers=own,
                timeout=self.settings.timeout,
            ) as response:
                if not response.is_success:
                    detail = describe_detail((await response.aread()).decode("utf-8", errors="replace"))
                    raise _download_refused(response.status_code, detail, without_query(absolute))
                yield response
        except TransportError as error:
            raise DownloadError(
                error.message, url=without_query(absolute), transient=error.transient, hint=error.hint
            ) from error

    def _absolute(self, url: str) -> str:
        base = self.pool.client.base_url
        prefix = urlsplit(base).path
        if url.startswith("/") and not url.startswith("//") and prefix and not url.startswith(f"{prefix}/"):
            return f"{base}{url}"
        return urljoin(f"{base}/", url)

    def _check_whole(self, response: httpx.Response, size: int, url: str) -> None:
        shown = without_query(self._absolute(url))
        expected = response.headers.get("content-length", "")
        if expected.isdigit() and response.num_bytes_downloaded < int(expected):
            raise DownloadError(
                f"only {response.num_bytes_downloaded} of {expected} bytes arrived",
                url=shown,
                status=response.status_code,
            )
        if not size:
            raise DownloadError("the file is empty", url=shown, status=response.status_code)

    async def _persist_download(self, fetch: Callable[[int, float], Awaitable[T]], url: str) -> T:
        return await self._persist(
            fetch,
            what=f"download of {without_query(self._absolute(url))}",
            policy=replace(self.policy, attempts=_DOWNLOAD_ATTEMPTS),
            idempotent=True,
        )

    # -- again and again --------------------------------------------------------------------------------------------

    async def _persist(
        self,
        send: Callable[[int, float], Awaitable[T]],
        *,
        what: str,
        policy: RetryPolicy,
        idempotent: bool,
        recover: Callable[[], Awaitable[T | None]] | None = None,
        paced: bool = False,
    ) -> T:
        """Call `send(attempt, seconds left)` as `retry.decide` says. Waiting for a turn does not use up the budget."""
        started = policy.clock()
        queued = 0.0
        for attempt in count(1):
            turn = None
            if paced:
                asked = policy.clock()
                turn = await self.limiter.acquire()
                queued += policy.clock() - asked
            try:
                result = await send(attempt, policy.budget - (policy.clock() - started - queued))
            except LlamaCloudError as error:
                if paced:
                    self._note(error, turn)
                decision = decide(
                    error,
                    attempt=attempt,
                    elapsed=policy.clock() - started - queued,
                    policy=policy,
                    idempotent=idempotent,
                    recoverable=recover is not None,
                )
                if not (decision.retry or decision.recover):
                    raise
                logger.log(
                    logging.WARNING if attempt >= _WARN_FROM else logging.INFO,
                    "%s failed (send %d): %s; %s in %.1f s",
                    what,
                    attempt,
                    error.message or str(error).partition("\n")[0],
                    "looking it up" if decision.recover else "sending again",
                    decision.delay,
                )
                await policy.sleep(decision.delay)
                if decision.recover and recover is not None:
                    try:
                        found = await recover()
                    except LlamaCloudError as lookup_error:
                        # Nobody knows whether it was created: repeating it could create, and bill, it twice.
                        raise error from lookup_error
                    if found is not None:
                        return found
                if not decision.retry:
                    raise
            else:
                if paced:
                    self.limiter.speed_up()
                return result
        raise AssertionError("unreachable")

    def _note(self, error: LlamaCloudError, turn: float | None) -> None:
        if isinstance(error, RateLimitError) and not isinstance(error, PlanLimitError):
            self.limiter.slow_down(turn)
        elif isinstance(error, ApiError):
            self.limiter.speed_up()


def _lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


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


def _download_refused(status: int, detail: str, url: str) -> DownloadError:
    expired = status in (401, 403, 410)
    return DownloadError(
        f"the download answered {status}: {detail}" if detail else "",
        url=url,
        status=status,
        transient=status in (408, 425, 429) or status >= 500,
        hint="Links to files expire soon: fetch the result again for new ones." if expired else None,
    )


# -- one connection for equal settings --------------------------------------------------------------------------------


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
