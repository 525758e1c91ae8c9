"""The content of uploads: reading it again and again, piece by piece, wherever it is kept.

Each class reads from its start on every call of `chunks`, holds no more than a few MiB, shares no position with any
other reader and fails when there is less or more than the size found at first.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.source_names import label, redact

MAX_UPLOAD_BYTES = 512 * 1024 * 1024
"""The service's platform-wide limit (developers.llamaindex.ai, "Limitations"). Checked before sending, because a
refusal would be seen only after the whole body had been sent."""

LOCAL_CHUNK = 256 * 1024
REMOTE_PIECE = 2 * 1024 * 1024
REMOTE_AHEAD = 4
KEPT_IN_MEMORY = 1024 * 1024
"""Streams up to this size are kept in memory, longer ones in a temporary file."""

_PEEK = 64 * 1024


class Content(Protocol):
    """Bytes of a known size that can be read any number of times, also at the same time."""

    @property
    def size(self) -> int:
        """Bytes."""

    def peek(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`; blocking."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """All bytes from the start, `size` of them, or a SourceError."""


def head_and_tail(content: Content) -> tuple[bytes, bytes]:
    """The first 64 KiB and, of longer content, the last; blocking."""
    head = content.peek(0, min(_PEEK, content.size))
    return head, content.peek(max(_PEEK, content.size - _PEEK), content.size) if content.size > _PEEK else b""


@dataclass(frozen=True)
class InMemory:
    """Bytes that are here already."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def peek(self, start: int, end: int) -> bytes:
        """A slice."""
        return self.data[start:end]

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Slices; nothing is copied twice."""
        for start in range(0, len(self.data), LOCAL_CHUNK):
            yield self.data[start : start + LOCAL_CHUNK]


@dataclass(frozen=True)
class LocalFile:
    """A file of the local file system, opened anew by each reader."""

    path: str
    size: int

    def peek(self, start: int, end: int) -> bytes:
        """Read one range."""
        with Path(self.path).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Unbuffered reads in worker threads."""
        file = await in_thread(_open, self.path)
        with closing(file):
            async for chunk in _exactly(self.size, label(self.path), _reader(file)):
                yield chunk


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        raise unreadable(label(path), error) from error


class Spooled:
    """A copy of a stream in a temporary file, which goes away with the last reference to it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        self._file = file
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def peek(self, start: int, end: int) -> bytes:
        """Read one range. Readers share the file, hence the lock: seek and read belong together."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Ranges, read in worker threads."""
        for start in range(0, self.size, LOCAL_CHUNK):
            yield await in_thread(self.peek, start, min(start + LOCAL_CHUNK, self.size))

    def __deepcopy__(self, memo: dict[int, Any]) -> Spooled:
        return self

    def __reduce__(self) -> Any:
        raise SourceError(
            "An upload that was read from an open file or stream cannot be pickled.",
            hint="Pass the file's path, its URL or its bytes where the upload has to travel to another process.",
        )


@dataclass(frozen=True)
class Remote:
    """A file of an fsspec filesystem, read in ranges: its `open` may take 50 MiB at once, or share one object."""

    fs: Any = field(repr=False)
    path: str
    size: int
    name: str

    def peek(self, start: int, end: int) -> bytes:
        """Read one range."""
        return bytes(self.fs.cat_file(self.path, start=start, end=end))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Ranges of 2 MiB, four of them under way at a time, handed on in small slices."""
        # The last range asks for one byte too many, which shows without another request that the file has grown.
        starts = iter(range(0, self.size, REMOTE_PIECE))
        ends = (min(start + REMOTE_PIECE, self.size) for start in range(0, self.size, REMOTE_PIECE))
        ranges = ((start, end, end + (end == self.size)) for start, end in zip(starts, ends, strict=True))
        under_way: deque[tuple[int, asyncio.Task[bytes]]] = deque()

        def start_next() -> None:
            for start, end, asked in ranges:
                under_way.append((end - start, asyncio.ensure_future(in_thread(self.peek, start, asked))))
                return

        for _ in range(REMOTE_AHEAD):
            start_next()
        try:
            while under_way:
                expected, task = under_way.popleft()
                piece = await _read(task, self.name)
                if len(piece) != expected:
                    raise changed(self.name, self.size)
                for position in range(0, expected, LOCAL_CHUNK):
                    yield piece[position : position + LOCAL_CHUNK]
                del piece, task
                start_next()
        finally:
            for _, task in under_way:
                task.cancel()


@dataclass(frozen=True)
class RemoteSequential:
    """A file of an fsspec filesystem that has no ranged reads of its own (archives, SFTP, caches): opened and read."""

    fs: Any = field(repr=False)
    path: str
    size: int
    name: str

    def _open(self) -> BinaryIO:
        try:
            opened: BinaryIO = self.fs.open(self.path, "rb", block_size=REMOTE_PIECE)
        except Exception as error:  # filesystems raise errors of their own libraries
            raise unreadable(self.name, error) from error
        return opened

    def peek(self, start: int, end: int) -> bytes:
        """Read one range."""
        with closing(self._open()) as file:
            file.seek(start)
            return file.read(end - start)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Reads in worker threads, one after the other."""
        file = await in_thread(self._open)
        try:
            async for chunk in _exactly(self.size, self.name, _reader(file)):
                yield chunk
        finally:
            await in_thread(file.close)


