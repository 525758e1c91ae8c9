"""Which documents are in an index, which of them have changed, and the end of one. All of it runs on the I/O loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import NotFoundError
from llama_cloud_ext.index.documents import cloud_document, fingerprint
from llama_cloud_ext.index.ingestion import Awaited, wait_for_ingestion
from llama_cloud_ext.wire import pipeline_documents
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.models.tolerant import as_mapping

if TYPE_CHECKING:
    from llama_index.core.schema import Document
    from llama_index.core.storage.docstore.types import RefDocInfo

    from llama_cloud_ext.index.reference import FoundIndex, IndexReference

logger = logging.getLogger(__name__)

# Up to so many documents are asked for one by one; for more, listing what the index has is cheaper in most cases.
_FEW = 16
_REQUESTS_AT_ONCE = 8


async def changed_documents(reference: IndexReference, documents: Sequence[Document]) -> list[bool]:
    """Compare documents with what the index has.

    Args:
        reference: The index.
        documents: The documents as they are now.

    Returns:
        For each, whether the index does not have it, or has it otherwise.
    """
    found = await reference.find()
    changed = [True] * len(documents)
    places: dict[str, list[int]] = {}
    for place, document in enumerate(documents):
        if earlier := places.get(document.id_):
            # What comes twice is compared with its version before, which will be in the index by then.
            before = fingerprint(cloud_document(documents[earlier[-1]]))
            changed[place] = fingerprint(cloud_document(document)) != before
        places.setdefault(document.id_, []).append(place)
    async for document_id, record in _stored(found, list(places)):
        first = places[document_id][0]
        sent = cloud_document(documents[first])
        changed[first] = fingerprint(sent) != fingerprint(record, like=sent)
    return changed


async def _stored(found: FoundIndex, ids: list[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    if len(ids) > _FEW:
        wanted = set(ids)
        async for record in pipeline_documents.list_documents(found.connection, found.pipeline_id):
            if (document_id := str(record.get("id"))) in wanted:
                yield document_id, record
        return

    async def get(document_id: str) -> dict[str, Any] | None:
        try:
            return await pipeline_documents.get(found.connection, found.pipeline_id, document_id)
        except NotFoundError:
            return None

    for document_id, stored in zip(ids, await concurrently(get, ids, at_once=_REQUESTS_AT_ONCE), strict=True):
        if stored is not None:
            yield document_id, stored


async def ref_doc_info(reference: IndexReference) -> dict[str, RefDocInfo]:
    """The index's documents by id, each with its metadata."""
    from llama_index.core.storage.docstore.types import RefDocInfo

    found = await reference.find()
    return {
        str(record.get("id")): RefDocInfo(metadata=dict(as_mapping(record.get("metadata"))), node_ids=[])
        async for record in pipeline_documents.list_documents(found.connection, found.pipeline_id)
    }


async def delete_document(
    reference: IndexReference, document_id: str, raise_if_not_found: bool, awaited: Awaited
) -> None:
    """Delete a document, and wait until the index is up to date.

    Raises:
        NotFoundError: There is none of this id, if asked to raise.
    """
    found = await reference.find()
    try:
        await pipeline_documents.delete(found.connection, found.pipeline_id, document_id)
    except NotFoundError as error:
        if raise_if_not_found:
            raise error.with_context(file=document_id) from error.__cause__
        logger.warning("document %s is not in the index: nothing was deleted", document_id)
        return
    # What else failed in this index is not this call's business.
    await wait_for_ingestion(found, Awaited(document_ids=(), timeout=awaited.timeout))
