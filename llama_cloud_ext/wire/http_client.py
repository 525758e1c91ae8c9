"""The one place that drives httpx: builds the client, follows redirects safely, and turns its failures into ours.

httpx is imported at the first request, in a worker thread together with the TLS context, so that neither importing this
package nor a running event loop pays for it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from llama_cloud_ext.errors import ConfigurationError, RequestTimeoutError, TransportError
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.surplus_data import drop_connections_with_surplus

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpClient", "body_of", "leave_connection_of", "without_query"]

logger = logging.getLogger(__name__)

# Where requests for a `local:` address claim to go; nothing ever resolves this name.
_LOCAL_ORIGIN = "http://local.llamacloud"
# Requests under way. More wait here, as httpcore's own pool looks through all that wait in it, and through idle
# connections for each idle connection, several times a request. Long uploads have places of their own, or they would
# hold up looks.
_MOST_SHORT = 48
_MOST_UPLOADS = 40
_MOST_IDLE = 16
_SHORT_BODY = 1024 * 1024
# Above the interval at which slow polls come, or each of them would connect anew.
_KEEPALIVE_SECONDS = 75.0
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PIECE = 256 * 1024
# Bytes a second below which a body only trickles. Each wait for a byte may be short, and their sum without end.
_TRICKLE = 256
# "No such name" and, on some systems, "a name without an address". A name server that is merely busy says EAI_AGAIN.
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class HttpClient:
    """The httpx client of one account. Lives on one event loop; built at the first request.

    Args:
        settings: The connection.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._building = asyncio.Lock()
        self._short = asyncio.Semaphore(_MOST_SHORT)
        self._uploads = asyncio.Semaphore(_MOST_UPLOADS)
        self.base_url = _LOCAL_ORIGIN if settings.is_local else settings.base_url

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        private_headers: Mapping[str, str],
        timeout: float,
        content: bytes | AsyncIterable[bytes] | None = None,
        follow_redirects: bool = True,
    ) -> AsyncIterator[httpx.Response]:
        """Send one request and follow its redirects; the answer's body is still unread inside the context.

        Args:
            method: HTTP method.
            url: Absolute URL.
            headers: Sent wherever the request goes.
            private_headers: Sent to the service's own origin alone: authorisation, and what the user added.
            timeout: Seconds for connecting and for each wait.
            content: The body; iterated anew for each send.
            follow_redirects: Whether redirects are followed; if not, one is the answer.

        Raises:
            TransportError: No complete answer came back, also while the caller reads the body.
        """
        is_short = int(headers.get("Content-Length", 0)) <= _SHORT_BODY
        async with self._short if is_short else self._uploads:
            client = await self._built()
            import httpx

            line = f"{method} {without_query(url)}"
            try:
                for _ in range(_MOST_REDIRECTS + 1):
                    sent = {**headers, **private_headers} if self._is_own(url) else headers
                    request = client.build_request(
                        method, url, headers=dict(sent), content=content, timeout=httpx.Timeout(timeout)
                    )
                    started = time.monotonic()
                    response = await client.send(request, stream=True, follow_redirects=False)
                    try:
                        logger.debug(
                            "%s %s: %s after %.0f ms",
                            method,
                            urlsplit(url).path,
                            response.status_code,
                            (time.monotonic() - started) * 1000,
                        )
                        location = response.headers.get("location")
                        if response.status_code not in _REDIRECTS or not location or not follow_redirects:
                            yield response
                            return
                    finally:
                        await response.aclose()
                    if response.status_code == 303 and method not in ("GET", "HEAD"):
                        method, content = "GET", None
                        headers = {
                            name: value for name, value in headers.items() if not name.lower().startswith("content-")
                        }
                    url = self._redirected(method, url, location, line)
                raise TransportError("redirected too often", request=line, transient=False)
            except httpx.InvalidURL as error:
                raise TransportError(f"this is no valid address: {error}", request=line, transient=False) from error
            except (httpx.HTTPError, httpx.StreamError) as error:
                raise _failure(error, line) from error

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _built(self) -> httpx.AsyncClient:
        async with self._building:
            if self._client is None:
                self._client = await io_loop.in_thread(_build, self._settings)
        return self._client

    def _is_own(self, url: str) -> bool:
        """Whether a URL is of the service's own origin; from http to https on the default ports counts as well."""
        own, other = urlsplit(self.base_url), urlsplit(url)
        if own.hostname != other.hostname:
            return False
        ports = (own.port or _DEFAULT_PORTS.get(own.scheme), other.port or _DEFAULT_PORTS.get(other.scheme))
        if own.scheme == other.scheme:
            return ports[0] == ports[1]
        return (own.scheme, other.scheme) == ("http", "https") and ports == (80, 443)

    def _redirected(self, method: str, url: str, location: str, line: str) -> str:
        """Where a redirect leads, unless following it would give something away."""
        try:
            target = urljoin(url, location)
            parts = urlsplit(target)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in _DEFAULT_PORTS:
            raise TransportError("redirected to something that is no http address", request=line, transient=False)
        if method not in ("GET", "HEAD") and not self._is_own(target):
            raise TransportError(
                f"redirected to another host ({parts.netloc}), which must not get the request's content",
                request=line,
                transient=False,
                hint="If that is the service's address, give it as base_url=.",
            )
        return target


