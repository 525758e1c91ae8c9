"""The content folder: uploads, job sources and results, named by ids and never by what a client sent.

Layout below the data folder: `files/<file id>`, `page_images/<file id>/…`, `attachments/<file id>/…`,
`sources/<job id>`, `results/<result id>/…`, `incoming/<random>`.
What `keep` has moved is on disk for good: the content and the folder entry are both flushed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

ORPHAN_AGE = 3600.0
"""Seconds after which a blob that no record knows is left over from a crash and may go."""

FOLDERS = ("files", "page_images", "attachments", "sources", "results", "incoming")


class Blobs:
    """The content of one data folder.

    Args:
        root: The data folder, which exists.

    Example:
        >>> import tempfile
        >>> blobs = Blobs(Path(tempfile.mkdtemp()))
        >>> incoming = blobs.new_incoming()
        >>> _ = incoming.write_bytes(b"%PDF-")
        >>> blobs.keep(incoming, blobs.file("some-id"))
        >>> blobs.file("some-id").read_bytes()
        b'%PDF-'
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in FOLDERS:
            (root / folder).mkdir(mode=0o700, exist_ok=True)

    def file(self, file_id: str) -> Path:
        """Where the content of a file is."""
        return self._root / "files" / file_id

    def page_images(self, file_id: str) -> Path:
        """The folder of the images of a file's pages, which is made when they are."""
        return self._root / "page_images" / file_id

    def attachments(self, file_id: str) -> Path:
        """The folder of what an index keeps beside a file's text."""
        return self._root / "attachments" / file_id

    def all_page_images(self) -> list[Path]:
        """The folders of page images that exist."""
        return list((self._root / "page_images").iterdir())

    def source(self, job_id: str) -> Path:
        """Where the source of an unfinished job is."""
        return self._root / "sources" / job_id

    def result(self, result_id: str) -> Path:
        """The folder of a finished job's results."""
        return self._root / "results" / result_id

    def new_incoming(self) -> Path:
        """A fresh path for content that is still arriving."""
        return self._root / "incoming" / uuid.uuid4().hex

    def keep(self, incoming: Path, destination: Path) -> None:
        """Move complete content to its place, durably."""
        _flush_file(incoming)
        incoming.replace(destination)
        _flush_folder(destination.parent)

    def link(self, existing: Path, destination: Path) -> None:
        """Give content a second name, so that deleting the first leaves the second alone.

        Raises:
            FileNotFoundError: The content is gone.
        """
        self._link(existing, destination)
        _flush_folder(destination.parent)

    def link_all(self, pairs: Sequence[tuple[Path, Path]]) -> None:
        """`link` for many contents of one folder, flushed together; those that are gone are passed over."""
        for existing, destination in pairs:
            with contextlib.suppress(FileNotFoundError):
                self._link(existing, destination)
        if pairs:
            _flush_folder(pairs[0][1].parent)

    def _link(self, existing: Path, destination: Path) -> None:
        try:
            os.link(existing, destination)
        except FileNotFoundError:
            raise
        except OSError:  # a filesystem without hard links
            incoming = self.new_incoming()
            shutil.copyfile(existing, incoming)
            self.keep(incoming, destination)

    def flush(self, folder: Path) -> None:
        """Make a finished folder of results durable, before its job is called complete."""
        for path in folder.iterdir():
            _flush_file(path)
        _flush_folder(folder)
        _flush_folder(folder.parent)

    def delete(self, path: Path) -> None:
        """Remove a blob or a folder of results; absent is fine."""
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def forget(self, file_ids: Iterable[str]) -> None:
        """Remove the contents of files, and what was made of them."""
        for file_id in file_ids:
            for path in (self.file(file_id), self.page_images(file_id), self.attachments(file_id)):
                self.delete(path)

    def sweep(self, known: set[str]) -> None:
        """Remove what crashes left behind.

        Args:
            known: Ids that records refer to; everything younger than `ORPHAN_AGE` is spared as well.
        """
        oldest = time.time() - ORPHAN_AGE
        for folder in FOLDERS:
            for path in (self._root / folder).iterdir():
                # Another process may sweep at the same time.
                with contextlib.suppress(FileNotFoundError):
                    if path.name not in known and path.stat().st_mtime < oldest:
                        self.delete(path)


def _flush_file(path: Path) -> None:
    with path.open("r+b") as stream:  # Windows flushes only what is open for writing
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
