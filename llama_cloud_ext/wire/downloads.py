"""Fetches the files of a result by their presigned URLs: whole or not at all, and without giving anything away."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from llama_cloud_ext.errors import DownloadError, TransportError
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.attempts import persist
from llama_cloud_ext.wire.http_client import HttpClient, body_of, without_query
from llama_cloud_ext.wire.responses import explain_content
from llama_cloud_ext.wire.retry import RetryPolicy
from llama_cloud_ext.wire.settings import Settings

if TYPE_CHECKING:
    import httpx

__all__ = ["DATA_URL", "Download", "Downloader", "data_url", "read_data_url"]

DATA_URL = "data:"

T = TypeVar("T")

# A file that stays empty or cut off will not mend in the time that a whole request's budget allows.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Download:
    """A file that was fetched whole.

    Attributes:
        content: Its bytes, at least one.
        content_type: Its media type as the host named it, or None.
    """

    content: bytes
    content_type: str | None


class Downloader:
    """Fetches files for one connection.

    The API key never goes along, not even to the service's own host, as the URL's signature is all the authorisation
    it takes. The user's headers go to the service's own host alone; TLS and proxy settings apply everywhere.

    Args:
        client: Sends the requests.
        settings: The user's headers and timeout.
        policy: The patience.
        private_headers: Sent to the service's own host instead of the user's headers without authorisation.
        follow_redirects: Whether redirects are followed; if not, one is an error.
    """

    def __init__(
        self,
        client: HttpClient,
        settings: Settings,
        policy: RetryPolicy,
        *,
        private_headers: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
    ) -> None:
        self._client = client
        self._timeout = settings.timeout
        self._policy = replace(policy, attempts=_ATTEMPTS)
        self._private_headers: Mapping[str, str] = private_headers or {}
        if private_headers is None:
            self._private_headers = {name: value for name, value in settings.headers if name.lower() != "authorization"}
        self._follow_redirects = follow_redirects

    async def to_memory(self, url: str) -> Download:
        """Fetch a file into memory.

        Args:
            url: Presigned URL, absolute or relative to the base URL.

        Returns:
            The whole file.

        Raises:
            DownloadError: It could not be fetched whole.
        """
        url = self._absolute(url)

        async def fetch(_attempt: int, _left: float) -> Download:
            async with self._open(url) as response:
                chunks = [chunk async for chunk in body_of(response, self._timeout)]
                _check_whole(response, sum(map(len, chunks)), url)
                return Download(b"".join(chunks), response.headers.get("content-type"))

        return await self._persist(fetch, url)

    async def to_file(self, url: str, path: Path) -> int:
        """Fetch a file on to disk, in constant memory.

        Args:
            url: Presigned URL, absolute or relative to the base URL.
            path: Where the file appears once it is whole; its folder must exist.

        Returns:
            Its size in bytes.

        Raises:
            DownloadError: It could not be fetched whole; nothing is left behind, and an older file stays as it was.
            OSError: It could not be written.
        """
        url = self._absolute(url)
        partial = path.with_name(f".{uuid.uuid4().hex}.part")

        async def fetch(_attempt: int, _left: float) -> int:
            size = 0
            async with self._open(url) as response:
                # Not in a thread, which would go on when the task is cancelled, and leave an empty file behind.
                file = partial.open("wb")
                try:
                    async for chunk in body_of(response, self._timeout):
                        size += await io_loop.in_thread(file.write, chunk)
                finally:
                    await io_loop.in_thread(file.close)
                _check_whole(response, size, url)
            return size

        try:
            size = await self._persist(fetch, url)
            await io_loop.in_thread(partial.replace, path)
        finally:
            # Not in a thread: it must happen while the task is being cancelled, too. After a success there is none.
            partial.unlink(missing_ok=True)
        return size

    @asynccontextmanager
    async def _open(self, url: str) -> AsyncIterator[httpx.Response]:
        """A successful answer whose body is still to be read; every failure is a DownloadError."""
        try:
            async with self._client.answer(
                "GET",
                url,
                # Compressed on the way, a file's length could not be checked.
                headers={"Accept": "*/*", "Accept-Encoding": "identity"},
                private_headers=self._private_headers,
                timeout=self._timeout,
                follow_redirects=self._follow_redirects,
            ) as response:
                if not response.is_success:
                    raise _refused(response.status_code, explain_content(await response.aread()), url)
                yield response
        except TransportError as error:
            raise DownloadError(
                error.message, url=without_query(url), transient=error.transient, hint=error.hint
            ) from error

    async def _persist(self, fetch: Callable[[int, float], Awaitable[T]], url: str) -> T:
        return await persist(fetch, what=f"download of {without_query(url)}", policy=self._policy, idempotent=True)

    def _absolute(self, url: str) -> str:
        """A relative URL counts from the base URL, below its path prefix."""
        base = self._client.base_url
        prefix = urlsplit(base).path
        if prefix and url.startswith("/") and not url.startswith(("//", f"{prefix}/")):
            return f"{base}{url}"
        try:
            return urljoin(f"{base}/", url)
        except ValueError as error:
            raise DownloadError("this is no valid address", url=url.partition("?")[0], transient=False) from error


def data_url(download: Download) -> str:
    """The file itself as an address, for a result whose job is about to be deleted; `read_data_url` reads it back."""
    return f"{DATA_URL}{download.content_type or ''};base64,{base64.b64encode(download.content).decode()}"


def read_data_url(url: str) -> Download:
    """The file that `data_url` made an address of."""
    head, _, content = url.removeprefix(DATA_URL).partition(",")
    try:
        return Download(base64.b64decode(content, validate=True), head.removesuffix(";base64") or None)
    except ValueError as error:
        raise DownloadError("this is no valid data URL", url=DATA_URL, transient=False) from error


def _check_whole(response: httpx.Response, size: int, url: str) -> None:
    # Nothing counts as downloaded when a transport of the user's (a cache, say) hands over a whole answer from memory.
    arrived, expected = response.num_bytes_downloaded or size, response.headers.get("content-length", "")
    problem = ""
    if expected.isdigit() and arrived < int(expected):
        problem = f"only {arrived} of {expected} bytes arrived"
    elif not size:
        problem = "the file is empty"
    if problem:
        raise DownloadError(problem, url=without_query(url), status=response.status_code)


def _refused(status: int, detail: str, url: str) -> DownloadError:
    expired = status in (401, 403, 410)
    return DownloadError(
        f"the download answered {status}{f': {detail}' if detail else ''}",
        url=without_query(url),
        status=status,
        transient=status in (408, 425, 429) or status >= 500,
        hint="Links to files expire soon: fetch the result again for new ones." if expired else None,
    )