async def body_of(response: httpx.Response, timeout: float) -> AsyncIterator[bytes]:
    """Read an answer's body in pieces of 256 KiB.

    Args:
        response: The answer, unread.
        timeout: Seconds after which a body that only trickles in counts as one that does not come.

    Yields:
        The pieces; the last one may be shorter.

    Raises:
        RequestTimeoutError: The body trickles.
    """
    started = time.monotonic()
    arrived, piece = 0, bytearray()
    async for chunk in response.aiter_bytes():
        arrived += len(chunk)
        piece += chunk
        if len(piece) >= _PIECE:
            yield bytes(piece)
            started, arrived, piece = time.monotonic(), 0, bytearray()
        elif (elapsed := time.monotonic() - started) > timeout and arrived < elapsed * _TRICKLE:
            raise RequestTimeoutError(
                f"the answer trickled in: {arrived} bytes in {elapsed:.0f} s",
                request=f"{response.request.method} {without_query(str(response.request.url))}",
                sent=True,
                hint="Try again later; raise timeout= if the network is that slow.",
            )
    if piece:
        yield bytes(piece)


async def leave_connection_of(response: httpx.Response) -> None:
    """Never use the connection again over which an answer came.

    Args:
        response: The answer, read.
    """
    stream = response.extensions.get("network_stream")
    if stream is not None:
        await stream.aclose()


def _build(settings: Settings) -> httpx.AsyncClient:
    """Build the client; runs in a worker thread, as the TLS context alone takes 20 to 90 ms."""
    import httpx

    headers = {"User-Agent": f"llama-cloud-ext/{_version()}"}
    if settings.is_local:
        return httpx.AsyncClient(headers=headers, transport=_local_transport(settings.base_url))
    if settings.transport is not None:
        return httpx.AsyncClient(headers=headers, transport=settings.transport)
    tls = _tls(settings.verify)
    try:
        client = httpx.AsyncClient(
            headers=headers,
            verify=tls,
            proxy=settings.proxy,
            limits=httpx.Limits(
                max_connections=_MOST_SHORT + _MOST_UPLOADS,
                max_keepalive_connections=_MOST_IDLE,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
        )
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        # Only the proxy is left to be wrong here; its URL may hold a password, so that it is not repeated.
        raise ConfigurationError(
            "the proxy cannot be used",
            option="proxy",
            hint='Write "http://host:port" (also in HTTPS_PROXY); socks5:// needs pip install "httpx[socks]".',
        ) from (error if isinstance(error, ImportError) else None)
    drop_connections_with_surplus(client)
    return client


def _tls(verify: Any) -> Any:
    """What httpx takes: a flag or a context; the path of CA certificates is loaded here."""
    if verify is True:
        return _default_tls()
    if not isinstance(verify, str):
        return verify
    import ssl
    from pathlib import Path

    try:
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"no CA certificates could be loaded from {verify}",
            option="verify",
            hint="Pass the path of a PEM file, or of a folder made by `openssl rehash`.",
        ) from error


@functools.cache
def _default_tls() -> Any:
    """One context for all clients of the process: each holds about a megabyte of certificates."""
    import httpx

    return httpx.create_ssl_context()


def _local_transport(address: str) -> httpx.AsyncBaseTransport:
    try:
        from llama_cloud_ext.local import local_transport

        return local_transport(address)
    except ImportError as error:
        raise ConfigurationError(
            f"{address} needs the packages of the 'local' extra ({error.name or error} is missing)",
            option="base_url",
            hint='pip install "llama-cloud-ext[local]"',
        ) from error


@functools.cache
def _version() -> str:
    try:
        return version("llama-cloud-ext")
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _failure(error: Exception, line: str) -> TransportError:
    """The TransportError for httpx's exception; what decides is whether the service may have seen the request."""
    import httpx

    unsent = isinstance(
        error,
        (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol),
    )
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
    unknown_host = _names_no_host(error)
    if untrusted:
        hint = 'Pass the CA that signed it: verify="/path/to/ca.pem".'
    elif unknown_host:
        hint = "No host has this name: check base_url=, and whether this machine is online."
    elif isinstance(error, httpx.ProxyError):
        hint = "Check proxy=, and HTTPS_PROXY in the environment."
    elif isinstance(error, httpx.TimeoutException):
        hint = "Raise timeout= for slow networks, or try again later."
    elif unsent:
        hint = "Check base_url= or region=, the network, and proxy= if you need one."
    else:
        hint = None
    kind = RequestTimeoutError if isinstance(error, httpx.TimeoutException) else TransportError
    name = type(error).__name__
    text = str(error).strip()
    return kind(
        f"{name}: {text}" if text else name,
        request=line,
        sent=not unsent,
        transient=not (untrusted or unknown_host or isinstance(error, httpx.UnsupportedProtocol)),
        hint=hint,
    )


def _names_no_host(error: BaseException | None) -> bool:
    """Whether the name system says that there is no such host, which waiting does not change."""
    seen: set[int] = set()
    # A transport of the user's may raise what is its own cause in the end.
    while error is not None and id(error) not in seen:
        if isinstance(error, socket.gaierror):
            return error.errno in _NO_SUCH_HOST
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def without_query(url: str) -> str:
    """The URL without query, fragment and credentials, fit for messages: signatures travel in queries.

    Args:
        url: Any URL.

    Example:
        >>> without_query("https://bucket.example.com/a.png?X-Signature=secret")
        'https://bucket.example.com/a.png'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
