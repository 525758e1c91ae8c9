"""Writing and deleting chunks, inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.chunk_collection import (
    Collection,
    EmbedderMismatchError,
    collection_of,
    mismatch,
)
from llama_cloud_ext.local.retrieval.chunk_reading import (
    CHUNK_COLUMNS,
    chunk_of_row,
    metadata_json,
    portions,
    storable,
)
from llama_cloud_ext.local.retrieval.chunks import Chunk, searchable_names
from llama_cloud_ext.local.retrieval.schema import create_full_text_table, full_text_table
from llama_cloud_ext.local.retrieval.words import spaced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
        >>> from llama_cloud_ext.local.retrieval import SCHEMA, chunks_of_document
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
    texts = [storable(chunk.text) for chunk in chunks]
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
            (sequence + number, spaced(text), spaced(storable(searchable_names(chunk))))
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


def _delete_documents(connection: sqlite3.Connection, collection: Collection, document_ids: Sequence[str]) -> int:
    deleted = 0
    for some in portions(document_ids):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"""SELECT c.sequence, {CHUNK_COLUMNS} FROM chunks c JOIN chunk_texts t USING (sequence)
            WHERE c.collection = ? AND c.document_id IN ({marks})""",  # noqa: S608  # fixed names and question marks
            (collection.number, *some),
        ).fetchall()
        if not rows:
            continue
        table = full_text_table(collection.number)
        connection.executemany(
            f"INSERT INTO {table} ({table}, rowid, text, names) VALUES ('delete', ?, ?, ?)",  # noqa: S608  # a number
            [(row[0], spaced(row[2]), spaced(storable(searchable_names(chunk_of_row(row[1:]))))) for row in rows],
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
