"""Searching chunks and files: the settings, freshness, threads, models of the user's own."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_cloud_ext.local.retrieval import (
    Embedder,
    EmbedderMismatchError,
    Reranker,
    RetrievalSettings,
    chunks_of_document,
    delete_pipeline_chunks,
    embedding_text,
    matches,
    vectors,
)
from llama_cloud_ext.local.retrieval.chunk_collection import collection_of
from tests.local.retrieval_database import PIPELINE, RetrievalDatabase

ANIMALS = {
    "cat": "The cat is a small carnivorous mammal that purrs and hunts mice at night.",
    "dog": "The dog is a loyal mammal that barks and was the first to be domesticated.",
    "whale": "The whale is the largest mammal, lives in the ocean and sings to other whales.",
    "eagle": "The eagle is a bird of prey that builds its nest on cliffs and hunts fish.",
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[RetrievalDatabase]:
    """A database with four short documents about animals."""
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add(ANIMALS, {name: {"name": name, "legs": 4} for name in ("cat", "dog")})
        yield database


def test_each_kind_of_search_finds(database: RetrievalDatabase) -> None:
    """Ensure vectors, words, both, and both with re-ranking put what is asked for first."""
    for options in ({"alpha": 1.0}, {"alpha": 0.0}, {"alpha": 0.5}, {"alpha": 0.9, "sparse_similarity_top_k": 1}):
        for reranked in (False, True):
            found = database.found("Which mammal sings in the ocean?", enable_reranking=reranked, **options)
            assert found[0] == "whale", (options, reranked)


def test_numbers_of_results(database: RetrievalDatabase) -> None:
    """Ensure top_k, rerank_top_n and zeros are kept to, and that a lone top_k means that kind alone."""
    query = "mammal that hunts"
    assert len(database.search(query, dense_similarity_top_k=3, enable_reranking=False)) == 3
    assert len(database.search(query, dense_similarity_top_k=1, sparse_similarity_top_k=2, enable_reranking=False)) == 2
    assert len(database.search(query, rerank_top_n=1)) == 1
    assert database.search(query, rerank_top_n=0) == []
    assert database.search(query, dense_similarity_top_k=0, sparse_similarity_top_k=0) == []
    # Words alone find only what holds one of them; vectors rank everything.
    assert set(database.found("domesticated", sparse_similarity_top_k=4, enable_reranking=False)) == {"dog"}
    assert len(database.found("domesticated", dense_similarity_top_k=4, enable_reranking=False)) == 4


def test_scores_mean_what_is_documented(database: RetrievalDatabase) -> None:
    """Ensure cosines for vectors, and numbers from 0 to 1 for words, fusion and re-ranking, in falling order."""
    query = "a bird of prey on cliffs"
    dense = database.search(query, alpha=1.0, enable_reranking=False)
    vector = database.embedder.embed_query(query)
    for scored in dense:
        own = database.embedder.embed_documents([embedding_text(scored.chunk)])[0]
        assert scored.score == pytest.approx(float(own @ vector), abs=2e-3)  # float16 on disk
    for options in ({"alpha": 0.0, "enable_reranking": False}, {"enable_reranking": False}, {}):
        scores = [scored.score for scored in database.search(query, **options)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
    assert database.search(query, enable_reranking=False)[0].score == 1.0


def test_cutoff_is_of_vectors(database: RetrievalDatabase) -> None:
    """Ensure chunks below the cutoff are not found by vector, and that 0 is a cutoff."""
    everything = database.search("whale", alpha=1.0, enable_reranking=False, dense_similarity_cutoff=-1.0)
    assert len(everything) == 4
    middle = everything[1].score
    above = database.search("whale", alpha=1.0, enable_reranking=False, dense_similarity_cutoff=middle)
    assert [scored.score for scored in above] == [scored.score for scored in everything if scored.score >= middle]
    non_negative = database.search("whale", alpha=1.0, enable_reranking=False, dense_similarity_cutoff=0.0)
    assert len(non_negative) == len([scored for scored in everything if scored.score >= 0])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"alpha": 1.5}, "alpha"),
        ({"dense_similarity_top_k": -1}, "dense_similarity_top_k"),
        ({"rerank_top_n": -1}, "rerank_top_n"),
        ({"retrieval_mode": "pages"}, "pages"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], named: str) -> None:
    """Ensure a setting that means nothing raises, naming it."""
    with pytest.raises(ValueError, match=named):
        RetrievalSettings(**options)


def test_filters_come_before_top_k(tmp_path: Path) -> None:
    """Ensure a filter that few chunks fulfil still gives as many results as were asked for: the best of those few."""
    documents = {f"d{number}": f"mammal number {number} " + "whale " * (number % 7) for number in range(300)}
    metadata = {name: {"n": int(name[1:]), "tag": ["even" if int(name[1:]) % 2 == 0 else "odd"]} for name in documents}
    filters = {
        "condition": "and",
        "filters": [
            {"key": "n", "operator": ">=", "value": 290},
            {"key": "tag", "operator": "contains", "value": "even"},
        ],
    }
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add(documents, metadata)
        expected = {name for name in documents if matches(filters, metadata[name])}
        for options in ({"alpha": 1.0}, {"alpha": 0.0}, {}):
            found = database.found("whale mammal", filters=filters, enable_reranking=False, **options)
            assert set(found) == expected
        unfiltered = database.search("whale mammal", alpha=1.0, dense_similarity_top_k=300, enable_reranking=False)
        order = [scored.document_id for scored in unfiltered if scored.document_id in expected]
        assert database.found("whale mammal", filters=filters, alpha=1.0, enable_reranking=False) == order
        with pytest.raises(ValueError, match="'n'"):
            database.search("whale", filters={"filters": [{"key": "n", "operator": "like", "value": "x"}]})


def test_equal_scores_keep_the_order_of_writing(tmp_path: Path) -> None:
    """Ensure equal chunks are found in the order in which they were written, each time."""
    names = [f"d{number}" for number in range(40)]
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add(dict.fromkeys(names, "the same words each time"))
        for options in ({"alpha": 1.0}, {"alpha": 0.0}, {}):
            assert database.found("same words", enable_reranking=False, **options) == names[:30]
        assert database.found("same words") == names[:6]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
@example(query='"')
@example(query="NEAR(cat dog, 3) AND OR NOT ^ text : *")
@example(query="' ; DROP TABLE chunks --")
@example(query="{text names}: cat \x00 \ud800")
@example(query="the of and")
@example(query="")
def test_no_query_is_a_syntax_error(database: RetrievalDatabase, query: str) -> None:
    """Ensure any text may be a query, of every kind of search."""
    for mode in ("chunks", "files_via_metadata", "files_via_content", "auto_routed"):
        database.search(query, retrieval_mode=mode)


def test_long_queries_of_common_words(database: RetrievalDatabase) -> None:
    """Ensure a query of thousands of words is searched by those that tell most."""
    assert database.found("the mammal " * 3000 + "domesticated")[0] == "dog"
    assert database.found(" ".join(f"unknown{number}" for number in range(3000)) + " cliffs", alpha=0.0) == []
    words = " ".join(f"w{number}" for number in range(3000))
    assert database.found(f"{words} carnivorous", alpha=0.0) == ["cat"]


def test_queries_of_nothing_but_common_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure words that more chunks hold than one search may score still find what holds all of them, and fill up."""
    monkeypatch.setattr("llama_cloud_ext.local.retrieval.full_text._SCORED_CHUNKS", 20)
    documents = {f"d{number}": "red" if number % 2 else "blue" for number in range(100)} | {"both": "red blue"}
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add(documents)
        found = database.found("red blue", alpha=0.0, sparse_similarity_top_k=10, enable_reranking=False)
        assert found[0] == "both"
        assert len(found) == 10
        # The filter comes before that bound as well.
        database.add({"last": "red blue"}, {"last": {"n": 1}})
        only = {"filters": [{"key": "n", "operator": "==", "value": 1}]}
        assert database.found("red blue", alpha=0.0, filters=only) == ["last"]
        assert database.found("red", alpha=0.0, filters=only) == ["last"]


