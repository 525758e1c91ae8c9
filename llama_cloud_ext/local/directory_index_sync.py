"""Bringing an index up to date with its directory, and how far that has come.

The index's pipeline has one file for each of the directory's. It has the id that `retrieve` and `find` give, and its
content under that id as well, so that what is deleted in the directory stays readable until the next sync.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directory_records import DirectoryFileRecord, DirectoryIndexRecord
from llama_cloud_ext.local.file_parsing import PARSED_FILE
from llama_cloud_ext.local.pipeline_records import CANCELLED, ERROR, PARTIAL_SUCCESS, PENDING, overall_status
from llama_cloud_ext.local.store import FileRecord

if TYPE_CHECKING:
    from llama_cloud_ext.local.cloud import LocalCloud

SYNCING, READY, FAILED, CALLED_OFF = "syncing", "ready", "failed", "cancelled"
"""What an index's `metadata` calls its state; the service's guide has "ready" and "failed"."""

SHOWN_ATTACHMENTS = {
    "screenshots": ("screenshot", "screenshots/page_{page}.jpg"),
    "items": ("items", "items/page_{page}.json"),
}
"""What `store_attachments` asks for, each with the type and the name of its attachments; pages count from 1."""

ON_CHANGE = "on_source_change"
SHOWN_FAILURES = 100


@dataclass(frozen=True)
class SyncState:
    """How far an index is.

    Attributes:
        status: "syncing", "ready", "failed" or "cancelled".
        counts: How many files are in which state.
        synced_at: When the last sync ended, or None.
        failures: Files that could not be parsed: id and reason.
    """

    status: str
    counts: dict[str, int]
    synced_at: str | None
    failures: list[tuple[str, str]]

    @property
    def in_progress(self) -> bool:
        """Whether a sync is running."""
        return self.status == SYNCING


async def sync_state(cloud: LocalCloud, index: DirectoryIndexRecord) -> SyncState:
    """How far an index is."""
    counts = await wait_for(cloud.pipeline_files.counts(index.pipeline_id))
    status = overall_status(counts)
    if status in PENDING:
        return SyncState(SYNCING, counts, index.synced_before, [])
    ended = [index.sync_requested_at, await wait_for(cloud.directory_indexes.last_end(index))]
    failures: list[tuple[str, str]] = []
    if status in (ERROR, PARTIAL_SUCCESS):
        listed = await wait_for(cloud.pipelines.failures(index.pipeline_id, SHOWN_FAILURES))
        failures = [(file_id, reason) for kind, file_id, reason in listed if kind == "file"]
    name = {ERROR: FAILED, CANCELLED: CALLED_OFF}.get(status, READY)
    return SyncState(name, counts, max(filter(None, ended), default=None), failures)


async def sync_index(cloud: LocalCloud, index: DirectoryIndexRecord) -> None:
    """Have an index ingest what is new or changed in its directory, and forget what is gone.

    It can end anywhere in between: the next sync does the rest.
    """
    state = await sync_state(cloud, index)
    await wait_for(cloud.directory_indexes.note_sync(index, state.synced_at))
    sources = {file.id: file for file in (await wait_for(cloud.directories.files(index.source_directory_id))).rows}
    outputs = (await wait_for(cloud.directories.files(index.output_directory_id))).rows
    kept = {file.source_id: file for file in outputs if not _is_stale(file, sources.get(file.source_id))}
    stale = [file.id for file in outputs if file.source_id not in kept]
    unneeded = await wait_for(cloud.directory_indexes.forget_outputs(index, stale))
    await cloud.in_thread(cloud.blobs.forget, unneeded)
    for source_id, file in kept.items():
        await _follow(cloud, file, sources[source_id])
    await _add(cloud, index, [file for source_id, file in sources.items() if source_id not in kept])
    files = (await wait_for(cloud.directories.files(index.output_directory_id))).rows
    # All of them: those that are in the pipeline as they are stay so, and what failed or was cancelled begins again.
    await wait_for(cloud.pipeline_files.put(index.pipeline_id, await cloud.in_thread(_with_metadata, cloud, files)))
    await cloud.in_thread(cloud.embedder.measure)
    await wait_for(cloud.pipelines.ingest_again(index.pipeline_id, cloud.embedder))
    cloud.ingestion.wake()


async def sync_on_change(cloud: LocalCloud, directory_id: str) -> None:
    """Sync the index over a directory that was changed, if that is what it wants."""
    index = await wait_for(cloud.directory_indexes.index(source_directory_id=directory_id))
    if index is not None and index.configuration.get("sync_frequency") == ON_CHANGE:
        await sync_index(cloud, index)


def _is_stale(file: DirectoryFileRecord, source: DirectoryFileRecord | None) -> bool:
    # The name decides how a file is parsed, so that another name makes it another file.
    return source is None or source.display_name != file.display_name


async def _follow(cloud: LocalCloud, file: DirectoryFileRecord, source: DirectoryFileRecord) -> None:
    if file.metadata != source.metadata:
        await wait_for(cloud.directories.update_file(file.id, {"metadata": json.dumps(source.metadata)}))


async def _add(cloud: LocalCloud, index: DirectoryIndexRecord, sources: Sequence[DirectoryFileRecord]) -> None:
    named = [(source, f"dfl-{uuid.uuid4()}") for source in sources]
    pairs = [(cloud.blobs.file(source.file_id), cloud.blobs.file(output_id)) for source, output_id in named]
    # Contents first: a record promises one. What has no record after a crash is swept up.
    await cloud.in_thread(cloud.blobs.link_all, pairs)
    unneeded = await wait_for(cloud.directory_indexes.put_outputs(index, named))
    await cloud.in_thread(cloud.blobs.forget, unneeded)


def _with_metadata(cloud: LocalCloud, files: Sequence[DirectoryFileRecord]) -> list[tuple[FileRecord, dict[str, Any]]]:
    """The files as the pipeline takes them. Each tells its id, by which retrievals can be limited to it."""
    return [
        (
            FileRecord(
                id=file.id,
                name=file.display_name,
                size=_size(cloud, file.id),
                purpose="user_data",
                external_file_id=None,
                created_at=file.created_at,
            ),
            {**file.metadata, PARSED_FILE: file.id},
        )
        for file in files
    ]


def _size(cloud: LocalCloud, file_id: str) -> int:
    try:
        return cloud.blobs.file(file_id).stat().st_size
    except FileNotFoundError:
        return 0
