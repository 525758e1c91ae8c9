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
from typing import TYPE_CHECKING, NamedTuple

from llama_cloud_ext.local.retrieval.chunk_collection import Collection, collection_of
from llama_cloud_ext.local.retrieval.chunk_reading import chunks_by_sequence
from llama_cloud_ext.local.retrieval.chunk_search import ChunkSearch
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
            search = _Search(self, connection, collection, query, vector, settings)
            if search.is_for_files():
                return search.files()
            candidates = search.candidates()
        # Nor a re-ranking model.
        return search.ranked(candidates, settings.plan().rerank_top_n)

    def close(self) -> None:
        """Close the connections. Closing twice is harmless; searching afterwards raises RuntimeError."""
        self._connections.close()


class _Candidates(NamedTuple):
    chunks: list[ScoredChunk]
    frequencies: dict[str, float]


@dataclass(frozen=True)
class _Search:
    searcher: Searcher
    connection: sqlite3.Connection
    collection: Collection
    query: str
    vector: NDArray[np.float32] | None
    settings: RetrievalSettings

    def is_for_files(self) -> bool:
        """Whether whole files are wanted."""
        mode = self.settings.retrieval_mode
        return asks_for_files(self.query) if mode == "auto_routed" else mode != "chunks"

    def files(self) -> list[ScoredChunk]:
        """The best files."""
        mode, plan = self.settings.retrieval_mode, self.settings.plan()
        files: list[tuple[str, float]] = []
        if mode != "files_via_content":
            files = files_by_metadata(
                self.connection, self.collection, self.query, self.settings.filters, plan.files_top_k
            )
        # Where no metadata speaks of what is asked, the contents may.
        if not files or (mode == "auto_routed" and not names_a_file(files)):
            candidates = self.candidates()
            ranked = self.ranked(candidates, None if plan.rerank_top_n is None else len(candidates.chunks))
            files = files_of_chunks(ranked, plan.files_top_k)
        return whole_files(self.connection, self.collection, files)

    def candidates(self) -> _Candidates:
        """The best chunks before re-ranking."""
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
            count=plan.rerank_top_n is not None,
        )
        least = self.settings.score_cutoff
        scores = [pair for pair in found.scores if least is None or pair[1] >= least]
        return _Candidates(chunks_by_sequence(self.connection, scores), found.frequencies)

    def ranked(self, candidates: _Candidates, top_n: int | None) -> list[ScoredChunk]:
        """The candidates ranked anew; as they are where `top_n` is None."""
        if top_n is None:
            return candidates.chunks
        chunks, frequencies = candidates
        return self.searcher._reranker.rerank(self.query, chunks, top_n, frequencies=frequencies)
