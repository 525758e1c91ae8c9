"""A multipart/form-data body that streams one file and can be sent again from its start."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.sources import Source

# The HTML standard's form encoding: only what would end the quoted value or the header line is escaped.
_ESCAPES = {'"': "%22", "\\": "\\\\"} | {chr(code): f"%{code:02X}" for code in range(0x20) if code != 0x1B}
_ESCAPED = re.compile("|".join(re.escape(character) for character in _ESCAPES))


class MultipartBody:
    """The body of an upload: form fields, then one file, never held in memory.

    Pass it to httpx as `content=` together with `headers`. Every iteration re-opens the source, so a retry sends the
    file from its first byte again.

    Args:
        fields: Names and values of the form fields, in the order in which they are sent.
        file_field: Name of the field that carries the file.
        source: The file; not an http(s) URL, which the service fetches by itself.

    Raises:
        SourceError: `source` is an http(s) URL and has no content to send.

    Example:
        >>> from llama_cloud_ext.wire.sources import resolve_source
        >>> body = MultipartBody([("purpose", "parse")], "file", resolve_source(b"%PDF-1.7"))
        >>> sorted(body.headers)
        ['Content-Length', 'Content-Type']
    """

    def __init__(self, fields: Sequence[tuple[str, str]], file_field: str, source: Source) -> None:
        if source.size is None:
            raise SourceError(
                f"{source.name} is a URL: there is no content to upload.",
                hint="Send the URL itself as source_url, or download the file and pass its path.",
            )
        boundary = os.urandom(16).hex()
        opening = f"--{boundary}\r\n"
        content_type = mimetypes.guess_type(source.name)[0] or "application/octet-stream"
        self.source = source
        self._before = "".join(
            [
                f"{opening}Content-Disposition: form-data; {_parameter('name', name)}\r\n\r\n{value}\r\n"
                for name, value in fields
            ]
            + [
                f"{opening}Content-Disposition: form-data; {_parameter('name', file_field)}; "
                f"{_parameter('filename', source.name)}\r\nContent-Type: {content_type}\r\n\r\n"
            ]
        ).encode()
        self._after = f"\r\n--{boundary}--\r\n".encode()
        length = len(self._before) + source.size + len(self._after)
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The encoded body, from its first byte."""
        yield self._before
        async with aclosing(self.source.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        yield self._after


def _parameter(name: str, value: str) -> str:
    escaped = _ESCAPED.sub(lambda match: _ESCAPES[match.group()], value)
    return f'{name}="{escaped}"'
