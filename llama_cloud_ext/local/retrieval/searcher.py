"""Searching a pipeline: by vectors and words, fused, filtered, re-ranked; for chunks or for whole files.

What the score of a found chunk means:

- after re-ranking (the default): `lexical_scores`, from 0 to 1, or what the given postprocessor says;
- hybrid without re-ranking: reciprocal ranks, from 0 to 1 (`fuse`);
- vectors only: cosine similarity, from -1 to 1;
- words only: BM25 as a number from 0 to 1 (`squashed`).

A file has the score of its best chunk, or of its metadata. Equal scores stand in the order in which the chunks were
written, so that the same search gives the same answer.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.chunk_search import ChunkSearch
from llama_cloud_ext.local.retrieval.chunk_store import Collection, chunks_by_sequence, collection_of
from llama_cloud_ext.local.retrieval.chunks import ScoredChunk
from llama_cloud_ext.local.retrieval.embedder import Embedder
from llama_cloud_ext.local.retrieval.file_modes import (
    asks_for_files,
    files_by_metadata,
    files_of_chunks,
    names_a_file,
    whole_files,
)
from llama_cloud_ext.local.retrieval.filters import check_filters
from llama_cloud_ext.local.retrieval.read_connections import ReadConnections
from llama_cloud_ext.local.retrieval.reranker import Reranker
from llama_cloud_ext.local.retrieval.retrieval_settings import RetrievalSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Searcher:
    """Searches the pipelines of one database. Safe for use from several threads; a search blocks its own.

    What another connection or process has committed before a search begins, the search sees.

    Args:
        path: The database, in WAL mode, with the tables of `SCHEMA`.
        embedder: Computes the vectors of queries; the same that computed those of the chunks.
        reranker: Ranks what was found.
    """

    def __init__(self, path: Path, embedder: Embedder, reranker: Reranker) -> None:
        self._embedder = embedder
        self._reranker = reranker
        self._connections = ReadConnections(path)
        self._chunks = ChunkSearch()

    def search(self, pipeline_id: str, query: str, settings: RetrievalSettings) -> list[ScoredChunk]:
        """Search a pipeline.

        Args:
            pipeline_id: The pipeline; one that has no chunks yet has no answers.
            query: Any text.
            settings: What is wanted.

        Returns:
            The best first; this module's docstring says what the scores mean.

        Raises:
            ValueError: The filters mean nothing.
            EmbedderMismatchError: The pipeline's vectors are another embedding model's.
        """
        check_filters(settings.filters)
        # A model may take its time: not inside the transaction.
        vector = self._embedder.embed_query(query) if settings.plan().dense_top_k and query.strip() else None
        with self._connections.transaction() as connection:
            collection = collection_of(connection, pipeline_id)
            if collection is None:
                return []
            return _Search(self, connection, collection, query, vector, settings).results()

    def close(self) -> None:
        """Close the connections. Closing twice is harmless; searching afterwards raises RuntimeError."""
        self._connections.close()
        self._chunks.close()


@dataclass(frozen=True)
class _Search:
    searcher: Searcher
    connection: sqlite3.Connection
    collection: Collection
    query: str
    vector: NDArray[np.float32] | None
    settings: RetrievalSettings

    def results(self) -> list[ScoredChunk]:
        mode, plan = self.settings.retrieval_mode, self.settings.plan()
        routed = mode == "auto_routed"
        if mode == "chunks" or (routed and not asks_for_files(self.query)):
            return self.chunks(plan.rerank_top_n)
        files: list[tuple[str, float]] = []
        if mode != "files_via_content":
            files = files_by_metadata(
                self.connection, self.collection, self.query, self.settings.filters, plan.files_top_k
            )
        # Where no metadata speaks of what is asked, the contents may.
        if not files or (routed and not names_a_file(files)):
            everything = None if plan.rerank_top_n is None else plan.dense_top_k + plan.sparse_top_k
            files = files_of_chunks(self.chunks(everything), plan.files_top_k)
        return whole_files(self.connection, self.collection, files)

    def chunks(self, rerank_top_n: int | None) -> list[ScoredChunk]:
        plan = self.settings.plan()
        found = self.searcher._chunks.find(
            self.connection,
            self.collection,
            self.query,
            self.vector,
            self.searcher._embedder.name,
            dense_top_k=plan.dense_top_k,
            sparse_top_k=plan.sparse_top_k,
            alpha=plan.alpha,
            cutoff=self.settings.dense_similarity_cutoff,
            filters=self.settings.filters,
            count=rerank_top_n is not None,
        )
        chunks = chunks_by_sequence(self.connection, found.scores)
        if rerank_top_n is None:
            return chunks
        return self.searcher._reranker.rerank(self.query, chunks, rerank_top_n, frequencies=found.frequencies)
