"""Where a path, URL or fsspec path leads: to a local file, or into a filesystem and by which stable identity."""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.source_content import is_cache, unreadable
from llama_cloud_ext.wire.source_names import label, redact

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(://|::)")
_LONGEST_PATH = 4096
_SQUASHED_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/[^/]")


@dataclass(frozen=True)
class Local:
    """A path of the local file system, absolute."""

    path: str


@dataclass(frozen=True)
class InFilesystem:
    """A path within an fsspec filesystem."""

    fs: Any
    path: str
    identity: str


def is_web_url(text: str) -> bool:
    """Whether the service can fetch it by itself."""
    return text[:8].lower().startswith(("http://", "https://"))


def locate(path: str, fs: Any = None, *, given: Any = None) -> Local | InFilesystem:
    """Find the filesystem and the path in it that `path` means, without asking whether the file exists.

    Args:
        path: A local path, an fsspec URL (chained ones too), or a path of `fs`.
        fs: The fsspec filesystem that `path` belongs to.
        given: What the user passed, for the error message; default `path`.

    Raises:
        SourceError: The URL's protocol is unknown or its package is not installed.
    """
    given = path if given is None else given
    is_url = "://" in path
    if fs is None and _SCHEME.match(path) and "://" in path:
        fs, path = _filesystem_of(path)
    if fs is None:
        return Local(_absolute(path))
    if not hasattr(fs, "cat_file"):
        raise SourceError(
            f"{label(given)} cannot be read: fs is a {type(fs).__name__}, not an fsspec filesystem.",
            hint='Pass what fsspec.filesystem("s3", ...) returns, or leave fs out for local paths and URLs.',
            file=label(given),
        )
    fs, path = _innermost(fs, path)
    if _is_kind(fs, "local", "LocalFileSystem"):
        return Local(_absolute(_local_path(fs, path, is_url=is_url)))
    try:
        stripped = str(fs._strip_protocol(path))
    except Exception as error:
        raise unreadable(label(given), error) from error
    return InFilesystem(fs, stripped, _identity(fs, stripped))


def could_be_path(text: str) -> bool:
    """False for what no file system accepts; most likely it is the content of a file."""
    parts = re.split(r"[/\\]", text)
    return (
        "\0" not in text
        and len(text) <= _LONGEST_PATH
        and all(len(each.encode("utf-8", "surrogatepass")) <= 255 for each in parts)
    )


def hint_for_missing(path: str) -> str | None:
    """The next step for a path that is a URL whose slashes pathlib has merged."""
    if _SQUASHED_URL.match(path):
        return "It looks like a URL in a pathlib.Path, which merges its slashes: pass the URL as a str."
    return None


def _absolute(path: str) -> str:
    if path.startswith("~") and not os.path.lexists(path):
        path = str(Path(path).expanduser()) if path.startswith(("~/", "~\\")) or path == "~" else path
    # Not resolved: a symbolic link may be re-pointed at each release, and its documents must keep their ids.
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def _local_path(fs: Any, path: str, *, is_url: bool) -> str:
    stripped = str(fs._strip_protocol(path))
    # Path.as_uri() quotes, fsspec does not unquote.
    if is_url and "%" in stripped and not os.path.lexists(stripped):
        return unquote(stripped)
    return stripped


def _filesystem_of(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it has no types

    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        package = "llama-cloud-ext[s3]" if url.startswith(("s3://", "s3a://")) else "the package that fsspec names"
        raise SourceError(
            f"{label(url)} cannot be opened: {redact(str(error))}.", hint=f"Install {package} in this environment."
        ) from error
    except ValueError as error:
        raise SourceError(
            f"{label(url)} cannot be opened: {redact(str(error))}.",
            hint="Use a local path, an http(s) URL, or a URL of a protocol that fsspec knows.",
        ) from error
    except Exception as error:
        raise unreadable(label(url), error) from error
    return fs, str(path)


def _innermost(fs: Any, path: str) -> tuple[Any, str]:
    """Look through folders-as-filesystems and asynchronous instances, which cannot be called from other threads."""
    while True:
        if _is_kind(fs, "dirfs", "DirFileSystem"):
            fs, path = fs.fs, fs._join(path)
        elif hasattr(fs, "sync_fs"):
            fs = fs.sync_fs
        elif getattr(fs, "asynchronous", False):
            fs = type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})
        else:
            return fs, path


def _identity(fs: Any, path: str) -> str:
    while is_cache(fs):
        fs = fs.fs
    names = fs.protocol
    protocol = names if isinstance(names, str) else names[0]
    host = getattr(fs, "host", None)
    archive = getattr(fs, "storage_options", {}).get("fo")
    if isinstance(host, str) and host and not path.startswith(host):
        path = f"{host}/{path.lstrip('/')}"
    if isinstance(archive, str):
        outer = fs.storage_options.get("target_protocol")
        archive = archive if "://" in archive or not outer else f"{outer}://{archive}"
        return f"{protocol}://{path}::{redact(archive)}"
    return redact(path) if _SCHEME.match(path) else f"{protocol}://{path}"


def _is_kind(fs: Any, module: str, name: str) -> bool:
    return isinstance(fs, getattr(importlib.import_module(f"fsspec.implementations.{module}"), name))
