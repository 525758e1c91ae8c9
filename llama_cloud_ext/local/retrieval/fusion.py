"""One ranking out of two: what vectors found and what words found."""

from __future__ import annotations

from collections.abc import Sequence

_RANKS = 3
"""How slowly a rank loses its weight, 1/(1 + rank/3). Tuned on half A of the benchmark's known items."""


def fuse(
    dense: Sequence[tuple[int, float]], sparse: Sequence[tuple[int, float]], alpha: float
) -> list[tuple[int, float]]:
    """Fuse two rankings by reciprocal rank: cosines and BM25 are no scores of one scale, ranks are.

    Args:
        dense: Ids and scores, the best first.
        sparse: The same of the other search.
        alpha: Weight of `dense`; `sparse` has the rest of 1.

    Returns:
        Ids with scores from 0 to 1, the best first and the lower id first among equals. 1 is first in both.

    Example:
        >>> fuse([(7, 0.9), (8, 0.2)], [(7, 11.3)], alpha=0.5)[0]
        (7, 1.0)
    """
    scores: dict[int, float] = {}
    for weight, found in ((alpha, dense), (1 - alpha, sparse)):
        for rank, (id_, _) in enumerate(found):
            scores[id_] = scores.get(id_, 0.0) + weight / (1 + rank / _RANKS)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def squashed(bm25: float) -> float:
    """BM25, which has no upper bound, as a score from 0 to 1 that keeps the order.

    Example:
        >>> squashed(10.0)
        0.5
    """
    return max(bm25, 0.0) / (max(bm25, 0.0) + 10.0)