def test_scripts_without_spaces_are_found(tmp_path: Path) -> None:
    """Ensure a word inside a Japanese sentence is found by words and by vectors."""
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add({"tower": "東京タワーは赤い。", "mountain": "富士山は高い。"})
        assert database.found("東京", alpha=0.0) == ["tower"]
        assert database.found("富士山", alpha=1.0)[0] == "mountain"


def test_metadata_that_the_embedding_may_see_is_searched(tmp_path: Path) -> None:
    """Ensure words of visible metadata find a chunk, and those of excluded metadata do not."""
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        metadata = {"d": {"title": "Zebrafish", "secret": "Quagga"}}
        database.add({"d": "Nothing to see."}, metadata, excluded_embed_metadata_keys=["secret"])
        assert database.found("zebrafish", alpha=0.0) == ["d"]
        assert database.found("quagga", alpha=0.0) == []


def test_whole_files_by_content(tmp_path: Path) -> None:
    """Ensure the file of the best chunk comes back whole, once, with what its chunks agree on and its chunk's score."""
    first, second = "Cats purr. " * 60 + "Whales sing. " * 60, "Dogs bark. " * 120
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as database:
        database.add(
            {"one": first, "two": second},
            {"one": {"file_name": "one.txt"}, "two": {"file_name": "two.txt"}},
            files={"one": "file-1"},
            page_positions=[0, 660],
            transform_config={"mode": "auto", "chunk_size": 50, "chunk_overlap": 10},
        )
        (whale,) = database.search("Do whales sing?", retrieval_mode="files_via_content")
        assert (whale.document_id, whale.file_id) == ("one", "file-1")
        assert whale.chunk.text.split() == first.split()
        assert whale.chunk.metadata == {"file_name": "one.txt"}
        best = database.search("Do whales sing?")[0]
        assert whale.score == best.score
        both = database.search("dogs bark whales", retrieval_mode="files_via_content", files_top_k=5)
        assert {scored.document_id for scored in both} == {"one", "two"}
        assert database.search("whales", retrieval_mode="files_via_content", files_top_k=0) == []


