"""Downloads of what a job has stored beside its pages: images, the XLSX file of its tables, the output PDF.

Presigned URLs expire: a refused one is asked for anew from the job, once, and tried again. Names and content types of
the service are not trusted: what is written is checked by its first bytes, under a name made here, and a download that
fails leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from llama_cloud_ext.errors import DownloadError
from llama_cloud_ext.parse.images import ParseImage, image_url, safe_stems
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.downloads import DATA_URL, Download, data_url, read_data_url
from llama_cloud_ext.wire.image_types import SNIFFED_BYTES, image_type
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.models.parse_response import ParseResponse, ResultFile
from llama_cloud_ext.wire.models.tolerant import as_elements, as_mapping

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Enough to fill a connection; more only adds sockets and memory.
_CONCURRENT_DOWNLOADS = 16
# What storage answers for a URL whose time is over: S3 and GCS 400 or 403, others 401, 404 or 410. 200 stands for a
# body that is not the file (an error document with the wrong status).
_WORTH_A_FRESH_URL = frozenset({200, 400, 401, 403, 404, 410})
IMAGES = "images_content_metadata"
_FILES = "result_content_metadata"


class StoredFile:
    """A single file of a job that has its own `expand` value.

    Args:
        label: What people call it.
        expand: The `expand` value that gives its URL.
        name: Its key in `result_content_metadata`.
        signature: What its first KiB contains.
        option: How to have it made.
    """

    def __init__(self, label: str, expand: str, name: str, signature: bytes, option: str) -> None:
        self.label = label
        self.expand = expand
        self.name = name
        self.signature = signature
        self.option = option

    def url(self, response: Mapping[str, Any]) -> str | None:
        """Find its URL in a response.

        Args:
            response: The raw response.

        Returns:
            The presigned URL; None when it was not asked for or the job did not make the file.
        """
        files = ParseResponse(response).result_content_metadata
        # The service writes "outputPDF"; its own types say only that the keys are strings.
        known = {name.replace("_", "").lower(): file for name, file in files.items()}
        file = known.get(self.name.lower(), ResultFile(response.get(self.expand)))
        return None if file.exists is False else file.presigned_url


XLSX = StoredFile("XLSX file", "xlsx_content_metadata", "xlsx", b"PK", "output_options.tables_as_spreadsheet")
OUTPUT_PDF = StoredFile(
    "output PDF", "output_pdf_content_metadata", "outputPDF", b"%PDF", "output_options.save_output_pdf"
)


def stored_assets(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The `expand` values of everything that a job with this request body stores beside its pages."""
    output = as_mapping(body.get("output_options"))
    spreadsheet = as_mapping(output.get("tables_as_spreadsheet")).get("enable")
    return (
        IMAGES,
        *([XLSX.expand] if spreadsheet else []),
        *([OUTPUT_PDF.expand] if output.get("save_output_pdf") else []),
    )


