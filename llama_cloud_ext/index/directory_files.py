"""Files and Documents into a directory, those that it has already left alone. Everything here runs on the I/O loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    FailedItem,
    LlamaCloudError,
    PermissionDeniedError,
)
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.index.documents import cloud_document, fingerprint, plain_metadata
from llama_cloud_ext.index.folder_refresh import FINGERPRINT, fingerprints
from llama_cloud_ext.wire import directory_files
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.models.directory import DirectoryFile, DirectoryFileOptions
from llama_cloud_ext.wire.sources import Source, resolve_source
from llama_cloud_ext.wire.url_fetching import fetch_url

if TYPE_CHECKING:
    from llama_index.core.schema import Document

    from llama_cloud_ext.progress import ProgressReport
    from llama_cloud_ext.wire.inputs import Input
    from llama_cloud_ext.wire.transport import Connection

_UPLOADS_AT_ONCE = 8
# Up to so many files are asked for one by one; for more, listing what the directory has is cheaper in most cases.
_FEW = 16
_PAGE_SIZE = 1000


@dataclass(frozen=True)
class NewFile:
    """A file that is to be in a directory.

    Attributes:
        label: What messages call it.
        options: Its names and metadata.
        open: Gives its content, when its turn has come.
        index: Its place among the inputs of the call.
    """

    label: str
    options: DirectoryFileOptions
    open: Callable[[], Awaitable[Source]]
    index: int

    @property
    def unique_id(self) -> str:
        """What tells it from the others in the directory."""
        return str(self.options.unique_id)


async def put_files(
    connection: Connection, directory_id: str, files: Sequence[NewFile], report: ProgressReport
) -> list[DirectoryFile | FailedItem]:
    """Bring files into a directory. One that it has with the same fingerprint stays; another one takes its place.

    Args:
        connection: Where the directory is.
        directory_id: The directory.
        files: The files; of several with one unique id, the last counts.
        report: Told of each file.

    Returns:
        For each file what it is in the directory, or a record of why it is not.

    Raises:
        AuthenticationError: The key is wrong, which concerns all files alike.
    """
    latest = {file.unique_id: file for file in files}
    known = await known_files(connection, directory_id, latest)

    async def one(file: NewFile) -> DirectoryFile | FailedItem:
        try:
            put = await _put(connection, directory_id, file, known.get(file.unique_id))
        except (AuthenticationError, PermissionDeniedError):
            raise
        except (LlamaCloudError, OSError) as error:
            if isinstance(error, LlamaCloudError):
                error.with_context(file=file.label)
            await report.finished(file.label, failed=True)
            return FailedItem(file.label, error, index=file.index)
        await report.finished(file.label)
        return put

    outcomes = await concurrently(one, latest.values(), at_once=_UPLOADS_AT_ONCE)
    by_id = dict(zip(latest, outcomes, strict=True))
    return [by_id[file.unique_id] for file in files]


async def _put(connection: Connection, directory_id: str, file: NewFile, known: DirectoryFile | None) -> DirectoryFile:
    if known is not None:
        if _is_same(known, file.options):
            return known
        await directory_files.delete(connection, directory_id, str(known.id))
    source = await file.open()
    return DirectoryFile(await directory_files.upload(connection, directory_id, source, file.options))


def _is_same(known: DirectoryFile, options: DirectoryFileOptions) -> bool:
    wanted = options.metadata or {}
    # The service may add to the metadata.
    return FINGERPRINT in wanted and all(known.metadata.get(name) == value for name, value in wanted.items())


async def known_files(connection: Connection, directory_id: str, unique_ids: Iterable[str]) -> dict[str, DirectoryFile]:
    """Those files of a directory that have one of these unique ids, by it."""
    wanted = set(unique_ids)
    if len(wanted) > _FEW:
        listed = [DirectoryFile(one) async for one in _all(connection, directory_id)]
        return {str(file.unique_id): file for file in listed if file.unique_id in wanted}

    async def look(unique_id: str) -> DirectoryFile | None:
        async for record in directory_files.list_files(connection, directory_id, unique_id=unique_id):
            if record.get("unique_id") == unique_id:
                return DirectoryFile(record)
        return None

    found = await concurrently(look, wanted, at_once=_UPLOADS_AT_ONCE)
    return {str(file.unique_id): file for file in found if file is not None}


async def list_files(connection: Connection, directory_id: str, name_contains: str | None) -> list[DirectoryFile]:
    """The files of a directory, all pages of the list."""
    return [DirectoryFile(one) async for one in _all(connection, directory_id, display_name_contains=name_contains)]


def _all(connection: Connection, directory_id: str, **filters: Any) -> Any:
    return directory_files.list_files(connection, directory_id, page_size=_PAGE_SIZE, **filters)


# What goes in


def files_of_documents(documents: Iterable[Document]) -> list[NewFile]:
    """Documents as text files of their ids, with their metadata.

    Raises:
        ConfigurationError: One is no Document, or its metadata is nested.
    """
    return [_file_of_document(document, place) for place, document in enumerate(documents)]


def _file_of_document(document: Document, index: int) -> NewFile:
    sent = cloud_document(document)
    try:
        options = DirectoryFileOptions(
            unique_id=sent["id"],
            display_name=f"{sent['id']}.txt",
            metadata={**sent["metadata"], FINGERPRINT: fingerprint(sent)},
        )
    except ConfigurationError as error:
        raise ConfigurationError(
            f"document {sent['id']}: {error.message}", option="metadata", hint=error.hint
        ) from error
    content = str(sent["text"]).encode()
    name = f"{stable_id(sent['id'])}.txt"
    return NewFile(
        sent["id"], options, partial(in_thread, resolve_source, content, extra_info={"file_name": name}), index
    )


async def files_of_folder(folder: Path, leave_out: Sequence[Path], metadata: Mapping[str, Any] | None) -> list[NewFile]:
    """The files of a folder and of those below it, by their paths in it, with fingerprints of their contents.

    Raises:
        SourceError: This is no folder.
    """
    present = await in_thread(fingerprints, folder, list(leave_out))
    extra = plain_metadata(str(folder), metadata or {})
    return [
        NewFile(
            path,
            DirectoryFileOptions(unique_id=path, display_name=Path(path).name, metadata={**extra, FINGERPRINT: digest}),
            partial(in_thread, resolve_source, folder / path),
            place,
        )
        for place, (path, digest) in enumerate(present.items())
    ]


async def file_of_input(given: Input, metadata: Mapping[str, Any] | None) -> NewFile:
    """A file as a user hands it over: the same location, or the same bytes, is the same file of the directory.

    Raises:
        SourceError: It cannot be sent.
        DownloadError: It is a URL, and could not be fetched.
    """
    if isinstance(given.file, str) and given.file.startswith(("http://", "https://")):
        source = await fetch_url(given.file, name=(given.extra_info or {}).get("file_name"))
    else:
        source = await given.resolve()

    async def opened() -> Source:
        return source

    options = DirectoryFileOptions(
        unique_id=stable_id(source.identity),
        display_name=source.name,
        metadata=plain_metadata(source.label, metadata or {}) or None,
    )
    return NewFile(source.label, options, opened, given.index)