def test_whole_files_by_metadata(database: RetrievalDatabase) -> None:
    """Ensure a file is found by its name whatever it says, within filters, and by content where no name fits."""
    metadata = {"r1": {"file_name": "annual-report-2023.pdf"}, "r2": {"file_name": "annual-report-2024.pdf"}}
    database.add({"r1": "Numbers went up.", "r2": "Numbers went down."}, metadata)
    mode = {"retrieval_mode": "files_via_metadata"}
    assert database.found("annual report of 2024", **mode) == ["r2"]
    assert set(database.found("annual report", files_top_k=5, **mode)) == {"r1", "r2"}
    only = {"filters": [{"key": "file_name", "operator": "text_match", "value": "2023"}]}
    assert database.found("annual report of 2024", filters=only, **mode) == ["r1"]
    assert database.found("domesticated", **mode) == ["dog"]


def test_routing(database: RetrievalDatabase) -> None:
    """Ensure questions about whole files get files, named or not, and other questions get chunks."""
    long = "Whales sing. " * 100
    database.add(
        {"songs": long}, {"songs": {"file_name": "songs.txt"}}, transform_config={"mode": "auto", "chunk_size": 50}
    )
    mode = {"retrieval_mode": "auto_routed"}
    (named,) = database.search("Summarize songs", **mode)
    assert named.chunk.text.split() == long.split()
    (by_content,) = database.search("Give me an overview of what is said about domesticated animals", **mode)
    assert by_content.document_id == "dog"
    assert len(database.search("Which mammal sings?", **mode)) == 6


def test_writes_and_deletes_are_seen_at_once(database: RetrievalDatabase) -> None:
    """Ensure the next search sees new, changed and deleted documents, by vectors and by words."""
    for alpha in (1.0, 0.0):
        options = {"alpha": alpha, "enable_reranking": False, "dense_similarity_cutoff": 0.3}
        assert database.found("giraffe neck", **options) == []
        database.add({"giraffe": "The giraffe has a long neck."})
        assert database.found("giraffe neck", **options) == ["giraffe"]
        database.add({"giraffe": "The okapi has stripes."})
        assert database.found("giraffe neck", **options) == []
        assert database.found("okapi stripes", **options) == ["giraffe"]
        database.delete("giraffe", "cat", "never-there")
        assert database.found("okapi stripes", **options) == []
        assert "cat" not in database.found("mammal", dense_similarity_top_k=10, sparse_similarity_top_k=10)
        database.add({"cat": ANIMALS["cat"]})


