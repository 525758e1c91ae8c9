"""Which files a folder, a pattern or a URL stands for. Blocking: event loops call it in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import Any

from llama_cloud_ext.errors import LlamaCloudError, SourceError
from llama_cloud_ext.wire.inputs import ExtraInfo, FilesInput, Input, sort_out
from llama_cloud_ext.wire.source_content import unreadable
from llama_cloud_ext.wire.source_locations import InFilesystem, Local, is_web_url, locate
from llama_cloud_ext.wire.source_names import label


def list_inputs(files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[Input]:
    """The files of a call.

    Args:
        files: A folder, which is read with its sub-folders, but without hidden files; a pattern such as
            "reports/**/*.pdf"; any other file that can be uploaded; or a list of them. Folders and patterns may be
            fsspec URLs.
        extra_info: Metadata for all files, or a list with one mapping an entry of `files`.
        fs: The fsspec filesystem of the paths.

    Returns:
        One input a file, folders and patterns in the order of their paths.

    Raises:
        SourceError: A folder cannot be read, or there is no file at all.

    Example:
        >>> [file.label for file in list_inputs([b"text"], {"file_name": "a.txt"})]
        ['a.txt']
    """
    given, _ = sort_out(files, extra_info, fs)
    found = [replace(item, index=index) for index, item in enumerate(_all(given))]
    if not found:
        raise SourceError(
            f"there is no file in {', '.join(item.label for item in given) or 'an empty list'}",
            hint="Check the folder or the pattern; hidden files are left out.",
        )
    return found


def _all(given: Iterable[Input]) -> Iterator[Input]:
    for item in given:
        for path, fs in _files_of(item.file, item.fs):
            yield replace(item, file=path, fs=fs)


def _files_of(file: Any, fs: Any) -> list[tuple[Any, Any]]:
    """The files that one input stands for, each with its filesystem; the input itself where it is a file."""
    itself = [(file, fs)]
    if not isinstance(file, str | os.PathLike) or (fs is None and isinstance(file, str) and is_web_url(file)):
        return itself
    path = os.fspath(file)
    if isinstance(path, bytes):
        return itself
    try:
        location = locate(path, fs)
    except LlamaCloudError:
        return itself  # looking at it fails in the same way, for this input alone
    if isinstance(location, Local):
        found = _local_files(location)
        return itself if found is None else found
    try:
        return _remote_files(location, itself)
    except LlamaCloudError:
        raise
    except Exception as error:
        raise unreadable(label(path), error) from error


def _local_files(location: Local) -> list[tuple[Any, Any]] | None:
    folder = Path(location.path)
    if folder.is_dir():
        return [(path, None) for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path, folder)]
    if not folder.exists() and has_magic(location.path):
        found = sorted(glob(location.path, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        return [(Path(path), None) for path in found if Path(path).is_file()]
    return None


def _remote_files(location: InFilesystem, itself: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    fs, path = location.fs, location.path
    if has_magic(path) and not fs.exists(path):
        # Patterns of fsspec, unlike those of a shell, find what is hidden.
        hidden = PurePosixPath(path).name.startswith(".")
        found = (one for one in sorted(fs.glob(path)) if hidden or not PurePosixPath(one).name.startswith("."))
        return [(one, fs) for one in found if fs.isfile(one)]
    if not fs.isdir(path):
        return itself
    below = len(path.rstrip("/"))
    return [(one, fs) for one in sorted(fs.find(path)) if "/." not in str(one)[below:]]


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
