"""Retrieval: documents to chunks, chunks to vectors and words in SQLite, queries to the best of them.

Here lives what knows about text and ranking: splitting, the default lexical embedding, the engine's tables, filters,
the two searches and their fusion, re-ranking. Nothing in here knows of HTTP, pipelines' settings, files or jobs: the
server calls `split_document`, `Embedder.embed_documents` and `write_chunks` when it ingests, and `Searcher.search` when
it is asked.

By default everything is lexical: it needs no model and no network, and finds words and their parts, not meaning.
`Embedder(embed_model)` and `Reranker(reranker)` take LlamaIndex's abstractions for more.

Importing this costs milliseconds: NumPy and LlamaIndex are imported by the functions that need them.
"""

from __future__ import annotations

from llama_cloud_ext.local.retrieval.chunk_collection import EmbedderMismatchError, embedded_otherwise
from llama_cloud_ext.local.retrieval.chunk_reading import chunks_of_document
from llama_cloud_ext.local.retrieval.chunk_store import delete_document_chunks, delete_pipeline_chunks, write_chunks
from llama_cloud_ext.local.retrieval.chunks import Chunk, ScoredChunk, embedding_text
from llama_cloud_ext.local.retrieval.embedder import Embedder
from llama_cloud_ext.local.retrieval.filter_inference import filters_from_query
from llama_cloud_ext.local.retrieval.filters import check_filters, matches
from llama_cloud_ext.local.retrieval.reranker import Reranker
from llama_cloud_ext.local.retrieval.retrieval_settings import RetrievalSettings
from llama_cloud_ext.local.retrieval.schema import SCHEMA
from llama_cloud_ext.local.retrieval.searcher import Searcher
from llama_cloud_ext.local.retrieval.splitting import split_document
from llama_cloud_ext.local.retrieval.transform_config import check_transform_config

__all__ = [
    "SCHEMA",
    "Chunk",
    "Embedder",
    "EmbedderMismatchError",
    "Reranker",
    "RetrievalSettings",
    "ScoredChunk",
    "Searcher",
    "check_filters",
    "check_transform_config",
    "chunks_of_document",
    "delete_document_chunks",
    "delete_pipeline_chunks",
    "embedded_otherwise",
    "embedding_text",
    "filters_from_query",
    "matches",
    "split_document",
    "write_chunks",
]
