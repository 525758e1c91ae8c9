"""LlamaIndex Documents to what an index stores, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.tolerant import as_elements, as_mapping, as_text

if TYPE_CHECKING:
    from llama_index.core.schema import Document

__all__ = ["batches", "cloud_document", "fingerprint", "llama_document", "page_documents", "plain_metadata"]

# One request carries at most so many documents and about so many bytes: what is in flight bounds the memory of an
# upload of any length, and a request that has to be repeated repeats little.
BATCH_DOCUMENTS = 100
BATCH_BYTES = 4 * 1024 * 1024

_SENT_KEYS = ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
# What the service adds to a document's metadata by itself, which says nothing about whether the document changed.
_ADDED_BY_THE_SERVICE = frozenset(
    {"document_id", "pipeline_id", "pipeline_file_id", "project_id", "file_id", "data_source_id", "doc_id"}
)


def cloud_document(document: Document) -> dict[str, Any]:
    """What is sent for a Document: its id, text, metadata, and which metadata embeddings and LLMs do not see.

    Args:
        document: The Document. Dates and other plain objects in its metadata travel as text.

    Returns:
        The JSON object.

    Raises:
        ConfigurationError: This is no Document, its id cannot be one in a URL, or something in its metadata has no JSON
            form.

    Example:
        >>> from llama_index.core import Document
        >>> cloud_document(Document(text="Hello.", id_="greeting", metadata={"language": "en"}))["metadata"]
        {'language': 'en'}
    """
    from llama_index.core.schema import BaseNode

    if not isinstance(document, BaseNode) or not hasattr(document, "text"):  # TextNodes are as good
        raise ConfigurationError(
            f"a {type(document).__name__} is no Document",
            option="documents",
            hint="Pass LlamaIndex Documents, several of them as a list or another iterable.",
        )
    if not document.id_.strip(". "):
        raise ConfigurationError(
            f"{document.id_!r} cannot be a document's id", option="id_", hint="Leave it out, and one is made."
        )
    return {
        "text": document.text,
        "metadata": plain_metadata(f"document {document.id_}", document.metadata),
        "excluded_embed_metadata_keys": list(document.excluded_embed_metadata_keys),
        "excluded_llm_metadata_keys": list(document.excluded_llm_metadata_keys),
        "id": document.id_,
    }


def plain_metadata(owner: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as it travels: dates and other plain objects as text.

    Args:
        owner: Whose metadata it is, for the message.
        metadata: The metadata; it is not changed.

    Raises:
        ConfigurationError: Something in it has no JSON form.

    Example:
        >>> from datetime import date
        >>> plain_metadata("report.pdf", {"day": date(2024, 2, 29)})
        {'day': '2024-02-29'}
    """
    return {key: _plain(owner, key, value) for key, value in metadata.items()}


def _plain(owner: str, key: str, value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{owner}: metadata {key!r} has no JSON form: {error}",
            option="metadata",
            hint="Use strings, finite numbers, booleans, lists and dictionaries.",
        ) from error


def batches(documents: Iterable[Document]) -> Iterator[list[dict[str, Any]]]:
    """Documents as sent, in batches of bounded number and size; reads an iterator as it goes.

    Args:
        documents: The Documents.

    Yields:
        Lists of one to 100 JSON objects, of about 4 MiB of text at most unless a single Document is larger.
    """
    batch: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        sent = cloud_document(document)
        weight = len(sent["text"]) + len(str(sent["metadata"]))
        if batch and (len(batch) >= BATCH_DOCUMENTS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(sent)
        size += weight
    if batch:
        yield batch


def fingerprint(record: Mapping[str, Any], *, like: Mapping[str, Any] | None = None) -> str:
    """What makes two versions of a document equal: text, metadata, and what of it is hidden from models.

    Args:
        record: A document as sent, or as the service returns it.
        like: The document as it would be sent, when `record` is the service's: what the service added to the metadata
            by itself is left out of the comparison unless this document has it too.

    Returns:
        A hash.
    """
    metadata = as_mapping(record.get("metadata"))
    if like is not None:
        metadata = {
            key: value for key, value in metadata.items() if key not in _ADDED_BY_THE_SERVICE or key in like["metadata"]
        }
    content = [record.get("text") or "", metadata, *(sorted(_keys(record, name)) for name in _SENT_KEYS)]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def llama_document(record: Mapping[str, Any]) -> Document:
    """A stored document as a LlamaIndex Document with the id it has in the index.

    Args:
        record: The document as the service returns it.
    """
    from llama_index.core.schema import Document

    metadata = dict(as_mapping(record.get("metadata")))
    return _document(record, as_text(record.get("id")) or "", _text(record), metadata, Document)


def page_documents(record: Mapping[str, Any]) -> list[Document]:
    """The pages of a stored document, one Document each; the document itself where it has no pages.

    Args:
        record: The document as the service returns it; `page_positions` says where its pages begin.

    Returns:
        Documents with `page_number` (from 1) in their metadata and the stored document as their SOURCE.
    """
    from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo

    from llama_cloud_ext.ids import stable_id

    text, starts = _text(record), _page_starts(record)
    if not starts:
        return [llama_document(record)]
    document_id = as_text(record.get("id")) or ""
    pages = []
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True), start=1):
        metadata = {**as_mapping(record.get("metadata")), "page_number": number, "page_count": len(starts)}
        page_id = stable_id(f"{document_id}\npage {number}")
        page = _document(record, page_id, text[start:end].strip("\n"), metadata, Document)
        page.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document_id)
        pages.append(page)
    return pages


def _text(record: Mapping[str, Any]) -> str:
    text = record.get("text")
    return text if isinstance(text, str) else ""


def _page_starts(record: Mapping[str, Any]) -> list[int]:
    """Where pages begin; nothing where the service sends no positions, or some that make no sense."""
    positions = record.get("page_positions")
    length = len(_text(record))
    if not isinstance(positions, Sequence) or not all(isinstance(place, int) for place in positions):
        return []
    starts = list(positions)
    if starts != sorted(starts) or (starts and not 0 <= starts[0] <= starts[-1] <= length):
        return []
    return starts


def _document(
    record: Mapping[str, Any], id_: str, text: str, metadata: dict[str, Any], kind: type[Document]
) -> Document:
    embed, llm = (_keys(record, name) for name in _SENT_KEYS)
    return kind(
        id_=id_, text=text, metadata=metadata, excluded_embed_metadata_keys=embed, excluded_llm_metadata_keys=llm
    )


def _keys(record: Mapping[str, Any], name: str) -> list[str]:
    return [key for key in as_elements(record.get(name)) if isinstance(key, str)]
