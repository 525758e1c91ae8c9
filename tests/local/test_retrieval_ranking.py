"""The parts of ranking: the lexical embedding, fusion, re-ranking, filters inferred from queries."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.local.retrieval import Chunk, Embedder, Reranker, ScoredChunk, check_filters, filters_from_query
from llama_cloud_ext.local.retrieval.file_modes import joined
from llama_cloud_ext.local.retrieval.fusion import fuse, squashed
from llama_cloud_ext.local.retrieval.lexical_embedding import LexicalEmbedding
from llama_cloud_ext.local.retrieval.lexical_reranking import COVERAGE, EARLINESS, PAIRS, RELATED, SEARCH

TEXT = "Parsing of tables in documents, naïve or not: 東京 and tables again."
RANKINGS = st.lists(st.integers(0, 20), unique=True, max_size=10).map(
    lambda ids: [(id_, 1.0 - place / 100) for place, id_ in enumerate(ids)]
)


def digest(text: str) -> str:
    """A fingerprint of a text's vector."""
    return hashlib.sha256(np.round(LexicalEmbedding().embed([text]), 5).tobytes()).hexdigest()


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(max_size=80), max_size=5))
def test_vectors_have_length_one_and_depend_on_their_text_alone(texts: list[str]) -> None:
    """Ensure vectors have length 1, or 0 without words, and are the same in any company."""
    together = LexicalEmbedding().embed(texts)
    assert together.dtype == np.float32
    assert together.shape == (len(texts), LexicalEmbedding().dimensions)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(LexicalEmbedding().embed([text])[0], row, atol=1e-6)
        assert float(np.linalg.norm(row)) == pytest.approx(1.0 if row.any() else 0.0, abs=1e-5)


def test_other_processes_compute_the_same_vectors() -> None:
    """Ensure vectors do not depend on the process's hash seed."""
    code = f"from tests.local.test_retrieval_ranking import digest; print(digest({TEXT!r}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == digest(TEXT)


def test_nearness_is_lexical() -> None:
    """Ensure endings and typing errors leave words near each other, and that common words hardly count."""
    query, endings, typing_error, stop_words, other = LexicalEmbedding().embed(
        ["parsing a table", "parses tables", "prasing a tabel", "a of the and", "stones by the river"]
    )
    assert query @ endings > 0.4
    assert query @ typing_error > query @ other + 0.05
    assert query @ stop_words < 0.3


