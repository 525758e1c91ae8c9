"""The figures that this package promises for local retrieval: speed over 100,000 passages."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from math import inf

import pytest

from llama_cloud_ext.local.retrieval import RetrievalSettings, Searcher
from tests.benchmarks.retrieval import SPEEDS, query_times, sampled_queries, searching, take_in
from tests.benchmarks.stdlib_docstrings import passages

PASSAGES = 100_000
MOST_MILLISECONDS = 60
FEWEST_CHUNKS_A_SECOND = 1_000


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[float, Searcher]]:
    """How many chunks a second went in when 100,000 passages were taken in, and a searcher of them."""
    path = tmp_path_factory.mktemp("retrieval") / "passages.sqlite3"
    chunks_a_second = take_in(path, passages(PASSAGES))
    with searching(path) as searcher:
        yield chunks_a_second, searcher
    path.unlink()


@pytest.mark.timeout(400)
def test_ingestion_is_fast(taken_in: tuple[float, Searcher]) -> None:
    """Ensure documents are split, embedded and durably written at more than 1,000 chunks a second."""
    assert taken_in[0] > FEWEST_CHUNKS_A_SECOND


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", SPEEDS)
def test_queries_are_fast(taken_in: tuple[float, Searcher], kind: str) -> None:
    """Ensure a query over 100,000 passages takes less than 60 ms in the median, filtered and re-ranked too."""
    queries = sampled_queries(60)
    medians: list[float] = []
    # The best of three: other processes may disturb one.
    while len(medians) < 3 and min(medians, default=inf) >= MOST_MILLISECONDS:
        medians.append(statistics.median(query_times(taken_in[1], queries, SPEEDS[kind])))
    assert min(medians) < MOST_MILLISECONDS, medians


@pytest.mark.timeout(400)
def test_long_and_common_queries_are_fast(taken_in: tuple[float, Searcher]) -> None:
    """Ensure that queries of many words, and of words that most passages hold, take no more than twice that."""
    words = [word for query in sampled_queries(40) for word in query.split()]
    queries = [" ".join(words), " ".join(words[:100]), "return the value", "object", "value of the object is returned"]
    times = [query_times(taken_in[1], [query] * 3, RetrievalSettings())[0] for query in queries]
    assert max(times) < 2 * MOST_MILLISECONDS, times
