"""Files behind URLs: fetched whole, from where redirects lead, with nothing given away on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.errors import ConfigurationError, DownloadError
from llama_cloud_ext.wire import io_loop, url_fetching
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.url_fetching import fetch_url
from tests.http.loopback import Loopback, Mischief, Reply, loopback, reply, truncated

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 500
OWN = {"X-Token": "t0ken", "Authorization": "Bearer mine"}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_fetching, "DEFAULT_RETRY_BUDGET", 3.0)


async def content_of(source: Source) -> bytes:
    """All bytes of a source."""
    return b"".join([chunk async for chunk in source.chunks()])


def fetched(*replies: Reply, path: str = "/reports/a%20b.pdf?sig=s3cret", **options: Any) -> tuple[Source, Loopback]:
    """A file from a server with a script, and the server."""

    async def journey() -> tuple[Source, Loopback]:
        async with loopback(*replies) as served:
            return await fetch_url(f"{served.url}{path}", **{"timeout": 1.0, **options}), served

    return io_loop.run(journey)


def test_a_file() -> None:
    """Ensure a file comes whole, with the name in its address, and without the signature of its address."""
    source, served = fetched(reply(PDF))
    assert (source.name, source.size) == ("a b.pdf", len(PDF))
    assert source.url is None
    assert source.path == f"{served.url}/reports/a%20b.pdf"
    assert "s3cret" not in repr(source)
    assert served.received[0].line == "GET /reports/a%20b.pdf?sig=s3cret HTTP/1.1"
    # Read as often as an upload is sent again.
    assert [io_loop.run(content_of, source) for _ in range(2)] == [PDF, PDF]


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/reports/a%20b.pdf", "mine.pdf", "mine.pdf"),
        ("/reports/a%20b.pdf", None, "a b.pdf"),
        ("/download?id=7", None, "download.pdf"),
        ("/", None, "127.0.0.1"),
        ("", None, "127.0.0.1"),
        ("/a%2Fb.pdf", None, "b.pdf"),
    ],
)
def test_names(path: str, name: str | None, expected: str) -> None:
    """Ensure a file is called as the caller says, or as its address ends, and no name is a path."""
    source, _ = fetched(reply(PDF), path=path, name=name)
    assert source.name.startswith(expected)
    assert "/" not in source.name


def test_nothing_of_ours_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a stranger's host sees neither the key nor any header but those that were given for it."""
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-s3cret")
    _, served = fetched(reply(PDF))
    assert "authorization" not in served.received[0].headers
    assert "llx-s3cret" not in str(served.received[0].headers)
    _, served = fetched(reply(PDF), headers=OWN)
    assert served.received[0].headers["x-token"] == "t0ken"
    assert served.received[0].headers["authorization"] == "Bearer mine"


def redirect(url: str, status: int = 302) -> bytes:
    """An answer that points elsewhere."""
    return reply(b"moved", status=status, headers=[f"Location: {url}"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_keep_headers_at_home(status: int) -> None:
    """Ensure a redirect is followed, with the headers on the same host and without them on another."""

    async def journey() -> tuple[Source, Loopback, Loopback]:
        async with loopback() as home, loopback(reply(PDF)) as abroad:
            home.replies += [redirect("/next", status), redirect(f"{abroad.url}/there.pdf", status)]
            return await fetch_url(f"{home.url}/a.pdf", headers=OWN, timeout=1.0), home, abroad

    source, home, abroad = io_loop.run(journey)
    assert io_loop.run(content_of, source) == PDF
    assert source.name == "a.pdf"
    assert [(one.line.split()[1], one.headers.get("x-token")) for one in home.received] == [
        ("/a.pdf", "t0ken"),
        ("/next", "t0ken"),
    ]
    assert not {"x-token", "authorization"} & set(abroad.received[0].headers)


def test_redirects_can_be_refused() -> None:
    """Ensure that with redirects off one is an error, and nothing is asked of where it leads."""

    async def journey() -> Loopback:
        async with loopback() as home, loopback(reply(PDF)) as abroad:
            home.replies.append(redirect(f"{abroad.url}/there.pdf"))
            with pytest.raises(DownloadError, match="302"):
                await fetch_url(f"{home.url}/a.pdf", follow_redirects=False, timeout=1.0)
            return abroad

    assert io_loop.run(journey).received == []


def test_redirects_in_a_circle_end() -> None:
    """Ensure a host that points at itself is left after some time."""
    with pytest.raises(DownloadError, match="redirected too often"):
        fetched(*[redirect("/again")] * 50)


@pytest.mark.parametrize(
    "fault", [truncated(PDF[:1000], len(PDF)), Mischief.RESET, reply(b"busy", status=503), reply(b"")]
)
def test_faults_pass(fault: Reply) -> None:
    """Ensure a cut, missing or empty answer is asked for again, and the file is whole then."""
    source, served = fetched(fault, reply(PDF))
    assert io_loop.run(content_of, source) == PDF
    assert len(served.received) == 2


@pytest.mark.parametrize(("status", "words"), [(404, "answered 404: not here"), (403, "answered 403: not here")])
def test_refusals(status: int, words: str) -> None:
    """Ensure a refusal is an error with the host's words and without the address's signature."""
    with pytest.raises(DownloadError, match=words) as info:
        fetched(reply(b"not here", status=status))
    assert "s3cret" not in str(info.value)


def test_a_file_that_stays_empty() -> None:
    """Ensure an empty file is an error and not an empty upload."""
    with pytest.raises(DownloadError, match="empty"):
        fetched(*[reply(b"")] * 20)


def test_a_host_that_never_answers() -> None:
    """Ensure silence ends with an error when the time is up."""
    with pytest.raises(DownloadError):
        fetched(*[Mischief.SILENCE] * 20, timeout=0.2)


@pytest.mark.parametrize("url", ["", "a.pdf", "/etc/passwd", "file:///etc/passwd", "ftp://h/x", "http://", "data:,x"])
def test_other_addresses(url: str) -> None:
    """Ensure what is no web address is refused before anything is opened, files of this machine above all."""
    with pytest.raises(ConfigurationError, match="no http or https URL"):
        io_loop.run(fetch_url, url)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure the temporary file has no name any more, whether the file came or not."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source, _ = fetched(reply(PDF))
    assert list(tmp_path.iterdir()) == []
    assert io_loop.run(content_of, source) == PDF
    with pytest.raises(DownloadError):
        fetched(reply(b"", status=404))
    assert list(tmp_path.iterdir()) == []