def test_the_embedding_is_safe_for_threads_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure threads that teach it new words at once get right vectors, also when it has to forget words."""
    monkeypatch.setattr("llama_cloud_ext.local.retrieval.lexical_embedding._REMEMBERED_WORDS", 50)
    shared = LexicalEmbedding()
    texts = [" ".join(f"word{number * 7 + place}" for place in range(20)) for number in range(60)]
    expected = [LexicalEmbedding().embed([text])[0] for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: shared.embed([text])[0], texts * 3))
    for row, wanted in zip(found, expected * 3, strict=True):
        np.testing.assert_allclose(row, wanted, atol=1e-6)


def test_no_texts_have_no_vectors() -> None:
    """Ensure embedding nothing gives nothing, with the right number of columns."""
    assert Embedder().embed_documents([]).shape == (0, Embedder().dimensions)


@settings(max_examples=200)
@given(dense=RANKINGS, sparse=RANKINGS, alpha=st.floats(0, 1))
def test_fusion(dense: list[tuple[int, float]], sparse: list[tuple[int, float]], alpha: float) -> None:
    """Ensure fusion loses nobody, scores fall from 1 to 0, and one ranking alone keeps its order."""
    fused = fuse(dense, sparse, alpha)
    assert {id_ for id_, _ in fused} == {id_ for id_, _ in [*dense, *sparse]}
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in scores)
    assert [id_ for id_, _ in fuse(dense, [], 1.0)] == [id_ for id_, _ in dense]
    if dense and sparse and dense[0][0] == sparse[0][0]:
        assert fused[0] == (dense[0][0], pytest.approx(1.0))


def test_squashed_bm25_keeps_the_order() -> None:
    """Ensure BM25 becomes a number from 0 to 1 without changing places."""
    squeezed = [squashed(score) for score in (-1.0, 0.0, 1e-6, 3.0, 50.0)]
    assert squeezed == sorted(squeezed)
    assert squeezed[0] == 0
    assert squeezed[-1] < 1


def scored(text: str, score: float = 0.5) -> ScoredChunk:
    """A found chunk."""
    return ScoredChunk(Chunk(text, text), "d", None, score)


def ranked(query: str, *texts: str, **options: Any) -> list[str]:
    """Texts in the order of the default re-ranking."""
    return [found.chunk.text for found in Reranker().rerank(query, [scored(text) for text in texts], 10, **options)]


def test_reranking_prefers_coverage_rarity_pairs_and_earliness() -> None:
    """Ensure each part of the measure does its part."""
    assert ranked("red car", "a blue thing", "a red car")[0] == "a red car"
    rare = {"car": 0.5, "zeppelin": 0.001}
    assert ranked("car zeppelin", "car here", "zeppelin here", frequencies=rare)[0] == "zeppelin here"
    assert ranked("hot dog", "dog hot", "hot dog")[0] == "hot dog"
    late = "x " * 60 + "car"
    assert ranked("car", late, "car " + "x " * 60)[0].startswith("car")
    assert ranked("filename", "nothing of it", "of filenames and more")[0] == "of filenames and more"


@settings(max_examples=200, deadline=None)
@given(
    query=st.text(max_size=40),
    texts=st.lists(st.text(alphabet="ab cd.", max_size=30), max_size=6),
    score=st.floats(-1, 1),
    top_n=st.integers(0, 4),
)
def test_reranked_scores_are_from_0_to_1(query: str, texts: list[str], score: float, top_n: int) -> None:
    """Ensure scores are from 0 to 1 and fall, that no more than asked for come back, and equals keep their order."""
    chunks = [scored(text, score) for text in texts]
    found = Reranker().rerank(query, chunks, top_n)
    assert len(found) == min(top_n, len(texts))
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= one <= 1 for one in scores)
    same = [ScoredChunk(Chunk(str(number), "a b"), "d", None, score) for number in range(4)]
    assert [one.chunk.id for one in Reranker().rerank(query, same, 4)] == ["0", "1", "2", "3"]


def test_weights_of_reranking_are_shares() -> None:
    """Ensure the parts of a score add up to no more than 1."""
    assert pytest.approx(1.0) == COVERAGE + EARLINESS + PAIRS + RELATED + SEARCH


def test_documents_are_put_together_from_their_chunks() -> None:
    """Ensure what chunks share stands once, and that gaps and chunks of unknown place are kept apart."""
    pieces = [Chunk("1", "one two", {}, 0, 7), Chunk("2", "two three", {}, 4, 13), Chunk("3", "four", {}, 16, 20)]
    assert joined(pieces) == "one two three\n\nfour"
    assert joined([Chunk("1", "one"), Chunk("2", "two")]) == "one\n\ntwo"
    assert joined([]) == ""


SCHEMA: dict[str, Any] = {
    "properties": {
        "year": {"type": "integer"},
        "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "source": {"type": "string"},
        "file_name": {"type": "string"},
        "published": {"type": "boolean"},
        "tags": {"type": "array"},
        "language": {"enum": ["English", "German"]},
    }
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('documents with source="test"', [("source", "==", "test")]),
        ("documents whose source is test", [("source", "==", "test")]),
        ("where source is not 'a b'", [("source", "!=", "a b")]),
        ("reports from year 2024", [("year", "==", 2024)]),
        ("year: 2024 and price < 3.5", [("year", "==", 2024), ("price", "<", 3.5)]),
        ("year after 2020", [("year", ">", 2020)]),
        ("price at most 10", [("price", "<=", 10)]),
        ("year >= 2019", [("year", ">=", 2019)]),
        ("file name: a-b.pdf", [("file_name", "==", "a-b.pdf")]),
        ("published: no", [("published", "==", False)]),
        ("tags: cats", [("tags", "contains", "cats")]),
        ("German books", [("language", "==", "German")]),
        ("english or german books", [("language", "in", ["English", "German"])]),
        ("what does the source of the river look like", []),
        ("a good year for wine", []),
        ("", []),
    ],
)
def test_filters_from_queries(query: str, expected: list[tuple[str, str, Any]]) -> None:
    """Ensure fields that a query names with a value become filters, and that mere words do not."""
    inferred = filters_from_query(query, SCHEMA)
    check_filters(inferred)
    found = [(one["key"], one["operator"], one["value"]) for one in (inferred or {"filters": []})["filters"]]
    assert found == expected


def test_filters_need_no_wrapped_schema() -> None:
    """Ensure the properties alone are a schema too, as the API's type allows, and that anything else is passed over."""
    assert filters_from_query("year 2024", {"year": {"type": "integer"}, "x": None, "y": "string"}) == {
        "filters": [{"key": "year", "operator": "==", "value": 2024}],
        "condition": "and",
    }
