"""Refreshing an index: it tells exactly what changed, and leaves the index equal to what it was given."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import Document

from llama_cloud_ext import LlamaCloudIndex
from tests.http.scripted_index import ScriptedIndex

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.lists(st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
keys = st.sampled_from(["a", "b", "c", "file_id", "document_id", "ünï"])
contents = st.fixed_dictionaries(
    {
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        "metadata": st.dictionaries(keys, values, max_size=3),
        "excluded_embed_metadata_keys": st.lists(keys, max_size=2, unique=True),
        "excluded_llm_metadata_keys": st.lists(keys, max_size=2, unique=True),
    }
)
ids = st.sampled_from([f"d-{number}" for number in range(6)] + ["a/b", "ü?#"])
versions = st.dictionaries(ids, contents, max_size=8)


def documents(version: dict[str, Any]) -> list[Document]:
    """Documents with these contents."""
    return [Document(id_=document_id, **copy.deepcopy(content)) for document_id, content in version.items()]


def same(one: Any, other: Any) -> bool:
    """Whether two contents are the same to a reader of JSON, to whom True is not 1."""
    return repr(_sorted(one)) == repr(_sorted(other))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(inner)) for key, inner in value.items() if not key.startswith("excluded")) + [
            (key, sorted(inner)) for key, inner in value.items() if key.startswith("excluded")
        ]
    return value


def check(index: Any, history: list[dict[str, Any]]) -> None:
    """Refresh with one version after the other, and compare with what a dictionary would do."""
    known: dict[str, Any] = {}
    for version in history:
        expected = [name not in known or not same(known[name], content) for name, content in version.items()]
        assert index.refresh_ref_docs(documents(version)) == expected
        known.update(version)
        assert index.refresh_ref_docs(documents(version)) == [False] * len(version)
        stored = {document.id_: document for document in index.documents()}
        assert set(stored) == set(known)
        for document in documents(known):
            back = stored[document.id_]
            assert back.text == document.text
            assert same(back.metadata, document.metadata)
            assert set(back.excluded_embed_metadata_keys) == set(document.excluded_embed_metadata_keys)
            assert set(back.excluded_llm_metadata_keys) == set(document.excluded_llm_metadata_keys)


@settings(max_examples=60, deadline=None)
@given(st.lists(versions, min_size=1, max_size=4))
def test_refresh_tells_what_changed(history: list[dict[str, Any]]) -> None:
    """Ensure any edits of documents are told of exactly, against a service that stores what it is sent."""
    check(ScriptedIndex().index(None, id="i-1"), history)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud for all examples."""
    return f"local:{tmp_path_factory.mktemp('refresh') / 'cloud'}"


@settings(max_examples=15, deadline=None)
@given(st.lists(versions, min_size=1, max_size=3))
def test_refresh_against_local_llamacloud(address: str, history: list[dict[str, Any]]) -> None:
    """Ensure the same of local LlamaCloud, which adds to metadata what it knows."""
    index = LlamaCloudIndex.create_index("refreshed", base_url=address)
    try:
        check(index, history)
    finally:
        index.delete()


@settings(max_examples=40, deadline=None)
@given(contents, st.dictionaries(st.sampled_from(["pipeline_id", "file_id", "doc_id"]), st.text(max_size=3)))
def test_what_the_service_adds_is_no_change(content: dict[str, Any], added: dict[str, str]) -> None:
    """Ensure metadata that the service adds by itself does not make a document count as changed."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    (document,) = documents({"d": content})
    index.insert(document)
    stored = service.documents["d"]
    stored["metadata"] = {**added, **stored["metadata"]}
    assert asyncio.run(index.arefresh_ref_docs([document])) == [False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(ids, st.sampled_from(["one", "two"])), max_size=30), max_size=3))
def test_documents_that_come_several_times(calls: list[list[tuple[str, str]]]) -> None:
    """Ensure several versions in one call count as if they came one after the other, and the last one is there."""
    index = ScriptedIndex().index(None, id="i-1")
    known: dict[str, str] = {}
    for call in calls:
        expected = []
        for document_id, text in call:
            expected.append(known.get(document_id) != text)
            known[document_id] = text
        assert index.refresh_ref_docs([Document(id_=document_id, text=text) for document_id, text in call]) == expected
        assert {document.id_: document.text for document in index.documents()} == known
