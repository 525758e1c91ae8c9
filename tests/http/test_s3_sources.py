"""Uploads from S3, for real: s3fs against an S3 server on loopback."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire import source_content
from llama_cloud_ext.wire.multipart import MultipartBody
from llama_cloud_ext.wire.sources import Source, resolve_source
from tests.http.test_upload_memory import ALLOWED, measure
from tests.http.upload_sink import upload_sink

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 20_000
BIG = 48 * 1024 * 1024


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What makes every S3 client of this process, and of its children, use that server."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def s3(environment: dict[str, str]) -> Any:
    """A filesystem with one file."""
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    if not fs.exists("papers"):
        fs.mkdir("papers")
        fs.pipe_file("papers/2024/report.pdf", PDF)
    return fs


async def content(source: Source) -> bytes:
    """All chunks."""
    return b"".join([chunk async for chunk in source.chunks()])


@pytest.mark.parametrize("kind", ["url", "path", "str", "s3a", "cached", "block cache", "open file", "asynchronous"])
async def test_a_file_on_s3(s3: Any, kind: str) -> None:
    """Ensure that a file on S3, given in any way, has one name, identity and content, and can be sent again."""

    def resolve() -> Source:
        if kind == "open file":
            with s3.open("papers/2024/report.pdf", "rb") as file:
                return resolve_source(file)
        given: Any = {
            "url": "s3://papers/2024/report.pdf",
            "path": PurePosixPath("papers/2024/report.pdf"),
            "s3a": "s3a://papers/2024/report.pdf",
            "block cache": "blockcache::s3://papers/2024/report.pdf",
            "cached": "simplecache::s3://papers/2024/report.pdf",
        }.get(kind, "papers/2024/report.pdf")
        if kind == "asynchronous":  # an instance that belongs to an event loop of its user's
            return resolve_source(given, fs=s3fs.S3FileSystem(asynchronous=True))
        return resolve_source(given, fs=s3 if kind in {"path", "str"} else None)

    source = await asyncio.to_thread(resolve)
    assert (source.name, source.size) == ("report.pdf", len(PDF))
    assert source.identity == source.path == "s3://papers/2024/report.pdf"
    assert await content(source) == await content(source) == PDF
    assert await content(pickle.loads(pickle.dumps(source))) == PDF
    assert copy.deepcopy(source) == source


async def test_s3_is_read_in_small_ranges(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that s3fs is asked for small ranges and never opens the file, whose blocks are 50 MiB."""
    source = await asyncio.to_thread(resolve_source, "papers/2024/report.pdf", fs=s3)
    asked: list[int] = []
    original = s3.cat_file

    def noting(path: str, start: int, end: int) -> bytes:
        asked.append(end - start)
        data: bytes = original(path, start=start, end=end)
        return data

    def opened(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("opened")

    monkeypatch.setattr(s3, "cat_file", noting)
    monkeypatch.setattr(s3fs.S3FileSystem, "_open", opened)
    assert await content(source) == PDF
    assert len(asked) == -(-len(PDF) // source_content.REMOTE_PIECE)
    assert max(asked) <= source_content.REMOTE_PIECE + 1


async def test_a_missing_key_and_a_folder(s3: Any) -> None:
    """Ensure that what S3 does not hold as a file is refused by its URL."""
    with pytest.raises(SourceError, match=r"'s3://papers/2024/none\.pdf' does not exist"):
        await asyncio.to_thread(resolve_source, "s3://papers/2024/none.pdf")
    with pytest.raises(SourceError, match="is a directory"):
        await asyncio.to_thread(resolve_source, "s3://papers/2024")


async def test_an_object_that_is_replaced(s3: Any) -> None:
    """Ensure that an object that grew or shrank since it was announced fails instead of being cut."""
    for change in (PDF + b"more", PDF[:-5]):
        s3.pipe_file("papers/changing.pdf", PDF)
        source = await asyncio.to_thread(resolve_source, "s3://papers/changing.pdf")
        s3.pipe_file("papers/changing.pdf", change)
        with pytest.raises(SourceError, match="changed while"):
            await content(source)


async def test_a_replaced_object_ends_the_request(s3: Any) -> None:
    """Ensure that the error of a changed object comes out of a real HTTP request as it is."""
    s3.pipe_file("papers/changing.pdf", PDF)
    source = await asyncio.to_thread(resolve_source, "s3://papers/changing.pdf")
    s3.pipe_file("papers/changing.pdf", PDF[:-5])
    body = MultipartBody([], "file", source)
    with upload_sink() as address:
        async with httpx.AsyncClient() as client:
            with pytest.raises(SourceError, match="changed while"):
                await client.post(address, content=body, headers=body.headers)


async def test_a_retry_reads_s3_again(s3: Any) -> None:
    """Ensure that a body whose first sending failed is sent again from its first byte."""
    source = await asyncio.to_thread(resolve_source, "s3://papers/2024/report.pdf")
    body = MultipartBody([("configuration", "{}")], "file", source)
    lengths: list[int] = []

    async def flaky(request: httpx.Request) -> httpx.Response:
        if not lengths:
            lengths.append(0)
            async for _ in request.stream:  # type: ignore[union-attr]
                raise httpx.WriteError("cut")
        lengths.append(len(await request.aread()))
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(flaky)) as client:
        with pytest.raises(httpx.WriteError):
            await client.post("http://host", content=body, headers=body.headers)
        await client.post("http://host", content=body, headers=body.headers)
    assert lengths == [0, int(body.headers["Content-Length"])]


def test_s3_uploads_need_little_memory(s3: Any, environment: dict[str, str]) -> None:
    """Ensure that a file on S3, read with s3fs, raises peak memory by at most 16 MiB, however large it is."""
    s3.pipe_file("papers/small.pdf", b"%PDF-1.7" + bytes(5_000))
    s3.pipe_file("papers/big.pdf", b"%PDF-1.7" + bytes(BIG))
    result = measure("s3", "s3://papers/big.pdf", SMALL_FILE="s3://papers/small.pdf", **environment)
    assert result["size"] == BIG + 8
    assert result["off"] == 0
    assert result["risen"] <= ALLOWED, f"{result['risen'] / 2**20:.1f} MiB"


def test_url_and_filesystem_agree(s3: Any) -> None:
    """Ensure that a URL and a path within a filesystem of the same protocol identify one file."""
    by_url = resolve_source("s3://papers/2024/report.pdf")
    assert by_url.identity == resolve_source("s3://papers/2024/report.pdf", fs=s3).identity