def test_another_process_is_seen(database: RetrievalDatabase) -> None:
    """Ensure what another process writes and deletes is seen by the next search of this one."""
    assert "zebra" not in database.found("zebra stripes")
    code = (
        "import sys; from pathlib import Path; from tests.local.retrieval_database import RetrievalDatabase\n"
        "with RetrievalDatabase(Path(sys.argv[1])) as database:\n"
        "    database.add({'zebra': 'The zebra has stripes.'}); database.delete('dog')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(database.path)], check=True)
    assert database.found("zebra stripes")[0] == "zebra"
    assert "dog" not in database.found("mammal dog", dense_similarity_top_k=10, sparse_similarity_top_k=10)


def test_searching_does_not_wait_for_writing(database: RetrievalDatabase) -> None:
    """Ensure a search answers from what is committed while a write transaction is open."""
    database.connection.execute("BEGIN IMMEDIATE")
    delete_pipeline_chunks(database.connection, PIPELINE)
    try:
        assert database.found("carnivorous")[0] == "cat"
    finally:
        database.connection.execute("ROLLBACK")


def test_random_changes_leave_what_a_new_searcher_finds(tmp_path: Path) -> None:
    """Ensure a searcher that followed many writes and deletes finds what one that reads everything anew finds."""
    drawn = np.random.default_rng(3)
    names = [f"d{number}" for number in range(12)]
    words = ["red", "blue", "green", "cat", "dog", "bird", "runs", "sleeps"]
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as followed:
        for _ in range(60):
            name = str(drawn.choice(names))
            if drawn.random() < 0.4:
                followed.delete(name)
            else:
                text = " ".join(drawn.choice(words, size=5)) + ". "
                followed.add(
                    {name: text * int(drawn.integers(1, 30))}, transform_config={"mode": "auto", "chunk_size": 40}
                )
            query = " ".join(drawn.choice(words, size=2))
            with RetrievalDatabase(tmp_path / "retrieval.sqlite3") as anew:
                for options in ({"alpha": 1.0}, {"alpha": 0.0}, {}):
                    assert followed.search(query, **options) == anew.search(query, **options)
        followed.delete(*names)
        assert followed.search("red cat") == []
        for table in ("chunks", "chunk_texts", "chunk_vectors"):
            assert followed.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0  # noqa: S608
        collection = collection_of(followed.connection, PIPELINE)
        assert collection is not None
        # The full-text index has to be as empty as the tables: it is told what to forget.
        followed.connection.execute(
            f"CREATE VIRTUAL TABLE left_over USING fts5vocab(chunk_words_{collection.number}, row)"
        )
        assert followed.connection.execute("SELECT count(*) FROM left_over").fetchone()[0] == 0


def test_many_threads_search_while_one_writes(database: RetrievalDatabase) -> None:
    """Ensure searches of several threads are right while documents come and go."""

    def search(number: int) -> None:
        kind = itertools.cycle([{"alpha": 1.0}, {"alpha": 0.0}, {}])
        for _ in range(30):
            assert database.found(f"carnivorous cat {number}", **next(kind))[0] == "cat"

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(search, number) for number in range(4)]
        for number in range(40):
            database.add({f"extra{number}": f"Extra document {number} about stones."})
            if number % 3 == 0:
                database.delete(f"extra{number}")
        for one in running:
            one.result()


def test_pipelines_are_apart(database: RetrievalDatabase) -> None:
    """Ensure pipelines of one database find their own chunks only, and that deleting one leaves the other."""
    database.add({"cat": "A cat of another pipeline."}, pipeline_id="other")
    assert [scored.chunk.text for scored in database.search("cat", pipeline_id="other")] == [
        "A cat of another pipeline."
    ]
    assert len(database.search("cat mammal")) == 4
    assert database.search("cat", pipeline_id="none") == []
    delete_pipeline_chunks(database.connection, "other")
    delete_pipeline_chunks(database.connection, "other")
    assert database.search("cat", pipeline_id="other") == []
    assert database.found("carnivorous")[0] == "cat"


