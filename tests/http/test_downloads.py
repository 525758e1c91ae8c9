"""Files of a result: whole or not at all, and nothing given away on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import respx

from llama_cloud_ext.errors import DownloadError
from llama_cloud_ext.wire.retry import RetryPolicy
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import Connection
from tests.http.loopback import Mischief, loopback, reply, truncated

HOST = "https://api.cloud.llamaindex.ai"
STORE = "https://bucket.example.com/a.png"


async def at_once(_seconds: float) -> None:
    """A wait that takes no time."""


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def connection_to(address: str = HOST) -> Connection:
    settings = Settings.resolve(api_key="llx-1", base_url=address, headers={"X-Pass": "hidden"}, environ={})
    return Connection(settings, policy=RetryPolicy(sleep=at_once))


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    made = connection_to()
    yield made
    await made.aclose()


@respx.mock
async def test_download(connection: Connection, tmp_path: Path) -> None:
    """Ensure a file arrives whole with its media type, in memory and on disk."""
    respx.get(STORE).respond(content=b"\x89PNG", content_type="image/png")
    download = await connection.download(f"{STORE}?X-Signature=abc")
    assert (download.content, download.content_type) == (b"\x89PNG", "image/png")
    assert await connection.download_to(f"{STORE}?X-Signature=abc", tmp_path / "a.png") == 4
    assert files_in(tmp_path) == {"a.png": b"\x89PNG"}


@respx.mock
async def test_headers_of_downloads(connection: Connection) -> None:
    """Ensure the key goes nowhere, and the user's headers to the service's own host alone."""
    away = respx.get(STORE).respond(content=b"x")
    home = respx.get(f"{HOST}/files/a.png").respond(content=b"x")
    await connection.download(STORE)
    assert not {"authorization", "x-pass"} & set(away.calls.last.request.headers)
    for url in (f"{HOST}/files/a.png", "/files/a.png", "files/a.png"):
        await connection.download(url)
        assert "authorization" not in home.calls.last.request.headers
        assert home.calls.last.request.headers["x-pass"] == "hidden"


@respx.mock
async def test_authorization_of_the_user_stays_at_home() -> None:
    """Ensure an Authorization header of the user's own is no more sent with a presigned URL than the key is."""
    settings = Settings.resolve(headers={"authorization": "Bearer oidc"}, environ={})
    connection = Connection(settings)
    home = respx.get(f"{HOST}/a.png").respond(content=b"x")
    await connection.download("/a.png")
    assert "authorization" not in home.calls.last.request.headers
    await connection.aclose()


@respx.mock
async def test_relative_urls_below_a_prefix() -> None:
    """Ensure relative URLs are found below a base URL's path prefix, named or not."""
    connection = connection_to("https://gateway.example.com/llama")
    route = respx.get("https://gateway.example.com/llama/a.png").respond(content=b"x")
    for url in ("/a.png", "/llama/a.png", "a.png"):
        await connection.download(url)
    assert route.call_count == 3
    await connection.aclose()


FAILURES = [
    httpx.Response(500, content=b"oops"),
    httpx.Response(503),
    httpx.Response(429),
    httpx.Response(200, content=b""),
    httpx.Response(204),
    httpx.Response(200, content=b"half", headers={"Content-Length": "8"}),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout(""),
]


@respx.mock
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_failures_are_retried(connection: Connection, tmp_path: Path, failure: object) -> None:
    """Ensure failed, empty and cut off downloads are fetched again, and nothing of them is left."""
    whole = httpx.Response(200, content=b"whole")
    respx.get(STORE).mock(side_effect=[failure, failure, whole])
    assert (await connection.download(STORE)).content == b"whole"
    respx.get(STORE).mock(side_effect=[failure, failure, whole])
    assert await connection.download_to(STORE, tmp_path / "a.png") == 5
    assert files_in(tmp_path) == {"a.png": b"whole"}


@respx.mock
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_failures_that_stay(connection: Connection, tmp_path: Path, failure: object) -> None:
    """Ensure a download that never comes whole raises after a few sends and leaves an older file as it was."""
    route = respx.get(STORE).mock(side_effect=[failure] * 10)
    target = tmp_path / "a.png"
    target.write_bytes(b"older")
    with pytest.raises(DownloadError) as caught:
        await connection.download_to(f"{STORE}?X-Signature=abc", target)
    assert route.call_count == 5
    assert caught.value.url == STORE
    assert "abc" not in str(caught.value)
    assert files_in(tmp_path) == {"a.png": b"older"}


@respx.mock
@pytest.mark.parametrize(("status", "hint"), [(403, "expire"), (410, "expire"), (404, None), (400, None)])
async def test_final_refusals(connection: Connection, status: int, hint: str | None) -> None:
    """Ensure an expired or unknown link raises after one send, with the store's words and the way out."""
    route = respx.get(STORE).respond(status, text="<Error><Message>Request has expired</Message></Error>")
    with pytest.raises(DownloadError, match="Request has expired") as caught:
        await connection.download(STORE)
    assert route.call_count == 1
    assert caught.value.status == status
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["ftp://host/a.png", "http://[broken", "file:///etc/passwd"])
async def test_urls_that_are_none(connection: Connection, url: str) -> None:
    """Ensure an address that cannot be fetched raises as every failed download does."""
    with pytest.raises(DownloadError):
        await connection.download(url)


async def test_real_truncation_and_resets(tmp_path: Path) -> None:
    """Ensure bodies that break off on a real connection are fetched again from the start."""
    async with loopback(truncated(b"ab", 6), Mischief.RESET, reply(b"abcdef"), truncated(b"ab", 6)) as server:
        connection = connection_to(server.url)
        assert await connection.download_to("/a.png", tmp_path / "a.png") == 6
        assert (tmp_path / "a.png").read_bytes() == b"abcdef"
        await connection.aclose()


async def test_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """Ensure a download that is given up midway leaves no file behind."""
    async with loopback(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 600_000) as server:
        connection = connection_to(server.url)
        task = asyncio.create_task(connection.download_to("/a.png", tmp_path / "a.png"))
        while not any(files_in(tmp_path).values()):  # noqa: ASYNC110 - nothing announces a write
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files_in(tmp_path) == {}
        await connection.aclose()
