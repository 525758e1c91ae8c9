"""Files behind URLs, fetched to be uploaded: streamed to disk, and without our key."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.downloads import Downloader
from llama_cloud_ext.wire.http_client import HttpClient
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.retry import RetryPolicy
from llama_cloud_ext.wire.settings import DEFAULT_RETRY_BUDGET, DEFAULT_TIMEOUT, Settings
from llama_cloud_ext.wire.source_content import Spooled
from llama_cloud_ext.wire.sources import Source, source_of_download


async def fetch_url(
    url: str,
    *,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
    verify: Any = True,
    proxy: str | None = None,
    follow_redirects: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
) -> Source:
    """Fetch a file into a temporary one, which ends with the source that holds it. On the I/O loop.

    Args:
        url: An http or https URL.
        name: The file's name; by default the last part of the URL's path.
        headers: Sent to the URL's own host, and to no other that it redirects to.
        verify: TLS verification, as for `Settings`.
        proxy: URL of a proxy.
        follow_redirects: Whether redirects are followed; if not, one raises.
        timeout: Seconds for connecting and for each wait.

    Returns:
        The file, ready to be uploaded.

    Raises:
        ConfigurationError: This is no http URL.
        DownloadError: It could not be fetched whole.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("this is no http or https URL", option="url")
    settings = Settings(
        base_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        headers=tuple((headers or {}).items()),
        verify=verify,
        proxy=proxy,
        timeout=timeout,
    )
    client = HttpClient(settings)
    downloader = Downloader(
        client,
        settings,
        RetryPolicy(budget=DEFAULT_RETRY_BUDGET),
        private_headers=dict(headers or {}),
        follow_redirects=follow_redirects,
    )
    with tempfile.TemporaryDirectory(prefix="llama-cloud-") as folder:
        path = Path(folder) / "download"
        try:
            size = await downloader.to_file(url, path)
        finally:
            await client.aclose()
        # A file without a name goes away with its last user, whatever becomes of this process.
        content = Spooled(await in_thread(_nameless_copy, path), size)
    name = name or PurePosixPath(unquote(parts.path)).name or str(parts.hostname)
    return await in_thread(source_of_download, content, name, url)


async def fetched(source: Source, settings: Settings) -> Source:
    """A file that can be uploaded: one behind a URL is fetched, by these settings but without their key; others stay.

    Args:
        source: The file.
        settings: Whose proxy, TLS settings and timeout are used.

    Raises:
        DownloadError: It could not be fetched whole.
    """
    if source.url is None:
        return source
    return await fetch_url(
        source.url, name=source.name, verify=settings.verify, proxy=settings.proxy, timeout=settings.timeout
    )


def _nameless_copy(path: Path) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the source that holds it
    with path.open("rb") as downloaded:
        shutil.copyfileobj(downloaded, copy)
    return cast("BinaryIO", copy)
