"""The engine's tables.

A *collection* is a pipeline's chunks. Each has a full-text table of its own (`full_text_table`), made when its first
chunk is written: so BM25 knows the frequencies of this pipeline's words and no other's, and a pipeline goes at once.
"""

from __future__ import annotations

SCHEMA: tuple[str, ...] = (
    """CREATE TABLE chunk_collections (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        pipeline_id TEXT NOT NULL UNIQUE,
        embedder TEXT NOT NULL,
        dimensions INTEGER NOT NULL,
        revision INTEGER NOT NULL DEFAULT 0,
        deletions INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE chunks (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        collection INTEGER NOT NULL,
        document_id TEXT NOT NULL,
        file_id TEXT,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        start_char_idx INTEGER,
        end_char_idx INTEGER,
        metadata TEXT NOT NULL,
        excluded_embed_metadata_keys TEXT NOT NULL,
        excluded_llm_metadata_keys TEXT NOT NULL
    )""",
    "CREATE INDEX chunks_by_collection ON chunks (collection)",
    "CREATE UNIQUE INDEX chunks_by_document ON chunks (collection, document_id, position)",
    "CREATE TABLE chunk_texts (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    "CREATE TABLE chunk_vectors (sequence INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
)
"""Sequences are never used twice and grow in the order of the commits: a reader finds what is new by its last one."""


def full_text_table(collection: int) -> str:
    """The name of a collection's full-text table."""
    return f"chunk_words_{collection}"


def create_full_text_table(collection: int) -> str:
    """The statement that makes a collection's full-text table.

    It holds no text of its own: rows are taken out again by giving the same text, which `chunk_texts` keeps.
    """
    return (
        f"CREATE VIRTUAL TABLE {full_text_table(collection)} USING fts5("
        "text, names, content='', tokenize='porter unicode61 remove_diacritics 2')"
    )
