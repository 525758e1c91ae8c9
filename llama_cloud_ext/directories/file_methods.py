"""The files of directories: uploaded, listed, changed, fetched. `LlamaCloudDirectories` has these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any

from llama_cloud_ext.directories.records import Directory, DirectoryFile, id_of
from llama_cloud_ext.errors import ConfigurationError, DownloadError, LlamaCloudError
from llama_cloud_ext.wire import directory_files
from llama_cloud_ext.wire.connected import Connected
from llama_cloud_ext.wire.inputs import sort_out
from llama_cloud_ext.wire.io_loop import iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.directory import DirectoryFileOptions
from llama_cloud_ext.wire.sources import FileInput
from llama_cloud_ext.wire.url_fetching import fetched

_DOWNLOAD_URL = ("download_url",)


class DirectoryFileMethods(Connected):
    """What can be done with the files of directories."""

    def upload_file(
        self,
        directory: Directory | str,
        file: FileInput,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        external_file_id: str | None = None,
        fs: Any = None,
    ) -> DirectoryFile:
        """Upload a file into a directory.

        Args:
            directory: The directory, by its record or its id.
            file: A path, bytes, an open file or an fsspec URL; an http(s) URL is fetched here first.
            display_name: What people are shown; the file's own name by default.
            unique_id: What tells it from the others in the directory; by default the service takes
                `external_file_id`, else the name. With one, an upload whose answer was lost is looked up before it is
                sent again; without, it raises.
            metadata: By which parts of it can be filtered in an index: strings, numbers, booleans, lists of strings.
            external_file_id: Your own id of the upload.
            fs: The fsspec filesystem that the path is in; the local one when left out.

        Returns:
            The file in the directory.

        Raises:
            ConfigurationError: The metadata is nested; nothing was sent.
            ConflictError: A file of this unique id is in the directory.
            NotFoundError: There is no such directory.
            SourceError: The file cannot be read.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectories

            directories = LlamaCloudDirectories()
            directory = directories.create("one-off", type="ephemeral")
            file = directories.upload_file(directory, "report.pdf", display_name="Report", metadata={"year": 2024})
            print(file.id, file.metadata["year"])
            ```
        """
        options = _options(display_name, unique_id, metadata)
        return run(self._upload_file, directory, file, options, external_file_id, fs)

    async def aupload_file(
        self,
        directory: Directory | str,
        file: FileInput,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        external_file_id: str | None = None,
        fs: Any = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `upload_file`."""
        options = _options(display_name, unique_id, metadata)
        return await run_async(self._upload_file, directory, file, options, external_file_id, fs)

    def add_file(
        self,
        directory: Directory | str,
        file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> DirectoryFile:
        """Put a file that was uploaded before into a directory.

        Args:
            directory: The directory, by its record or its id.
            file_id: The upload, such as another directory's file has as `file_id`.
            display_name: As for `upload_file`.
            unique_id: As for `upload_file`.
            metadata: As for `upload_file`.

        Returns:
            The file in the directory.

        Raises:
            ConfigurationError: The metadata is nested; nothing was sent.
            NotFoundError: There is no such directory or upload.
        """
        return run(self._add_file, directory, file_id, _options(display_name, unique_id, metadata))

    async def aadd_file(
        self,
        directory: Directory | str,
        file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `add_file`."""
        return await run_async(self._add_file, directory, file_id, _options(display_name, unique_id, metadata))

    def list_files(
        self,
        directory: Directory | str,
        *,
        display_name: str | None = None,
        display_name_contains: str | None = None,
        unique_id: str | None = None,
        file_id: str | None = None,
        updated_at_on_or_after: datetime | None = None,
        updated_at_on_or_before: datetime | None = None,
        include_deleted: bool = False,
        download_urls: bool = False,
        page_size: int | None = None,
    ) -> Iterator[DirectoryFile]:
        """The files of a directory; pages are asked for as they are needed.

        Args:
            directory: The directory, by its record or its id.
            display_name: Only files of exactly this name.
            display_name_contains: Only files with this in their name.
            unique_id: Only the file of this unique id.
            file_id: Only files with this upload behind them.
            updated_at_on_or_after: Only files that changed then or later.
            updated_at_on_or_before: Only files that did not change later.
            include_deleted: Whether deleted ones are listed, too.
            download_urls: Whether each comes with the address of its content.
            page_size: Files in one answer, 1,000 at most; the service decides by default.

        Yields:
            One file after the other.

        Raises:
            NotFoundError: There is no such directory.
        """
        filters = {
            "display_name": display_name,
            "display_name_contains": display_name_contains,
            "unique_id": unique_id,
            "file_id": file_id,
            "updated_at_on_or_after": updated_at_on_or_after,
            "updated_at_on_or_before": updated_at_on_or_before,
        }
        yield from iterate(self._list_files, directory, filters, include_deleted, download_urls, page_size)

    async def alist_files(
        self,
        directory: Directory | str,
        *,
        display_name: str | None = None,
        display_name_contains: str | None = None,
        unique_id: str | None = None,
        file_id: str | None = None,
        updated_at_on_or_after: datetime | None = None,
        updated_at_on_or_before: datetime | None = None,
        include_deleted: bool = False,
        download_urls: bool = False,
        page_size: int | None = None,
    ) -> AsyncIterator[DirectoryFile]:
        """The asynchronous twin of `list_files`."""
        filters = {
            "display_name": display_name,
            "display_name_contains": display_name_contains,
            "unique_id": unique_id,
            "file_id": file_id,
            "updated_at_on_or_after": updated_at_on_or_after,
            "updated_at_on_or_before": updated_at_on_or_before,
        }
        async with aclosing(
            iterate_async(self._list_files, directory, filters, include_deleted, download_urls, page_size)
        ) as found:
            async for file in found:
                yield file

    def get_file(
        self, directory: Directory | str, file: DirectoryFile | str, *, download_url: bool = False
    ) -> DirectoryFile:
        """A file of a directory as it is now.

        Args:
            directory: The directory, by its record or its id.
            file: The file, by its record or its id in the directory.
            download_url: Whether it comes with the address of its content.

        Raises:
            NotFoundError: It is not in the directory.
        """
        return run(self._get_file, directory, file, download_url)

    async def aget_file(
        self, directory: Directory | str, file: DirectoryFile | str, *, download_url: bool = False
    ) -> DirectoryFile:
        """The asynchronous twin of `get_file`."""
        return await run_async(self._get_file, directory, file, download_url)

    def update_file(
        self,
        directory: Directory | str,
        file: DirectoryFile | str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        target_directory: Directory | str | None = None,
    ) -> DirectoryFile:
        """Rename a file, give it other metadata, or move it.

        Args:
            directory: The directory, by its record or its id.
            file: The file, by its record or its id in the directory.
            display_name: Its new name; None to keep it.
            unique_id: Its new unique id; None to keep it.
            metadata: Takes the place of all that was given before; None to keep it.
            target_directory: The directory it moves to; None to leave it where it is.

        Returns:
            The file as it is then.

        Raises:
            ConfigurationError: Nothing is to be changed, or the metadata is nested.
            ConflictError: Another file has this unique id.
            NotFoundError: It is not in the directory, or there is no such directory.
        """
        return run(self._update_file, directory, file, _options(display_name, unique_id, metadata), target_directory)

    async def aupdate_file(
        self,
        directory: Directory | str,
        file: DirectoryFile | str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        target_directory: Directory | str | None = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `update_file`."""
        options = _options(display_name, unique_id, metadata)
        return await run_async(self._update_file, directory, file, options, target_directory)

    def delete_file(self, directory: Directory | str, file: DirectoryFile | str) -> None:
        """Take a file out of a directory.

        Args:
            directory: The directory, by its record or its id.
            file: The file, by its record or its id in the directory.

        Raises:
            NotFoundError: It is not in the directory.
        """
        run(self._delete_file, directory, file)

    async def adelete_file(self, directory: Directory | str, file: DirectoryFile | str) -> None:
        """The asynchronous twin of `delete_file`."""
        await run_async(self._delete_file, directory, file)

    def download_file(self, directory: Directory | str, file: DirectoryFile | str) -> bytes:
        """The content of a file.

        Args:
            directory: The directory, by its record or its id.
            file: The file, by its record or its id in the directory.

        Raises:
            DownloadError: It could not be fetched whole.
            NotFoundError: It is not in the directory.
        """
        return run(self._download_file, directory, file)

    async def adownload_file(self, directory: Directory | str, file: DirectoryFile | str) -> bytes:
        """The asynchronous twin of `download_file`."""
        return await run_async(self._download_file, directory, file)

    # On the I/O loop

    async def _upload_file(
        self,
        directory: Directory | str,
        file: FileInput,
        options: DirectoryFileOptions,
        external_file_id: str | None,
        fs: Any,
    ) -> DirectoryFile:
        (given,), _ = sort_out([file], None, fs)
        connection = self._connection()
        try:
            source = await fetched(await given.resolve(), connection.settings)
            record = await directory_files.upload(
                connection, id_of(directory), source, options, external_file_id=external_file_id
            )
        except LlamaCloudError as error:
            raise error.with_context(file=given.label) from error.__cause__
        return DirectoryFile(record)

    async def _add_file(self, directory: Directory | str, file_id: str, options: DirectoryFileOptions) -> DirectoryFile:
        return DirectoryFile(await directory_files.add(self._connection(), id_of(directory), file_id, options))

    async def _list_files(
        self,
        directory: Directory | str,
        filters: Mapping[str, Any],
        include_deleted: bool,
        download_urls: bool,
        page_size: int | None,
    ) -> AsyncIterator[DirectoryFile]:
        listed = directory_files.list_files(
            self._connection(),
            id_of(directory),
            **filters,
            include_deleted=include_deleted or None,
            expand=_DOWNLOAD_URL if download_urls else (),
            page_size=page_size,
        )
        async for record in listed:
            yield DirectoryFile(record)

    async def _get_file(
        self, directory: Directory | str, file: DirectoryFile | str, download_url: bool
    ) -> DirectoryFile:
        expand = _DOWNLOAD_URL if download_url else ()
        return DirectoryFile(
            await directory_files.get(self._connection(), id_of(directory), id_of(file), expand=expand)
        )

    async def _update_file(
        self,
        directory: Directory | str,
        file: DirectoryFile | str,
        options: DirectoryFileOptions,
        target_directory: Directory | str | None,
    ) -> DirectoryFile:
        target = None if target_directory is None else id_of(target_directory)
        if target is None and not options.to_body():
            raise ConfigurationError(
                "nothing is to be changed", hint="Give a name, a unique id, metadata or a directory to move to."
            )
        record = await directory_files.update(
            self._connection(), id_of(directory), id_of(file), options, target_directory_id=target
        )
        return DirectoryFile(record)

    async def _delete_file(self, directory: Directory | str, file: DirectoryFile | str) -> None:
        await directory_files.delete(self._connection(), id_of(directory), id_of(file))

    async def _download_file(self, directory: Directory | str, file: DirectoryFile | str) -> bytes:
        found = await self._get_file(directory, file, True)
        if not found.download_url:
            raise DownloadError(f"the service gives no address for the content of file {id_of(file)}")
        return (await self._connection().download(found.download_url)).content


def _options(
    display_name: str | None, unique_id: str | None, metadata: Mapping[str, Any] | None
) -> DirectoryFileOptions:
    return DirectoryFileOptions(
        display_name=display_name, unique_id=unique_id, metadata=None if metadata is None else dict(metadata)
    )
