"""Searching by vectors: exactly, over all vectors of a pipeline, which are kept in memory as float32."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from llama_cloud_ext.local.retrieval.chunk_collection import Collection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MEMORY = 2 << 30
"""Bytes of vectors to keep: a million chunks with the default embedding. The pipelines not asked for longest go."""

_GROWTH = 1.25
_FEWEST_ROWS = 1024


class VectorView(NamedTuple):
    """The vectors of one moment; nobody changes them.

    Args:
        sequences: Which chunk each vector belongs to, ascending.
        vectors: One row a chunk.
    """

    sequences: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def nearest(
        self, query: NDArray[np.float32], top_k: int, fulfilling: NDArray[np.int64] | None, cutoff: float | None
    ) -> list[tuple[int, float]]:
        """The chunks whose vectors are nearest to a query's.

        Args:
            query: A vector of length 1.
            top_k: How many chunks.
            fulfilling: Sequences of the chunks that may be found, ascending; None: all.
            cutoff: Least cosine similarity; None: any.

        Returns:
            Sequence and cosine similarity of each, the best first and the older first among equals.
        """
        import numpy as np

        if not len(self.sequences) or top_k < 1:
            return []
        # One thread, at the speed of memory: BLAS would use all cores, and wait for those that are busy.
        scores = np.einsum("ij,j->i", self.vectors, query)
        least = -np.inf if cutoff is None else cutoff
        if fulfilling is not None:
            unfiltered, scores = scores, np.full_like(scores, -np.inf)
            rows = np.searchsorted(self.sequences, fulfilling)
            scores[rows] = unfiltered[rows]
        if top_k < len(scores):
            # Everything that is as good as the last one that fits, so that equals are told apart by age.
            bound = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
            rows = np.flatnonzero((scores >= bound) & (scores > -np.inf) & (scores >= least))
        else:
            rows = np.flatnonzero((scores > -np.inf) & (scores >= least))
        best = rows[np.argsort(-scores[rows], kind="stable")[:top_k]]
        return [(int(self.sequences[row]), float(scores[row])) for row in best]


class _Matrix:
    """One pipeline's vectors, growing in place: views end before the rows that are added later."""

    def __init__(self, collection: Collection) -> None:
        import numpy as np

        self.lock = threading.Lock()
        self.revision = -1
        self.deletions = collection.deletions
        self.count = 0
        self.sequences: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.vectors: NDArray[np.float32] = np.zeros((0, collection.dimensions), dtype=np.float32)

    def refresh(self, connection: sqlite3.Connection, collection: Collection) -> None:
        """Take in what was written since the last time."""
        if self.revision == collection.revision:
            return
        last = int(self.sequences[self.count - 1]) if self.count else 0
        if self.deletions != collection.deletions:
            self._drop_deleted(connection, collection.number)
        rows = connection.execute(
            """SELECT c.sequence, v.vector FROM chunks c JOIN chunk_vectors v USING (sequence)
            WHERE c.collection = ? AND c.sequence > ? ORDER BY c.sequence""",
            (collection.number, last),
        )
        while some := rows.fetchmany(8192):
            self._append([row[0] for row in some], b"".join([row[1] for row in some]))
        self.revision, self.deletions = collection.revision, collection.deletions

    def view(self) -> VectorView:
        """The vectors as they are now."""
        return VectorView(self.sequences[: self.count], self.vectors[: self.count])

    def _append(self, sequences: list[int], vectors: bytes) -> None:
        import numpy as np

        needed = self.count + len(sequences)
        if needed > len(self.sequences):
            rows = max(_FEWEST_ROWS, needed, int(len(self.sequences) * _GROWTH))
            self._move(np.arange(self.count), rows)
        self.sequences[self.count : needed] = sequences
        self.vectors[self.count : needed] = np.frombuffer(vectors, dtype="<f2").reshape(len(sequences), -1)
        self.count = needed

    def _drop_deleted(self, connection: sqlite3.Connection, number: int) -> None:
        import numpy as np

        rows = connection.execute("SELECT sequence FROM chunks WHERE collection = ? ORDER BY sequence", (number,))
        living = np.array([row[0] for row in rows], dtype=np.int64)
        keep = np.flatnonzero(np.isin(self.sequences[: self.count], living, assume_unique=True))
        self._move(keep, max(_FEWEST_ROWS, len(keep)))
        self.count = len(keep)

    def _move(self, keep: NDArray[np.int64], rows: int) -> None:
        """Copy rows into new arrays: the old ones may be in use by a search."""
        import numpy as np

        sequences = np.zeros(rows, dtype=np.int64)
        vectors = np.zeros((rows, self.vectors.shape[1]), dtype=np.float32)
        sequences[: len(keep)] = self.sequences[keep]
        vectors[: len(keep)] = self.vectors[keep]
        self.sequences, self.vectors = sequences, vectors


class VectorMemory:
    """The vectors of the pipelines that were searched lately, kept up with the database. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._matrices: OrderedDict[int, _Matrix] = OrderedDict()

    def view(self, connection: sqlite3.Connection, collection: Collection) -> VectorView:
        """The vectors of a collection as of the connection's transaction.

        Args:
            connection: Inside a read transaction.
            collection: As that transaction sees it.
        """
        with self._lock:
            matrix = self._matrices.pop(collection.number, None) or _Matrix(collection)
            self._matrices[collection.number] = matrix
        with matrix.lock:
            if matrix.revision > collection.revision:
                return self._alone(connection, collection)
            matrix.refresh(connection, collection)
            view = matrix.view()
        self._make_room()
        return view

    def _alone(self, connection: sqlite3.Connection, collection: Collection) -> VectorView:
        """For the rare transaction that began before one that another thread has taken in already."""
        matrix = _Matrix(collection)
        matrix.refresh(connection, collection)
        return matrix.view()

    def _make_room(self) -> None:
        with self._lock:
            while len(self._matrices) > 1 and sum(m.vectors.nbytes for m in self._matrices.values()) > _MEMORY:
                self._matrices.popitem(last=False)
