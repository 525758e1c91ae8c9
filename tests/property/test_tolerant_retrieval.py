"""Whatever an index answers, reading it never raises anything but this package's own errors, and loses nothing good."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import Document
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore

from llama_cloud_ext.index.documents import fingerprint, llama_document, page_documents
from tests.http.scripted_index import ScriptedIndex, picture
from tests.property.test_tolerant_responses import REMOVED, junk, places

HALF = "\ud800 x"
NODE: dict[str, Any] = {
    "node": {
        "id_": "n-1",
        "text": "Words.",
        "metadata": {"file_name": "a.pdf", "page_label": "3", "file_id": "f-1", "document_id": "d-1"},
        "extra_info": {"older": True},
        "excluded_embed_metadata_keys": ["file_id"],
        "excluded_llm_metadata_keys": ["file_id"],
        "start_char_idx": 0,
        "end_char_idx": 6,
        "relationships": {
            "1": {"node_id": "d-1", "node_type": "4", "metadata": {"a": 1}, "hash": "h"},
            "5": [{"node_id": "n-2", "node_type": "1"}],
        },
        "text_template": "{metadata_str}\n\n{content}",
        "metadata_template": "{key}: {value}",
        "metadata_seperator": "\n",
        "mimetype": "text/plain",
        "class_name": "TextNode",
    },
    "score": 0.75,
    "class_name": "NodeWithScore",
}
LAST = {"node": {"id_": "last", "text": "The last one.", "metadata": {}}, "score": 0.25}
ORIGIN = {"pipeline_id": "i-1", "retriever_pipeline_name": "a"}
ANSWER: dict[str, Any] = {
    "pipeline_id": "i-1",
    "retrieval_nodes": [NODE, LAST],
    "image_nodes": [picture(2, metadata={"a": 1})],
    "page_figure_nodes": [picture(2, "fig.png", confidence=0.9)],
    "nodes": [{**NODE, "node": {**NODE["node"], **ORIGIN}}, LAST],
    "metadata": {"from": "the answer"},
    "inferred_search_filters": None,
    "retrieval_latency": {"dense": 0.01},
    "class_name": "PipelineRetrieval",
}
ANSWER = json.loads(json.dumps(ANSWER))  # no two places share an object
RECORD: dict[str, Any] = {
    "id": "d-1",
    "text": "one\ntwo\nthree",
    "metadata": {"file_name": "a.pdf", "file_id": "f-1"},
    "excluded_embed_metadata_keys": ["file_id"],
    "excluded_llm_metadata_keys": ["file_id"],
    "page_positions": [0, 4, 8],
    "status_metadata": {"status": "SUCCESS"},
}


def mutated(whole: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """The same with other values at some places, or without them; places that an earlier change took away stay away."""
    changed = copy.deepcopy(whole)
    for path, value in changes:
        holder = changed
        try:
            for step in path[:-1]:
                holder = holder[step]
            if value is REMOVED:
                del holder[path[-1]]
            else:
                holder[path[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue
    return changed


def changes(whole: Any) -> st.SearchStrategy[list[tuple[tuple[Any, ...], Any]]]:
    """A few changes of a whole."""
    value = junk | st.sampled_from(
        [REMOVED, {"new": {"field": 1}}, [{"x": 1}], ".", "..", "a/b", HALF, [None, 1, "x", {}]]
    )
    return st.lists(st.tuples(st.sampled_from(places(whole)), value), min_size=1, max_size=4)


def look_at(nodes: list[NodeWithScore]) -> None:
    """Use nodes as LlamaIndex does."""
    for node in nodes:
        assert node.score is None or isinstance(node.score, float)
        for mode in MetadataMode:
            node.node.get_content(metadata_mode=mode)
        assert isinstance(node.node_id, str)
        assert node.node_id
        assert node.node.hash
        assert node.node.metadata["retrieval_mode"]
        json.dumps(node.to_dict())


@settings(max_examples=150, deadline=None)
@given(changes(ANSWER))
def test_any_answer_of_a_retrieval_reads(where: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Ensure any few mutations of a full answer leave nodes that LlamaIndex can use, and the untouched ones whole."""
    service = ScriptedIndex(mutated(ANSWER, where))
    nodes = service.retriever_of(None, id="i-1", retry_budget=0).retrieve("x")
    look_at(nodes)
    if not any(path[0] == "retrieval_nodes" and (len(path) < 3 or path[1] == 1) for path, _ in where):
        assert [node.text for node in nodes if node.node_id == "last"] == ["The last one."]


@settings(max_examples=100, deadline=None)
@given(changes(ANSWER))
def test_any_answer_of_a_composite_retrieval_reads(where: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Ensure the same of composite retrievers."""
    service = ScriptedIndex(mutated(ANSWER, where))
    nodes = service.composite(None, retriever_id="r-1", retry_budget=0).retrieve("x")
    look_at(nodes)
    if not any(path[0] == "nodes" and (len(path) < 3 or path[1] == 1) for path, _ in where):
        assert [node.text for node in nodes if node.node_id == "last"] == ["The last one."]


@pytest.mark.parametrize("value", [REMOVED, None, [], {}, "", "junk", HALF, "..", -1, 1.5, [None], [{}], {"a": 1}])
def test_every_field_may_be_anything(value: Any) -> None:
    """Ensure replacing or removing any one field leaves the other node whole."""
    service = ScriptedIndex()
    retriever = service.retriever_of(None, id="i-1", retry_budget=0)
    for path in places(ANSWER):
        service.answer = mutated(ANSWER, [(path, value)])
        nodes = retriever.retrieve("x")
        look_at(nodes)
        if path[:2] != ("retrieval_nodes", 1) and path != ("retrieval_nodes",):
            assert "The last one." in [node.text for node in nodes if not isinstance(node.node, ImageNode)]


@settings(max_examples=100, deadline=None)
@given(junk)
def test_any_junk_instead_of_an_answer_reads(answer: Any) -> None:
    """Ensure an answer that is nothing that was expected finds nothing."""
    service = ScriptedIndex()
    service.answer = answer
    look_at(service.retriever_of(None, id="i-1", retry_budget=0).retrieve("x"))


@settings(max_examples=300, deadline=None)
@given(changes(RECORD))
def test_any_record_of_a_document_reads(where: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Ensure any mutated record becomes Documents, and compares with what would be sent."""
    record = mutated(RECORD, where)
    whole = llama_document(record)
    assert isinstance(whole.text, str)
    pages = page_documents(record)
    assert pages
    assert all(page.get_content(metadata_mode=MetadataMode.ALL) is not None for page in pages)
    assert fingerprint(record)
    assert fingerprint(record, like=RECORD)


@settings(max_examples=100, deadline=None)
@given(changes(RECORD))
def test_any_list_of_documents_reads(where: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Ensure a mutated record in a list takes no other document along."""
    service = ScriptedIndex()
    service.documents = {"bad": mutated(RECORD, where), "good": {**RECORD, "id": "good"}}
    index = service.index(None, id="i-1")
    assert "good" in index.ref_doc_info
    assert "good" in {document.id_ for document in index.documents()}
    same = Document(
        id_="good",
        text=RECORD["text"],
        metadata=RECORD["metadata"],
        excluded_embed_metadata_keys=["file_id"],
        excluded_llm_metadata_keys=["file_id"],
    )
    assert index.refresh_ref_docs([same]) == [False]
