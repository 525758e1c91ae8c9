"""LlamaCloudDirectories: directories and the files in them, which batches and indexes work on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.batch.access import ServiceAccess
from llama_cloud_ext.errors import DownloadError, FailedItem, LlamaCloudError, PartialFailureError
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.wire import directories, directory_files
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.file_listing import list_inputs
from llama_cloud_ext.wire.inputs import FilesInput, Input, sort_out
from llama_cloud_ext.wire.io_loop import in_thread, run, run_async
from llama_cloud_ext.wire.models.directory import Directory, DirectoryFile, DirectoryFileOptions, DirectoryOptions
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.sources import FileInput
from llama_cloud_ext.wire.url_fetching import fetched

DirectoryType = Literal["user", "ephemeral", "index"]
Metadata = Mapping[str, Any]


class LlamaCloudDirectories(ServiceAccess):
    """Directories of LlamaCloud and the files in them.

    `LlamaBatchReader` and `LlamaCloudDirectoryIndex` make and fill directories by themselves; this class is for those
    who keep directories of their own.

    Example:
        ```python
        from datetime import datetime, timedelta, timezone

        from llama_cloud_ext import LlamaCloudDirectories

        directories = LlamaCloudDirectories()
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        directory = directories.create("one-off", type="ephemeral", expires_at=tomorrow)
        directories.upload_files(directory.id, "./data", metadata={"year": 2024})
        print([file.name for file in directories.list_files(directory.id)])
        ```
    """

    num_workers: int = Field(default=16, ge=1, description="Uploads under way at the same time.")

    # Directories

    def create(
        self,
        name: str,
        *,
        type: Literal["user", "ephemeral"] | None = None,
        description: str | None = None,
        expires_at: datetime | None = None,
        connector_subscription_id: str | None = None,
    ) -> Directory:
        """Create a directory, which is empty at first.

        Args:
            name: Its name, which need not be unique.
            type: "user", which stays, or "ephemeral", which the service may clean up; None for the service's default.
            description: What people are shown of it.
            expires_at: When an ephemeral one may be cleaned up.
            connector_subscription_id: The subscription whose files come into it.

        Raises:
            ConfigurationError: A value cannot be right.
        """
        options = _directory_options(name, type, description, expires_at, connector_subscription_id)
        return run(self._create, options)

    async def acreate(
        self,
        name: str,
        *,
        type: Literal["user", "ephemeral"] | None = None,
        description: str | None = None,
        expires_at: datetime | None = None,
        connector_subscription_id: str | None = None,
    ) -> Directory:
        """The asynchronous twin of `create`."""
        options = _directory_options(name, type, description, expires_at, connector_subscription_id)
        return await run_async(self._create, options)

    def list_directories(
        self,
        *,
        name: str | None = None,
        type: DirectoryType | None = None,
        include_deleted: bool | None = None,
        limit: int | None = None,
    ) -> list[Directory]:
        """The project's directories.

        Args:
            name: Only those of this name.
            type: Only those of this type.
            include_deleted: Whether those that were deleted are listed, too.
            limit: The most directories; None for all.
        """
        return run(self._list, name, type, include_deleted, limit)

    async def alist_directories(
        self,
        *,
        name: str | None = None,
        type: DirectoryType | None = None,
        include_deleted: bool | None = None,
        limit: int | None = None,
    ) -> list[Directory]:
        """The asynchronous twin of `list_directories`."""
        return await run_async(self._list, name, type, include_deleted, limit)

    def get(self, directory_id: str) -> Directory:
        """A directory as it is now.

        Args:
            directory_id: The directory.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._get, directory_id)

    async def aget(self, directory_id: str) -> Directory:
        """The asynchronous twin of `get`."""
        return await run_async(self._get, directory_id)

    def update(self, directory_id: str, *, name: str | None = None, description: str | None = None) -> Directory:
        """Rename a directory, or describe it anew.

        Args:
            directory_id: The directory.
            name: Its new name; None to keep it.
            description: Its new description; None to keep it.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._update, directory_id, name, description)

    async def aupdate(self, directory_id: str, *, name: str | None = None, description: str | None = None) -> Directory:
        """The asynchronous twin of `update`."""
        return await run_async(self._update, directory_id, name, description)

    def delete(self, directory_id: str) -> None:
        """Delete a directory with its files.

        Args:
            directory_id: The directory.

        Raises:
            NotFoundError: There is none.
        """
        run(self._delete, directory_id)

    async def adelete(self, directory_id: str) -> None:
        """The asynchronous twin of `delete`."""
        await run_async(self._delete, directory_id)

    # Files

    def upload_file(
        self,
        directory_id: str,
        file: FileInput,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
        fs: Any = None,
    ) -> DirectoryFile:
        """Upload a file into a directory.

        Args:
            directory_id: The directory.
            file: A path, a URL (fetched here), an fsspec URL, bytes or a stream.
            display_name: What people are shown; None for the file's own name.
            unique_id: What tells it from the others in the directory; None for one that follows from where it is, or
                from its content where it is nowhere.
            metadata: What chunks of it can be filtered by: strings, numbers, booleans and lists of strings.
            fs: The fsspec filesystem that a path is in.

        Raises:
            SourceError: The file cannot be sent.
            ConflictError: The directory has a file of this unique id.
        """
        return run(self._upload, directory_id, file, display_name, unique_id, metadata, fs)

    async def aupload_file(
        self,
        directory_id: str,
        file: FileInput,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
        fs: Any = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `upload_file`."""
        return await run_async(self._upload, directory_id, file, display_name, unique_id, metadata, fs)

    def upload_files(
        self, directory_id: str, files: FilesInput, *, metadata: Metadata | None = None, fs: Any = None
    ) -> list[DirectoryFile]:
        """Upload files into a directory, several at a time.

        Args:
            directory_id: The directory.
            files: A folder with its sub-folders, a pattern such as "reports/**/*.pdf", an fsspec URL of either, any
                other file, or a list of these.
            metadata: Given to all of them.
            fs: The fsspec filesystem of the paths.

        Returns:
            One record a file, in their order.

        Raises:
            SourceError: There is no file.
            PartialFailureError: Some could not be uploaded; `results` has the others.
        """
        return run(self._upload_all, directory_id, files, metadata, fs)

    async def aupload_files(
        self, directory_id: str, files: FilesInput, *, metadata: Metadata | None = None, fs: Any = None
    ) -> list[DirectoryFile]:
        """The asynchronous twin of `upload_files`."""
        return await run_async(self._upload_all, directory_id, files, metadata, fs)

    def add_file(
        self,
        directory_id: str,
        file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> DirectoryFile:
        """Put a file that was uploaded before into a directory.

        Args:
            directory_id: The directory.
            file_id: The upload.
            display_name: As for `upload_file`.
            unique_id: As for `upload_file`; None for the service's own choice.
            metadata: As for `upload_file`.

        Raises:
            NotFoundError: There is no such directory or upload.
        """
        return run(self._add, directory_id, file_id, display_name, unique_id, metadata)

    async def aadd_file(
        self,
        directory_id: str,
        file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `add_file`."""
        return await run_async(self._add, directory_id, file_id, display_name, unique_id, metadata)

    def list_files(
        self,
        directory_id: str,
        *,
        display_name: str | None = None,
        display_name_contains: str | None = None,
        unique_id: str | None = None,
        file_id: str | None = None,
        updated_at_on_or_after: datetime | None = None,
        updated_at_on_or_before: datetime | None = None,
        include_deleted: bool | None = None,
        download_urls: bool = False,
        limit: int | None = None,
    ) -> list[DirectoryFile]:
        """The files of a directory.

        Args:
            directory_id: The directory.
            display_name: Only those of this name.
            display_name_contains: Only those whose names have this in them.
            unique_id: Only the one with this unique id.
            file_id: Only those with this upload behind them.
            updated_at_on_or_after: Only those that changed then or later.
            updated_at_on_or_before: Only those that did not change later.
            include_deleted: Whether those that were deleted are listed, too.
            download_urls: Whether each comes with its `download_url`.
            limit: The most files; None for all.

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
            "include_deleted": include_deleted,
            "expand": ["download_url"] if download_urls else [],
        }
        return run(self._list_files, directory_id, filters, limit)

    async def alist_files(
        self,
        directory_id: str,
        *,
        display_name: str | None = None,
        display_name_contains: str | None = None,
        unique_id: str | None = None,
        file_id: str | None = None,
        updated_at_on_or_after: datetime | None = None,
        updated_at_on_or_before: datetime | None = None,
        include_deleted: bool | None = None,
        download_urls: bool = False,
        limit: int | None = None,
    ) -> list[DirectoryFile]:
        """The asynchronous twin of `list_files`."""
        filters = {
            "display_name": display_name,
            "display_name_contains": display_name_contains,
            "unique_id": unique_id,
            "file_id": file_id,
            "updated_at_on_or_after": updated_at_on_or_after,
            "updated_at_on_or_before": updated_at_on_or_before,
            "include_deleted": include_deleted,
            "expand": ["download_url"] if download_urls else [],
        }
        return await run_async(self._list_files, directory_id, filters, limit)

    def get_file(self, directory_id: str, directory_file_id: str) -> DirectoryFile:
        """A file of a directory.

        Args:
            directory_id: The directory.
            directory_file_id: The file, by its id in there.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._get_file, directory_id, directory_file_id)

    async def aget_file(self, directory_id: str, directory_file_id: str) -> DirectoryFile:
        """The asynchronous twin of `get_file`."""
        return await run_async(self._get_file, directory_id, directory_file_id)

    def update_file(
        self,
        directory_id: str,
        directory_file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
        target_directory_id: str | None = None,
    ) -> DirectoryFile:
        """Change what is known of a file, or move it.

        Args:
            directory_id: The directory.
            directory_file_id: The file, by its id in there.
            display_name: Its new name; None to keep it.
            unique_id: Its new unique id; None to keep it.
            metadata: Its new metadata, in the place of all that was given before; None to keep them.
            target_directory_id: The directory that it moves to; None to stay.

        Raises:
            NotFoundError: There is none.
        """
        options = _file_options(display_name, unique_id, metadata)
        return run(self._update_file, directory_id, directory_file_id, options, target_directory_id)

    async def aupdate_file(
        self,
        directory_id: str,
        directory_file_id: str,
        *,
        display_name: str | None = None,
        unique_id: str | None = None,
        metadata: Metadata | None = None,
        target_directory_id: str | None = None,
    ) -> DirectoryFile:
        """The asynchronous twin of `update_file`."""
        options = _file_options(display_name, unique_id, metadata)
        return await run_async(self._update_file, directory_id, directory_file_id, options, target_directory_id)

    def delete_file(self, directory_id: str, directory_file_id: str) -> None:
        """Take a file out of a directory.

        Args:
            directory_id: The directory.
            directory_file_id: The file, by its id in there.

        Raises:
            NotFoundError: There is none.
        """
        run(self._delete_file, directory_id, directory_file_id)

    async def adelete_file(self, directory_id: str, directory_file_id: str) -> None:
        """The asynchronous twin of `delete_file`."""
        await run_async(self._delete_file, directory_id, directory_file_id)

    def download_file(self, directory_id: str, directory_file_id: str, path: str | Path) -> int:
        """Download a file's content on to disk.

        Args:
            directory_id: The directory.
            directory_file_id: The file, by its id in there.
            path: Where it appears once it is whole; the folder must exist.

        Returns:
            Its size in bytes.

        Raises:
            NotFoundError: There is none.
            DownloadError: It could not be fetched whole, or the service has no content of it.
        """
        return run(self._download, directory_id, directory_file_id, Path(path))

    async def adownload_file(self, directory_id: str, directory_file_id: str, path: str | Path) -> int:
        """The asynchronous twin of `download_file`."""
        return await run_async(self._download, directory_id, directory_file_id, Path(path))

    # On the I/O loop

    async def _create(self, options: DirectoryOptions) -> Directory:
        return Directory(await directories.create(self._connection(), options))

    async def _list(
        self, name: str | None, type_: str | None, include_deleted: bool | None, limit: int | None
    ) -> list[Directory]:
        records = directories.list_directories(
            self._connection(), name=name, type=type_, include_deleted=include_deleted
        )
        return [Directory(record) async for record in first(records, limit)]

    async def _get(self, directory_id: str) -> Directory:
        return Directory(await directories.get(self._connection(), directory_id))

    async def _update(self, directory_id: str, name: str | None, description: str | None) -> Directory:
        return Directory(await directories.update(self._connection(), directory_id, name=name, description=description))

    async def _delete(self, directory_id: str) -> None:
        await directories.delete(self._connection(), directory_id)

    async def _upload(
        self,
        directory_id: str,
        file: FileInput,
        display_name: str | None,
        unique_id: str | None,
        metadata: Metadata | None,
        fs: Any,
    ) -> DirectoryFile:
        (given,), _ = sort_out([file], None, fs)
        return await self._send(directory_id, given, _file_options(display_name, unique_id, metadata))

    async def _send(self, directory_id: str, given: Input, options: DirectoryFileOptions) -> DirectoryFile:
        source = await fetched(await given.resolve(), self.settings())
        named = options.model_copy(
            update={
                "display_name": options.display_name or source.name,
                "unique_id": options.unique_id or stable_id(source.identity),
            }
        )
        try:
            return DirectoryFile(await directory_files.upload(self._connection(), directory_id, source, named))
        except LlamaCloudError as error:
            raise error.with_context(file=source.label) from None

    async def _upload_all(
        self, directory_id: str, files: FilesInput, metadata: Metadata | None, fs: Any
    ) -> list[DirectoryFile]:
        options = _file_options(None, None, metadata)
        inputs = await in_thread(list_inputs, files, None, fs)
        report = self._report(len(inputs), "Uploading")

        async def one(given: Input) -> DirectoryFile | FailedItem:
            try:
                sent = await self._send(directory_id, given, options)
            except LlamaCloudError as error:
                await report.finished(given.label, failed=True)
                return FailedItem(given.label, error.with_context(file=given.label), index=given.index)
            await report.finished(given.label)
            return sent

        try:
            outcomes = await concurrently(one, inputs, at_once=self.num_workers)
        finally:
            report.close()
        done = [outcome for outcome in outcomes if isinstance(outcome, DirectoryFile)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, FailedItem)]
        if failures:
            raise PartialFailureError(results=done, failures=failures, total=len(inputs))
        return done

    async def _add(
        self,
        directory_id: str,
        file_id: str,
        display_name: str | None,
        unique_id: str | None,
        metadata: Metadata | None,
    ) -> DirectoryFile:
        options = _file_options(display_name, unique_id, metadata)
        return DirectoryFile(await directory_files.add(self._connection(), directory_id, file_id, options))

    async def _list_files(
        self, directory_id: str, filters: Mapping[str, Any], limit: int | None
    ) -> list[DirectoryFile]:
        records = directory_files.list_files(self._connection(), directory_id, **filters)
        return [DirectoryFile(record) async for record in first(records, limit)]

    async def _get_file(self, directory_id: str, directory_file_id: str) -> DirectoryFile:
        return DirectoryFile(await directory_files.get(self._connection(), directory_id, directory_file_id))

    async def _update_file(
        self,
        directory_id: str,
        directory_file_id: str,
        options: DirectoryFileOptions,
        target_directory_id: str | None,
    ) -> DirectoryFile:
        return DirectoryFile(
            await directory_files.update(
                self._connection(), directory_id, directory_file_id, options, target_directory_id=target_directory_id
            )
        )

    async def _delete_file(self, directory_id: str, directory_file_id: str) -> None:
        await directory_files.delete(self._connection(), directory_id, directory_file_id)

    async def _download(self, directory_id: str, directory_file_id: str, path: Path) -> int:
        connection = self._connection()
        record = await directory_files.get(connection, directory_id, directory_file_id, expand=["download_url"])
        url = DirectoryFile(record).download_url
        if url is None:
            raise DownloadError(
                f"the service has no content of file {directory_file_id}",
                transient=False,
                hint="It may have been deleted, or never have been uploaded.",
            )
        return await connection.download_to(url, path)


def _directory_options(
    name: str,
    type_: Literal["user", "ephemeral"] | None,
    description: str | None,
    expires_at: datetime | None,
    connector_subscription_id: str | None,
) -> DirectoryOptions:
    return DirectoryOptions(
        name=name,
        type=type_,
        description=description,
        expires_at=expires_at,
        connector_subscription_id=connector_subscription_id,
    )


def _file_options(display_name: str | None, unique_id: str | None, metadata: Metadata | None) -> DirectoryFileOptions:
    return DirectoryFileOptions(
        display_name=display_name, unique_id=unique_id, metadata=None if metadata is None else dict(metadata)
    )
