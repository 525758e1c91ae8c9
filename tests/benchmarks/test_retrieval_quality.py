"""How good local retrieval is at finding known items, on text that nobody here wrote."""

from __future__ import annotations

import pytest

from tests.benchmarks.retrieval import mean_reciprocal_ranks
from tests.benchmarks.stdlib_docstrings import known_items


@pytest.mark.timeout(400)
def test_reranked_hybrid_is_the_best_on_the_half_that_was_not_tuned_on() -> None:
    """Ensure hybrid search with re-ranking is no worse than the better of vectors alone and words alone (MRR@10)."""
    judged = [(item.query, item.name) for item in known_items() if not item.tuned_on]
    assert len(judged) > 1_000
    ranks = mean_reciprocal_ranks({"half B": judged}, ["dense", "sparse", "hybrid, re-ranked"])["half B"]
    assert ranks["hybrid, re-ranked"] >= max(ranks["dense"], ranks["sparse"]), ranks
