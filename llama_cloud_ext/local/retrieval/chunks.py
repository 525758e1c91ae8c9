"""Chunks: the pieces of documents that are embedded, searched and returned as nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Chunk:
    """One node of a document.

    Args:
        id: The node's id, a uuid5: the same for the same document and position.
        text: What the node says.
        metadata: The document's metadata, and the page where the document has pages.
        start_char_idx: Where the text starts in the document's text; None where that is not known.
        end_char_idx: Where it ends.
        excluded_embed_metadata_keys: Metadata that the embedding may not see.
        excluded_llm_metadata_keys: Metadata that an LLM may not see.
        position: Place among the document's chunks, from 0.
    """

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    start_char_idx: int | None = None
    end_char_idx: int | None = None
    excluded_embed_metadata_keys: list[str] = field(default_factory=list)
    excluded_llm_metadata_keys: list[str] = field(default_factory=list)
    position: int = 0


@dataclass(frozen=True)
class ScoredChunk:
    """A chunk that a search found.

    Args:
        chunk: The chunk.
        document_id: The document it is a piece of.
        file_id: The file that the document came from; None for a document without a file.
        score: How well it fits; `Searcher` says what the number means.
        found_score: The score with which it was found, before it was ranked anew; None where it was not.
    """

    chunk: Chunk
    document_id: str
    file_id: str | None
    score: float
    found_score: float | None = None


def embedding_text(chunk: Chunk) -> str:
    """What the embedding sees of a chunk: its metadata but for the excluded keys, an empty line, its text.

    LlamaIndex writes nodes for embedding models in the same form.

    Example:
        >>> embedding_text(Chunk("1", "Hello", {"file_name": "a.txt", "size": 5}, None, None, ["size"]))
        'file_name: a.txt\\n\\nHello'
    """
    excluded = chunk.excluded_embed_metadata_keys
    lines = [f"{key}: {value}" for key, value in chunk.metadata.items() if key not in excluded]
    return "\n".join(lines) + "\n\n" + chunk.text if lines else chunk.text


def searchable_names(chunk: Chunk) -> str:
    """The metadata that the full-text index sees: the texts among the values that the embedding may see.

    Example:
        >>> searchable_names(Chunk("1", "Hello", {"file_name": "a.txt", "page_number": 3}))
        'a.txt'
    """
    excluded = chunk.excluded_embed_metadata_keys
    return "\n".join(value for key, value in chunk.metadata.items() if isinstance(value, str) and key not in excluded)
