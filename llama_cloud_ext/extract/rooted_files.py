"""Files below a folder, opened so that nobody can lead the way outside meanwhile."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.sources import Source, resolve_source

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


@dataclass(frozen=True)
class RootedFile:
    """A file that was found inside a root, and is read from inside it, or not at all.

    Between the look at a path and its opening, folders can become links to somewhere else: whoever may write below a
    root could have any file read. So the way is walked once more when the file is opened, and links are not followed.

    Args:
        path: Absolute and without links.
        root: A folder above it, likewise.
    """

    path: Path
    root: Path

    def version(self) -> tuple[str, int, int]:
        """What differs once the file has been written anew. Blocks.

        Raises:
            SourceError: It is gone.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            raise self._gone() from error
        return str(self.path), status.st_size, status.st_mtime_ns

    def source(self) -> Source:
        """A copy of the content, under the file's own name and identity. Blocks.

        Raises:
            SourceError: It is gone, or what lies at its place now is outside of the root.
        """
        try:
            with self._open() as stream:
                source = resolve_source(stream, extra_info={"file_name": self.path.name})
        except OSError as error:
            raise self._gone() from error
        return replace(source, identity=f"file:{self.path.as_posix()}", path=str(self.path), extra_info={})

    def _open(self) -> BinaryIO:
        if not _BY_DESCRIPTOR:
            stream = self.path.open("rb")
            if self.path.resolve() == self.path and os.path.samestat(os.fstat(stream.fileno()), self.path.stat()):
                return stream
            stream.close()
            raise self._gone()
        *folders, name = self.path.relative_to(self.root).parts
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                outer, here = here, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(outer)
            return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here), "rb")
        finally:
            os.close(here)

    def _gone(self) -> SourceError:
        return SourceError(f"{self.path.name} is no longer where it was", hint="list_documents gives the names.")
