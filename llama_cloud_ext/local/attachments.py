"""What an index keeps beside the texts of its files: page screenshots, and items with their boxes.

Nothing of it is needed to search, so that it is made when it is first asked for, and then kept with the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directory_index_sync import SHOWN_ATTACHMENTS
from llama_cloud_ext.local.directory_records import DirectoryFileRecord, DirectoryIndexRecord
from llama_cloud_ext.local.engine.file_kinds import detect
from llama_cloud_ext.local.jobs import real_engine
from llama_cloud_ext.local.store import FileRecord, timestamp

if TYPE_CHECKING:
    from llama_cloud_ext.local.cloud import LocalCloud

CONTENT_TYPES = {".jpg": "image/jpeg", ".json": "application/json"}


@dataclass(frozen=True)
class Attachment:
    """One attachment.

    Attributes:
        name: "screenshots/page_1.jpg", "items/page_1.json".
        blob: Where it is below the data folder.
        size: In bytes.
        last_modified: When it was made.
    """

    name: str
    blob: str
    size: int
    last_modified: str

    @property
    def content_type(self) -> str:
        """Its MIME type."""
        return CONTENT_TYPES[Path(self.name).suffix]


def attachments_kept(cloud: LocalCloud, index: DirectoryIndexRecord, file: DirectoryFileRecord) -> list[str]:
    """The kinds of attachments that a file of an index has: formats without pages have no screenshots. Blocking."""
    kinds: list[str] = index.configuration.get("store_attachments", [])
    if "screenshots" not in kinds:
        return kinds
    path = cloud.blobs.file(file.id)
    has_pictures = path.exists() and detect(path, file.display_name).parser in ("pdf", "image")
    return kinds if has_pictures else [kind for kind in kinds if kind != "screenshots"]


async def attachments_of(cloud: LocalCloud, source_id: str) -> list[Attachment] | None:
    """The attachments of a file, in the order of their names.

    Args:
        cloud: The data folder.
        source_id: The file: its id in an index, in a directory that has one, or the upload's.

    Returns:
        The attachments, none where the index keeps none; None where there is no such file.
    """
    file = await _indexed_file(cloud, source_id)
    if file is None:
        in_directory = await wait_for(cloud.directories.file(source_id))
        upload = await wait_for(cloud.store.file(source_id))
        return None if in_directory is None and upload is None else []
    index = await wait_for(cloud.directory_indexes.index(output_directory_id=file.directory_id))
    kinds = [] if index is None else index.configuration.get("store_attachments", [])
    found: list[Attachment] = []
    for kind in sorted(kinds):
        folder = cloud.blobs.attachments(file.id) / kind
        if not await cloud.in_thread(folder.is_dir):
            contents = await _MAKERS[kind](cloud, file)
            await cloud.in_thread(_keep, cloud, folder, contents)
        found += await cloud.in_thread(_listed, cloud, folder)
    return found


async def _indexed_file(cloud: LocalCloud, source_id: str) -> DirectoryFileRecord | None:
    """A file of an index, by any of the ids that it is known by."""
    file = await wait_for(cloud.directories.file(source_id))
    if file is not None and file.source_id is not None:
        return file
    return await wait_for(cloud.directory_indexes.output_of(source_id))


async def _screenshots(cloud: LocalCloud, file: DirectoryFileRecord) -> dict[str, bytes]:
    upload = FileRecord(
        id=file.id, name=file.display_name, size=0, purpose="", external_file_id=None, created_at=file.created_at
    )
    contents: dict[str, bytes] = {}
    for image in await cloud.page_images.listing(upload, "screenshots"):
        if (found := await cloud.page_images.content(upload, "screenshots", image.page_index)) is not None:
            contents[_name("screenshots", image.page_index + 1)] = found[1]
    return contents


async def _items(cloud: LocalCloud, file: DirectoryFileRecord) -> dict[str, bytes]:
    def parse() -> dict[str, bytes]:
        engine = cloud.engine or real_engine()
        configuration: Mapping[str, Any] = {"tier": "agentic", "version": "latest"}
        path = cloud.blobs.file(file.id)
        result = engine(path, file.display_name, configuration, tessdata=cloud.tessdata, should_stop=lambda: False)
        return {
            _name("items", page.number): json.dumps(
                {
                    "page_number": page.number,
                    "page_width": page.width,
                    "page_height": page.height,
                    "items": page.items,
                }
            ).encode()
            for page in result.pages
        }

    return await cloud.in_thread(parse)


_MAKERS: dict[str, Callable[[LocalCloud, DirectoryFileRecord], Any]] = {"screenshots": _screenshots, "items": _items}


def _name(kind: str, page: int) -> str:
    """The name of an attachment within its kind."""
    return SHOWN_ATTACHMENTS[kind][1].format(page=page).partition("/")[2]


def _keep(cloud: LocalCloud, folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of attachments, whole or not at all."""
    incoming = cloud.blobs.new_incoming()
    incoming.mkdir(mode=0o700)
    for name, content in contents.items():
        (incoming / name).write_bytes(content)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        incoming.rename(folder)
    except OSError:  # somebody else was faster
        cloud.blobs.delete(incoming)


def _listed(cloud: LocalCloud, folder: Path) -> list[Attachment]:
    def page_of(path: Path) -> int:
        return int(path.stem.partition("_")[2])

    return [
        Attachment(
            name=f"{folder.name}/{path.name}",
            blob=path.relative_to(cloud.root).as_posix(),
            size=path.stat().st_size,
            last_modified=timestamp(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)),
        )
        for path in sorted(folder.iterdir(), key=page_of)
    ]
