"""A folder kept in an index: what is new or changed goes in, what is gone goes out, what is unchanged costs nothing.

The index itself remembers what it has: each file carries its path and fingerprint in its custom metadata.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import FailedItem, IngestionError, NotFoundError, SourceError
from llama_cloud_ext.index import files
from llama_cloud_ext.index.ingestion import Awaited, wait_for_ingestion
from llama_cloud_ext.wire import files as uploads
from llama_cloud_ext.wire import pipeline_files
from llama_cloud_ext.wire.inputs import Input
from llama_cloud_ext.wire.io_loop import in_thread

if TYPE_CHECKING:
    from llama_cloud_ext.index.files import IndexFile
    from llama_cloud_ext.index.reference import FoundIndex
    from llama_cloud_ext.progress import ProgressReport

PATH, FINGERPRINT = "folder_path", "content_sha256"
_PIECE = 1024 * 1024


@dataclass
class FolderRefresh:
    """What became of a folder's files, by their paths relative to it.

    Attributes:
        added: Files that are new in the index.
        updated: Files whose content had changed.
        removed: Files that are in the index no more, because they are gone from the folder.
        unchanged: Files that were in the index as they are.
        failures: Files that could not be uploaded or ingested, each with its reason; also those of earlier times.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failures: list[FailedItem] = field(default_factory=list)


def files_below(folder: Path, leave_out: Iterable[Path] = ()) -> Iterator[Path]:
    """The files of a folder and of those below it, in the order of their paths; hidden ones are left out.

    Args:
        folder: The folder.
        leave_out: Folders to pass over.

    Raises:
        SourceError: This is no folder.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder", hint="Pass the folder whose files the index is to hold.")
    excluded = {place.resolve() for place in leave_out}
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() not in excluded
        )
        yield from (here / name for name in sorted(names) if not name.startswith("."))


async def refresh_folder(
    found: FoundIndex, folder: Path, leave_out: Iterable[Path], report: ProgressReport, timeout: float | None
) -> FolderRefresh:
    """Bring an index up to date with a folder, and wait until it can be searched. On the I/O loop.

    Args:
        found: The index.
        folder: The folder.
        leave_out: Folders to pass over.
        report: Told of each file that is uploaded.
        timeout: The most seconds to wait for ingestion.

    Returns:
        What was done. Files that fail are in there and do not raise.
    """
    present = await in_thread(fingerprints, folder, list(leave_out))
    known: dict[str, IndexFile] = {}
    stale: list[IndexFile] = []
    for file in await files.list_files(found, statuses=None, name_contains=None):
        path = file.custom_metadata.get(PATH)
        if isinstance(path, str):
            if path in known:  # two runs at once have brought it in twice
                stale.append(known[path])
            known[path] = file
    done = FolderRefresh()
    for path, file in known.items():
        if path not in present:
            done.removed.append(path)
            stale.append(file)
        elif file.custom_metadata.get(FINGERPRINT) != present[path]:
            done.updated.append(path)
            stale.append(file)
        else:
            done.unchanged.append(path)
    done.added = [path for path in present if path not in known]
    await _upload(found, folder, present, done, report)
    for file in stale:
        await _remove(found, str(file.file_id))
    await _wait(found, done, timeout)
    return done


def fingerprints(folder: Path, leave_out: list[Path]) -> dict[str, str]:
    """The files of a folder by their paths in it, each with the SHA-256 of its content. Blocking.

    Args:
        folder: The folder.
        leave_out: Folders to pass over.

    Raises:
        SourceError: This is no folder.
    """
    return {path.relative_to(folder).as_posix(): content_hash(path) for path in files_below(folder, leave_out)}


def content_hash(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal: what `FINGERPRINT` in a file's metadata is. Blocking."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


async def _upload(
    found: FoundIndex, folder: Path, present: Mapping[str, str], done: FolderRefresh, report: ProgressReport
) -> None:
    wanted = [*done.added, *done.updated]
    inputs = [Input(folder / path, index) for index, path in enumerate(wanted)]
    metadata: list[dict[str, Any]] = [{PATH: path, FINGERPRINT: present[path]} for path in wanted]
    outcomes = await files.upload_files(found, inputs, metadata, report)
    for path, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, FailedItem):
            done.failures.append(FailedItem(path, outcome.error))
            (done.added if path in done.added else done.updated).remove(path)


async def _remove(found: FoundIndex, file_id: str) -> None:
    """Take a file out of the index, and delete the upload, which nobody else knows of."""
    # Somebody else may have removed either of them.
    with suppress(NotFoundError):
        await pipeline_files.delete(found.connection, found.pipeline_id, file_id)
    with suppress(NotFoundError):
        await uploads.delete(found.connection, file_id)


async def _wait(found: FoundIndex, done: FolderRefresh, timeout: float | None) -> None:
    try:
        await wait_for_ingestion(found, Awaited(timeout=timeout))
    except IngestionError as error:
        failed = {str((item.job or {}).get("file_id") or (item.job or {}).get("id")): item for item in error.failures}
        listed = await files.list_files(found, statuses=None, name_contains=None)
        paths = {str(file.file_id): str(file.custom_metadata.get(PATH) or file.name) for file in listed}
        for file_id, item in failed.items():
            path = paths.get(file_id, item.source)
            done.failures.append(FailedItem(path, item.error, item.job))
            for group in (done.added, done.updated, done.unchanged):
                if path in group:
                    group.remove(path)
