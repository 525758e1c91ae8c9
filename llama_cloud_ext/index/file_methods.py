"""The files of an index: uploaded, listed, taken out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError, FailedItem
from llama_cloud_ext.index import files
from llama_cloud_ext.index.connected import ConnectedIndex
from llama_cloud_ext.index.document_methods import settle_refused
from llama_cloud_ext.index.folder_refresh import FolderRefresh, refresh_folder
from llama_cloud_ext.index.ingestion import wait_for_ingestion
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import pipeline_files
from llama_cloud_ext.wire.inputs import FilesInput, Input, sort_out
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.url_fetching import fetch_url

if TYPE_CHECKING:
    from llama_cloud_ext.index.files import IndexFile
    from llama_cloud_ext.index.reference import FoundIndex
    from llama_cloud_ext.wire.sources import Source


class FileMethods(ConnectedIndex):
    """What an index does with files."""

    @span
    def upload_file(
        self,
        file_path: Any,
        custom_metadata: Mapping[str, Any] | None = None,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> str:
        """Upload a file, have the service parse it into the index, and wait until it can be searched.

        Args:
            file_path: A path, bytes, an open file or an fsspec URL; an http(s) URL is fetched here first.
            custom_metadata: Metadata for all of its nodes.
            verbose: Whether progress is shown.
            wait_for_ingestion: Whether to wait.
            raise_on_error: Whether a failed ingestion raises; else it is logged.

        Returns:
            The file's id.

        Raises:
            SourceError: The file cannot be sent.
            IngestionError: It could not be ingested; the message has the reason.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            file_id = LlamaCloudIndex("handbook").upload_file("report.pdf", custom_metadata={"year": 2024})
            ```
        """
        return run(self._upload_one, file_path, custom_metadata, verbose, wait_for_ingestion, raise_on_error)

    @span
    async def aupload_file(
        self,
        file_path: Any,
        custom_metadata: Mapping[str, Any] | None = None,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> str:
        """The asynchronous twin of `upload_file`."""
        return await run_async(
            self._upload_one, file_path, custom_metadata, verbose, wait_for_ingestion, raise_on_error
        )

    @span
    def upload_files(
        self,
        files: FilesInput,
        custom_metadata: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        *,
        fs: Any = None,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> list[str]:
        """Upload several files at once, and wait until they can be searched.

        Args:
            files: The files, each as `upload_file` takes it.
            custom_metadata: Metadata for all of them, or a list with one mapping (or None) a file.
            fs: The fsspec filesystem that the paths are in; the local one when left out.
            verbose: Whether progress is shown.
            wait_for_ingestion: Whether to wait.
            raise_on_error: Whether failures raise; else they are logged and only the others' ids returned.

        Returns:
            The files' ids, in their order.

        Raises:
            PartialFailureError: Some files could not be uploaded; the others were, and are being ingested. `results`
                has their ids.
            IngestionError: Some files could not be ingested; each is named with its reason.
        """
        return run(self._upload_many, files, custom_metadata, fs, verbose, wait_for_ingestion, raise_on_error)

    @span
    async def aupload_files(
        self,
        files: FilesInput,
        custom_metadata: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        *,
        fs: Any = None,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> list[str]:
        """The asynchronous twin of `upload_files`."""
        return await run_async(
            self._upload_many, files, custom_metadata, fs, verbose, wait_for_ingestion, raise_on_error
        )

    @span
    def upload_file_from_url(
        self,
        file_name: str,
        url: str,
        custom_metadata: Mapping[str, Any] | None = None,
        proxy_url: str | None = None,
        request_headers: Mapping[str, str] | None = None,
        verify_ssl: bool = True,
        follow_redirects: bool = True,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> str:
        """Fetch a file from a URL and upload it. The fetching is done here, and the API key does not go along.

        Args:
            file_name: What the file is called in the index.
            url: An http or https URL.
            custom_metadata: Metadata for all of its nodes.
            proxy_url: A proxy for the fetching.
            request_headers: Headers for the fetching; sent to the URL's own host alone.
            verify_ssl: TLS verification for the fetching.
            follow_redirects: Whether redirects are followed.
            verbose: Whether progress is shown.
            wait_for_ingestion: Whether to wait.
            raise_on_error: Whether a failed ingestion raises; else it is logged.

        Returns:
            The file's id.

        Raises:
            DownloadError: It could not be fetched whole; nothing was uploaded.
            IngestionError: It could not be ingested; the message has the reason.
        """
        fetch = self._fetch(url, file_name, proxy_url, request_headers, verify_ssl, follow_redirects)
        return run(self._upload_from_url, fetch, custom_metadata, verbose, wait_for_ingestion, raise_on_error)

    @span
    async def aupload_file_from_url(
        self,
        file_name: str,
        url: str,
        custom_metadata: Mapping[str, Any] | None = None,
        proxy_url: str | None = None,
        request_headers: Mapping[str, str] | None = None,
        verify_ssl: bool = True,
        follow_redirects: bool = True,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> str:
        """The asynchronous twin of `upload_file_from_url`."""
        fetch = self._fetch(url, file_name, proxy_url, request_headers, verify_ssl, follow_redirects)
        return await run_async(
            self._upload_from_url, fetch, custom_metadata, verbose, wait_for_ingestion, raise_on_error
        )

    @span
    def refresh_folder(
        self, folder: str | Path, *, leave_out: Sequence[str | Path] = (), verbose: bool = False
    ) -> FolderRefresh:
        """Bring the index up to date with a folder, and wait until it can be searched.

        Files that are new or have changed are uploaded, files that are gone are taken out, and files that are unchanged
        cost nothing. Only files that came in this way are looked at.

        Args:
            folder: The folder; the folders below it count as well, hidden files and folders do not.
            leave_out: Folders to pass over.
            verbose: Whether progress is shown.

        Returns:
            What was done, by the files' paths in the folder. Files that fail are in its `failures` and do not raise.

        Raises:
            SourceError: This is no folder.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            index = LlamaCloudIndex.create_index("my-folder")
            done = index.refresh_folder("./data")
            print(len(done.added), "added,", len(done.failures), "failed")
            ```
        """
        return run(self._refresh_folder, folder, leave_out, verbose)

    @span
    async def arefresh_folder(
        self, folder: str | Path, *, leave_out: Sequence[str | Path] = (), verbose: bool = False
    ) -> FolderRefresh:
        """The asynchronous twin of `refresh_folder`."""
        return await run_async(self._refresh_folder, folder, leave_out, verbose)

    def list_files(self, *, statuses: Sequence[str] | None = None, name_contains: str | None = None) -> list[IndexFile]:
        """The files of the index, all pages of the list.

        Args:
            statuses: Only files in one of these: "NOT_STARTED", "IN_PROGRESS", "SUCCESS", "ERROR", "CANCELLED".
            name_contains: Only files with this in their name.

        Returns:
            A record for each file.
        """
        return run(self._list_files, statuses, name_contains)

    async def alist_files(
        self, *, statuses: Sequence[str] | None = None, name_contains: str | None = None
    ) -> list[IndexFile]:
        """The asynchronous twin of `list_files`."""
        return await run_async(self._list_files, statuses, name_contains)

    def delete_file(self, file_id: str) -> None:
        """Take a file and its nodes out of the index; the upload itself stays.

        Args:
            file_id: The file's id.

        Raises:
            NotFoundError: It is not in the index.
        """
        run(self._delete_file, file_id)

    async def adelete_file(self, file_id: str) -> None:
        """The asynchronous twin of `delete_file`."""
        await run_async(self._delete_file, file_id)

    # On the I/O loop

    async def _upload_one(
        self, file: Any, metadata: Mapping[str, Any] | None, verbose: bool, wait: bool, raise_on_error: bool
    ) -> str:
        found = await self.reference.find()
        outcomes = await self._attach(found, [Input(file, 0)], [metadata], verbose)
        if isinstance(outcomes[0], FailedItem):
            raise outcomes[0].error
        if wait:
            await wait_for_ingestion(found, self._awaited(None, outcomes, raise_on_error))
        return str(outcomes[0])

    async def _upload_many(
        self, given: FilesInput, metadata: Any, fs: Any, verbose: bool, wait: bool, raise_on_error: bool
    ) -> list[str]:
        inputs, _ = sort_out(given, None, fs)
        found = await self.reference.find()
        outcomes = await self._attach(found, inputs, one_each(metadata, len(inputs)), verbose)
        file_ids = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if wait and file_ids:
            await wait_for_ingestion(found, self._awaited(None, file_ids, raise_on_error))
        failures = [outcome for outcome in outcomes if isinstance(outcome, FailedItem)]
        if failures:
            settle_refused(failures, outcomes, raise_on_error)
        return file_ids

    async def _attach(
        self, found: FoundIndex, inputs: Sequence[Input], metadata: Sequence[Any], verbose: bool
    ) -> list[Any]:
        report = self._report(verbose, len(inputs), "Uploading", "file")
        try:
            return await files.upload_files(found, inputs, metadata, report)
        finally:
            report.close()

    async def _upload_from_url(
        self,
        fetch: Callable[[], Awaitable[Source]],
        metadata: Mapping[str, Any] | None,
        verbose: bool,
        wait: bool,
        raise_on_error: bool,
    ) -> str:
        return await self._upload_one(await fetch(), metadata, verbose, wait, raise_on_error)

    def _fetch(
        self, url: str, name: str, proxy: str | None, headers: Mapping[str, str] | None, verify: bool, redirects: bool
    ) -> Callable[[], Awaitable[Source]]:
        return partial(
            fetch_url,
            url,
            name=name,
            headers=headers,
            verify=verify,
            proxy=proxy,
            follow_redirects=redirects,
            timeout=self.reference.options.timeout,
        )

    async def _refresh_folder(
        self, folder: str | Path, leave_out: Sequence[str | Path], verbose: bool
    ) -> FolderRefresh:
        found = await self.reference.find()
        report = self._report(verbose, None, "Uploading", "file")
        try:
            return await refresh_folder(found, Path(folder), map(Path, leave_out), report, self._ingestion_timeout)
        finally:
            report.close()

    async def _list_files(self, statuses: Sequence[str] | None, name_contains: str | None) -> list[IndexFile]:
        found = await self.reference.find()
        return await files.list_files(found, statuses=statuses, name_contains=name_contains)

    async def _delete_file(self, file_id: str) -> None:
        found = await self.reference.find()
        await pipeline_files.delete(found.connection, found.pipeline_id, file_id)


def one_each(metadata: Any, count: int) -> list[Mapping[str, Any] | None]:
    """The custom metadata of each of several files.

    Args:
        metadata: One mapping for all, or one each; None for none.
        count: How many files there are.

    Raises:
        ConfigurationError: There is not one mapping a file.
    """
    if metadata is None or isinstance(metadata, Mapping):
        return [metadata] * count
    if len(metadata) != count:
        raise ConfigurationError(
            f"{len(metadata)} mappings for {count} files",
            option="custom_metadata",
            hint="Pass one mapping for all files, or a list with one a file.",
        )
    return list(metadata)
