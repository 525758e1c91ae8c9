"""Multipart uploads, streamed to disk.

The parser runs in a worker thread and is fed from `request.stream()`: about twice as fast as a framework's form
parser, with a bounded amount of memory whatever the size of the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from llama_cloud_ext.local.request_errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_FILE = 512 * 1024 * 1024
"""Bytes; the limitations page of the service allows 512 MB a file."""

LARGEST_FIELD = 4 * 1024 * 1024
"""Bytes of one text field or JSON body; configurations are kilobytes."""

LONGEST_NAME = 255
"""Characters of a file name: what file systems take."""

BATCH = 512 * 1024
"""Bytes to collect before a hop to the worker thread, which costs about 0.1 ms."""


@dataclass
class Upload:
    """A received form: its text fields, and the file that now lies at `path`.

    `file_name` is a display name only: folders and control characters are gone, and it is never used as a path.
    """

    path: Path
    field_name: str = "file"
    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    size: int = 0
    has_file: bool = False

    def check(self) -> None:
        """Refuse what the service refuses.

        Raises:
            RequestError: 400, with the messages of the service's error reference.
        """
        if not self.has_file:
            raise _no_file(self.field_name)
        if not self.file_name:
            raise RequestError(400, "File must have a filename.")
        if len(self.file_name) > LONGEST_NAME:
            raise RequestError(400, f"File name exceeds the maximum length of {LONGEST_NAME} characters")
        if self.size == 0:
            raise RequestError(400, "Uploaded file is empty.")


async def receive_upload(request: Request, path: Path, threads: Executor, *, field_name: str = "file") -> Upload:
    """Read a multipart request whose file goes to `path`.

    Args:
        request: The request, its body unread.
        path: A fresh path; the caller removes it when anything fails.
        threads: Where blocking work runs.
        field_name: The field of the form that holds the file.

    Returns:
        The fields and the file, not checked for completeness.

    Raises:
        RequestError: 400 for a body that is not multipart, 413 for one that is too large.
    """
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise _no_file(field_name)
    if not (boundary := options.get(b"boundary")):
        raise RequestError(400, "Missing boundary in multipart.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > LARGEST_FILE + 2 * LARGEST_FIELD:
        raise _too_large()
    loop = asyncio.get_running_loop()
    receiver = await loop.run_in_executor(threads, _Receiver, boundary, path, field_name)
    try:
        async for batch in _batches(request.stream()):
            await loop.run_in_executor(threads, receiver.feed, batch)
        return await loop.run_in_executor(threads, receiver.finish)
    finally:
        await loop.run_in_executor(threads, receiver.close)


async def receive_body(request: Request, *, largest: int = LARGEST_FIELD) -> bytes:
    """Read a JSON body.

    Args:
        request: The request.
        largest: The most bytes it may have.

    Raises:
        RequestError: 413 for a larger one.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise RequestError(413, f"Request body exceeds {largest // 2**20}MB limit.")
    return bytes(body)


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    async for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= BATCH:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _no_file(field_name: str) -> RequestError:
    return RequestError(400, f"{field_name} field is required for multipart requests.")


def _too_large() -> RequestError:
    return RequestError(413, f"File size exceeds {LARGEST_FILE // 2**20}MB limit.")


class _Receiver:
    """Callbacks of the multipart parser; lives in the worker thread."""

    def __init__(self, boundary: bytes, path: Path, field_name: str) -> None:
        from python_multipart.multipart import MultipartParser

        self._upload = Upload(path, field_name)
        self._stream: IO[bytes] | None = None
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._text = bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_data,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        from python_multipart.exceptions import MultipartParseError

        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise RequestError(400, f"There was an error parsing the body: {error}") from error

    def finish(self) -> Upload:
        if not self._ended:
            raise RequestError(400, "There was an error parsing the body: it ends before its final boundary.")
        return self._upload

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _part_begin(self) -> None:
        self._headers = {}
        self._text = bytearray()
        self._field = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_data(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode(errors="replace")
        if name == self._upload.field_name and not self._upload.has_file:
            self._upload.has_file = True
            self._upload.file_name = display_name(options.get(b"filename", b"").decode(errors="replace"))
            self._stream = self._upload.path.open("xb")
        else:
            self._field = name

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            self._text += data[start:end]
            if len(self._text) > LARGEST_FIELD:
                raise RequestError(413, f"Form field exceeds {LARGEST_FIELD // 2**20}MB limit.")
        elif self._stream is not None:
            self._upload.size += self._stream.write(memoryview(data)[start:end])
            if self._upload.size > LARGEST_FILE:
                raise _too_large()

    def _part_end(self) -> None:
        if self._field is None:
            self.close()
        else:
            self._upload.fields[self._field] = self._text.decode(errors="replace")

    def _end(self) -> None:
        self._ended = True


def display_name(name: str) -> str:
    """A client's file name without its folders and without control characters.

    Example:
        >>> display_name("../../etc/passwd")
        'passwd'
    """
    name = name.replace("\\", "/").rsplit("/", 1)[-1].replace("%22", '"')
    return "".join(character for character in name if character.isprintable()).strip()
