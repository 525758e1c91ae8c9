"""A database with the engine's tables alone, and short ways to fill and search it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from llama_cloud_ext.local.retrieval import (
    SCHEMA,
    Chunk,
    Embedder,
    Reranker,
    RetrievalSettings,
    ScoredChunk,
    Searcher,
    delete_document_chunks,
    embedding_text,
    split_document,
    write_chunks,
)

PIPELINE = "pipeline-1"


def connected(path: Path) -> sqlite3.Connection:
    """A connection to a database with the engine's tables, as the server's is."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'chunks'").fetchone():
        for statement in SCHEMA:
            connection.execute(statement)
    return connection


def split(text: str, document_id: str = "document", **options: Any) -> list[Chunk]:
    """Split a document; what is not given is empty."""
    given: dict[str, Any] = {
        "metadata": {},
        "excluded_embed_metadata_keys": [],
        "excluded_llm_metadata_keys": [],
        "page_positions": None,
        "transform_config": None,
    }
    return split_document(document_id=document_id, text=text, **(given | options))


class RetrievalDatabase:
    """A database and a searcher on it.

    Args:
        path: The database file.
        embedder: Computes all vectors.
        reranker: Ranks anew.
    """

    def __init__(self, path: Path, embedder: Embedder | None = None, reranker: Reranker | None = None) -> None:
        self.path = path
        self.embedder = embedder or Embedder()
        self.connection = connected(path)
        self.searcher = Searcher(path, self.embedder, reranker or Reranker())

    def __enter__(self) -> RetrievalDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.searcher.close()
        self.connection.close()

    def add(
        self,
        documents: Mapping[str, str],
        metadata: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        pipeline_id: str = PIPELINE,
        files: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Write documents, given as ids and texts, in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for document_id, text in documents.items():
                chunks = split(text, document_id, metadata=(metadata or {}).get(document_id, {}), **options)
                write_chunks(
                    self.connection,
                    pipeline_id=pipeline_id,
                    document_id=document_id,
                    file_id=(files or {}).get(document_id),
                    chunks=chunks,
                    vectors=self.embedder.embed_documents([embedding_text(chunk) for chunk in chunks]),
                    embedder_name=self.embedder.name,
                )
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def delete(self, *document_ids: str) -> None:
        """Delete documents in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        delete_document_chunks(self.connection, PIPELINE, document_ids)
        self.connection.execute("COMMIT")

    def search(self, query: str, *, pipeline_id: str = PIPELINE, **settings: Any) -> list[ScoredChunk]:
        """Search, with settings as `RetrievalSettings` takes them."""
        return self.searcher.search(pipeline_id, query, RetrievalSettings(**settings))

    def found(self, query: str, **settings: Any) -> list[str]:
        """The ids of the documents found, the best first."""
        return [scored.document_id for scored in self.search(query, **settings)]
