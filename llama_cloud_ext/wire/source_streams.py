"""Open files and streams: where they lie, if that can be known, or else a private copy of what they hold.

A copy is what makes a stream an upload like any other: it can be sent again, sent twice at once, and closed by its
owner in the meantime.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.source_content import LOCAL_CHUNK, InMemory, Spooled, check_size, unreadable
from llama_cloud_ext.wire.source_names import label

KEPT_IN_MEMORY = 1024 * 1024
"""Streams up to this size in bytes are copied to memory, longer ones to a temporary file."""


def path_of_open_file(stream: Any) -> str | None:
    """The path of a plain open file that still lies where it was opened.

    Such a file is re-opened by its path: no position is shared, and the caller may close it while it is being sent.
    """
    inner = getattr(stream, "file", stream)  # tempfile's wrapper
    raw = getattr(inner, "raw", inner)
    if type(inner) not in {io.BufferedReader, io.BufferedRandom, io.FileIO} or type(raw) is not io.FileIO:
        return None
    if not isinstance(raw.name, str) or not raw.readable():
        return None
    if raw.writable():
        inner.flush()
    try:
        here, there = os.fstat(raw.fileno()), os.stat(raw.name)  # noqa: PTH116 - beside fstat
    except OSError:
        return None
    return os.path.abspath(raw.name) if stat.S_ISREG(here.st_mode) and os.path.samestat(here, there) else None  # noqa: PTH100 - keeps links


def has_fsspec_location(file: Any) -> bool:
    """An fsspec file that knows its filesystem and path, and whose bytes are the file's own."""
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types
    from fsspec.core import OpenFile  # type: ignore[import-untyped]  # it has no types
    from fsspec.implementations.memory import MemoryFile  # type: ignore[import-untyped]  # it has no types
    from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped]  # it has no types

    return (
        isinstance(file, (OpenFile, MemoryFile, AbstractBufferedFile))
        and isinstance(getattr(file, "fs", None), AbstractFileSystem)
        and isinstance(getattr(file, "path", None), str)
        and getattr(file, "compression", None) is None
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
        raise SourceError(f"{name} is closed.", hint="Open the file again, or pass its path.", file=name)
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
                with suppress(OSError, ValueError):  # it was closed meanwhile; the copy is what matters
                    stream.seek(position)


def _rewind(stream: Any) -> int | None:
    """Go to the start of a stream that can; where it stood before, or None for one that cannot."""
    try:
        if hasattr(stream, "seekable") and not stream.seekable():  # Python 3.10's SpooledTemporaryFile has none
            return None
        position = stream.tell()
        stream.seek(0)
    except (AttributeError, OSError, ValueError):
        return None
    return position if isinstance(position, int) else None


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
            file=name,
        )
    return bytes(chunk)


def _text(name: str) -> SourceError:
    return SourceError(f"{name} is opened as text.", hint='Open it with mode "rb", or pass its path.', file=name)