class Assets:
    """The downloads of one job; lives on the I/O loop for the time of one call.

    Args:
        connect: Gives the connection, for fresh URLs and downloads; not called for what the response holds itself.
        job_id: The job.
        response: The raw response as it was loaded; its URLs are tried first.
        file: The input's name, for errors.
    """

    def __init__(
        self, connect: Callable[[], Connection], job_id: str | None, response: Mapping[str, Any], file: str
    ) -> None:
        self._connect = connect
        self.job_id = job_id
        self.response = response
        self.file = file
        self._lock = asyncio.Lock()

    async def image_contents(self, images: Sequence[ParseImage]) -> list[tuple[bytes, str]]:
        """Download images into memory.

        Args:
            images: Which ones.

        Returns:
            Bytes and mimetype of each, in the same order.

        Raises:
            DownloadError: When one could not be fetched, or is no image.
        """

        async def fetch(image: ParseImage) -> tuple[bytes, str]:
            async def attempt(url: str) -> tuple[bytes, str]:
                download = await self._download(url)
                kind = image_type(download.content[:SNIFFED_BYTES], download.content_type or image.content_type)
                return download.content, (kind or self._refuse(image.filename, "an image", download.content))[0]

            return await self._fetch(attempt, image.filename, lambda: image_url(self.response, image.filename), IMAGES)

        return await concurrently(fetch, images, at_once=_CONCURRENT_DOWNLOADS)

    async def save_images(self, images: Sequence[ParseImage], directory: Path) -> list[Path]:
        """Download images into files; at no time is a whole one in memory.

        Args:
            images: Which ones.
            directory: Where to; made if missing.

        Returns:
            The path of each, in the same order.

        Raises:
            DownloadError: When one could not be fetched, or is no image.
        """
        await in_thread(directory.mkdir, parents=True, exist_ok=True)
        named = list(zip(images, safe_stems(image.filename for image in images), strict=True))

        async def save(image_and_stem: tuple[ParseImage, str]) -> Path:
            image, stem = image_and_stem

            def final(head: bytes) -> Path:
                kind = image_type(head, image.content_type) or self._refuse(image.filename, "an image", head)
                return directory / f"{stem}{kind[1]}"

            async def attempt(url: str) -> Path:
                return await self._save(url, directory, final)

            return await self._fetch(attempt, image.filename, lambda: image_url(self.response, image.filename), IMAGES)

        return await concurrently(save, named, at_once=_CONCURRENT_DOWNLOADS)

    async def content(self, stored: StoredFile) -> bytes:
        """Download one of the job's files into memory.

        Args:
            stored: Which one.

        Raises:
            DownloadError: When the job did not make it, or it could not be fetched.
        """

        async def attempt(url: str) -> bytes:
            content = (await self._download(url)).content
            if stored.signature not in content[:SNIFFED_BYTES]:
                self._refuse(stored.label, "such a file", content)
            return content

        return await self._fetch(attempt, stored.label, lambda: stored.url(self.response), stored.expand, stored)

    async def save(self, stored: StoredFile, path: Path) -> Path:
        """Download one of the job's files to a path.

        Args:
            stored: Which one.
            path: The file to write; one that exists is replaced, after the download.

        Returns:
            The path.

        Raises:
            DownloadError: When the job did not make it, or it could not be fetched.
        """

        def final(head: bytes) -> Path:
            if stored.signature not in head:
                self._refuse(stored.label, "such a file", head)
            return path

        async def attempt(url: str) -> Path:
            return await self._save(url, path.parent, final)

        await in_thread(path.parent.mkdir, parents=True, exist_ok=True)
        return await self._fetch(attempt, stored.label, lambda: stored.url(self.response), stored.expand, stored)

    async def kept(self) -> dict[str, Any]:
        """Put every stored file that the response names into it, for a result whose job is about to be deleted.

        Returns:
            A copy of the response, with data URLs in the place of presigned ones. A file that cannot be fetched is
            logged and loses its address; the rest of the result is not held up by it.
        """
        response = dict(self.response)
        listing, files = as_mapping(response.get(IMAGES)), as_mapping(response.get(_FILES))
        if listing:
            images = await concurrently(self._keep, as_elements(listing.get("images")), at_once=_CONCURRENT_DOWNLOADS)
            response[IMAGES] = {**listing, "images": images}
        if files:
            contents = await concurrently(self._keep, list(files.values()), at_once=_CONCURRENT_DOWNLOADS)
            response[_FILES] = dict(zip(files, contents, strict=True))
        return response

    async def _download(self, url: str) -> Download:
        return read_data_url(url) if url.startswith(DATA_URL) else await self._connect().download(url)

    async def _keep(self, record: Any) -> Any:
        url = record.get("presigned_url") if isinstance(record, dict) else None
        if not isinstance(url, str):
            return record
        try:
            return {**record, "presigned_url": data_url(await self._download(url))}
        except DownloadError as error:
            logger.warning("a file of the result could not be kept: %s", error.with_context(file=self.file))
            return {**record, "presigned_url": None}

    async def _fetch(
        self,
        attempt: Callable[[str], Awaitable[T]],
        name: str,
        current: Callable[[], str | None],
        expand: str,
        stored: StoredFile | None = None,
    ) -> T:
        """Try the URL at hand, then once a fresh one."""
        url = current()
        if url is not None:
            try:
                return await attempt(url)
            except DownloadError as error:
                if error.status not in _WORTH_A_FRESH_URL:
                    raise error.with_context(file=self.file, job_id=self.job_id) from None
        fresh = await self._renew(current, url, expand)
        if fresh is None:
            raise DownloadError(
                f"the service gives no address for {name}",
                hint=f"Parse with {stored.option} to have it made." if stored else "Has the job been deleted?",
                transient=False,
                file=self.file,
                job_id=self.job_id,
            )
        try:
            return await attempt(fresh)
        except DownloadError as error:
            raise error.with_context(file=self.file, job_id=self.job_id) from None

    async def _renew(self, current: Callable[[], str | None], stale: str | None, expand: str) -> str | None:
        """Ask the job for fresh URLs; whoever finds them renewed meanwhile asks no more."""
        from llama_cloud_ext.wire import parse

        async with self._lock:
            if current() == stale and self.job_id:
                self.response = await parse.get(self._connect(), self.job_id, expand=[expand])
            return current()

    async def _save(self, url: str, directory: Path, final: Callable[[bytes], Path]) -> Path:
        """Download beside the final place, look at the first bytes, and only then move it there."""
        partial = directory / f".{uuid4().hex}.part"
        try:
            if url.startswith(DATA_URL):
                return await in_thread(_settle_content, partial, read_data_url(url).content, final)
            await self._connect().download_to(url, partial)
            return await in_thread(_settle, partial, final)
        finally:
            await in_thread(partial.unlink, missing_ok=True)

    def _refuse(self, name: str, wanted: str, content: bytes) -> Any:
        shown = " ".join(content[:120].decode("utf-8", "replace").split())
        raise DownloadError(f"what came for {name} is not {wanted}: {shown!r}", status=200, transient=False)


def _settle(partial: Path, final: Callable[[bytes], Path]) -> Path:
    with partial.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    return partial.replace(final(head))


def _settle_content(partial: Path, content: bytes, final: Callable[[bytes], Path]) -> Path:
    """Write a file and settle it, in one thread: that goes on when the task is cancelled, and then clears up itself."""
    try:
        partial.write_bytes(content)
        return _settle(partial, final)
    finally:
        partial.unlink(missing_ok=True)
