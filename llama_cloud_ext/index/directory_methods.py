"""The files and Documents of an index over a directory: put in, listed, taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError, FailedItem, NotFoundError
from llama_cloud_ext.index import directory_files
from llama_cloud_ext.index.directory_files import NewFile, file_of_input, files_of_documents
from llama_cloud_ext.index.directory_sync import sync_and_wait
from llama_cloud_ext.index.document_methods import settle_refused
from llama_cloud_ext.index.file_methods import one_each
from llama_cloud_ext.index.named_index import NamedIndex, refuse_local_work, refuse_unknown
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import directory_files as wire_files
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.inputs import FilesInput, sort_out
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.directory import DirectoryFile

if TYPE_CHECKING:
    from llama_index.core.data_structs import IndexDict
    from llama_index.core.schema import BaseNode, Document
    from llama_index.core.storage.docstore.types import RefDocInfo

    from llama_cloud_ext.wire.transport import Connection

_RESOLVED_AT_ONCE = 8


class DirectoryMethods(NamedIndex):
    """What an index over a directory does with files and Documents."""

    # Files

    @span
    def upload_file(
        self,
        file_path: Any,
        custom_metadata: Mapping[str, Any] | None = None,
        verbose: bool = False,
        wait_for_ingestion: bool = True,
        raise_on_error: bool = True,
    ) -> str:
        """Upload a file into the directory, have it parsed into the index, and wait until it can be searched.

        A file of the same location (or of the same bytes) that came in before is replaced.

        Args:
            file_path: A path, bytes, an open file or an fsspec URL; an http(s) URL is fetched here first.
            custom_metadata: Metadata by which its nodes can be filtered: strings, numbers, booleans, lists of strings.
            verbose: Whether progress is shown.
            wait_for_ingestion: Whether to sync the index and wait; else `resync` does so later.
            raise_on_error: Whether a failed ingestion raises; else it is logged.

        Returns:
            The file's id in the directory.

        Raises:
            SourceError: The file cannot be sent.
            IngestionError: It could not be parsed; the message has the reason.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            index = LlamaCloudDirectoryIndex("reports")
            file_id = index.upload_file("report.pdf", custom_metadata={"year": 2024})
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
            wait_for_ingestion: Whether to sync the index and wait; else `resync` does so later.
            raise_on_error: Whether failures raise; else they are logged and only the others' ids returned.

        Returns:
            The files' ids in the directory, in their order.

        Raises:
            PartialFailureError: Some files could not be uploaded; the others were. `results` has their ids.
            IngestionError: Some files could not be parsed; each is named with its reason.
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

    def list_files(self, *, name_contains: str | None = None) -> list[DirectoryFile]:
        """The files of the directory, all pages of the list; `find_files` lists those that can be searched.

        Args:
            name_contains: Only files with this in their name.

        Returns:
            A record for each file.
        """
        return run(self._list_files, name_contains)

    async def alist_files(self, *, name_contains: str | None = None) -> list[DirectoryFile]:
        """The asynchronous twin of `list_files`."""
        return await run_async(self._list_files, name_contains)

    def delete_file(self, directory_file_id: str, *, sync: bool = True) -> None:
        """Take a file out of the directory.

        Args:
            directory_file_id: Its id in the directory, as `upload_file` and `list_files` give it.
            sync: Whether the index follows at once; else `resync` does so later.

        Raises:
            NotFoundError: It is not in the directory.
        """
        run(self._delete_files, [directory_file_id], sync)

    async def adelete_file(self, directory_file_id: str, *, sync: bool = True) -> None:
        """The asynchronous twin of `delete_file`."""
        await run_async(self._delete_files, [directory_file_id], sync)

    # Documents, as LlamaIndex has it

    def insert(self, document: Document, verbose: bool = False, **insert_kwargs: Any) -> None:
        """Put a Document into the index as a text file, and wait until it can be searched.

        Args:
            document: The Document. One of the same id is replaced, unless it is the same.
            verbose: Whether progress is shown.
            **insert_kwargs: Nothing is known here; anything raises.

        Raises:
            ConfigurationError: Its metadata is nested, which this kind of index does not take.
            IngestionError: It could not be ingested; the message has the reason.
        """
        refuse_unknown(insert_kwargs)
        run(self._insert_documents, [document], verbose)

    async def ainsert(self, document: Document, verbose: bool = False, **insert_kwargs: Any) -> None:
        """The asynchronous twin of `insert`."""
        refuse_unknown(insert_kwargs)
        await run_async(self._insert_documents, [document], verbose)

    def update_ref_doc(self, document: Document, verbose: bool = False, **update_kwargs: Any) -> None:
        """The same as `insert`.

        Args:
            document: The Document, which takes the place of the one of its id.
            verbose: Whether progress is shown.
            **update_kwargs: Nothing is known here; anything raises.
        """
        self.insert(document, verbose, **update_kwargs)

    async def aupdate_ref_doc(self, document: Document, verbose: bool = False, **update_kwargs: Any) -> None:
        """The asynchronous twin of `update_ref_doc`."""
        await self.ainsert(document, verbose, **update_kwargs)

    def refresh_ref_docs(
        self, documents: Sequence[Document], verbose: bool = False, **update_kwargs: Any
    ) -> list[bool]:
        """Bring Documents up to date: those that are new or have changed are sent, the others cost nothing.

        Args:
            documents: The Documents as they are now.
            verbose: Whether progress is shown.
            **update_kwargs: Nothing is known here; anything raises.

        Returns:
            For each Document, whether it was new or had changed.

        Raises:
            IngestionError: Some could not be ingested; each is named with its reason.
        """
        refuse_unknown(update_kwargs)
        return run(self._insert_documents, list(documents), verbose)

    async def arefresh_ref_docs(
        self, documents: Sequence[Document], verbose: bool = False, **update_kwargs: Any
    ) -> list[bool]:
        """The asynchronous twin of `refresh_ref_docs`."""
        refuse_unknown(update_kwargs)
        return await run_async(self._insert_documents, list(documents), verbose)

    def delete_ref_doc(
        self, ref_doc_id: str, delete_from_docstore: bool = False, *, raise_if_not_found: bool = False, **kwargs: Any
    ) -> None:
        """Take a Document out of the index.

        Args:
            ref_doc_id: The Document's id.
            delete_from_docstore: Makes no difference: the service keeps Documents and nodes together.
            raise_if_not_found: Whether it is an error that there is none.
            **kwargs: Nothing is known here; anything raises.

        Raises:
            NotFoundError: There is none of this id, if asked to raise.
        """
        refuse_unknown(kwargs)
        run(self._delete_document, ref_doc_id, raise_if_not_found)

    async def adelete_ref_doc(
        self, ref_doc_id: str, delete_from_docstore: bool = False, *, raise_if_not_found: bool = False, **kwargs: Any
    ) -> None:
        """The asynchronous twin of `delete_ref_doc`."""
        refuse_unknown(kwargs)
        await run_async(self._delete_document, ref_doc_id, raise_if_not_found)

    @property
    def ref_doc_info(self) -> dict[str, RefDocInfo]:
        """What is in the directory, by unique id (of a Document its own), with its metadata."""
        return run(self._ref_doc_info)

    async def aref_doc_info(self) -> dict[str, RefDocInfo]:
        """The asynchronous twin of `ref_doc_info`."""
        return await run_async(self._ref_doc_info)

    def _insert(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        self.insert_nodes(nodes, **insert_kwargs)

    def insert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Not possible: the service makes nodes of files by itself.

        Raises:
            ConfigurationError: Always.
        """
        refuse_local_work(nodes=nodes or True, transformations=None)

    def build_index_from_nodes(self, nodes: Sequence[BaseNode], **build_kwargs: Any) -> IndexDict:
        """Not possible: the service makes nodes of files by itself.

        Raises:
            ConfigurationError: Always.
        """
        refuse_local_work(nodes=nodes or True, transformations=None)
        raise AssertionError("refused above")

    # On the I/O loop

    async def _directory(self) -> str:
        """The id of the directory that the index is over."""
        return str((await self.reference.record()).get("source_directory_id"))

    async def _upload_one(
        self, file: Any, metadata: Mapping[str, Any] | None, verbose: bool, wait: bool, raise_on_error: bool
    ) -> str:
        inputs, _ = sort_out([file])
        new = await file_of_input(inputs[0], metadata)
        (outcome,) = await self._put([new], verbose, wait, raise_on_error)
        if isinstance(outcome, FailedItem):
            raise outcome.error
        return str(outcome.id)

    async def _upload_many(
        self, given: FilesInput, metadata: Any, fs: Any, verbose: bool, wait: bool, raise_on_error: bool
    ) -> list[str]:
        inputs, _ = sort_out(given, None, fs)
        each = one_each(metadata, len(inputs))
        failed: dict[int, FailedItem] = {}

        async def settle(place: int) -> NewFile | None:
            try:
                return await file_of_input(inputs[place], each[place])
            except ConfigurationError as error:
                if error.option == "metadata":
                    raise
                failed[place] = FailedItem(inputs[place].label, error, index=place)
                return None

        settled = await concurrently(settle, range(len(inputs)), at_once=_RESOLVED_AT_ONCE)
        new = [one for one in settled if one is not None]
        put = dict(zip((one.index for one in new), await self._put(new, verbose, wait, raise_on_error), strict=True))
        outcomes = [failed.get(place) or put[place] for place in range(len(inputs))]
        results = [one if isinstance(one, FailedItem) else str(one.id) for one in outcomes]
        settle_outcomes(results, raise_on_error)
        return [one for one in results if isinstance(one, str)]

    async def _put(
        self, files: Sequence[NewFile], verbose: bool, wait: bool, raise_on_error: bool
    ) -> list[DirectoryFile | FailedItem]:
        """Bring files into the directory, and have the index follow."""
        found = await self.reference.find()
        outcomes = await self._bring(found.connection, await self._directory(), files, verbose)
        names = {str(one.name) for one in outcomes if isinstance(one, DirectoryFile)}
        if wait and names:
            await sync_and_wait(found, timeout=self._ingestion_timeout, raise_on_error=raise_on_error, names=names)
        return outcomes

    async def _bring(
        self, connection: Connection, directory_id: str, files: Sequence[NewFile], verbose: bool
    ) -> list[DirectoryFile | FailedItem]:
        report = self._report(verbose, len(files), "Uploading", "file")
        try:
            return await directory_files.put_files(connection, directory_id, files, report)
        finally:
            report.close()

    async def _insert_documents(self, documents: Iterable[Document], verbose: bool) -> list[bool]:
        return await self._put_changed(files_of_documents(documents), verbose, True)

    async def _put_changed(self, files: Sequence[NewFile], verbose: bool, raise_on_error: bool) -> list[bool]:
        """Bring files into the directory; for each, whether it was not in there as it is."""
        found, directory_id = await self.reference.find(), await self._directory()
        known = await directory_files.known_files(found.connection, directory_id, (one.unique_id for one in files))
        before = {unique_id: file.id for unique_id, file in known.items()}
        outcomes = await self._put(files, verbose, True, raise_on_error)
        settle_outcomes(outcomes, raise_on_error)
        return [
            isinstance(one, DirectoryFile) and one.id != before.get(file.unique_id)
            for one, file in zip(outcomes, files, strict=True)
        ]

    async def _list_files(self, name_contains: str | None) -> list[DirectoryFile]:
        found = await self.reference.find()
        return await directory_files.list_files(found.connection, await self._directory(), name_contains)

    async def _delete_files(self, ids: Sequence[str], sync: bool) -> None:
        found, directory_id = await self.reference.find(), await self._directory()
        for one in ids:
            await wire_files.delete(found.connection, directory_id, one)
        if sync:
            # What else failed in this index is not this call's business.
            await sync_and_wait(found, timeout=self._ingestion_timeout, raise_on_error=True, names=())

    async def _delete_document(self, document_id: str, raise_if_not_found: bool) -> None:
        found, directory_id = await self.reference.find(), await self._directory()
        known = await directory_files.known_files(found.connection, directory_id, [document_id])
        if not known and raise_if_not_found:
            raise NotFoundError(f"there is no document {document_id!r} in this index", status=404)
        if known:
            await self._delete_files([str(known[document_id].id)], True)

    async def _ref_doc_info(self) -> dict[str, RefDocInfo]:
        from llama_index.core.storage.docstore.types import RefDocInfo

        listed = await self._list_files(None)
        return {str(file.unique_id): RefDocInfo(metadata=dict(file.metadata), node_ids=[]) for file in listed}


def settle_outcomes(outcomes: Sequence[Any], raise_on_error: bool) -> None:
    """Raise or log what could not be put into the directory.

    Raises:
        PartialFailureError: As asked.
    """
    if failures := [one for one in outcomes if isinstance(one, FailedItem)]:
        settle_refused(failures, list(outcomes), raise_on_error)
