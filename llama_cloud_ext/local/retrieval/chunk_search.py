"""One search for chunks inside one read transaction."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.retrieval.chunk_collection import Collection, EmbedderMismatchError, mismatch
from llama_cloud_ext.local.retrieval.filter_sql import SqlFilter, sql_filter
from llama_cloud_ext.local.retrieval.full_text import count_words, query_words, search_words
from llama_cloud_ext.local.retrieval.fusion import fuse, squashed
from llama_cloud_ext.local.retrieval.vectors import VectorMemory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED_FILTERS = 32


@dataclass(frozen=True)
class FoundChunks:
    """What a search found.

    Args:
        scores: Sequence and score of each chunk, the best first.
        frequencies: The share of the pipeline's chunks that hold a word, for the query's words.
    """

    scores: list[tuple[int, float]]
    frequencies: dict[str, float]


class ChunkSearch:
    """Searches chunks by vectors and words. Safe for several threads, each with a connection of its own."""

    def __init__(self) -> None:
        self._vectors = VectorMemory()
        self._fulfilling: OrderedDict[tuple[int, int, str], NDArray[np.int64]] = OrderedDict()
        self._lock = threading.Lock()

    def find(
        self,
        connection: sqlite3.Connection,
        collection: Collection,
        query: str,
        query_vector: NDArray[np.float32] | None,
        embedder_name: str,
        *,
        dense_top_k: int,
        sparse_top_k: int,
        alpha: float,
        cutoff: float | None,
        filters: Mapping[str, Any] | None,
        count: bool,
    ) -> FoundChunks:
        """Find chunks.

        Args:
            connection: Inside a read transaction.
            collection: The pipeline's, as that transaction sees it.
            query: What is asked.
            query_vector: Its vector; may be None where `dense_top_k` is 0.
            embedder_name: Who computed it.
            dense_top_k: Chunks to find by vector.
            sparse_top_k: Chunks to find by words.
            alpha: Weight of the vectors where both are searched.
            cutoff: Least cosine similarity of a chunk found by vector.
            filters: Checked filters; they come before everything else, so that as many chunks as asked for are found.
            count: Whether `frequencies` are wanted.

        Returns:
            At most as many as the larger of the two numbers.

        Raises:
            EmbedderMismatchError: The pipeline holds another model's vectors.
        """
        condition = sql_filter(filters)
        fulfilling = self._sequences_fulfilling(connection, collection, condition)
        dense: list[tuple[int, float]] = []
        if dense_top_k and query_vector is not None:
            if (collection.embedder, collection.dimensions) != (embedder_name, len(query_vector)):
                raise EmbedderMismatchError(mismatch(collection, embedder_name, len(query_vector)))
            view = self._vectors.view(connection, collection)
            dense = view.nearest(query_vector, dense_top_k, fulfilling, cutoff)
        counts = count_words(connection, collection.number, query_words(query)) if count or sparse_top_k else []
        sparse = search_words(connection, collection.number, counts, sparse_top_k, condition, fulfilling)
        chunks = max(1, chunks_in(connection, collection))
        frequencies = {word: holding / chunks for word, holding in counts}
        if dense_top_k and sparse_top_k:
            scores = fuse(dense, sparse, alpha)[: max(dense_top_k, sparse_top_k)]
        else:
            scores = dense or [(sequence, squashed(bm25)) for sequence, bm25 in sparse]
        return FoundChunks(scores, frequencies)

    def _sequences_fulfilling(
        self, connection: sqlite3.Connection, collection: Collection, condition: SqlFilter
    ) -> NDArray[np.int64] | None:
        """The chunks that fulfil a filter; remembered, since an application's filters come again and again."""
        import numpy as np

        if not condition.condition:
            return None
        key = (collection.number, collection.revision, json.dumps(condition))
        with self._lock:
            fulfilling = self._fulfilling.get(key)
        if fulfilling is None:
            rows = connection.execute(
                f"""SELECT c.sequence FROM chunks c
                WHERE c.collection = ? AND {condition.condition} ORDER BY c.sequence""",  # noqa: S608  # see SqlFilter
                (collection.number, *condition.parameters),
            )
            fulfilling = np.fromiter((row[0] for row in rows), dtype=np.int64)
            with self._lock:
                self._fulfilling[key] = fulfilling
                while len(self._fulfilling) > _REMEMBERED_FILTERS:
                    self._fulfilling.popitem(last=False)
        return fulfilling


def chunks_in(connection: sqlite3.Connection, collection: Collection) -> int:
    """About how many chunks a collection has: the distance of its first and last, which costs nothing to know."""
    row = connection.execute(
        """SELECT (SELECT MAX(sequence) FROM chunks WHERE collection = ?1)
        - (SELECT MIN(sequence) FROM chunks WHERE collection = ?1) + 1""",
        (collection.number,),
    ).fetchone()
    return int(row[0] or 0)
