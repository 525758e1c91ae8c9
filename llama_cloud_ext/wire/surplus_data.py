"""Connections on which more came than was asked for are not used again.

A server or proxy that sends an answer twice leaves the second one for the next request of the connection to read, and
that request's own answer for the one after it: every file would get another file's result. httpcore closes connections
that are readable while nothing is asked, but not those whose surplus came in one piece with the answer before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

_STATUS_LINE = b"HTTP/1."


def drop_connections_with_surplus(client: httpx.AsyncClient) -> None:
    """Have a new client watch what its connections read.

    Args:
        client: The client; transports that are not httpx's own are left alone.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if pool is not None and backend is not None:
            pool._network_backend = _Backend(backend)


class _Backend:
    """A network backend of httpcore that watches its streams."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._backend.connect_tcp(*args, **kwargs))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._backend.connect_unix_socket(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Stream:
    """A stream that counts as readable, which ends its connection once it is idle, when a second answer was read.

    Where the words of a status line are part of an answer's body, the connection is closed for nothing.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._has_surplus = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = await self._stream.read(max_bytes, timeout)
        # Where a piece begins with one, httpcore had nothing left of the answer before.
        self._has_surplus = self._has_surplus or data.find(_STATUS_LINE, 1) > 0
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._has_surplus:
            return True
        return self._stream.get_extra_info(info)
