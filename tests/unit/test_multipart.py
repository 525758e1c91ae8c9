"""The multipart body, compared with httpx's own encoder and read by python-multipart."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.multipart import MultipartBody
from llama_cloud_ext.wire.sources import Source, resolve_source

CONTENT = b"%PDF-1.7\r\n--boundary\r\n\x00\xff" * 1000
NAMES = [
    "report.pdf",
    "año – 報告 📄.pdf",
    'she said "yes" & no.docx',
    "semi;colon=1.xlsx",
    "REPORT.PDF",
    "unknown.qqq",
    "100%22.png",
    "tab\x1bescape.md",
]


def source(name: str = "report.pdf") -> Source:
    """Bytes under exactly this name."""
    plain = resolve_source(CONTENT, extra_info={"file_name": "a.pdf"})
    return Source(**{**vars(plain), "name": name})


async def encoded(body: MultipartBody) -> bytes:
    """The whole body."""
    return b"".join([chunk async for chunk in body])


async def parsed(body: MultipartBody) -> dict[str, Any]:
    """What a Starlette application sees."""
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        assert not sent
        sent = True
        return {"type": "http.request", "body": await encoded(body), "more_body": False}

    headers = [(key.lower().encode(), value.encode()) for key, value in body.headers.items()]
    form = await Request({"type": "http", "method": "POST", "headers": headers}, receive).form()
    return dict(form)


@pytest.mark.parametrize("name", NAMES)
async def test_it_sends_what_httpx_would_send(name: str) -> None:
    """Ensure that the body is byte for byte what httpx, and hence the official SDK, encodes for the same name."""
    body = MultipartBody([("configuration", '{"tier": "fast"}'), ("ünï", "grüße\r\n")], "file", source(name))
    boundary = body.headers["Content-Type"].partition("boundary=")[2]
    theirs = httpx.Request(
        "POST",
        "http://host",
        data={"configuration": '{"tier": "fast"}', "ünï": "grüße\r\n"},
        files={"file": (name, CONTENT)},
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert await encoded(body) == theirs.read()
    assert body.headers["Content-Length"] == theirs.headers["Content-Length"]


@pytest.mark.parametrize("name", [name for name in NAMES if "\x1b" not in name and '"' not in name])
async def test_a_server_reads_it(name: str) -> None:
    """Ensure that python-multipart finds the fields, the file's name and its content unchanged."""
    form = await parsed(MultipartBody([("configuration", json.dumps({"a": "ä"}))], "file", source(name)))
    assert json.loads(form["configuration"]) == {"a": "ä"}
    upload = form["file"]
    assert isinstance(upload, UploadFile)
    assert upload.filename == name
    assert await upload.read() == CONTENT


async def test_a_name_cannot_break_out_of_its_header() -> None:
    """Ensure that quotes and line breaks in a name stay inside the quoted value."""
    hostile = 'a.pdf"\r\nX-Evil: 1\r\n\r\n'
    body = await encoded(MultipartBody([(hostile, "value")], hostile, source(hostile)))
    headers = body.replace(CONTENT, b"")
    assert b"\r\nX-Evil" not in headers
    assert headers.count(b'a.pdf%22%0D%0AX-Evil: 1%0D%0A%0D%0A"') == 3


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.pdf", "application/pdf"), ("a.PNG", "image/png"), ("a.qqq", "application/octet-stream")],
)
async def test_the_part_says_what_it_is(name: str, content_type: str) -> None:
    """Ensure that the file's content type follows from its name."""
    assert f"\r\nContent-Type: {content_type}\r\n\r\n".encode() in await encoded(
        MultipartBody([], "file", source(name))
    )


async def test_it_can_be_sent_again_and_twice_at_once() -> None:
    """Ensure that every iteration starts at the first byte, and that Content-Length is exact."""
    body = MultipartBody([("a", "b")], "file", source())
    first, second = body.__aiter__(), body.__aiter__()
    pieces = ([], [])
    for _ in range(2):
        pieces[0].append(await first.__anext__())
        pieces[1].append(await second.__anext__())
    pieces[0].extend([chunk async for chunk in first])
    pieces[1].extend([chunk async for chunk in second])
    whole = await encoded(body)
    assert b"".join(pieces[0]) == b"".join(pieces[1]) == whole
    assert int(body.headers["Content-Length"]) == len(whole)


async def test_httpx_sends_it_with_its_length() -> None:
    """Ensure that httpx takes the object as it is, keeps Content-Length and does not fall back to chunks."""
    seen: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await request.aread()
        seen.append(request)
        return httpx.Response(200)

    body = MultipartBody([], "file", source())
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            await client.post("http://host", content=body, headers=body.headers)
    for request in seen:
        assert "Transfer-Encoding" not in request.headers
        assert int(request.headers["Content-Length"]) == len(request.content)


def test_boundaries_differ() -> None:
    """Ensure that no two bodies share a boundary that a file could have learned."""
    boundaries = {MultipartBody([], "file", source()).headers["Content-Type"] for _ in range(50)}
    assert len(boundaries) == 50
    assert all(re.fullmatch(r"multipart/form-data; boundary=[0-9a-f]{32}", each) for each in boundaries)


def test_a_url_has_no_content() -> None:
    """Ensure that a URL, which the service fetches by itself, is refused before anything is sent."""
    with pytest.raises(SourceError, match="source_url"):
        MultipartBody([], "file", resolve_source("https://example.com/a.pdf"))
