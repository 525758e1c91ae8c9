"""What an index over a directory tells of its files: which there are, where a pattern stands, what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_cloud_ext.errors import DownloadError
from llama_cloud_ext.wire import attachments, index_retrieval
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_integer,
    as_moment,
    as_text,
    as_text_or_empty,
    attribute,
)
from llama_cloud_ext.wire.paging import first

if TYPE_CHECKING:
    from llama_cloud_ext.index.reference import IndexReference

_LARGEST_PAGE = 1000


class FoundFile(TolerantModel):
    """A file of an index.

    Attributes:
        id: What `grep` and `read_file` take, and what nodes have as `file_id`.
        name: What it is called.
    """

    id = attribute(as_text_or_empty, "file_id")
    name = attribute(as_text, "file_name")

    def __repr__(self) -> str:
        return f"FoundFile(name={self.name!r}, id={self.id!r})"


class GrepMatch(TolerantModel):
    """A place in a file where a pattern stands.

    Attributes:
        content: What stands there, with the context that was asked for.
        start_char: Where the match begins in the file's text, from 0.
        end_char: Where it ends.
    """

    content = attribute(as_text_or_empty)
    start_char = attribute(as_integer)
    end_char = attribute(as_integer)

    def __repr__(self) -> str:
        return f"GrepMatch({self.content!r}, start_char={self.start_char}, end_char={self.end_char})"


class FileAttachment(TolerantModel):
    """Something that an index keeps beside a file's text.

    Attributes:
        name: Such as "screenshots/page_7.jpg"; what `read_attachment` takes.
        size: In bytes.
        last_modified: When it was made.
    """

    name = attribute(as_text_or_empty)
    size = attribute(as_integer)
    last_modified = attribute(as_moment)

    def __repr__(self) -> str:
        return f"FileAttachment(name={self.name!r}, size={self.size})"


async def find_files(
    reference: IndexReference, name_contains: str | None, name: str | None, limit: int | None
) -> list[FoundFile]:
    """The files of an index. On the I/O loop."""
    found = await reference.find()
    listed = index_retrieval.find(
        found.connection, found.index_id, file_name=name, file_name_contains=name_contains, page_size=_page(limit)
    )
    return [FoundFile(one) async for one in first(listed, limit)]


async def grep(
    reference: IndexReference, file_id: str, pattern: str, context_chars: int | None, limit: int | None
) -> list[GrepMatch]:
    """Where a pattern stands in a file. On the I/O loop."""
    found = await reference.find()
    matches = index_retrieval.grep(
        found.connection, found.index_id, file_id, pattern, context_chars=context_chars, page_size=_page(limit)
    )
    return [GrepMatch(one) async for one in first(matches, limit)]


async def read_file(reference: IndexReference, file_id: str, offset: int | None, max_length: int | None) -> str:
    """The text of a file, or a part of it. On the I/O loop."""
    found = await reference.find()
    answer = await index_retrieval.read(found.connection, found.index_id, file_id, offset=offset, max_length=max_length)
    return as_text_or_empty(answer.get("content"))


def _page(limit: int | None) -> int | None:
    return None if limit is None else max(1, min(limit, _LARGEST_PAGE))


async def list_attachments(reference: IndexReference, file_id: str) -> list[FileAttachment]:
    """The attachments of a file. On the I/O loop."""
    connection = (await reference.find()).connection
    listed = attachments.list_attachments(connection, file_id, page_size=_LARGEST_PAGE)
    return [FileAttachment(one) async for one in listed]


async def read_attachment(reference: IndexReference, file_id: str, name: str) -> bytes:
    """The content of an attachment. On the I/O loop.

    Raises:
        DownloadError: It could not be fetched whole.
    """
    connection = (await reference.find()).connection
    url = as_text((await attachments.get(connection, file_id, name)).get("url"))
    if not url:
        raise DownloadError(f"the service gives no address for {name} of file {file_id}")
    return (await connection.download(url)).content
