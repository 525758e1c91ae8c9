"""The default measure of how well a passage answers a query, by its words alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from llama_cloud_ext.local.retrieval.words import STOP_WORDS, stem, words_of

EARLINESS, COVERAGE, RELATED, SEARCH, PAIRS = 0.32, 0.25, 0.21, 0.12, 0.1
"""Weights of the parts of a score; together 1. Tuned on half A of the benchmark's known items."""

_EARLY_WORDS = 20
"""After so many words a word counts as half as early."""

_SATURATION, _LENGTH_SHARE = 1.2, 0.75
"""BM25's usual constants: how fast repetition stops counting, and how much longer passages are held to."""

_RELATED_LETTERS = 5
"""Words that share so many first letters are taken to be related."""

_UNSEEN = 0.0003
"""The share of passages that is assumed to hold a word that was counted nowhere."""


class _Passage(NamedTuple):
    """Where the query's words stand in a passage."""

    places: dict[str, list[int]]
    length: int
    lowered: str


def lexical_scores(
    query: str, texts: Sequence[str], found: Sequence[float], frequencies: Mapping[str, float] | None = None
) -> list[float]:
    """Score passages.

    Args:
        query: What was asked.
        texts: The passages.
        found: Their scores in the search that found them.
        frequencies: The share of all passages that hold a word, for words of the query where it is known; taken from
            the passages at hand otherwise.

    Returns:
        A score from 0 to 1 for each. Its parts: how early the query's words stand in it; the share of them that it
        holds, with BM25's measure for repetition and length; the share of which it holds a relative only; the score
        it was found with, the best one's being 1; the share of the query's pairs of neighbouring words. Words weigh
        the more the rarer they are.

    Example:
        >>> better, worse = lexical_scores("red car", ["a red car", "a car"], [1.0, 1.0])
        >>> better > worse
        True
    """
    query_stems = list(map(stem, words_of(query)))
    wanted = frozenset(query_stems)
    passages = [_passage(text, wanted) for text in texts]
    weights = _weights(query, passages, frequencies)
    total = sum(weights.values())
    pairs = {pair for pair in pairwise(query_stems) if not STOP_WORDS.issuperset(pair)}
    usual_length = sum(passage.length for passage in passages) / max(1, len(passages))
    best_found = max(found, default=0.0)
    scores = []
    for passage, found_score in zip(passages, found, strict=True):
        score = SEARCH * max(0.0, found_score / best_found) if best_found > 0 else 0.0
        if total:
            score += _of_words(weights, passage, usual_length) / total
        if pairs:
            score += PAIRS * sum(_holds(passage, pair) for pair in pairs) / len(pairs)
        scores.append(score)
    return scores


def _of_words(weights: Mapping[str, float], passage: _Passage, usual_length: float) -> float:
    dampening = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * passage.length / max(1.0, usual_length))
    score = 0.0
    for word, weight in weights.items():
        places = passage.places.get(word)
        if places:
            early = 1 / (1 + places[0] / _EARLY_WORDS)
            score += weight * (EARLINESS * early + COVERAGE * len(places) / (len(places) + dampening))
        elif len(word) >= _RELATED_LETTERS and word[:_RELATED_LETTERS] in passage.lowered:
            score += weight * RELATED
    return score


def _holds(passage: _Passage, pair: tuple[str, str]) -> bool:
    first, second = (passage.places.get(word, ()) for word in pair)
    return any(place + 1 in second for place in first)


def _passage(text: str, wanted: frozenset[str]) -> _Passage:
    words = words_of(text)
    places: dict[str, list[int]] = {}
    for place, word in enumerate(map(stem, words)):
        if word in wanted:
            places.setdefault(word, []).append(place)
    return _Passage(places, len(words), text.lower())


def _weights(query: str, passages: Sequence[_Passage], frequencies: Mapping[str, float] | None) -> dict[str, float]:
    """The query's words without their endings, and how rare they are."""
    words = list(dict.fromkeys(words_of(query)))
    telling = [word for word in words if word not in STOP_WORDS] or words
    weights: dict[str, float] = {}
    for word in telling:
        root = stem(word)
        if frequencies is None:
            share = (sum(root in passage.places for passage in passages) + 0.5) / (len(passages) + 1)
        else:
            share = max(frequencies.get(word, _UNSEEN), 1e-6)
        weights[root] = max(weights.get(root, 0.0), math.log(1 + 1 / share))
    return weights
