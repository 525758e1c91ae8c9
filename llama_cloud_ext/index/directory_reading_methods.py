"""The files of an index over a directory as they were parsed: found, searched, read, with what is kept beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_cloud_ext.index import directory_answers
from llama_cloud_ext.index.named_index import NamedIndex
from llama_cloud_ext.wire.io_loop import run, run_async

if TYPE_CHECKING:
    from llama_cloud_ext.index.directory_answers import FileAttachment, FoundFile, GrepMatch


class DirectoryReadingMethods(NamedIndex):
    """What an index over a directory tells of its files."""

    def find_files(
        self, name_contains: str | None = None, *, name: str | None = None, limit: int | None = None
    ) -> list[FoundFile]:
        """The files that can be searched and read.

        Args:
            name_contains: Only files with this in their name, whatever the case.
            name: Only files of exactly this name.
            limit: The most files; None for all.

        Returns:
            A record for each file, with the id that `grep` and `read_file` take.
        """
        return run(directory_answers.find_files, self.reference, name_contains, name, limit)

    async def afind_files(
        self, name_contains: str | None = None, *, name: str | None = None, limit: int | None = None
    ) -> list[FoundFile]:
        """The asynchronous twin of `find_files`."""
        return await run_async(directory_answers.find_files, self.reference, name_contains, name, limit)

    def grep(
        self, file_id: str, pattern: str, *, context_chars: int | None = None, limit: int | None = None
    ) -> list[GrepMatch]:
        """Where a pattern stands in the text of a file.

        Args:
            file_id: The file, by the id that `find_files` and nodes have.
            pattern: A regular expression.
            context_chars: Characters before and after each match that `content` has as well.
            limit: The most matches; None for all.

        Returns:
            The matches, in the order of the text.

        Raises:
            NotFoundError: There is no such file in the index.
            UnprocessableError: The pattern cannot be read, or takes too long.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            index = LlamaCloudDirectoryIndex("reports")
            for file in index.find_files("report"):
                print(file.name, index.grep(file.id, "[Tt]able", context_chars=20, limit=3))
                print(index.read_file(file.id, max_length=200))
            ```
        """
        return run(directory_answers.grep, self.reference, file_id, pattern, context_chars, limit)

    async def agrep(
        self, file_id: str, pattern: str, *, context_chars: int | None = None, limit: int | None = None
    ) -> list[GrepMatch]:
        """The asynchronous twin of `grep`."""
        return await run_async(directory_answers.grep, self.reference, file_id, pattern, context_chars, limit)

    def read_file(self, file_id: str, *, offset: int | None = None, max_length: int | None = None) -> str:
        """The text of a file, or a part of it.

        Args:
            file_id: The file, by the id that `find_files` and nodes have.
            offset: The first character, from 0.
            max_length: The most characters.

        Raises:
            NotFoundError: There is no such file in the index.
        """
        return run(directory_answers.read_file, self.reference, file_id, offset, max_length)

    async def aread_file(self, file_id: str, *, offset: int | None = None, max_length: int | None = None) -> str:
        """The asynchronous twin of `read_file`."""
        return await run_async(directory_answers.read_file, self.reference, file_id, offset, max_length)

    def list_attachments(self, file_id: str) -> list[FileAttachment]:
        """What the index keeps beside a file's text, if it was created with `store_attachments`.

        Args:
            file_id: The file, by the id that `find_files`, `list_files` and nodes have.

        Raises:
            NotFoundError: There is no such file.
        """
        return run(directory_answers.list_attachments, self.reference, file_id)

    async def alist_attachments(self, file_id: str) -> list[FileAttachment]:
        """The asynchronous twin of `list_attachments`."""
        return await run_async(directory_answers.list_attachments, self.reference, file_id)

    def read_attachment(self, file_id: str, name: str) -> bytes:
        """The content of an attachment: a page's screenshot, or its items as JSON.

        Args:
            file_id: The file, by the id that `find_files`, `list_files` and nodes have.
            name: The attachment's name, such as "screenshots/page_7.jpg".

        Raises:
            NotFoundError: There is no such attachment.
            DownloadError: It could not be fetched whole.
        """
        return run(directory_answers.read_attachment, self.reference, file_id, name)

    async def aread_attachment(self, file_id: str, name: str) -> bytes:
        """The asynchronous twin of `read_attachment`."""
        return await run_async(directory_answers.read_attachment, self.reference, file_id, name)
