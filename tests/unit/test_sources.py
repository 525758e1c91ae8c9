"""Upload sources from everything that a user may call a file."""

from __future__ import annotations

import asyncio
import copy
import gzip
import hashlib
import io
import os
import pickle
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from llama_cloud_ext.errors import ConfigurationError, SourceError
from llama_cloud_ext.wire import source_content
from llama_cloud_ext.wire.sources import Source, resolve_source

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 12_000  # about 3 MiB: several chunks, several ranges
DIGEST = hashlib.sha256(PDF).hexdigest()


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    """A local file."""
    path = tmp_path / "report.pdf"
    path.write_bytes(PDF)
    return path


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """An in-memory filesystem with one file, emptied afterwards."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pipe("/docs/report.pdf", PDF)
    yield fs
    fs.store.clear()


def replace_file(path: Path, data: bytes | None) -> None:
    """Put another file in its place, or none."""
    path.unlink()
    if data is not None:
        path.write_bytes(data)


async def content(source: Source) -> bytes:
    """All chunks."""
    return b"".join([chunk async for chunk in source.chunks()])


class Dripping(io.RawIOBase):
    """A stream that cannot seek and hands out few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """At most 100,000 bytes."""
        taken = self._rest[: min(len(buffer), 100_000)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


class PathLike:
    """Neither a str nor a Path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


def spooled(data: bytes, limit: int) -> Any:
    """A file object of the kind that web frameworks hand out."""
    file = tempfile.SpooledTemporaryFile(max_size=limit)  # noqa: SIM115
    file.write(data)
    return file


# --- inputs


@pytest.mark.parametrize("kind", ["str", "Path", "PurePath", "PathLike", "file URL", "local fs", "local fs, pure path"])
async def test_local_paths(pdf: Path, kind: str) -> None:
    """Ensure that a local file given in any way has one name, identity, size and content."""
    given: Any = {"str": str(pdf), "PurePath": PurePath(pdf), "PathLike": PathLike(pdf), "file URL": pdf.as_uri()}.get(
        kind, pdf
    )
    fs = LocalFileSystem() if "fs" in kind else None
    given = str(pdf) if kind == "local fs" else PurePosixPath(pdf) if kind == "local fs, pure path" else given
    source = resolve_source(given, fs=fs)
    assert (source.name, source.identity, source.path) == ("report.pdf", f"file:{pdf.as_posix()}", str(pdf))
    assert (source.size, source.url) == (len(PDF), None)
    assert await content(source) == PDF
    assert await source.sha256() == DIGEST


def test_relative_and_absolute_paths_are_one_file(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that where a path starts does not change what it identifies, nor do detours."""
    monkeypatch.chdir(pdf.parent)
    identities = {
        resolve_source(each).identity for each in ("report.pdf", "./report.pdf", f"../{pdf.parent.name}/report.pdf")
    }
    assert identities == {resolve_source(pdf).identity}


def test_home_is_expanded(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that ~ means the home directory."""
    monkeypatch.setenv("HOME", str(pdf.parent))
    monkeypatch.setenv("USERPROFILE", str(pdf.parent))
    assert resolve_source("~/report.pdf").identity == resolve_source(pdf).identity


def test_a_quoted_file_url_is_understood(tmp_path: Path) -> None:
    """Ensure that Path.as_uri() leads back to a file with spaces in its name."""
    path = tmp_path / "my report.pdf"
    path.write_bytes(PDF)
    assert resolve_source(path.as_uri()).path == str(path)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
async def test_bytes(kind: Any) -> None:
    """Ensure that bytes of any type are identified by their content and named by extra_info."""
    source = resolve_source(kind(PDF), extra_info={"file_name": "invoice.pdf"})
    assert (source.name, source.identity, source.path, source.size) == (
        "invoice.pdf",
        f"sha256:{DIGEST}",
        None,
        len(PDF),
    )
    assert await content(source) == PDF
    assert await source.sha256() == DIGEST


async def test_bytes_are_a_snapshot() -> None:
    """Ensure that what the caller does to a buffer afterwards does not reach the upload."""
    buffer = bytearray(b"%PDF-before")
    stream = io.BytesIO(b"%PDF-before")
    sources = [resolve_source(buffer), resolve_source(stream)]
    buffer[:] = b"%PDF-after!"
    stream.close()
    assert [await content(source) for source in sources] == [b"%PDF-before"] * 2


@pytest.mark.parametrize("length", [5_000, len(PDF)])
@pytest.mark.parametrize(
    "kind", ["BytesIO in the middle", "spooled", "spooled on disk", "dripping", "buffered", "pipe"]
)
async def test_streams(kind: str, length: int) -> None:
    """Ensure that any binary stream is read from its start, named by its content, and can be sent again."""
    data = PDF[:length]
    stream: Any
    writer = None
    if kind == "BytesIO in the middle":
        stream = io.BytesIO(data)
        stream.seek(1000)
    elif kind.startswith("spooled"):
        stream = spooled(data, 10 if "disk" in kind else 10**9)
    elif kind == "dripping":
        stream = Dripping(data)
    elif kind == "buffered":
        stream = io.BufferedReader(Dripping(data))
    else:
        reading, writing = os.pipe()
        stream = os.fdopen(reading, "rb")
        writer = threading.Thread(target=lambda: os.fdopen(writing, "wb").write(data))
        writer.start()
    position = stream.tell() if kind.startswith(("Bytes", "spooled")) else None
    source = await asyncio.to_thread(resolve_source, stream)
    if writer:
        writer.join(5)
    if position is not None:
        assert stream.tell() == position
    stream.close()
    assert (source.name, source.path, source.size) == ("upload.pdf", None, length)
    assert source.identity == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert await content(source) == await content(source) == data


async def test_an_open_file_is_its_path(pdf: Path) -> None:
    """Ensure that an open file is known by its path, keeps its position and may be closed before it is sent."""
    with pdf.open("rb") as file:
        file.seek(7)
        source = resolve_source(file)
        assert file.tell() == 7
    assert (source.name, source.identity) == ("report.pdf", resolve_source(pdf).identity)
    assert await content(source) == PDF


async def test_what_was_written_but_not_flushed_is_sent(tmp_path: Path) -> None:
    """Ensure that a file open for writing and reading is sent with all that was written to it."""
    with (tmp_path / "a.txt").open("w+b") as file:
        file.write(b"buffered")
        assert await content(resolve_source(file)) == b"buffered"


async def test_a_replaced_file_is_not_mistaken_for_the_open_one(pdf: Path) -> None:
    """Ensure that an open file whose path now names another file is sent as it was opened."""
    with pdf.open("rb") as file:
        replace_file(pdf, b"%PDF-other")
        source = resolve_source(file)
    assert (source.name, source.identity) == ("report.pdf", f"sha256:{DIGEST}")
    assert await content(source) == PDF


async def test_an_open_compressed_file_is_sent_as_it_reads(tmp_path: Path) -> None:
    """Ensure that gzip and zip members are sent decompressed, although they have a name or a descriptor."""
    with gzip.open(tmp_path / "a.pdf", "wb") as file:
        file.write(PDF)
    with gzip.open(tmp_path / "a.pdf", "rb") as file:
        assert await content(resolve_source(file)) == PDF
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("inner/b.pdf", PDF)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive, archive.open("inner/b.pdf") as file:
        source = resolve_source(file)
    assert source.name == "b.pdf"
    assert await content(source) == PDF


async def test_one_stream_given_to_many_threads() -> None:
    """Ensure that one stream resolved by several threads at once is whole in each of them."""
    stream = spooled(PDF, 10)
    sources = await asyncio.gather(*[asyncio.to_thread(resolve_source, stream) for _ in range(8)])
    assert {source.identity for source in sources} == {f"sha256:{DIGEST}"}


@pytest.mark.parametrize("kind", ["path", "spooled", "memory"])
async def test_one_source_sent_many_times_at_once(pdf: Path, memory: MemoryFileSystem, kind: str) -> None:
    """Ensure that concurrent uploads of one source do not share a position."""
    given: Any = {"path": pdf, "spooled": spooled(PDF, 10), "memory": "memory://docs/report.pdf"}[kind]
    source = resolve_source(given)
    assert set(await asyncio.gather(*[content(source) for _ in range(6)])) == {PDF}


async def test_a_named_pipe(tmp_path: Path) -> None:
    """Ensure that a named pipe, such as a shell's process substitution, is read once and can be sent again."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(PDF,))
    writer.start()
    source = await asyncio.to_thread(resolve_source, path)
    writer.join(5)
    assert (source.name, source.identity) == ("fifo.pdf", f"sha256:{DIGEST}")
    assert await content(source) == await content(source) == PDF


# --- filesystems


@pytest.mark.parametrize("kind", ["url", "pure path", "str", "open file", "fs.open", "relative", "folder", "cache"])
async def test_fsspec(memory: MemoryFileSystem, kind: str) -> None:
    """Ensure that a file of a filesystem, given in any way, has one name, identity and content."""
    fs: Any = memory if kind in {"pure path", "str", "relative"} else None
    given: Any = {
        "url": "memory://docs/report.pdf",
        "pure path": PurePosixPath("/docs/report.pdf"),
        "str": "/docs/report.pdf",
        "relative": "docs/report.pdf",
        "cache": "simplecache::memory://docs/report.pdf",
    }.get(kind, "report.pdf")
    if kind == "open file":
        given = fsspec.open("memory://docs/report.pdf", "rb")
    if kind == "fs.open":
        given = memory.open("/docs/report.pdf", "rb")
    if kind == "folder":
        fs = DirFileSystem("/docs", memory)
    source = resolve_source(given, fs=fs)
    assert (source.name, source.identity) == ("report.pdf", "memory:///docs/report.pdf")
    assert (source.path, source.size) == ("memory:///docs/report.pdf", len(PDF))
    assert await content(source) == await content(source) == PDF


async def test_archives(tmp_path: Path) -> None:
    """Ensure that a filesystem without ranged reads works, and that archives are told apart."""
    for name in ("one", "two"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("d/report.pdf", PDF)
    one, two = (resolve_source(f"zip://d/report.pdf::{tmp_path}/{name}.zip") for name in ("one", "two"))
    assert one.identity != two.identity
    assert one.name == "report.pdf"
    assert await content(one) == PDF


class Ranged(AbstractFileSystem):
    """A filesystem with ranged reads that notes them; options say how it misbehaves."""

    protocol = "ranged"
    cachable = False

    def __init__(self, size: int | None = len(PDF), data: bytes = PDF, fault: Exception | None = None) -> None:
        super().__init__()
        self.size, self.data, self.fault = size, data, fault
        self.asked: list[tuple[int, int]] = []
        self.running = self.most_running = 0

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """The claimed size."""
        return {"name": path, "size": self.size, "type": "file"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """One range, slowly."""
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.asked.append((start or 0, end or 0))
        threading.Event().wait(0.01)
        self.running -= 1
        if self.fault and start:
            raise self.fault
        return self.data[start:end]

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        return io.BytesIO(self.data)


async def test_ranges_are_small_and_few_at_a_time() -> None:
    """Ensure that a remote file is read in bounded ranges, some ahead, each byte once."""
    fs = Ranged(data=PDF * 3, size=len(PDF) * 3)
    source = resolve_source("a.pdf", fs=fs)
    assert await content(source) == PDF * 3
    asked = sorted(fs.asked)
    assert all(end - start <= source_content.REMOTE_PIECE + 1 for start, end in asked)
    assert len(asked) == -(-len(PDF) * 3 // source_content.REMOTE_PIECE)
    assert 1 < fs.most_running <= source_content.REMOTE_AHEAD


async def test_a_slow_reader_does_not_pile_up_ranges() -> None:
    """Ensure that no more is fetched ahead than may be held, however slowly the network takes it."""
    fs = Ranged(data=PDF * 5, size=len(PDF) * 5)
    chunks = resolve_source("a.pdf", fs=fs).chunks()
    await chunks.__anext__()
    await asyncio.sleep(0.1)
    assert len(fs.asked) <= source_content.REMOTE_AHEAD
    await chunks.aclose()
    await asyncio.sleep(0.05)
    assert len(fs.asked) <= source_content.REMOTE_AHEAD


async def test_a_filesystem_that_does_not_know_the_size() -> None:
    """Ensure that a file of unknown size is copied once and sent with its true size."""
    source = resolve_source("a.pdf", fs=Ranged(size=None))
    assert (source.size, source.identity) == (len(PDF), "ranged://a.pdf")
    assert await content(source) == PDF


async def test_an_asynchronous_filesystem(memory: MemoryFileSystem) -> None:
    """Ensure that fsspec's asynchronous wrapper, which belongs to its user's event loop, is read by what it wraps."""

    class Wrapper(Ranged):
        asynchronous = True
        sync_fs = memory

    source = resolve_source("/docs/report.pdf", fs=Wrapper())
    assert source.identity == "memory:///docs/report.pdf"
    assert await content(source) == PDF


def test_hosts_are_part_of_the_identity() -> None:
    """Ensure that equal paths on two servers differ, and that no password shows."""

    class Server(Ranged):
        protocol = "sftp"

        def __init__(self, host: str) -> None:
            super().__init__()
            self.host = host

    one, two = (resolve_source("/in/a.pdf", fs=Server(host)) for host in ("one", "two"))
    assert (one.identity, two.identity) == ("sftp://one/in/a.pdf", "sftp://two/in/a.pdf")


async def test_a_caching_filesystem(memory: MemoryFileSystem, tmp_path: Path) -> None:
    """Ensure that a file behind a cache can be sent, and is known by where it comes from."""
    cache = fsspec.filesystem("filecache", target_protocol="memory", cache_storage=str(tmp_path))
    source = resolve_source("/docs/report.pdf", fs=cache)
    assert source.identity == "memory:///docs/report.pdf"
    assert await content(source) == await content(source) == PDF


def test_a_filesystem_of_addresses_shows_no_queries() -> None:
    """Ensure that a filesystem whose paths are URLs gives neither name nor identity a signature."""

    class Web(Ranged):
        protocol = ("http", "https")

        @classmethod
        def _strip_protocol(cls, path: Any) -> Any:
            return path

    source = resolve_source("https://me:pw@host/d/a.pdf?sig=1", fs=Web())
    assert (source.name, source.identity, source.url) == ("a.pdf", "https://host/d/a.pdf", None)


def test_a_filesystem_of_another_kind() -> None:
    """Ensure that an object that is no fsspec filesystem is refused by its type."""
    with pytest.raises(SourceError, match="fs is a object, not an fsspec filesystem"):
        resolve_source("a.pdf", fs=object())


# --- URLs


def test_web_urls_are_passed_on() -> None:
    """Ensure that an http(s) URL is kept whole for the service and identified without its secrets."""
    url = "https://me:secret@Example.com:8443/Files/q3%20report.pdf?X-Amz-Signature=abc#page=2"
    source = resolve_source(url, extra_info={"team": "a"})
    assert source.url == url
    assert source.name == "q3 report.pdf"
    assert source.identity == source.path == "https://example.com:8443/Files/q3%20report.pdf"
    assert (source.size, source.extra_info) == (None, {"team": "a"})
    assert "secret" not in repr(source)
    assert "abc" not in repr(source)


def test_a_new_signature_is_the_same_file() -> None:
    """Ensure that a presigned URL identifies the same file when it is signed again."""
    one, two = (resolve_source(f"https://b.s3.amazonaws.com/k.pdf?sig={each}") for each in "12")
    assert one.identity == two.identity


def test_a_web_url_without_a_file_name() -> None:
    """Ensure that a URL without a path is named after its host."""
    assert resolve_source("HTTP://example.com/").name == "example.com"


async def test_a_web_url_has_no_content() -> None:
    """Ensure that nothing downloads a URL by accident."""
    source = resolve_source("https://example.com/a.pdf?sig=1")
    with pytest.raises(SourceError, match="fetches by itself") as caught:
        await source.sha256()
    assert "sig=1" not in str(caught.value)


# --- names


@pytest.mark.parametrize(
    ("name", "file_name", "expected"),
    [
        ("REPORT.PDF", None, "REPORT.PDF"),
        ("strange.qqq", None, "strange.qqq"),
        ("report.docx", "other.pdf", "report.docx"),
        ("tmpab12", "other.pdf", "other.pdf"),
        ("tmpab12", None, "tmpab12.pdf"),
        ("1706.03762", None, "1706.03762.pdf"),
        ("Dr. Smith", "", "Dr. Smith.pdf"),
        ("archive.tar.gz", None, "archive.tar.gz"),
        ("tmpab12", 7, "tmpab12.pdf"),
    ],
)
def test_names_of_paths_and_streams(tmp_path: Path, name: str, file_name: Any, expected: str) -> None:
    """Ensure that the path or .name decides, unless only extra_info or the content has a suffix; none is refused."""
    (tmp_path / name).write_bytes(PDF)
    stream = Dripping(PDF)
    stream.name = f"/somewhere/{name}"  # type: ignore[attr-defined]
    info = {"file_name": file_name}
    assert resolve_source(tmp_path / name, extra_info=info).name == expected
    assert resolve_source(stream, extra_info=info).name == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("re\r\nport\x00\x7f.pdf", "report.pdf"),
        ("gpj\u202e.fdp.pdf", "gpj.fdp.pdf"),
        ("naïve 報告 👩\u200d🔬.pdf", "naïve 報告 👩\u200d🔬.pdf"),
        ("..", "upload.pdf"),
        ("folder/", "folder.pdf"),
        (" spaced.pdf ", "spaced.pdf"),
        ("bad\udcff.pdf", "bad_.pdf"),
    ],
)
def test_names_are_cleaned(raw: str, expected: str) -> None:
    """Ensure that neither directories nor control characters of a name reach the service."""
    assert resolve_source(PDF, extra_info={"file_name": raw}).name == expected


def test_unknown_content_with_a_name_passes(tmp_path: Path) -> None:
    """Ensure that a named file without a suffix and of unknown content is left to the service."""
    (tmp_path / "blob").write_bytes(b"\0\1\2")
    assert resolve_source(tmp_path / "blob").name == "blob"


def test_extra_info_is_copied() -> None:
    """Ensure that the caller's metadata is taken along, and never changed."""
    info = {"file_name": "a.pdf", "team": "x"}
    source = resolve_source(PDF, extra_info=info)
    source.extra_info["more"] = 1
    assert info == {"file_name": "a.pdf", "team": "x"}


def test_a_source_is_a_source() -> None:
    """Ensure that a resolved source passes through, its metadata merged and the original untouched."""
    first = resolve_source(PDF, extra_info={"a": 1, "b": 1})
    second = resolve_source(first, extra_info={"b": 2})
    assert (first.extra_info, second.extra_info) == ({"a": 1, "b": 1}, {"a": 1, "b": 2})
    assert second.identity == first.identity


def test_equal_names_in_two_folders_differ(tmp_path: Path) -> None:
    """Ensure that identities come from places, not from names."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.pdf").write_bytes(PDF)
    one, two, again = (resolve_source(tmp_path / folder / "same.pdf") for folder in ("a", "b", "a"))
    assert one.identity == again.identity != two.identity


async def test_what_simple_directory_reader_hands_over(memory: MemoryFileSystem) -> None:
    """Ensure that names agree with the metadata of SimpleDirectoryReader on a remote filesystem."""
    from llama_index.core import SimpleDirectoryReader

    reader = SimpleDirectoryReader(input_dir="/docs", fs=memory)
    for path in reader.input_files:
        metadata = reader.file_metadata(str(path))
        source = resolve_source(path, extra_info=metadata, fs=memory)
        assert source.name == metadata["file_name"] == "report.pdf"
        assert await content(source) == PDF


# --- errors


def text_file() -> Any:
    """A file in text mode."""
    return Path(__file__).open(encoding="utf-8")


def closed_file() -> Any:
    """A closed file."""
    with Path(__file__).open("rb") as file:
        return file


def closed_bytes() -> Any:
    """A closed BytesIO."""
    stream = io.BytesIO(PDF)
    stream.close()
    return stream


async def _coroutine(size: int) -> bytes:
    return b""


class AsyncFile:
    """A file of an asynchronous library."""

    read = staticmethod(_coroutine)


@pytest.mark.parametrize(
    ("make", "says", "next_step"),
    [
        (lambda: "missing.pdf", "'missing.pdf' does not exist", "Check the path"),
        (lambda: "~/missing.pdf", "'~/missing.pdf' does not exist", "expanduser"),
        (lambda: "missing/*.pdf", "'missing/*.pdf' does not exist", "glob.glob"),
        (lambda: Path("s3://bucket/key.pdf"), "does not exist", "pass the URL as a str"),
        (tempfile.gettempdir, "is a directory", "SimpleDirectoryReader"),
        (lambda: "memory://", "is a directory", "SimpleDirectoryReader"),
        (lambda: "memory://none/missing.pdf", "'memory:///none/missing.pdf' does not exist", "Check"),
        (lambda: "nosuch://x/a.pdf", "Protocol not known: nosuch", "fsspec"),
        (lambda: "https://", "not a valid URL", "Check the host"),
        (lambda: "http://[::1/a.pdf", "not a valid URL", "Check the host"),
        (lambda: b"", "bytes object (0 bytes) is empty", "written completely"),
        (io.BytesIO, "BytesIO is empty", "written completely"),
        (lambda: b"\0\1\2", "does not tell what it is", "extra_info"),
        (lambda: io.BytesIO(b"\0\1\2"), "does not tell what it is", "extra_info"),
        (text_file, "opened as text", "rb"),
        (lambda: io.StringIO("secret words"), "opened as text", "rb"),
        (closed_file, "is closed", "Open the file again"),
        (closed_bytes, "is closed", "Open the file again"),
        (AsyncFile, "returned coroutine instead of bytes", "await"),
        (lambda: 42, "int is not a file", "Pass a path"),
        (lambda: None, "NoneType is not a file", "Pass a path"),
        (lambda: [b"x"], "list is not a file", "list only where"),
        (lambda: "/dev/null", "device", "bytes"),
        (lambda: "a\0b.pdf", "is no path", "as bytes"),
    ],
)
def test_bad_input_is_refused_with_the_next_step(make: Any, says: str, next_step: str) -> None:
    """Ensure that what cannot be sent raises at once, naming the input and what to do."""
    given = make()
    with pytest.raises(SourceError) as caught:
        resolve_source(given)
    assert isinstance(caught.value, ConfigurationError)
    assert says in str(caught.value)
    assert caught.value.hint is not None
    assert next_step in caught.value.hint
    if hasattr(given, "close"):
        given.close()


def test_an_empty_local_file(tmp_path: Path) -> None:
    """Ensure that an empty file is refused by its name."""
    (tmp_path / "empty.pdf").touch()
    with pytest.raises(SourceError, match=r"empty\.pdf' is empty"):
        resolve_source(tmp_path / "empty.pdf")


def test_bytes_are_named_in_errors() -> None:
    """Ensure that bytes with a file name are called by it."""
    with pytest.raises(SourceError, match=r"'q3\.pdf' is empty"):
        resolve_source(b"", extra_info={"file_name": "q3.pdf"})


def test_a_file_that_may_not_be_read(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that a denied permission says so."""

    def deny(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(pdf))

    monkeypatch.setattr(os, "stat", deny)
    with pytest.raises(SourceError, match="permission denied"):
        resolve_source(str(pdf))


def test_a_file_opened_for_writing_only(tmp_path: Path) -> None:
    """Ensure that a file that cannot be read is refused."""
    with (tmp_path / "a.pdf").open("wb") as file, pytest.raises(SourceError, match="cannot be read"):
        resolve_source(file)


def test_a_name_that_is_too_long() -> None:
    """Ensure that a name over the limit is refused, and one at the limit passes."""
    assert len(resolve_source(PDF, extra_info={"file_name": "a" * 251 + ".pdf"}).name) == 255
    with pytest.raises(SourceError, match="256 characters; at most 255"):
        resolve_source(PDF, extra_info={"file_name": "a" * 252 + ".pdf"})


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """Ensure that a file over the service's limit is refused without being read, and an endless stream is cut short."""
    with (tmp_path / "big.pdf").open("wb") as file:
        file.truncate(source_content.MAX_UPLOAD_BYTES + 1)
    with pytest.raises(SourceError, match="larger than the 512 MiB"):
        resolve_source(tmp_path / "big.pdf")


def test_an_endless_stream_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that a stream is read no further than the service's limit."""
    monkeypatch.setattr(source_content, "MAX_UPLOAD_BYTES", 1_000_000)

    class Endless(Dripping):
        def readinto(self, buffer: Any) -> int:
            return 1000

    with pytest.raises(SourceError, match="larger than"):
        resolve_source(Endless(b""))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        "data:application/pdf;base64,U0VDUkVU" * 2,
        "SECRET words " * 400,
        "line one\nSECRET",
        "ftp://me:SECRET@127.0.0.1:1/a.pdf",
        "nosuch://me:SEC/SECRET@host/a.pdf",
        "nosuch://host/a.pdf?token=SECRET",
        "https://me:SECRET@:/a.pdf?sig=SECRET",
    ],
)
def test_errors_do_not_leak(given: str) -> None:
    """Ensure that neither content passed by mistake nor credentials in a URL show up in an error."""
    with pytest.raises(SourceError) as caught:
        resolve_source(given)
    assert "SECRET" not in str(caught.value) + str(caught.value.hint) + str(caught.value.file)
    assert "U0VDUkVU" not in str(caught.value)


@pytest.mark.parametrize("change", ["grown", "shrunk", "gone"])
async def test_a_local_file_that_changes(pdf: Path, change: str) -> None:
    """Ensure that a file that is no longer what was announced fails, and that no byte too many is sent."""
    source = resolve_source(pdf)
    replace_file(pdf, {"grown": PDF + b"x", "shrunk": PDF[:-1], "gone": None}[change])
    sent: list[int] = []

    async def send() -> None:
        async for chunk in source.chunks():
            sent.append(len(chunk))  # what was sent before the error counts

    with pytest.raises(SourceError, match="does not exist" if change == "gone" else "changed while"):
        await send()
    assert sum(sent) <= len(PDF)


@pytest.mark.parametrize("change", ["grown", "shrunk", "gone"])
async def test_a_remote_file_that_changes(memory: MemoryFileSystem, change: str) -> None:
    """Ensure that a file of a filesystem that is no longer what was announced fails, too."""
    source = resolve_source("memory://docs/report.pdf")
    if change == "gone":
        memory.rm("/docs/report.pdf")
    else:
        memory.pipe("/docs/report.pdf", PDF + b"x" if change == "grown" else PDF[:-1])
    with pytest.raises(SourceError, match="does not exist" if change == "gone" else "changed while"):
        await content(source)


async def test_a_server_that_ignores_ranges() -> None:
    """Ensure that a filesystem that answers with the whole file instead of a range is found out."""

    class Whole(Ranged):
        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
            return self.data

    with pytest.raises(SourceError, match="ignores byte ranges"):
        await content(resolve_source("a.pdf", fs=Whole()))


async def test_a_filesystem_that_cannot_read_ranges() -> None:
    """Ensure that a filesystem whose cat_file takes no range is opened and read instead."""

    class NoRanges(Ranged):
        def cat_file(self, path: str) -> bytes:  # type: ignore[override]
            raise AssertionError("read as a whole")

    assert await content(resolve_source("a.pdf", fs=NoRanges())) == PDF


async def test_a_filesystem_that_fails() -> None:
    """Ensure that an error of a filesystem's own library becomes a SourceError, once, however many ranges fail."""
    fs = Ranged(data=PDF * 3, size=len(PDF) * 3, fault=RuntimeError("boom https://u:p@h/x?sig=1"))
    with pytest.raises(SourceError, match=r"RuntimeError: boom https://h/x\)"):
        await content(resolve_source("a.pdf", fs=fs))


# --- copies


@pytest.mark.parametrize("kind", ["path", "bytes", "url", "memory", "open file", "short stream"])
async def test_pickle_and_copy(pdf: Path, memory: MemoryFileSystem, kind: str) -> None:
    """Ensure that a source travels to another process, and deep-copies."""
    given: Any = {
        "path": pdf,
        "bytes": PDF,
        "url": "https://example.com/a.pdf",
        "memory": "memory://docs/report.pdf",
        "short stream": Dripping(b"%PDF-short"),
    }.get(kind)
    if kind == "open file":
        with pdf.open("rb") as file:
            source = resolve_source(file)
    else:
        source = resolve_source(given, extra_info={"a": 1})
    for twin in (pickle.loads(pickle.dumps(source)), copy.deepcopy(source)):
        assert twin == source
        assert twin.extra_info == source.extra_info
        if kind != "url":
            assert await twin.sha256() == await source.sha256()


async def test_a_long_stream_does_not_pickle() -> None:
    """Ensure that the copy of a long stream says why it cannot travel, and can still be deep-copied."""
    source = resolve_source(spooled(PDF, 10))
    with pytest.raises(SourceError, match="cannot be pickled"):
        pickle.dumps(source)
    assert await content(copy.deepcopy(source)) == PDF


def test_the_temporary_copy_goes_away() -> None:
    """Ensure that the temporary file of a stream is closed with the last reference to its source."""
    source = resolve_source(spooled(PDF, 10))
    file = source._content._file  # type: ignore[union-attr]
    del source
    assert file.closed


async def test_the_event_loop_is_never_blocked(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that reading happens in other threads than the event loop's."""
    threads = set()
    reading = source_content._Handle.read

    def noting(handle: Any) -> bytes:
        threads.add(threading.get_ident())
        return reading(handle)

    monkeypatch.setattr(source_content._Handle, "read", noting)
    await content(resolve_source(pdf))
    assert threads
    assert threading.get_ident() not in threads


async def test_a_cancelled_upload_closes_its_file(pdf: Path) -> None:
    """Ensure that no file stays open when an upload is given up half-way."""
    opened: list[Any] = []
    original = source_content._Handle.__init__

    def noting(self: Any, file: Any) -> None:
        opened.append(file)
        original(self, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_content._Handle, "__init__", noting)
        chunks = resolve_source(pdf).chunks()
        await chunks.__anext__()
        await chunks.aclose()
    assert [file.closed for file in opened] == [True]
