"""The default measure of how well a passage answers a query, by its words alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from llama_cloud_ext.local.retrieval.words import STOP_WORDS, stem, words_of

COVERAGE, PAIRS, EARLINESS, SEARCH = 0.45, 0.15, 0.1, 0.3
"""Weights of the parts of a score; together 1. Tuned on half A of the benchmark's known items."""

_EARLY_WORDS = 40
"""After so many words a word counts as half as early."""

_FREQUENT_AT_LEAST = 1e-6


def lexical_scores(
    query: str, texts: Sequence[str], found: Sequence[float], frequencies: Mapping[str, float] | None = None
) -> list[float]:
    """Score passages.

    Args:
        query: What was asked.
        texts: The passages.
        found: Their scores in the search that found them.
        frequencies: The share of all passages that hold a word, for words of the query where it is known.

    Returns:
        A score from 0 to 1 for each: the share of the query's words in it (each weighing as much as it is rare), the
        share of the query's pairs of neighbouring words, how early its words stand, and the score it was found with.

    Example:
        >>> better, worse = lexical_scores("red car", ["a red car", "a car"], [1.0, 1.0])
        >>> better > worse
        True
    """
    query_stems = [stem(word) for word in words_of(query)]
    passages = [_first_places(text) for text in texts]
    weights = _weights(query, passages, frequencies or {})
    pairs = {pair for pair in pairwise(query_stems) if not STOP_WORDS.issuperset(pair)}
    best_found = max(found, default=0.0)
    total = sum(weights.values())
    scores = []
    for (places, neighbours), score in zip(passages, found, strict=True):
        present = {word: places[word] for word in weights if word in places}
        coverage = sum(weights[word] for word in present) / total if total else 0.0
        earliness = (
            sum(weights[word] / (1 + place / _EARLY_WORDS) for word, place in present.items()) / total if total else 0.0
        )
        paired = len(pairs & neighbours) / len(pairs) if pairs else coverage
        as_found = score / best_found if best_found > 0 else 0.0
        mixed = COVERAGE * coverage + PAIRS * paired + EARLINESS * earliness + SEARCH * max(0.0, as_found)
        scores.append(min(1.0, mixed))
    return scores


def _first_places(text: str) -> tuple[dict[str, int], set[tuple[str, str]]]:
    stems = [stem(word) for word in words_of(text)]
    places: dict[str, int] = {}
    for place, word in enumerate(stems):
        places.setdefault(word, place)
    return places, set(pairwise(stems))


def _weights(
    query: str, passages: Sequence[tuple[dict[str, int], set[tuple[str, str]]]], frequencies: Mapping[str, float]
) -> dict[str, float]:
    """The query's words without their endings, and how rare they are."""
    words = list(dict.fromkeys(words_of(query)))
    telling = [word for word in words if word not in STOP_WORDS] or words
    weights: dict[str, float] = {}
    for word in telling:
        root = stem(word)
        share = frequencies.get(word)
        if share is None:
            share = (sum(root in places for places, _ in passages) + 0.5) / (len(passages) + 1)
        weights[root] = max(weights.get(root, 0.0), math.log(1 + 1 / max(share, _FREQUENT_AT_LEAST)))
    return weights
