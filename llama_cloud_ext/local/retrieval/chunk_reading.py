"""Reading chunks, and the form in which the database keeps them."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from llama_cloud_ext.local.retrieval.chunk_collection import Collection, collection_of
from llama_cloud_ext.local.retrieval.chunks import Chunk, ScoredChunk

CHUNK_COLUMNS = """c.id, t.text, c.metadata, c.start_char_idx, c.end_char_idx, c.excluded_embed_metadata_keys,
    c.excluded_llm_metadata_keys, c.position"""
"""What `chunk_of_row` needs, of `chunks` as `c` and `chunk_texts` as `t`."""

_ROWS_AT_A_TIME = 500


def chunks_of_document(connection: sqlite3.Connection, pipeline_id: str, document_id: str) -> list[Chunk]:
    """A document's chunks in their order; an empty list for a document that has none.

    Args:
        connection: Any connection to the database.
        pipeline_id: The pipeline.
        document_id: The document.
    """
    collection = collection_of(connection, pipeline_id)
    if collection is None:
        return []
    rows = connection.execute(
        f"""SELECT {CHUNK_COLUMNS} FROM chunks c JOIN chunk_texts t USING (sequence)
        WHERE c.collection = ? AND c.document_id = ? ORDER BY c.position""",  # noqa: S608  # fixed names
        (collection.number, document_id),
    )
    return [chunk_of_row(row) for row in rows]


def chunks_by_sequence(connection: sqlite3.Connection, scores: Sequence[tuple[int, float]]) -> list[ScoredChunk]:
    """Chunks with their scores, in the order given.

    Args:
        connection: Any connection to the database.
        scores: Sequence and score of each.
    """
    found: dict[int, Sequence[Any]] = {}
    for some in portions([sequence for sequence, _ in scores]):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT {CHUNK_COLUMNS}, c.sequence, c.document_id, c.file_id
            FROM chunks c JOIN chunk_texts t USING (sequence) WHERE c.sequence IN ({marks})""",  # noqa: S608  # fixed names and question marks
            some,
        )
        found.update((row[8], row) for row in rows)
    return [
        ScoredChunk(chunk_of_row(row), row[9], row[10], score)
        for sequence, score in scores
        if (row := found.get(sequence)) is not None
    ]


def chunks_of_files(
    connection: sqlite3.Connection, collection: Collection, keys: Sequence[str]
) -> dict[str, list[list[ScoredChunk]]]:
    """The chunks of whole files.

    Args:
        connection: Any connection to the database.
        collection: The pipeline's.
        keys: File ids, and ids of documents that came from no file.

    Returns:
        By key: the chunks of each of the file's documents, in their order, with a score of 0.
    """
    files: dict[str, dict[str, list[ScoredChunk]]] = {}
    for some in portions(keys):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT {CHUNK_COLUMNS}, c.document_id, c.file_id FROM chunks c JOIN chunk_texts t USING (sequence)
            WHERE c.collection = ? AND (c.file_id IN ({marks}) OR (c.file_id IS NULL AND c.document_id IN ({marks})))
            ORDER BY c.sequence""",  # noqa: S608  # fixed names and question marks
            (collection.number, *some, *some),
        )
        for row in rows:
            documents = files.setdefault(row[9] or row[8], {})
            documents.setdefault(row[8], []).append(ScoredChunk(chunk_of_row(row), row[8], row[9], 0.0))
    return {key: list(documents.values()) for key, documents in files.items()}


def metadata_json(metadata: dict[str, Any]) -> str:
    """Metadata as the database keeps it: JSON that SQLite's JSON functions read, whatever is in it.

    Example:
        >>> metadata_json({"a": float("nan"), "é": 1})
        '{"a":null,"é":1}'
    """
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_without_nan(metadata), ensure_ascii=False, separators=(",", ":"))
    return storable(text)


def chunk_of_row(row: Sequence[Any]) -> Chunk:
    """A chunk from a row that begins with `CHUNK_COLUMNS`."""
    return Chunk(
        id=row[0],
        text=row[1],
        metadata=json.loads(row[2]),
        start_char_idx=row[3],
        end_char_idx=row[4],
        excluded_embed_metadata_keys=_keys(row[5]),
        excluded_llm_metadata_keys=_keys(row[6]),
        position=row[7],
    )


def portions(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Values in portions, since a statement takes so many parameters only."""
    return (values[start : start + _ROWS_AT_A_TIME] for start in range(0, len(values), _ROWS_AT_A_TIME))


def storable(text: str) -> str:
    """Text without lone surrogates, which SQLite cannot store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _keys(text: str) -> list[str]:
    keys: list[str] = [] if text == "[]" else json.loads(text)
    return keys


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return [_without_nan(inner) for inner in value] if isinstance(value, list | tuple) else value
