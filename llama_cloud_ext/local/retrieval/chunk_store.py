"""Writing and reading chunks, inside the caller's transaction."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_cloud_ext.local.retrieval.chunks import Chunk, ScoredChunk, searchable_names
from llama_cloud_ext.local.retrieval.schema import create_full_text_table, full_text_table
from llama_cloud_ext.local.retrieval.words import spaced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llama_cloud_ext.local.retrieval.embedder import Embedder

_COLUMNS = """c.id, t.text, c.metadata, c.start_char_idx, c.end_char_idx, c.excluded_embed_metadata_keys,
    c.excluded_llm_metadata_keys, c.position"""
_ROWS_AT_A_TIME = 500


class EmbedderMismatchError(ValueError):
    """A pipeline's vectors were computed by another embedding model than the one that is used now."""


class Collection(NamedTuple):
    """A pipeline's chunks as a whole.

    Args:
        number: Its number in the tables.
        embedder: Who computed its vectors.
        dimensions: Length of the vectors.
        revision: Grows with every change.
        deletions: Grows with every change that takes chunks away.
    """

    number: int
    embedder: str
    dimensions: int
    revision: int
    deletions: int


def collection_of(connection: sqlite3.Connection, pipeline_id: str) -> Collection | None:
    """A pipeline's collection; None before its first chunk."""
    row = connection.execute(
        "SELECT number, embedder, dimensions, revision, deletions FROM chunk_collections WHERE pipeline_id = ?",
        (pipeline_id,),
    ).fetchone()
    return None if row is None else Collection(*row)


def write_chunks(
    connection: sqlite3.Connection,
    *,
    pipeline_id: str,
    document_id: str,
    file_id: str | None,
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    embedder_name: str,
) -> None:
    """Put a document's chunks in the place of those it had.

    Args:
        connection: Inside a write transaction.
        pipeline_id: The pipeline.
        document_id: The document.
        file_id: The file the document came from, if any.
        chunks: All chunks of the document.
        vectors: One row a chunk.
        embedder_name: `Embedder.name` of what computed them.

    Raises:
        EmbedderMismatchError: The pipeline holds vectors of another model.
        ValueError: Not as many vectors as chunks.

    Example:
        >>> import numpy as np
        >>> from llama_cloud_ext.local.retrieval import SCHEMA
        >>> connection = sqlite3.connect(":memory:")
        >>> for statement in SCHEMA: _ = connection.execute(statement)
        >>> write_chunks(
        ...     connection, pipeline_id="p", document_id="d", file_id=None, chunks=[Chunk("1", "Hello")],
        ...     vectors=np.ones((1, 2), dtype=np.float32), embedder_name="mine",
        ... )
        >>> [chunk.text for chunk in chunks_of_document(connection, "p", "d")]
        ['Hello']
    """
    if len(chunks) != len(vectors):
        raise ValueError(f"{len(chunks)} chunks came with {len(vectors)} vectors")
    if not chunks:
        delete_document_chunks(connection, pipeline_id, [document_id])
        return
    collection = _collection_for(connection, pipeline_id, embedder_name, int(vectors.shape[1]), document_id)
    deleted = _delete_documents(connection, collection, [document_id])
    first = connection.execute("SELECT COALESCE(MAX(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'chunks'")
    sequence: int = first.fetchone()[0]
    halves = vectors.astype("<f2")
    texts = [_storable(chunk.text) for chunk in chunks]
    connection.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                sequence + number,
                collection.number,
                document_id,
                file_id,
                chunk.position,
                chunk.id,
                chunk.start_char_idx,
                chunk.end_char_idx,
                metadata_json(chunk.metadata),
                json.dumps(chunk.excluded_embed_metadata_keys),
                json.dumps(chunk.excluded_llm_metadata_keys),
            )
            for number, chunk in enumerate(chunks)
        ],
    )
    connection.executemany(
        "INSERT INTO chunk_texts VALUES (?, ?)", [(sequence + number, text) for number, text in enumerate(texts)]
    )
    connection.executemany(
        "INSERT INTO chunk_vectors VALUES (?, ?)",
        [(sequence + number, half.tobytes()) for number, half in enumerate(halves)],
    )
    connection.executemany(
        f"INSERT INTO {full_text_table(collection.number)} (rowid, text, names) VALUES (?, ?, ?)",  # noqa: S608  # a number
        [
            (sequence + number, spaced(text), spaced(_storable(searchable_names(chunk))))
            for number, (chunk, text) in enumerate(zip(chunks, texts, strict=True))
        ],
    )
    _changed(connection, collection, deleted)


def delete_document_chunks(connection: sqlite3.Connection, pipeline_id: str, document_ids: Sequence[str]) -> None:
    """Delete the chunks of some documents of a pipeline; documents without chunks are passed over.

    Args:
        connection: Inside a write transaction.
        pipeline_id: The pipeline.
        document_ids: The documents.
    """
    collection = collection_of(connection, pipeline_id)
    if collection is not None:
        deleted = _delete_documents(connection, collection, document_ids)
        if deleted:
            _changed(connection, collection, deleted)


def delete_pipeline_chunks(connection: sqlite3.Connection, pipeline_id: str) -> None:
    """Delete all chunks of a pipeline. What is written next may come from another embedding model.

    Args:
        connection: Inside a write transaction.
        pipeline_id: The pipeline.
    """
    collection = collection_of(connection, pipeline_id)
    if collection is None:
        return
    for table in ("chunk_texts", "chunk_vectors"):
        connection.execute(
            f"DELETE FROM {table} WHERE sequence IN (SELECT sequence FROM chunks WHERE collection = ?)",  # noqa: S608  # one of two names
            (collection.number,),
        )
    connection.execute("DELETE FROM chunks WHERE collection = ?", (collection.number,))
    connection.execute(f"DROP TABLE {full_text_table(collection.number)}")
    connection.execute("DELETE FROM chunk_collections WHERE number = ?", (collection.number,))


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
        f"""SELECT {_COLUMNS} FROM chunks c JOIN chunk_texts t USING (sequence)
        WHERE c.collection = ? AND c.document_id = ? ORDER BY c.position""",  # noqa: S608  # fixed names
        (collection.number, document_id),
    )
    return [_chunk(row) for row in rows]


