"""Whole files instead of chunks: which files a query is about, and what is in them.

A document that came from no file counts as one.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cloud_ext.local.retrieval.chunk_collection import Collection
from llama_cloud_ext.local.retrieval.chunk_reading import chunks_of_files
from llama_cloud_ext.local.retrieval.chunks import Chunk, ScoredChunk
from llama_cloud_ext.local.retrieval.filter_sql import sql_filter
from llama_cloud_ext.local.retrieval.full_text import query_words
from llama_cloud_ext.local.retrieval.lexical_reranking import SEARCH, lexical_scores

_ABOUT_THE_WHOLE = re.compile(
    r"\b(summar(y|ies)|summari[sz](e[sd]?|ing)|overview|outline|abstract|tl;?dr|gist"
    r"|(main|key) (points?|ideas?|topics?|themes?|takeaways?)"
    r"|(whole|entire|full|complete) (document|file|report|paper|book|text|deck|presentation)"
    r"|what is (this|the) (document|file|report|paper|book|presentation) about)\b",
    re.IGNORECASE,
)
_NAMED = 0.5
"""Score from which a file's metadata is taken to be what a query names."""


def asks_for_files(query: str) -> bool:
    """Whether a query is about whole files rather than a passage: the rule of the mode `auto_routed`.

    Example:
        >>> asks_for_files("Summarize the annual report"), asks_for_files("When was it founded?")
        (True, False)
    """
    return _ABOUT_THE_WHOLE.search(query) is not None


def names_a_file(files: Sequence[tuple[str, float]]) -> bool:
    """Whether the best of `files_by_metadata` is one that the query names."""
    return bool(files) and files[0][1] >= _NAMED


def files_by_metadata(
    connection: sqlite3.Connection, collection: Collection, query: str, filters: Mapping[str, Any] | None, top_k: int
) -> list[tuple[str, float]]:
    """The files whose names and other metadata share the most words with a query.

    Args:
        connection: Inside a read transaction.
        collection: The pipeline's.
        query: What is asked.
        filters: Checked filters.
        top_k: How many files.

    Returns:
        The files' keys (see `chunks_of_files`) and scores from 0 to 1; none that shares no word.
    """
    words = query_words(_ABOUT_THE_WHOLE.sub(" ", query))
    condition = sql_filter(filters)
    restriction = f"AND {condition.condition}" if condition.condition else ""
    rows = connection.execute(
        f"""SELECT COALESCE(c.file_id, c.document_id), c.metadata FROM chunks c
        WHERE c.collection = ? AND c.position = 0 {restriction} ORDER BY c.sequence""",  # noqa: S608  # see SqlFilter
        (collection.number, *condition.parameters),
    )
    texts: dict[str, str] = {}
    for key, metadata in rows:
        lowered = metadata.lower()
        if key not in texts and any(word in lowered for word in words):
            texts[key] = " ".join(str(value) for value in json.loads(metadata).values())
    scores = lexical_scores(" ".join(words), list(texts.values()), [0.0] * len(texts))
    ranked = [(key, score / (1 - SEARCH)) for key, score in zip(texts, scores, strict=True) if score > 0]
    return sorted(ranked, key=lambda pair: -pair[1])[:top_k]


def files_of_chunks(found: Sequence[ScoredChunk], top_k: int) -> list[tuple[str, float]]:
    """The files of found chunks, each with the score of its best one.

    Args:
        found: The best first.
        top_k: How many files.

    Returns:
        The files' keys (see `chunks_of_files`) and scores.
    """
    files: dict[str, float] = {}
    for scored in found:
        files.setdefault(scored.file_id or scored.document_id, scored.score)
    return list(files.items())[:top_k]


def whole_files(
    connection: sqlite3.Connection, collection: Collection, files: Sequence[tuple[str, float]]
) -> list[ScoredChunk]:
    """One node a file, with all its text.

    Args:
        connection: Inside a read transaction.
        collection: The pipeline's.
        files: Keys and scores.

    Returns:
        Nodes in that order. Their metadata is what all chunks of the file agree on.
    """
    chunks = chunks_of_files(connection, collection, [key for key, _ in files])
    nodes: list[ScoredChunk] = []
    for key, score in files:
        pieces = chunks.get(key)
        if pieces:
            text = "\n\n".join(joined([piece.chunk for piece in document]) for document in pieces)
            flat = [piece.chunk for document in pieces for piece in document]
            first = pieces[0][0]
            whole = Chunk(
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"file {key}")),
                text=text,
                metadata=_shared(flat),
                start_char_idx=0,
                end_char_idx=len(text),
                excluded_embed_metadata_keys=first.chunk.excluded_embed_metadata_keys,
                excluded_llm_metadata_keys=first.chunk.excluded_llm_metadata_keys,
            )
            nodes.append(ScoredChunk(whole, first.document_id, first.file_id, score))
    return nodes


def joined(chunks: Sequence[Chunk]) -> str:
    """The text of a document from its chunks: what they share at their ends stands once.

    Example:
        >>> joined([Chunk("1", "one two", {}, 0, 7), Chunk("2", "two three", {}, 4, 13)])
        'one two three'
    """
    text, end = "", 0
    for chunk in chunks:
        start = chunk.start_char_idx
        if start is None or chunk.end_char_idx is None:
            text += ("\n\n" if text else "") + chunk.text
            continue
        if start > end and text:
            # The space between chunks is not kept: a line for one character of it, a paragraph for more.
            text += "\n\n" if start - end > 1 else "\n"
        text += chunk.text[max(0, end - start) :]
        end = max(end, chunk.end_char_idx)
    return text


def _shared(chunks: Sequence[Chunk]) -> dict[str, Any]:
    first, *others = [chunk.metadata for chunk in chunks]
    return {key: value for key, value in first.items() if all(key in o and o[key] == value for o in others)}
