"""The documents of an index: in, out, changed, and back as LlamaIndex Documents."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.data_structs import IndexDict
from llama_index.core.schema import BaseNode, Document

from llama_cloud_ext.errors import FailedItem, PartialFailureError
from llama_cloud_ext.index import refresh
from llama_cloud_ext.index.configuration import check_unsplit, document_of
from llama_cloud_ext.index.connected import ConnectedIndex
from llama_cloud_ext.index.documents import llama_document, page_documents
from llama_cloud_ext.index.ingestion import upload_documents, wait_for_ingestion
from llama_cloud_ext.index.named_index import refuse_local_work, refuse_unknown
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import pipeline_documents
from llama_cloud_ext.wire.io_loop import run, run_async

if TYPE_CHECKING:
    from llama_index.core.storage.docstore.types import RefDocInfo

logger = logging.getLogger(__name__)


class DocumentMethods(ConnectedIndex):
    """What an index does with documents and nodes."""

    @span
    def insert(self, document: Document, verbose: bool = False, **insert_kwargs: Any) -> None:
        """Insert a document, and wait until it can be searched. One of the same id is replaced.

        Args:
            document: The document.
            verbose: Whether progress is shown.
            **insert_kwargs: Nothing is known here; anything raises.

        Raises:
            PartialFailureError: The service refused it.
            IngestionError: It could not be ingested; the message has the reason.

        Example:
            ```python
            from llama_index.core import Document

            from llama_cloud_ext import LlamaCloudIndex

            LlamaCloudIndex("animals").insert(Document(text="Dogs sleep less.", id_="dogs"))
            ```
        """
        refuse_unknown(insert_kwargs)
        with self._callback_manager.as_trace("insert"):
            run(self._ingest, [document], replace=False, verbose=verbose)

    @span
    async def ainsert(self, document: Document, verbose: bool = False, **insert_kwargs: Any) -> None:
        """The asynchronous twin of `insert`."""
        refuse_unknown(insert_kwargs)
        with self._callback_manager.as_trace("insert"):
            await run_async(self._ingest, [document], replace=False, verbose=verbose)

    @span
    def update_ref_doc(self, document: Document, verbose: bool = False, **update_kwargs: Any) -> None:
        """Replace a document of the same id, or insert it, and wait until it can be searched.

        Args:
            document: The document.
            verbose: Whether progress is shown.
            **update_kwargs: Nothing is known here; anything raises.

        Raises:
            PartialFailureError: The service refused it.
            IngestionError: It could not be ingested; the message has the reason.
        """
        refuse_unknown(update_kwargs)
        with self._callback_manager.as_trace("update"):
            run(self._ingest, [document], replace=True, verbose=verbose)

    @span
    async def aupdate_ref_doc(self, document: Document, verbose: bool = False, **update_kwargs: Any) -> None:
        """The asynchronous twin of `update_ref_doc`."""
        refuse_unknown(update_kwargs)
        with self._callback_manager.as_trace("update"):
            await run_async(self._ingest, [document], replace=True, verbose=verbose)

    @span
    def refresh_ref_docs(
        self, documents: Sequence[Document], verbose: bool = False, **update_kwargs: Any
    ) -> list[bool]:
        """Send the documents that are new or have changed, and wait until they can be searched.

        Args:
            documents: The documents.
            verbose: Whether progress is shown.
            **update_kwargs: Nothing is known here; anything raises.

        Returns:
            For each document, in their order, whether it was new or its text, metadata or hidden keys had changed.

        Raises:
            PartialFailureError: The service refused some; the others are in the index.
            IngestionError: Some could not be ingested; each is named with its reason.

        Example:
            ```python
            from llama_index.core import Document

            from llama_cloud_ext import LlamaCloudIndex

            changed = LlamaCloudIndex("animals").refresh_ref_docs([Document(text="Dogs sleep less.", id_="dogs")])
            ```
        """
        refuse_unknown(update_kwargs)
        with self._callback_manager.as_trace("refresh"):
            return run(self._refresh, documents, verbose=verbose)

    @span
    async def arefresh_ref_docs(
        self, documents: Sequence[Document], verbose: bool = False, **update_kwargs: Any
    ) -> list[bool]:
        """The asynchronous twin of `refresh_ref_docs`."""
        refuse_unknown(update_kwargs)
        with self._callback_manager.as_trace("refresh"):
            return await run_async(self._refresh, documents, verbose=verbose)

    @span
    def delete_ref_doc(
        self,
        ref_doc_id: str,
        delete_from_docstore: bool = False,
        verbose: bool = False,
        raise_if_not_found: bool = False,
        **delete_kwargs: Any,
    ) -> None:
        """Delete a document and its nodes, and wait until the index is up to date.

        Args:
            ref_doc_id: The document's id.
            delete_from_docstore: Makes no difference: the service keeps documents and nodes together.
            verbose: Whether it is logged.
            raise_if_not_found: Whether a document that is not there raises; else a warning is logged.
            **delete_kwargs: Nothing is known here; anything raises.

        Raises:
            NotFoundError: There is no such document, and `raise_if_not_found` is set.
        """
        refuse_unknown(delete_kwargs)
        run(refresh.delete_document, self.reference, ref_doc_id, raise_if_not_found, self._awaited())
        logger.log(logging.INFO if verbose else logging.DEBUG, "document %s is no longer in %r", ref_doc_id, self)

    @span
    async def adelete_ref_doc(
        self,
        ref_doc_id: str,
        delete_from_docstore: bool = False,
        verbose: bool = False,
        raise_if_not_found: bool = False,
        **delete_kwargs: Any,
    ) -> None:
        """The asynchronous twin of `delete_ref_doc`."""
        refuse_unknown(delete_kwargs)
        await run_async(refresh.delete_document, self.reference, ref_doc_id, raise_if_not_found, self._awaited())
        logger.log(logging.INFO if verbose else logging.DEBUG, "document %s is no longer in %r", ref_doc_id, self)

    @property
    def ref_doc_info(self) -> dict[str, RefDocInfo]:
        """The index's documents by id, each with its metadata; the service does not say which nodes they became."""
        return run(refresh.ref_doc_info, self.reference)

    async def aref_doc_info(self) -> dict[str, RefDocInfo]:
        """The asynchronous twin of `ref_doc_info`."""
        return await run_async(refresh.ref_doc_info, self.reference)

    def documents(self, file_id: str | None = None, *, split_by_page: bool = False) -> list[Document]:
        """The documents that are in the index, with their text: for a file, what was parsed out of it.

        Args:
            file_id: Only those of this file; None for all.
            split_by_page: One Document a page, where the service knows the pages.

        Returns:
            Documents with the ids that they have in the index.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            index = LlamaCloudIndex("handbook")
            for file in index.list_files():
                print(file.name, sum(len(document.text) for document in index.documents(file.file_id)))
            ```
        """
        return run(self._documents, file_id, split_by_page)

    async def adocuments(self, file_id: str | None = None, *, split_by_page: bool = False) -> list[Document]:
        """The asynchronous twin of `documents`."""
        return await run_async(self._documents, file_id, split_by_page)

    # Nodes

    def _insert(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        refuse_unknown(insert_kwargs)
        run(self._insert_nodes, nodes)

    def insert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Insert nodes as they are, and wait until they can be searched.

        The service splits what it gets by itself, so that this works only in an index that does not split: one made
        with `transform_config={"mode": "advanced", "chunking_config": {"mode": "none"}, "segmentation_config":
        {"mode": "none"}}`. Each node becomes a document of the node's id there.

        Args:
            nodes: Nodes with text.
            **insert_kwargs: Nothing is known here; anything raises.

        Raises:
            ConfigurationError: The index splits, or a node holds no text.
            IngestionError: Some could not be ingested; each is named with its reason.
        """
        self._insert(nodes, **insert_kwargs)

    async def ainsert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """The asynchronous twin of `insert_nodes`."""
        refuse_unknown(insert_kwargs)
        await run_async(self._insert_nodes, nodes)

    def delete_nodes(self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any) -> None:
        """Delete nodes that were inserted by `insert_nodes`.

        Args:
            node_ids: Their ids.
            delete_from_docstore: Makes no difference: the service keeps documents and nodes together.
            **delete_kwargs: Nothing is known here; anything raises.

        Raises:
            ConfigurationError: The index splits documents into nodes, which can be deleted with their document only.
        """
        refuse_unknown(delete_kwargs)
        run(self._delete_nodes, node_ids)

    async def adelete_nodes(
        self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """The asynchronous twin of `delete_nodes`."""
        refuse_unknown(delete_kwargs)
        await run_async(self._delete_nodes, node_ids)

    def build_index_from_nodes(self, nodes: Sequence[BaseNode], **build_kwargs: Any) -> IndexDict:
        """Not possible: the service makes nodes of documents by itself.

        Raises:
            ConfigurationError: Always.
        """
        refuse_local_work(nodes=nodes or True, transformations=None)
        raise AssertionError("refused above")

    # On the I/O loop

    async def _ingest(
        self, documents: Iterable[Document], *, replace: bool, raise_on_error: bool = True, verbose: bool = False
    ) -> None:
        found = await self.reference.find()
        total = len(documents) if isinstance(documents, Sequence) else None
        report = self._report(verbose, total, "Sending", "document")
        try:
            uploaded = await upload_documents(found, documents, replace=replace, report=report)
        finally:
            report.close()
        if uploaded.ids:
            await wait_for_ingestion(found, self._awaited(uploaded.ids, None, raise_on_error))
        if uploaded.failures:
            settle_refused(uploaded.failures, [*uploaded.ids, *uploaded.failures], raise_on_error)

    async def _refresh(self, documents: Iterable[Document], *, verbose: bool) -> list[bool]:
        documents = list(documents)
        changed = await refresh.changed_documents(self.reference, documents)
        fresh = [document for document, is_changed in zip(documents, changed, strict=True) if is_changed]
        if fresh:
            await self._ingest(fresh, replace=True, verbose=verbose)
        return changed

    async def _documents(self, file_id: str | None, split_by_page: bool) -> list[Document]:
        found = await self.reference.find()
        documents: list[Document] = []
        async for record in pipeline_documents.list_documents(found.connection, found.pipeline_id, file_id=file_id):
            documents += page_documents(record) if split_by_page else [llama_document(record)]
        return documents

    async def _insert_nodes(self, nodes: Sequence[BaseNode]) -> None:
        check_unsplit(await self.reference.record(), self)
        await self._ingest([document_of(node) for node in nodes], replace=True)

    async def _delete_nodes(self, node_ids: Sequence[str]) -> None:
        check_unsplit(await self.reference.record(), self)
        for node_id in node_ids:
            await refresh.delete_document(self.reference, node_id, False, self._awaited())


def settle_refused(failures: list[FailedItem], outcomes: list[Any], raise_on_error: bool) -> None:
    """Raise or log what the service refused to take.

    Raises:
        PartialFailureError: As asked.
    """
    if raise_on_error:
        raise PartialFailureError(results=outcomes, failures=failures)
    for failure in failures:
        logger.warning("not in the index: %s", failure)