def test_vectors_of_pipelines_not_searched_lately_are_let_go(
    database: RetrievalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure memory stays within its bound however many pipelines are searched, and that all stay searchable."""
    monkeypatch.setattr(vectors, "_MEMORY", 3 * 1024 * 512 * 4)
    for number in range(6):
        database.add(ANIMALS, pipeline_id=f"p{number}")
    for number in [*range(6), 0, 1]:
        assert database.found("domesticated", pipeline_id=f"p{number}", alpha=1.0)[0] == "dog"
    assert len(database.searcher._chunks._vectors._matrices) <= 3


def test_chunks_of_a_document(database: RetrievalDatabase) -> None:
    """Ensure a document's chunks come back whole and in order, also metadata that JSON cannot say everything of."""
    metadata = {"d": {"nan": float("nan"), "ключ": ["a", 1, None], "surrogate": "\ud800", "nested": {"a": 1}}}
    database.add({"d": "One two three. " * 50}, metadata, transform_config={"mode": "auto", "chunk_size": 30})
    chunks = chunks_of_document(database.connection, PIPELINE, "d")
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    assert len(chunks) > 3
    assert chunks[0].metadata == {"nan": None, "ключ": ["a", 1, None], "surrogate": "?", "nested": {"a": 1}}
    assert chunks_of_document(database.connection, PIPELINE, "never") == []
    assert chunks_of_document(database.connection, "never", "d") == []


def test_a_document_without_text_has_no_chunks(database: RetrievalDatabase) -> None:
    """Ensure writing a document of nothing but space takes away what it had."""
    database.add({"cat": "  "})
    assert chunks_of_document(database.connection, PIPELINE, "cat") == []
    assert "cat" not in database.found("cat mammal")


class LengthEmbedding(BaseEmbedding):
    """Texts of one length are alike."""

    size: int = 3

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(len(text)), 10.0, *([0.0] * (self.size - 2))]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class Backwards(BaseNodePostprocessor):
    """Likes least what was found first, and drops one."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        assert query_bundle is not None
        assert query_bundle.query_str == "mammal"
        return [NodeWithScore(node=node.node, score=float(rank)) for rank, node in enumerate(nodes[:0:-1])]


def test_any_embedding_and_any_postprocessor(tmp_path: Path) -> None:
    """Ensure LlamaIndex's abstractions take the places of the lexical defaults."""
    model = Embedder(LengthEmbedding(model_name="length"))
    assert model.dimensions is None
    with RetrievalDatabase(tmp_path / "retrieval.sqlite3", model, Reranker(Backwards())) as database:
        database.add({"short": "x", "long": "x" * 60})
        assert model.dimensions == 3
        assert database.found("y", alpha=1.0, enable_reranking=False) == ["short", "long"]
        assert database.found("y" * 90, alpha=1.0, enable_reranking=False) == ["long", "short"]
        database.add(ANIMALS)
        forwards = database.found("mammal", alpha=0.0, enable_reranking=False)
        assert database.found("mammal", alpha=0.0) == forwards[:0:-1]


def test_vectors_of_another_model_are_never_compared(tmp_path: Path) -> None:
    """Ensure a pipeline refuses another model's vectors, saying what to do, until its documents are gone."""
    path = tmp_path / "retrieval.sqlite3"
    with RetrievalDatabase(path) as lexical, RetrievalDatabase(path, Embedder(LengthEmbedding())) as other:
        lexical.add(ANIMALS)
        for act in (
            lambda: other.add({"new": "text"}),
            lambda: other.search("cat"),
            lambda: other.search("x", alpha=1),
        ):
            with pytest.raises(EmbedderMismatchError, match=r"lexical-1-\d+ .*sync the pipeline"):
                act()
        assert other.found("carnivorous", alpha=0.0) == ["cat"]
        other.delete(*ANIMALS)
        other.add(ANIMALS)
        assert len(other.found("x" * 70, alpha=1.0)) == 4
        with pytest.raises(EmbedderMismatchError):
            lexical.search("cat")
        with RetrievalDatabase(path, Embedder(LengthEmbedding(size=5))) as longer, pytest.raises(EmbedderMismatchError):
            longer.search("cat")


def test_a_closed_searcher_says_so(database: RetrievalDatabase) -> None:
    """Ensure closing twice is harmless and searching afterwards raises."""
    database.searcher.close()
    database.searcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        database.search("cat")


def test_reading_connections_cannot_write(database: RetrievalDatabase) -> None:
    """Ensure the searcher's connections are read-only."""
    with database.searcher._connections.transaction() as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM chunks")


def test_importing_costs_next_to_nothing() -> None:
    """Ensure importing the package imports neither NumPy nor LlamaIndex."""
    code = (
        "import sys, llama_cloud_ext.local.retrieval; "
        "assert not {'numpy', 'llama_index', 'starlette'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
