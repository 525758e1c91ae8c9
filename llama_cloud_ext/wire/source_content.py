"""The content of uploads: reading it again and again, piece by piece, wherever it is kept.

Each class reads from its start on every call of `chunks`, holds no more than a few MiB, shares no position with any
other reader and fails when there is less or more than the size found at first.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.source_names import label, redact

T = TypeVar("T")

MAX_UPLOAD_BYTES = 512 * 1024 * 1024
"""The service's platform-wide limit (developers.llamaindex.ai, "Limitations"). Checked before sending, because a
refusal would be seen only after the whole body had been sent."""

LOCAL_CHUNK = 256 * 1024
REMOTE_PIECE = 1024 * 1024
_HASHED_PIECE = 1024 * 1024
REMOTE_AHEAD = 4
"""Pieces under way at a time. Each costs about twice its size at the peak, because allocators keep what every reading
thread frees: four of 1 MiB raise it by 9 MiB, four of 2 MiB by up to 20."""


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
        """Unbuffered reads in worker threads, one after the other."""
        async with aclosing(_exactly(self.size, label(self.path), self._open)) as chunks:
            async for chunk in chunks:
                yield chunk

    def sha256(self) -> str:
        """The SHA-256 of the content, by one thread from end to end: pieces that wait for each other take longer."""
        digest = hashlib.sha256()
        view = memoryview(bytearray(_HASHED_PIECE))
        try:
            with Path(self.path).open("rb", buffering=0) as file:
                while count := file.readinto(view):
                    digest.update(view[:count])
        except OSError as error:
            raise unreadable(label(self.path), error) from error
        return digest.hexdigest()

    def _open(self) -> BinaryIO:
        return Path(self.path).open("rb", buffering=0)


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
        """Ranges of 1 MiB, four of them under way at a time, handed on in small slices."""
        starts = iter(range(0, self.size, REMOTE_PIECE))
        under_way: deque[tuple[int, asyncio.Task[bytes]]] = deque()

        def start_next() -> None:
            if (start := next(starts, None)) is not None:
                expected = min(REMOTE_PIECE, self.size - start)
                # The last range asks for one byte too many: that shows, without another request, a file that grew.
                end = start + expected + (start + expected == self.size)
                under_way.append((expected, asyncio.ensure_future(in_thread(self.peek, start, end))))

        for _ in range(REMOTE_AHEAD):
            start_next()
        try:
            while under_way:
                expected, task = under_way.popleft()
                piece = await _read(task, self.name)
                if len(piece) > expected + 1:
                    raise SourceError(
                        f"{self.name} cannot be read in parts: its server ignores byte ranges.",
                        hint="Download the file and pass the local path.",
                        file=self.name,
                    )
                if len(piece) != expected:
                    raise changed(self.name, self.size)
                for position in range(0, expected, LOCAL_CHUNK):
                    yield piece[position : position + LOCAL_CHUNK]
                del piece, task  # before the next range is asked for, or five would be held
                start_next()
        finally:
            for _, task in under_way:
                if not task.cancel() and not task.cancelled():
                    task.exception()  # it failed too, but one error is enough


@dataclass(frozen=True)
class RemoteSequential:
    """A file of an fsspec filesystem that has no ranged reads of its own (archives, SFTP, caches): opened and read."""

    fs: Any = field(repr=False)
    path: str
    size: int
    name: str

    def _open(self) -> BinaryIO:
        # Caches keep the block size of the first reader and refuse others.
        options = {} if is_cache(self.fs) else {"block_size": REMOTE_PIECE}
        opened: BinaryIO = self.fs.open(self.path, "rb", **options)
        return opened

    def peek(self, start: int, end: int) -> bytes:
        """Read one range."""
        with closing(self._open()) as file:
            file.seek(start)
            return file.read(end - start)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Reads in worker threads, one after the other."""
        async with aclosing(_exactly(self.size, self.name, self._open)) as chunks:
            async for chunk in chunks:
                yield chunk


def remote_content(fs: Any, path: str, size: int, name: str) -> Remote | RemoteSequential:
    """The way to read that suits this filesystem.

    Ranges where `cat_file` fetches just a range; the one that fsspec supplies opens the file anew for each.
    """
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types

    supplied = type(fs).cat_file is AbstractFileSystem.cat_file and not getattr(fs, "async_impl", False)
    if supplied or is_cache(fs) or not {"start", "end"} <= set(inspect.signature(fs.cat_file).parameters):
        return RemoteSequential(fs, path, size, name)
    return Remote(fs, path, size, name)


def is_cache(fs: Any) -> bool:
    """Whether `fs` is one of fsspec's caches in front of another filesystem."""
    from fsspec.implementations.cached import CachingFileSystem  # type: ignore[import-untyped]  # it has no types

    return isinstance(fs, CachingFileSystem)


class _Handle:
    """An open file that is never closed under a read: a cancelled upload leaves its last read running."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read(self) -> bytes:
        with self._lock:
            return self._file.read(LOCAL_CHUNK)

    def close(self) -> None:
        with self._lock:
            self._file.close()


async def _read(awaitable: Awaitable[T], name: str) -> T:
    try:
        return await awaitable
    except Exception as error:  # filesystems raise errors of their own libraries
        raise unreadable(name, error) from error


async def _exactly(size: int, name: str, opener: Callable[[], BinaryIO]) -> AsyncGenerator[bytes, None]:
    """Read a file to its end; never hand on more than `size` bytes, and fail if there are more or fewer."""
    handle = _Handle(await _read(in_thread(opener), name))
    remaining = size
    try:
        while chunk := await _read(in_thread(handle.read), name):
            remaining -= len(chunk)
            if remaining < 0:
                break
            yield chunk
    finally:
        await asyncio.shield(in_thread(handle.close))
    if remaining:
        raise changed(name, size)


def changed(name: str, size: int) -> SourceError:
    """The error for a file whose size is no longer what it was."""
    return SourceError(
        f"{name} changed while it was being uploaded: it is no longer {size:,} bytes long.",
        hint="Upload it again when nothing writes to it any more, or upload a copy.",
        file=name,
    )


def unreadable(name: str, error: BaseException) -> SourceError:
    """The error for a file that is missing or cannot be read, whoever says so."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, FileNotFoundError):
        hint = "Check the path; a relative one starts at the working directory."
        if name.strip("'").startswith("~") or "*" in name:
            hint = "Neither ~ nor * is expanded here: pass Path(…).expanduser(), or a list from glob.glob(…)."
        return SourceError(f"{name} does not exist.", hint=hint)
    if isinstance(error, PermissionError):
        return SourceError(
            f"{name} may not be read: permission denied.", hint="Give this process the right to read it."
        )
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = redact(said).strip()[:300]
    return SourceError(
        f"{name} cannot be read ({type(error).__name__}{': ' + reason if reason else ''}).",
        hint="Check that the file can be opened with the same credentials outside this call.",
        file=name,
    )


def check_size(name: str, size: int) -> None:
    """Raise SourceError for a file that the service would refuse for its size."""
    if size > MAX_UPLOAD_BYTES:
        raise SourceError(
            f"{name} is larger than the {MAX_UPLOAD_BYTES // 1024**2} MiB that the service accepts.",
            hint="Split the document and upload the parts.",
            file=name,
        )
