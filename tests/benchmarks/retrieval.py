"""Measures local retrieval: how fast it takes in and finds passages, and how good it is at finding known items.

    python -m tests.benchmarks.retrieval             # 100,000 passages; two minutes
    python -m tests.benchmarks.retrieval 10000       # fewer

It prints one JSON object. Quality is the mean reciprocal rank among the first ten (MRR@10) of the one document that a
query was cut from, for both halves of the known items: parameters were tuned on half A, half B judges them.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.retrieval import (
    SCHEMA,
    Embedder,
    Reranker,
    RetrievalSettings,
    Searcher,
    embedding_text,
    split_document,
    write_chunks,
)
from tests.benchmarks.stdlib_docstrings import known_items, passages

PIPELINE = "benchmark"
DOCUMENTS_A_TRANSACTION = 500
PAGES = 40
KINDS = {
    "dense": RetrievalSettings(alpha=1.0, enable_reranking=False),
    "sparse": RetrievalSettings(alpha=0.0, enable_reranking=False),
    "hybrid": RetrievalSettings(enable_reranking=False),
    "hybrid, re-ranked": RetrievalSettings(rerank_top_n=10),
}
SPEEDS = KINDS | {
    "hybrid, re-ranked, filtered": RetrievalSettings(
        filters={"filters": [{"key": "page_number", "operator": "<=", "value": PAGES // 2}]}
    )
}


def take_in(path: Path, documents: Iterable[tuple[str, str]]) -> float:
    """Split, embed and write documents as an ingestion does, durably.

    Args:
        path: A new database.
        documents: Ids and texts.

    Returns:
        Chunks a second.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for statement in SCHEMA:
        connection.execute(statement)
    embedder = Embedder()
    split_and_embedded(embedder, [("warm-up", "imports and caches " * 400)])
    documents = list(documents)
    written = 0
    start = time.perf_counter()
    for first in range(0, len(documents), DOCUMENTS_A_TRANSACTION):
        batch = split_and_embedded(embedder, documents[first : first + DOCUMENTS_A_TRANSACTION])
        connection.execute("BEGIN IMMEDIATE")
        for document_id, chunks, vectors in batch:
            write_chunks(
                connection,
                pipeline_id=PIPELINE,
                document_id=document_id,
                file_id=None,
                chunks=chunks,
                vectors=vectors,
                embedder_name=embedder.name,
            )
            written += len(chunks)
        connection.execute("COMMIT")
    taken = time.perf_counter() - start
    connection.close()
    return written / taken


def split_and_embedded(embedder: Embedder, documents: list[tuple[str, str]]) -> list[tuple[str, Any, Any]]:
    """Ids, chunks and vectors of documents, embedded together."""
    split = [
        split_document(
            document_id=document_id,
            text=text,
            metadata={"file_name": f"{document_id}.txt", "page_number": number % PAGES},
            excluded_embed_metadata_keys=["file_name", "page_number"],
            excluded_llm_metadata_keys=[],
            page_positions=None,
            transform_config={"mode": "auto"},
        )
        for number, (document_id, text) in enumerate(documents)
    ]
    vectors = embedder.embed_documents([embedding_text(chunk) for chunks in split for chunk in chunks])
    batch, place = [], 0
    for (document_id, _), chunks in zip(documents, split, strict=True):
        batch.append((document_id, chunks, vectors[place : place + len(chunks)]))
        place += len(chunks)
    return batch


@contextmanager
def searching(path: Path) -> Iterator[Searcher]:
    """A searcher of a database, with local LlamaCloud's own models."""
    searcher = Searcher(path, Embedder(), Reranker())
    try:
        yield searcher
    finally:
        searcher.close()


def query_times(searcher: Searcher, queries: Sequence[str], settings: RetrievalSettings) -> list[float]:
    """Milliseconds of each search, in rising order; one search before them reads the vectors into memory."""
    searcher.search(PIPELINE, queries[0], settings)
    times = []
    for query in queries:
        start = time.perf_counter()
        searcher.search(PIPELINE, query, settings)
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)


def sampled_queries(count: int) -> list[str]:
    """Queries from all over the known items."""
    items = known_items()
    return [item.query for item in items[:: max(1, len(items) // count)]][:count]


def mean_reciprocal_ranks(
    groups: Mapping[str, Iterable[tuple[str, str]]], kinds: Iterable[str] = KINDS
) -> dict[str, dict[str, float]]:
    """MRR@10 of each kind of search, all known items being in the index.

    Args:
        groups: Queries and the names of the items they ask for.
        kinds: Which of `KINDS`.

    Returns:
        By group, by kind of search.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known-items.sqlite3"
        take_in(path, ((item.name, item.document) for item in known_items()))
        with searching(path) as searcher:
            return {
                group: {
                    kind: statistics.fmean(reciprocal_rank(searcher, query, name, KINDS[kind]) for query, name in asked)
                    for kind in kinds
                }
                for group, asked in ((group, list(asked)) for group, asked in groups.items())
            }


def reciprocal_rank(searcher: Searcher, query: str, wanted: str, settings: RetrievalSettings) -> float:
    """One by the rank of a document among the first ten found; 0 if it is not among them."""
    found = dict.fromkeys(scored.document_id for scored in searcher.search(PIPELINE, query, settings))
    best = list(islice(found, 10))
    return 1 / (1 + best.index(wanted)) if wanted in best else 0.0


def with_typing_error(query: str) -> str:
    """The query with two letters in the middle of its longest word in each other's place.

    Example:
        >>> with_typing_error("open the document")
        'open the docmuent'
    """
    longest = max(query.split(), key=len)
    middle = len(longest) // 2
    swapped = longest[: middle - 1] + longest[middle] + longest[middle - 1] + longest[middle + 1 :]
    return query.replace(longest, swapped, 1)


def measurements(count: int) -> dict[str, Any]:
    """Everything, over so many passages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "passages.sqlite3"
        chunks_a_second = take_in(path, passages(count))
        queries = sampled_queries(100)
        with searching(path) as searcher:
            times = {kind: query_times(searcher, queries, settings) for kind, settings in SPEEDS.items()}
    half_a = [(item.query, item.name) for item in known_items() if item.tuned_on]
    half_b = [(item.query, item.name) for item in known_items() if not item.tuned_on]
    groups = {
        f"half A ({len(half_a)} queries, tuned on)": half_a,
        f"half B ({len(half_b)} queries)": half_b,
        "half B, a typing error in each query": [(with_typing_error(query), name) for query, name in half_b],
    }
    return {
        "passages": count,
        "chunks_a_second": chunks_a_second,
        "median_ms": {kind: statistics.median(taken) for kind, taken in times.items()},
        "90th_percentile_ms": {kind: taken[len(taken) * 9 // 10] for kind, taken in times.items()},
        "mrr": mean_reciprocal_ranks(groups),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measurements(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000), indent=1) + "\n")
