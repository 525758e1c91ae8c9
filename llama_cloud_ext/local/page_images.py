"""Screenshots of the pages of uploaded files, and the figures on them: made when asked for, then kept on disk.

A file's folder holds, for each page and kind, a record (`screenshots-3.json`) of its images and the images themselves.
Everything here can be made again from the file, so that nothing is flushed, and the least recently used goes first when
the folder grows too large.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from llama_cloud_ext.local.dispatcher import available_cores
from llama_cloud_ext.local.engine import EngineError, EngineStopped, parse_document
from llama_cloud_ext.local.engine.file_kinds import detect

if TYPE_CHECKING:
    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.engine import EngineImage, EngineResult
    from llama_cloud_ext.local.jobs import Engine
    from llama_cloud_ext.local.store import FileRecord

T = TypeVar("T")

Kind = Literal["screenshots", "figures"]

CATEGORY = {"screenshots": "screenshot", "figures": "embedded"}
"""What the engine calls the images of a kind."""

PAGES_AT_ONCE = 10
"""Pages in one pass over a document, whose images are in memory together."""

MOST_BYTES = 1024**3
"""What the images of all files may take on disk: some 5,000 pages."""

KEPT_SHARE = 0.75
"""What is left of them when they took more."""

READING_ATTEMPTS = 3
"""An image may make room for others between being listed and being read, and is made again then."""

NOISE_POINTS = 24.0
"""A figure that is thinner than this (8 mm) is an icon, a rule or a bullet rather than something to look at."""


@dataclass(frozen=True)
class PageImage:
    """One image of a page.

    Attributes:
        page_index: From 0 on.
        name: Unique on the page.
        size: In bytes.
        content_type: "image/jpeg", "image/png", …
        bbox: x, y, w, h on the page in points; None for whole pages and formats without places.
    """

    page_index: int
    name: str
    size: int
    content_type: str
    bbox: dict[str, float] | None

    @property
    def is_likely_noise(self) -> bool:
        """Whether it is too thin to show anything.

        Example:
            >>> PageImage(0, "img_p1_1.png", 70, "image/png", {"x": 72, "y": 90, "w": 468, "h": 1}).is_likely_noise
            True
        """
        return self.bbox is not None and min(self.bbox["w"], self.bbox["h"]) < NOISE_POINTS


class PageImages:
    """The page images of one data folder. Safe to use from any thread or event loop.

    Args:
        blobs: The folder's contents.
        readers: Threads for reading what is there; making what is not has its own, as many as there are cores.
        engine: What parses a document; None for the real one.
        most_bytes: What the images of all files may take on disk.
    """

    def __init__(
        self, blobs: Blobs, readers: ThreadPoolExecutor, *, engine: Engine | None, most_bytes: int = MOST_BYTES
    ) -> None:
        self._blobs = blobs
        self._readers = readers
        self._engine = engine
        self._most_bytes = most_bytes
        self._cores = available_cores()
        self._makers = ThreadPoolExecutor(self._cores, "llama-cloud-local-page-images")
        self._lock = threading.RLock()
        self._underway: dict[tuple[str, str, int], Future[Any]] = {}
        self._room = threading.Lock()
        self._bytes: int | None = None
        self._closing = False

    def close(self) -> None:
        """Stop making images."""
        self._closing = True
        self._makers.shutdown(wait=False, cancel_futures=True)

    async def listing(self, file: FileRecord, kind: Kind, indexes: Iterable[int] | None = None) -> list[PageImage]:
        """The images of a file, in the order of its pages.

        Args:
            file: The uploaded file.
            kind: Which images.
            indexes: Of the pages wanted, from 0 on (those that do not exist have no images); None for all.

        Returns:
            The images; none where the format has no pages or the file cannot be read.

        Raises:
            FileNotFoundError: The file was deleted.
        """
        total = await self._total_pages(file)
        wanted = range(total) if indexes is None else sorted({index for index in indexes if 0 <= index < total})
        known = await self._read(self._known, file.id, kind, wanted)
        missing = [index for index in wanted if index not in known]
        portions = [missing[start : start + PAGES_AT_ONCE] for start in range(0, len(missing), PAGES_AT_ONCE)]
        # No more at once than there are threads: others who want a single page need not wait for all of them.
        for start in range(0, len(portions), self._cores):
            making = [
                made for portion in portions[start : start + self._cores] for made in self._make(file, kind, portion)
            ]
            for made in await asyncio.gather(*making):
                known.update(made)
        return [image for index in wanted for image in known.get(index, [])]

    async def content(
        self, file: FileRecord, kind: Kind, index: int, name: str | None = None
    ) -> tuple[PageImage, bytes] | None:
        """One image of a page.

        Args:
            file: The uploaded file.
            kind: Which images.
            index: Of the page, from 0 on.
            name: Of the image; None for the page's first.

        Returns:
            What it is, and its bytes; None when there is no such image.

        Raises:
            FileNotFoundError: The file was deleted.
        """
        for _ in range(READING_ATTEMPTS):
            images = await self.listing(file, kind, [index])
            position = next((place for place, image in enumerate(images) if name in {None, image.name}), None)
            if position is None:
                return None
            content = await self._read(self._content, file.id, kind, images[position], position)
            if content is not None:
                return images[position], content
        raise OSError(f"the images of {file.name} vanish as soon as they are made")

    # -- what is underway ---------------------------------------------------------------------------------------

    async def _total_pages(self, file: FileRecord) -> int:
        total = await self._read(self._known_total, file.id)
        if total is None:
            total = await self._once([(file.id, "total", 0)], lambda: self._find_total(file))
        return total

    def _make(self, file: FileRecord, kind: Kind, indexes: Sequence[int]) -> list[asyncio.Future[Any]]:
        """Make the images of pages, except where that is underway; futures of all of them."""
        with self._lock:
            keys = [(file.id, kind, index) for index in indexes]
            underway = {self._underway[key] for key in keys if key in self._underway}
            missing = [key for key in keys if key not in self._underway]
            futures = [asyncio.shield(asyncio.wrap_future(future)) for future in underway]
            if missing:
                futures.append(self._once(missing, lambda: self._render(file, kind, [key[2] for key in missing])))
            return futures

    def _once(self, keys: Sequence[tuple[str, str, int]], work: Callable[[], T]) -> asyncio.Future[T]:
        """Run work that has these keys, unless it runs already."""

        def forget(_: Future[T]) -> None:
            with self._lock:
                for key in keys:
                    self._underway.pop(key, None)

        with self._lock:
            future: Future[T] | None = self._underway.get(keys[0])
            if future is None:
                future = self._makers.submit(work)
                self._underway.update(dict.fromkeys(keys, future))
                future.add_done_callback(forget)
        # Others may wait for it as well, whatever becomes of this request.
        return asyncio.shield(asyncio.wrap_future(future))

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)

    # -- on disk; all of it blocks ------------------------------------------------------------------------------

    def _known_total(self, file_id: str) -> int | None:
        try:
            return int((self._blobs.page_images(file_id) / "total").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _known(self, file_id: str, kind: Kind, indexes: Iterable[int]) -> dict[int, list[PageImage]]:
        folder = self._blobs.page_images(file_id)
        known: dict[int, list[PageImage]] = {}
        for index in indexes:
            # Not there, cut short when the machine lost its power, or of another version.
            with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
                records = json.loads((folder / f"{kind}-{index}.json").read_text())
                known[index] = [PageImage(**record) for record in records]
        return known

    def _content(self, file_id: str, kind: Kind, image: PageImage, position: int) -> bytes | None:
        folder = self._blobs.page_images(file_id)
        with contextlib.suppress(FileNotFoundError):
            os.utime(folder)
            content = (folder / f"{kind}-{image.page_index}-{position}").read_bytes()
            if len(content) == image.size:
                return content
        (folder / f"{kind}-{image.page_index}.json").unlink(missing_ok=True)
        return None

    def _find_total(self, file: FileRecord) -> int:
        path = self._blobs.file(file.id)
        parser = detect(path, file.name).parser
        if parser not in {"pdf", "image", "office"}:
            return 0
        try:
            # With its picture, because a page without text or pictures is refused.
            result = self._parse(path, file.name, _configuration("screenshots", [0]))
        except EngineStopped:
            raise
        except EngineError:
            return 0
        folder = self._blobs.page_images(file.id)
        folder.mkdir(mode=0o700, exist_ok=True)
        first = [image for image in result.images if image.page_number == 1]
        if parser != "office":
            self._keep(folder, "screenshots", 0, first)
        self._write(folder / "total", str(result.total_pages).encode())
        self._make_room(sum(len(image.content) for image in first))
        return result.total_pages

    def _render(self, file: FileRecord, kind: Kind, indexes: Sequence[int]) -> dict[int, list[PageImage]]:
        known = self._known(file.id, kind, indexes)
        indexes = [index for index in indexes if index not in known]
        if not indexes:
            return known
        path = self._blobs.file(file.id)
        found: dict[int, list[EngineImage]] = {index: [] for index in indexes}
        for image in self._images(path, file.name, kind, indexes):
            found.setdefault(image.page_number - 1, []).append(image)
        folder = self._blobs.page_images(file.id)
        folder.mkdir(mode=0o700, exist_ok=True)
        for index, images in found.items():
            known[index] = self._keep(folder, kind, index, images)
        if not path.exists():  # deleted meanwhile
            self._blobs.delete(folder)
        self._make_room(sum(image.size for images in known.values() for image in images))
        return known

    def _images(self, path: Path, name: str, kind: Kind, indexes: Sequence[int]) -> list[EngineImage]:
        pages: Sequence[int] | None = indexes
        if detect(path, name).parser == "office":
            if kind == "screenshots":
                return []
            pages = None  # their parser reads all of them anyhow
        try:
            result = self._parse(path, name, _configuration(kind, pages))
        except EngineStopped:
            raise
        except EngineError:  # pages without text or pictures are refused
            return []
        return [image for image in result.images if image.category == CATEGORY[kind]]

    def _parse(self, path: Path, name: str, configuration: dict[str, Any]) -> EngineResult:
        engine = self._engine or parse_document
        return engine(path, name, configuration, tessdata=None, should_stop=lambda: self._closing)

    def _keep(self, folder: Path, kind: Kind, index: int, images: Sequence[EngineImage]) -> list[PageImage]:
        kept = [
            PageImage(index, image.filename, len(image.content), image.content_type, image.bbox) for image in images
        ]
        for position, image in enumerate(images):
            self._write(folder / f"{kind}-{index}-{position}", image.content)
        # Last, because it promises them.
        self._write(folder / f"{kind}-{index}.json", json.dumps([asdict(image) for image in kept]).encode())
        return kept

    def _write(self, path: Path, content: bytes) -> None:
        incoming = self._blobs.new_incoming()
        incoming.write_bytes(content)
        try:
            incoming.replace(path)
        except FileNotFoundError:  # another thread made room, and took the folder
            self._blobs.delete(incoming)

    def _make_room(self, added: int) -> None:
        with self._room:
            if self._bytes is not None:
                self._bytes += added
                if self._bytes <= self._most_bytes:
                    return
            folders = sorted((_last_used(folder), _size(folder), folder) for folder in self._blobs.all_page_images())
            self._bytes = sum(size for _, size, _ in folders)
            if self._bytes > self._most_bytes:
                for _, size, folder in folders:
                    if self._bytes <= self._most_bytes * KEPT_SHARE:
                        break
                    self._blobs.delete(folder)
                    self._bytes -= size


def _configuration(kind: Kind, indexes: Sequence[int] | None) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "tier": "fast" if kind == "screenshots" else "agentic",
        "output_options": {"images_to_save": [CATEGORY[kind]]},
    }
    if indexes is not None:
        configuration["page_ranges"] = {"target_pages": ",".join(str(index + 1) for index in indexes)}
    return configuration


def _last_used(folder: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    size = 0
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
    return size
