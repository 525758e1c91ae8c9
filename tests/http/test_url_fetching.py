"""Files behind URLs: fetched whole, from where redirects lead, with nothing given away on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from llama_cloud_ext.wire import io_loop, url_fetching
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.url_fetching import fetch_url
from tests.http.loopback import Loopback, Reply, loopback

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 500
OWN = {"X-Token": "t0ken", "Authorization": "Bearer mine"}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_fetching, "DEFAULT_RETRY_BUDGET", 3.0)


def on_the_loop(journey: Callable[[], Awaitable[Any]]) -> Any:
    """Run a journey on the I/O loop."""
    return io_loop.run(journey)


async def content_of(source: Source) -> bytes:
    """All bytes of a source."""
    stream: AsyncIterator[bytes] = source.content.chunks()
    return b"".join([chunk async for chunk in stream])


def fetched(*replies: Reply, path: str = "/reports/a%20b.pdf?sig=1", **options: Any) -> tuple[Source, Loopback]:
    """A file from a server with a script, and the server."""

    async def journey() -> tuple[Source, Loopback]:
        async with loopback(*replies) as served:
            return await fetch_url(f"{served.url}{path}", **{"timeout": 1.0, **options}), served

    found: tuple[Source, Loopback] = on_the_loop(journey)
    return found
