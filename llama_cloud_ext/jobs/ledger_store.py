"""Where a ledger keeps its records: a folder, or any location that fsspec knows.

Records are small objects that are written whole or not at all. Two operations carry everything: a put that replaces,
and a create that fails where there is something already, so that of several processes one wins. Blocking; called in
threads.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llama_cloud_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


class LedgerStore(Protocol):
    """A place for records, by names with slashes."""

    def read(self, name: str) -> bytes | None:
        """A record, or None."""

    def put(self, name: str, data: bytes) -> None:
        """Write a record, in place of one that is there."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a record unless there is one; whether it was written."""

    def delete(self, name: str) -> None:
        """Remove a record, if it is there."""

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all records below a name."""


def ledger_store(location: str | os.PathLike[str]) -> LedgerStore:
    """Open the store at a location.

    Args:
        location: A folder, or a URL of fsspec such as "s3://bucket/ledger" or "memory://ledger".

    Raises:
        ConfigurationError: There is no such kind of location, or its package is missing.
    """
    place = os.fspath(location)
    if "://" not in place or place.startswith("file://"):
        return FolderStore(Path(place.removeprefix("file://")).expanduser())
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it has no types

    try:
        fs, root = url_to_fs(place)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"{place.split('://')[0]}:// cannot be opened: {error}", option="ledger", hint="Name a folder, or s3://…"
        ) from error
    return FsspecStore(fs, root)


class FolderStore:
    """Records as files of a folder.

    Args:
        root: The folder; made with the first record.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        """A record, or None."""
        try:
            return (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, name: str, data: bytes) -> None:
        """Write a record, in place of one that is there."""
        temporary = self._written(name, data)
        temporary.replace(self._root / name)

    def create(self, name: str, data: bytes) -> bool:
        """Write a record unless there is one; whether it was written."""
        temporary = self._written(name, data)
        try:
            # Unlike opening it exclusively, a link appears with its content.
            os.link(temporary, self._root / name)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def delete(self, name: str) -> None:
        """Remove a record, if it is there."""
        path = self._root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # unless it holds other records
            path.parent.rmdir()

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all records below a name."""
        below = self._root / prefix
        for folder, _, files in os.walk(below):
            for file in files:
                if not file.startswith("."):
                    yield (Path(folder) / file).relative_to(self._root).as_posix()

    def _written(self, name: str, data: bytes) -> Path:
        path = self._root / name
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
                break
            except FileNotFoundError:
                continue  # another process has just removed the folder as empty
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return Path(temporary)

    def __repr__(self) -> str:
        return f"FolderStore({str(self._root)!r})"


class FsspecStore:
    """Records as objects of an fsspec filesystem, whose puts are atomic as those of object stores are.

    Args:
        fs: The filesystem.
        root: The path within it.
    """

    def __init__(self, fs: Any, root: str) -> None:
        self._fs = fs
        self._root = root.rstrip("/")
        # Older filesystems cannot tell that something is there in the same step as they write.
        self._exclusive = "mode" in inspect.signature(fs.pipe_file).parameters

    def read(self, name: str) -> bytes | None:
        """A record, or None."""
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return data

    def put(self, name: str, data: bytes) -> None:
        """Write a record, in place of one that is there."""
        self._make_folder(name)
        self._fs.pipe_file(self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a record unless there is one; whether it was written."""
        self._make_folder(name)
        self._fs.invalidate_cache()
        if self._fs.exists(self._path(name)):
            return False
        try:
            self._fs.pipe_file(self._path(name), data, **({"mode": "create"} if self._exclusive else {}))
        except FileExistsError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Remove a record, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all records below a name."""
        # What another process has written must be seen.
        self._fs.invalidate_cache()
        start = len(self._root) + 1
        for path in self._fs.find(self._path(prefix) if prefix else self._root):
            yield path[start:]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_folder(self, name: str) -> None:
        self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def __repr__(self) -> str:
        return f"FsspecStore({type(self._fs).__name__}, {self._root!r})"