def _reader(file: BinaryIO) -> Callable[[], bytes]:
    return lambda: file.read(LOCAL_CHUNK)


async def _read(awaitable: Any, name: str) -> bytes:
    try:
        data: bytes = await awaitable
    except Exception as error:
        raise unreadable(name, error) from error
    return data


async def _exactly(size: int, name: str, read: Callable[[], bytes]) -> AsyncGenerator[bytes, None]:
    remaining = size
    while chunk := await _read(in_thread(read), name):
        remaining -= len(chunk)
        if remaining < 0:
            raise changed(name, size)
        yield chunk
    if remaining:
        raise changed(name, size)


def changed(name: str, size: int) -> SourceError:
    """The error for a file whose size is no longer what it was."""
    return SourceError(
        f"{name} changed while it was being uploaded: it is no longer {size:,} bytes long.",
        hint="Upload it again when nothing writes to it any more, or upload a copy.",
    )


def unreadable(name: str, error: BaseException) -> SourceError:
    """The error for a file that is missing or cannot be read, whoever says so."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, FileNotFoundError):
        return SourceError(
            f"{name} does not exist.", hint="Check the path; a relative one starts at the working directory."
        )
    if isinstance(error, PermissionError):
        return SourceError(
            f"{name} may not be read: permission denied.", hint="Give this process the right to read it."
        )
    reason = redact(str(error)).strip()[:300]
    return SourceError(
        f"{name} cannot be read ({type(error).__name__}{': ' + reason if reason else ''}).",
        hint="Check that the file can be opened with the same credentials outside this call.",
    )


_stream_locks: weakref.WeakValueDictionary[int, threading.Lock] = weakref.WeakValueDictionary()
_stream_locks_guard = threading.Lock()


@contextmanager
def _alone_with(stream: Any) -> Iterator[None]:
    """Two calls may be given one stream: they read it one after the other."""
    with _stream_locks_guard:
        lock = _stream_locks.setdefault(id(stream), threading.Lock())
    with lock:
        yield


def snapshot(stream: Any) -> tuple[InMemory | Spooled, str]:
    """Copy a stream, so that it can be re-read, closed and shared freely; blocking.

    A seekable stream is read from its start, wherever it stands, and put back to where it stood. Any other is read
    to its end.

    Returns:
        The copy, and the SHA-256 of its bytes in hexadecimal.

    Raises:
        SourceError: The stream is closed, opened as text, not readable or longer than the service accepts.
    """
    name = label(stream)
    if getattr(stream, "closed", False) is True:
        raise SourceError(f"{name} is closed.", hint="Open the file again, or pass its path.")
    if isinstance(stream, io.TextIOBase):
        raise _text(name)
    with _alone_with(stream):
        position = _rewind(stream)
        try:
            return _copy(stream, name)
        except (OSError, ValueError) as error:
            raise unreadable(name, error) from error
        finally:
            if position is not None:
                stream.seek(position)


def _rewind(stream: Any) -> int | None:
    try:
        if not stream.seekable():
            return None
        position: int = stream.tell()
        stream.seek(0)
    except (AttributeError, OSError, ValueError):
        return None
    return position


def _copy(stream: Any, name: str) -> tuple[InMemory | Spooled, str]:
    digest = hashlib.sha256()
    size = 0
    file: BinaryIO = io.BytesIO()
    while chunk := _next_chunk(stream, name):
        digest.update(chunk)
        size += len(chunk)
        check_size(name, size)
        if isinstance(file, io.BytesIO) and size > KEPT_IN_MEMORY:
            start, file = file.getvalue(), tempfile.TemporaryFile()  # noqa: SIM115  # Spooled closes it
            file.write(start)
        file.write(chunk)
    if isinstance(file, io.BytesIO):
        return InMemory(file.getvalue()), digest.hexdigest()
    file.flush()
    return Spooled(file, size), digest.hexdigest()


def _next_chunk(stream: Any, name: str) -> bytes:
    chunk = stream.read(LOCAL_CHUNK)
    if isinstance(chunk, str):
        raise _text(name)
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        if hasattr(chunk, "close") and hasattr(chunk, "send"):
            chunk.close()  # an un-awaited coroutine would warn
        raise SourceError(
            f"{name} returned {type(chunk).__name__} instead of bytes when it was read.",
            hint="Pass a blocking binary file, or await its content and pass the bytes.",
        )
    return bytes(chunk)


def _text(name: str) -> SourceError:
    return SourceError(f"{name} is opened as text.", hint='Open it with mode "rb", or pass its path.')


def check_size(name: str, size: int) -> None:
    """Raise SourceError for a file that the service would refuse for its size."""
    if size > MAX_UPLOAD_BYTES:
        raise SourceError(
            f"{name} is larger than the {MAX_UPLOAD_BYTES // 1024**2} MiB that the service accepts.",
            hint="Split the document and upload the parts.",
        )