def chunks_by_sequence(connection: sqlite3.Connection, scores: Sequence[tuple[int, float]]) -> list[ScoredChunk]:
    """Chunks with their scores, in the order given.

    Args:
        connection: Any connection to the database.
        scores: Sequence and score of each.
    """
    found: dict[int, Sequence[Any]] = {}
    for some in _portions([sequence for sequence, _ in scores]):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT {_COLUMNS}, c.sequence, c.document_id, c.file_id
            FROM chunks c JOIN chunk_texts t USING (sequence) WHERE c.sequence IN ({marks})""",  # noqa: S608  # fixed names and question marks
            some,
        )
        found.update((row[8], row) for row in rows)
    return [
        ScoredChunk(_chunk(row), row[9], row[10], score)
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
    for some in _portions(keys):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT {_COLUMNS}, c.document_id, c.file_id FROM chunks c JOIN chunk_texts t USING (sequence)
            WHERE c.collection = ? AND (c.file_id IN ({marks}) OR (c.file_id IS NULL AND c.document_id IN ({marks})))
            ORDER BY c.sequence""",  # noqa: S608  # fixed names and question marks
            (collection.number, *some, *some),
        )
        for row in rows:
            documents = files.setdefault(row[9] or row[8], {})
            documents.setdefault(row[8], []).append(ScoredChunk(_chunk(row), row[8], row[9], 0.0))
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
    return _storable(text)


def _collection_for(
    connection: sqlite3.Connection, pipeline_id: str, embedder: str, dimensions: int, document_id: str
) -> Collection:
    collection = collection_of(connection, pipeline_id)
    if collection is None:
        cursor = connection.execute(
            "INSERT INTO chunk_collections (pipeline_id, embedder, dimensions) VALUES (?, ?, ?)",
            (pipeline_id, embedder, dimensions),
        )
        number = cursor.lastrowid
        assert number is not None, "an INSERT has a row id"  # noqa: S101  # sqlite3 types it as optional
        connection.execute(create_full_text_table(number))
        return Collection(number, embedder, dimensions, 0, 0)
    if (collection.embedder, collection.dimensions) == (embedder, dimensions):
        return collection
    others = connection.execute(
        "SELECT 1 FROM chunks WHERE collection = ? AND document_id <> ? LIMIT 1", (collection.number, document_id)
    ).fetchone()
    if others:
        raise EmbedderMismatchError(mismatch(collection, embedder, dimensions))
    delete_pipeline_chunks(connection, pipeline_id)
    return _collection_for(connection, pipeline_id, embedder, dimensions, document_id)


def embedded_otherwise(connection: sqlite3.Connection, pipeline_id: str, embedder: Embedder) -> bool:
    """Whether a pipeline holds vectors of another model than this one, as far as its dimensions are known.

    Args:
        connection: Any connection to the database.
        pipeline_id: The pipeline.
        embedder: The model.
    """
    collection = collection_of(connection, pipeline_id)
    if collection is None:
        return False
    return collection.embedder != embedder.name or embedder.dimensions not in (None, collection.dimensions)


def mismatch(collection: Collection, embedder: str, dimensions: int) -> str:
    """What to say when an embedding model meets another one's vectors."""
    return (
        f"this pipeline holds vectors of {collection.embedder} ({collection.dimensions} dimensions), and the embedding "
        f"model in use is {embedder} ({dimensions}): sync the pipeline, which embeds it anew, or start with the former "
        "model"
    )


def _delete_documents(connection: sqlite3.Connection, collection: Collection, document_ids: Sequence[str]) -> int:
    deleted = 0
    for some in _portions(document_ids):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT c.sequence, {_COLUMNS} FROM chunks c JOIN chunk_texts t USING (sequence)
            WHERE c.collection = ? AND c.document_id IN ({marks})""",  # noqa: S608  # fixed names and question marks
            (collection.number, *some),
        ).fetchall()
        if not rows:
            continue
        table = full_text_table(collection.number)
        connection.executemany(
            f"INSERT INTO {table} ({table}, rowid, text, names) VALUES ('delete', ?, ?, ?)",  # noqa: S608  # a number
            [(row[0], spaced(row[2]), spaced(_storable(searchable_names(_chunk(row[1:]))))) for row in rows],
        )
        sequences = [(row[0],) for row in rows]
        for name in ("chunks", "chunk_texts", "chunk_vectors"):
            connection.executemany(f"DELETE FROM {name} WHERE sequence = ?", sequences)  # noqa: S608  # one of three
        deleted += len(rows)
    return deleted


def _changed(connection: sqlite3.Connection, collection: Collection, deleted: int) -> None:
    connection.execute(
        "UPDATE chunk_collections SET revision = revision + 1, deletions = deletions + ? WHERE number = ?",
        (deleted, collection.number),
    )


def _portions(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _ROWS_AT_A_TIME] for start in range(0, len(values), _ROWS_AT_A_TIME))


def _chunk(row: Sequence[Any]) -> Chunk:
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


def _keys(text: str) -> list[str]:
    keys: list[str] = [] if text == "[]" else json.loads(text)
    return keys


def _storable(text: str) -> str:
    """Text without lone surrogates, which SQLite cannot store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return [_without_nan(inner) for inner in value] if isinstance(value, list | tuple) else value
