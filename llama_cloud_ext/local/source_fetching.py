"""Fetching of `source_url` documents, as the service does it for its users."""

from __future__ import annotations

import mimetypes
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from llama_cloud_ext.local.uploads import LARGEST_FILE, display_name

TIMEOUT = 30.0
"""Seconds without any data before a fetch is given up."""

PIECE = 256 * 1024


class FetchError(Exception):
    """A document that could not be fetched; the text is for the job's error message."""


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Redirects may not leave http and https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            raise FetchError(f"source_url redirects to {urlsplit(newurl).scheme}:, which is not fetched")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def name_of_url(url: str) -> str:
    """The file name a URL ends with, or its host's.

    Example:
        >>> name_of_url("https://example.com/a/report%201.pdf?key=1")
        'report 1.pdf'
    """
    parts = urlsplit(url)
    return display_name(unquote(parts.path)) or parts.hostname or "document"


def fetch_source(url: str, path: Path, *, proxy: str | None, should_stop: Callable[[], bool]) -> str:
    """Download a document.

    Args:
        url: An http or https URL.
        path: A fresh path for the content.
        proxy: Proxy URL, or None for the environment's.
        should_stop: Asked between pieces.

    Returns:
        The document's name, with a suffix from its content type where the URL has none.

    Raises:
        FetchError: No connection, an error status, an empty or too large document.
    """
    handlers: list[urllib.request.BaseHandler] = [_WebOnly()]
    if proxy:
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers={"User-Agent": "llama-cloud-ext"})  # noqa: S310 - the scheme is checked
    # Messages name the host only: query strings of presigned URLs are secrets.
    where = f"{urlsplit(url).scheme}://{urlsplit(url).hostname}"
    try:
        with opener.open(request, timeout=TIMEOUT) as response, path.open("xb") as stream:
            size = 0
            while not should_stop() and (piece := response.read(PIECE)):
                size += stream.write(piece)
                if size > LARGEST_FILE:
                    raise FetchError(f"the document at {where} is larger than {LARGEST_FILE // 2**20} MB")
            content_type = response.headers.get_content_type()
    except urllib.error.HTTPError as error:
        raise FetchError(f"{where} answered {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise FetchError(f"{where} could not be reached: {getattr(error, 'reason', error)}") from error
    if not size and not should_stop():
        raise FetchError(f"the document at {where} is empty")
    name = name_of_url(url)
    return name if Path(name).suffix else name + (mimetypes.guess_extension(content_type) or "")
