"""Where a ledger keeps its records: a folder, or any location that fsspec knows.

Records are small objects that are written whole or not at all. Two operations carry everything: a put that replaces,
and a create that fails where there is something already, so that of several processes one wins. Blocking; called in
threads.
"""

from __future__ import annotations

import inspect
import os
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llama_cloud_ext.errors import ConfigurationError, LedgerError, LlamaCloudError

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

    Returns:
        The store; what goes wrong in it raises a LedgerError that names the location.

    Raises:
        ConfigurationError: There is no such kind of location, or its package is missing.
    """
    place = os.fspath(location)
    if not place.strip():
        raise ConfigurationError("the ledger has no location", option="ledger", hint='Name one: ledger="./.ledger".')
    if "://" not in place or place.startswith("file://"):
        folder = Path(place.removeprefix("file://")).expanduser().absolute()
        return NamedStore(FolderStore(folder), str(folder))
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it has no types

    protocol = place.split("://", maxsplit=1)[0]
    try:
        fs, root = url_to_fs(place)
    except Exception as error:  # whatever somebody else's filesystem raises
        raise ConfigurationError(
            f"{protocol}:// cannot be opened: {error}",
            option="ledger",
            hint="Name a folder, or an fsspec URL such as s3://bucket/ledger, and install its package.",
        ) from error
    return NamedStore(FsspecStore(fs, root), f"{protocol}://{root.lstrip('/')}")


class NamedStore:
    """A store whose failures say which ledger they are about.

    Args:
        store: The store.
        location: How messages name it; without passwords.
    """

    def __init__(self, store: LedgerStore, location: str) -> None:
        self._store = store
        self.location = location

    def read(self, name: str) -> bytes | None:
        """A record, or None."""
        with self._named("read"):
            return self._store.read(name)

    def put(self, name: str, data: bytes) -> None:
        """Write a record, in place of one that is there."""
        with self._named("written"):
            self._store.put(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a record unless there is one; whether it was written."""
        with self._named("written"):
            return self._store.create(name, data)

    def delete(self, name: str) -> None:
        """Remove a record, if it is there."""
        with self._named("written"):
            self._store.delete(name)

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all records below a name."""
        with self._named("read"):
            yield from self._store.names(prefix)

    @contextmanager
    def _named(self, doing: str) -> Iterator[None]:
        try:
            yield
        except LlamaCloudError:
            raise
        except Exception as error:  # whatever somebody else's filesystem raises
            reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            raise LedgerError(
                f"the ledger {self.location} cannot be {doing}: {reason}",
                location=self.location,
                hint="Check that the place is there and that its permissions let this process read and write it.",
            ) from error

    def __repr__(self) -> str:
        return f"NamedStore({self.location!r})"


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
        path = self._root / name
        try:
            # Unlike opening it exclusively, a link appears with its content.
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:
            # A filesystem without links: for a moment others see an empty record, which counts as none.
            return self._created_exclusively(path, data)
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
        """A hidden file beside the record, with its content."""
        parent = (self._root / name).parent
        temporary = parent / f".{uuid.uuid4().hex}"
        while True:
            try:
                parent.mkdir(parents=True, exist_ok=True)
                file = temporary.open("xb")
                break
            except (FileExistsError, FileNotFoundError):
                # Another process has just removed the folder as empty, unless there is something else in its place.
                if parent.exists() and not parent.is_dir():
                    raise
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    @staticmethod
    def _created_exclusively(path: Path, data: bytes) -> bool:
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

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
        self._write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a record unless there is one; whether it was written."""
        self._fs.invalidate_cache()
        if self._fs.exists(self._path(name)):
            return False
        try:
            self._write(name, data, **({"mode": "create"} if self._exclusive else {}))
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
        with suppress(FileNotFoundError):
            for path in self._fs.find(self._path(prefix) if prefix else self._root):
                yield path[start:]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _write(self, name: str, data: bytes, **options: Any) -> None:
        path = self._path(name)
        try:
            self._fs.pipe_file(path, data, **options)
        except FileNotFoundError:
            if hasattr(self._fs, "split_path"):
                raise  # an object store, which has no folders: making one could make a bucket
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data, **options)

    def __repr__(self) -> str:
        return f"FsspecStore({type(self._fs).__name__}, {self._root!r})"
