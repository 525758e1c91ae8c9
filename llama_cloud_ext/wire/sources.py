"""Upload sources: whatever a user may call a file, as one object that can be named, identified and read again.

`resolve_source` is the way in. It does all that can fail for a reason on the user's side (missing, empty, nameless,
too large) before any request is made.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Union

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.source_content import (
    Content,
    InMemory,
    LocalFile,
    check_size,
    head_and_tail,
    remote_content,
    unreadable,
)
from llama_cloud_ext.wire.source_locations import (
    InFilesystem,
    Local,
    could_be_path,
    hint_for_missing,
    is_web_url,
    locate,
)
from llama_cloud_ext.wire.source_names import (
    MAX_NAME_LENGTH,
    choose_name,
    clean_name,
    label,
    redact,
    url_name,
    url_without_secrets,
)
from llama_cloud_ext.wire.source_streams import has_fsspec_location, path_of_open_file, snapshot

# Where filesystems say when, or as what, a file was written last; the surest first.
_WRITTEN = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "updated", "created")


@dataclass(frozen=True)
class Source:
    """A file to be parsed: its name, what identifies it, and its content. Made by `resolve_source`.

    Picklable, except when it holds the copy of a long stream.

    Example:
        >>> source = resolve_source(b"%PDF-1.7 ...", extra_info={"file_name": "report.pdf"})
        >>> source.name, source.size, source.path
        ('report.pdf', 12, None)
    """

    name: str
    """File name with its suffix, as the service is told it."""
    identity: str
    """What makes two sources the same file: "file:/abs/path", "s3://bucket/key", a URL without its query, or
    "sha256:<hex>" of the content where there is no location."""
    path: str | None
    """The location as a person knows it, free of passwords and queries; None for bytes and streams without one."""
    size: int | None
    """Bytes; None for an http(s) URL."""
    url: str | None = field(default=None, repr=False)
    """The http(s) URL with its query, to be fetched by the service; None for anything that is uploaded."""
    modified: str | None = field(default=None, repr=False, compare=False)
    """What differs once the file at its location has been written anew: its time or its etag, where one is told."""
    extra_info: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """The caller's metadata, a copy."""
    _content: Content | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        """The name under which messages speak of it: its path where it has one."""
        return self.path or self.name

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The content in pieces of at most 256 KiB, from its start on every call, in constant memory.

        Raises:
            SourceError: The file has gone, cannot be read or has changed its size since it was resolved, or the
                source is an http(s) URL, which is never downloaded.
        """
        if self._content is None:
            raise SourceError(
                f"{self.path} is a URL that the service fetches by itself: it has no content here.",
                hint="Send it as source_url, or download it and pass the path.",
            )
        async with aclosing(self._content.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def sha256(self) -> str:
        """The SHA-256 of the content in hexadecimal; reads the file.

        Raises:
            SourceError: As `chunks` does.
        """
        if self.identity.startswith("sha256:"):
            return self.identity.removeprefix("sha256:")
        if isinstance(self._content, LocalFile):
            return await in_thread(self._content.sha256)
        digest = hashlib.sha256()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
        return digest.hexdigest()


FileInput = Union[str, "os.PathLike[str]", PurePath, bytes, bytearray, memoryview, BinaryIO, Source]
"""Everything that `resolve_source` takes."""


def resolve_source(  # noqa: PLR0911  # one return per kind of input
    file: FileInput, *, extra_info: Mapping[str, Any] | None = None, fs: Any = None
) -> Source:
    """Find out what file is meant, and whether it can be sent. Blocking: event loops call it in a thread.

    The name comes from the path, else from a stream's `.name`, else from `extra_info["file_name"]`; the first of
    these that has a suffix wins, and where none has one the content decides on it. Any suffix is accepted: which
    formats are supported is for the service to say.

    Args:
        file: A local path (str or PathLike, `~` allowed); a path within `fs`; an fsspec URL such as
            "s3://bucket/key" or "memory://a.pdf"; an http(s) URL; bytes, bytearray or memoryview; a BytesIO or any
            binary file object, read from its start where it can seek and left where it stood; an fsspec OpenFile; or
            a Source.
        extra_info: Metadata that goes with the file; copied.
        fs: The fsspec filesystem of a path; default: the local one, or the one that a URL names.

    Returns:
        The source, ready to be sent any number of times.

    Raises:
        SourceError: Nothing can be sent: the file is missing, empty, a directory, unreadable, closed, opened as
            text or too large, or nothing gives it a name.

    Example:
        >>> resolve_source("https://example.com/files/report.pdf?signature=abc").identity
        'https://example.com/files/report.pdf'
    """
    info = dict(extra_info or {})
    if isinstance(file, Source):
        return replace(file, extra_info={**file.extra_info, **info})
    if isinstance(file, io.BytesIO) and not file.closed and not has_fsspec_location(file):
        return _from_bytes(file.getvalue(), [getattr(file, "name", None)], info, file)
    if isinstance(file, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(file), [], info, file)
    if hasattr(file, "read"):
        return _from_stream(file, info)
    if fs is None and has_fsspec_location(file):
        return _from_location(locate(file.path, file.fs, given=file), info, file)  # type: ignore[union-attr]  # an OpenFile
    if not isinstance(file, (str, os.PathLike, PurePath)):
        raise SourceError(
            f"{label(file)} is not a file.",
            hint="Pass a path, a URL, bytes or an open binary file; a list only where a method takes several files.",
        )
    path = file.as_posix() if fs is not None and isinstance(file, PurePath) else os.fsdecode(file)
    if fs is None and isinstance(file, str) and is_web_url(path):
        return _from_web_url(path, info)
    if fs is None and "://" not in path and not could_be_path(path):
        raise SourceError(
            f"{label(file)} is no path: it is too long, or contains a zero byte.",
            hint="Pass the content of a file as bytes, not as str.",
        )
    return _from_location(locate(path, fs, given=file), info, file)


def source_of_download(content: Content, name: str, url: str) -> Source:
    """A file that was fetched from a URL, to be uploaded. Blocking, as it may have to look into the content.

    Args:
        content: What was fetched.
        name: Its file name; one without a suffix gets that of its content.
        url: Where it came from.

    Raises:
        SourceError: It is empty or too large.
    """
    shown = url_without_secrets(url) or name
    return _finish(content, shown, shown, [name], {}, label(name))


def _from_web_url(url: str, info: dict[str, Any]) -> Source:
    location = url_without_secrets(url)
    if location is None:
        raise SourceError(f"{label(url)} is not a valid URL.", hint="Check the host.")
    return Source(name=url_name(location), identity=location, path=location, size=None, url=url, extra_info=info)


def _from_bytes(data: bytes, names: list[Any], info: dict[str, Any], given: Any) -> Source:
    digest = hashlib.sha256(data).hexdigest()
    return _finish(InMemory(data), f"sha256:{digest}", None, names, info, _described(given, info))


def _from_stream(stream: Any, info: dict[str, Any]) -> Source:
    if getattr(stream, "closed", False) is not True:
        local = path_of_open_file(stream)
        if local is not None:
            return _from_location(Local(local), info, stream)
        if has_fsspec_location(stream) and getattr(stream, "mode", "rb") in {"rb", "r+b"}:
            return _from_location(locate(stream.path, stream.fs, given=stream), info, stream)
    content, digest = snapshot(stream)
    return _finish(content, f"sha256:{digest}", None, [getattr(stream, "name", None)], info, _described(stream, info))


def _described(given: Any, info: dict[str, Any]) -> str:
    """What errors call bytes or a stream: by the file name that came with them, if one did."""
    name = info.get("file_name")
    return label(clean_name(name)) if isinstance(name, str) and clean_name(name) else label(given)


def _from_location(location: Local | InFilesystem, info: dict[str, Any], given: Any) -> Source:
    name = label(given)
    if isinstance(location, Local):
        return _from_local(location.path, info, name)
    fs, path = location.fs, location.path
    name, names = label(location.identity), [redact(path)]
    try:
        found = fs.info(path)
    except Exception as error:
        raise unreadable(name, error) from error
    if found.get("type") == "directory":
        raise _directory(name)
    size = found.get("size")
    if not isinstance(size, int):
        try:
            with fs.open(path, "rb") as stream:
                content, _ = snapshot(stream)
        except Exception as error:
            raise unreadable(name, error) from error
        return _finish(content, location.identity, location.identity, names, info, name)
    written = next((str(found[key]) for key in _WRITTEN if found.get(key)), None)
    remote = remote_content(fs, path, size, name)
    return _finish(remote, location.identity, location.identity, names, info, name, modified=written)


def _from_local(path: str, info: dict[str, Any], name: str) -> Source:
    try:
        status = os.stat(path)  # noqa: PTH116 - the path is a str here
    except (OSError, ValueError) as error:
        problem = unreadable(name, error)
        hint = hint_for_missing(name.strip("'\""))
        raise (SourceError(problem.message, hint=hint, file=name) if hint else problem) from error
    if stat.S_ISDIR(status.st_mode):
        raise _directory(name)
    identity = "file:" + Path(path).as_posix()
    if stat.S_ISREG(status.st_mode):
        file = LocalFile(path, status.st_size)
        return _finish(file, identity, path, [path], info, name, modified=str(status.st_mtime_ns))
    if stat.S_ISFIFO(status.st_mode):
        try:
            with Path(path).open("rb") as stream:
                content, digest = snapshot(stream)
        except OSError as error:
            raise unreadable(name, error) from error
        return _finish(content, f"sha256:{digest}", None, [path], info, name)
    raise SourceError(f"{name} is a device or socket, not a file.", hint="Read it and pass the bytes.", file=name)


def _finish(
    content: Content,
    identity: str,
    path: str | None,
    names: list[Any],
    info: dict[str, Any],
    described: str,
    *,
    modified: str | None = None,
) -> Source:
    """Check what holds for all content, and name it."""
    if content.size == 0:
        raise SourceError(
            f"{described} is empty.", hint="Check that the file was written completely before it is uploaded."
        )
    check_size(described, content.size)

    def sniff() -> str | None:
        from llama_cloud_ext.wire.content_sniffing import sniff_suffix

        try:
            return sniff_suffix(*head_and_tail(content))
        except Exception as error:
            raise unreadable(described, error) from error

    name = choose_name([*names, info.get("file_name")], sniff)
    if name is None:
        raise SourceError(
            f"{described}: there is no file name, and the content does not tell what it is.",
            hint='Pass extra_info={"file_name": "report.pdf"}, or an object with a .name.',
            file=described,
        )
    if len(name) > MAX_NAME_LENGTH:
        raise SourceError(
            f"The file name {name[:40]}… has {len(name)} characters; at most {MAX_NAME_LENGTH} are possible.",
            hint="Shorten the filename.",
            file=described,
        )
    return Source(
        name=name,
        identity=identity,
        path=path,
        size=content.size,
        modified=modified,
        extra_info=info,
        _content=content,
    )


def _directory(name: str) -> SourceError:
    return SourceError(
        f"{name} is a directory.", hint="Pass its files one by one, or read it with SimpleDirectoryReader.", file=name
    )
