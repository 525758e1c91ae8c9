"""What went wrong in earlier clients' indexes and retrievers, a regression test each.

- no wait had a deadline:
  `test_every_wait_has_a_deadline`, `test_index.py::test_the_deadline_of_ingestion_holds`,
  `test_index_files.py::test_waiting_for_a_file_has_a_deadline`
- waits asked for one document after the other, once a second:
  `test_many_documents_are_waited_for_together`, `test_the_end_of_an_ingestion_is_noticed_soon`,
  `test_index_requests.py::test_waiting_costs_the_same_for_any_number`
- `except` clauses named errors that never came:
  `test_errors_are_those_that_callers_can_catch`
- ids were encoded two or three times in paths:
  `test_ids_arrive_as_they_are`, `test_index_requests.py::test_ids_are_encoded_once`
- `super().__init__` was not called:
  `test_llamaindex_finds_what_it_expects`, `test_index.py::test_it_is_a_whole_llamaindex_index`
- a query engine cost two more requests:
  `test_engines_cost_no_requests`, `test_index_requests.py::test_an_index_by_name_is_looked_up_once`
- all documents went into one request:
  `test_no_request_carries_all_documents`,
  `test_index_requests.py::test_documents_travel_in_bounded_batches_with_flat_memory`
- a refresh said that everything had changed, and sent it all:
  `test_a_refresh_sends_what_changed`, `test_refresh_semantics.py::test_refresh_tells_what_changed`
- the condition of filters was dropped, so that OR became AND:
  `test_conditions_of_filters_are_sent`, `test_retriever.py::test_filters`
- `alpha=0.0` and `enable_reranking=False` were dropped:
  `test_zero_and_false_are_sent`, `test_index_requests.py::test_the_body_of_a_retrieval`
- the bytes of images were corrupted on the synchronous path:
  `test_pictures_are_the_same_bytes_on_both_paths`
- image nodes had no media type:
  `test_image_nodes_have_a_media_type`
- composite retrievers crashed without a re-rank configuration:
  `test_a_composite_needs_no_rerank_configuration`
- composite retrievers lost the ids of nodes:
  `test_a_composite_keeps_node_ids`
- composite retrievers ignored figures:
  `test_a_composite_brings_figures`, `test_composite_retriever.py::test_pictures_of_several_indexes`
- unknown keyword arguments were swallowed:
  `test_no_argument_is_swallowed`, `test_index.py::test_unknown_keyword_arguments_are_refused`
- `object_map` was not forwarded:
  `test_object_maps_are_forwarded`, `test_retriever.py::test_objects_behind_nodes`
- there was no class for the newer Indexes API:
  `test_there_is_a_class_for_indexes_over_directories`,
  `test_directory_index.py::test_nothing_is_sent_before_it_is_used`,
  `test_directory_index_journeys.py::test_a_folder_from_first_upload_to_answers`
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from llama_index.core import Document
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.indices.managed.base import BaseManagedIndex
from llama_index.core.llms import MockLLM
from llama_index.core.schema import ImageNode, IndexNode, NodeWithScore, TextNode
from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters

from llama_cloud_ext import (
    ApiError,
    ConfigurationError,
    JobDeadlineError,
    LlamaCloudCompositeRetriever,
    LlamaCloudIndex,
    LlamaCloudRetriever,
)
from tests.http.scripted_directory import ScriptedDirectory
from tests.http.scripted_index import PNG, ScriptedIndex, picture, text_node

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256))


def both_ways(retriever: Any, query: str = "x") -> list[list[NodeWithScore]]:
    """What a retriever finds synchronously and asynchronously."""
    return [retriever.retrieve(query), asyncio.run(retriever.aretrieve(query))]


# Waits


def test_every_wait_has_a_deadline() -> None:
    """Ensure every call that waits ends at its deadline when the service never ends, sync and async."""
    service = ScriptedIndex(looks=10**9)
    index = service.index(None, id="i-1", ingestion_timeout=0.1)
    document = Document(id_="d", text="x")
    calls: list[Callable[[], Any]] = [
        lambda: index.insert(document),
        lambda: index.update_ref_doc(document),
        lambda: index.refresh_ref_docs([Document(id_="e", text="x")]),
        lambda: index.delete_ref_doc("d"),
        lambda: index.upload_file(b"Some text."),
        lambda: index.upload_files([b"Some text."] * 12),
        index.wait_for_completion,
        lambda: index.wait_for_completion(doc_ids=["d"]),
        lambda: index.wait_for_completion(file_ids=["f"] * 12),
        lambda: asyncio.run(index.await_for_completion()),
        lambda: asyncio.run(index.ainsert(document)),
        lambda: asyncio.run(index.aupload_file(b"Some text.")),
        lambda: LlamaCloudIndex.from_documents([document], "x", ingestion_timeout=0.1, **service.connection),
    ]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(JobDeadlineError) as caught:
            call()
        assert time.monotonic() - started < 3
        assert caught.value.job_id == "i-1"


def test_many_documents_are_waited_for_together() -> None:
    """Ensure waiting for a hundred documents takes a few requests."""
    service = ScriptedIndex(looks=2)
    service.index(None, id="i-1").refresh_ref_docs([Document(text=f"{number}") for number in range(100)])
    assert service.steps["document status"] == 0
    assert service.steps["document counts"] + service.steps["status"] <= 5


def test_the_end_of_an_ingestion_is_noticed_soon() -> None:
    """Ensure an ingestion of half a second costs little more than that."""
    started = time.monotonic()

    def fault(step: str, request: httpx.Request) -> Any:
        return {"status": "IN_PROGRESS"} if "status" in step and time.monotonic() - started < 0.5 else None

    ScriptedIndex(fault=fault).index(None, id="i-1").insert(Document(id_="d", text="x"))
    assert time.monotonic() - started < 2


# Errors


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 422])
def test_errors_are_those_that_callers_can_catch(status: int) -> None:
    """Ensure the service's refusals come out of every operation as what they are, and nothing is caught in vain."""
    service = ScriptedIndex(fault=lambda step, request: status)
    index = service.index(None, id="i-1")
    calls: list[Callable[[], Any]] = [
        lambda: index.as_retriever().retrieve("x"),
        lambda: service.index().status(),
        lambda: service.composite().retrieve("x"),
        lambda: index.ref_doc_info,
        index.status,
        index.list_files,
        index.delete,
        lambda: index.delete_ref_doc("d", raise_if_not_found=True),
        lambda: LlamaCloudIndex.create_index("x", **service.connection),
    ]
    for call in calls:
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.status == status
    if status == 404:
        index.delete_ref_doc("d")
    else:
        with pytest.raises(ApiError):
            index.delete_ref_doc("d")


# Requests


@pytest.mark.parametrize("document_id", ["a/b", "a b", "100%", "%2F", "ü", "a?b#c", "a+b&c=d", "http://x/y?z=1"])
def test_ids_arrive_as_they_are(document_id: str) -> None:
    """Ensure the service, which decodes paths once, sees the id that the caller gave."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    document = Document(id_=document_id, text="x")
    index.insert(document)
    assert index.refresh_ref_docs([document]) == [False]
    index.wait_for_completion(doc_ids=[document_id])
    index.delete_ref_doc(document_id, raise_if_not_found=True)
    assert service.documents == {}
    assert service.steps["unknown"] == 0


def test_engines_cost_no_requests() -> None:
    """Ensure engines and retrievers are made without a request, and a query is one."""
    service = ScriptedIndex()
    index = service.index()
    index.status()
    service.forget()
    engine = index.as_query_engine(llm=MockLLM())
    chat = index.as_chat_engine("context", llm=MockLLM())
    assert service.requests == []
    engine.query("x")
    chat.chat("x")
    assert service.paths() == ["POST /api/v1/pipelines/i-1/retrieve"] * 2


def test_no_request_carries_all_documents() -> None:
    """Ensure 1,000 documents go in ten requests of the same size."""
    service = ScriptedIndex()
    LlamaCloudIndex.from_documents([Document(text=f"{number}") for number in range(1000)], "x", **service.connection)
    assert [count for count, _ in service.sizes] == [100] * 10


def test_a_refresh_sends_what_changed() -> None:
    """Ensure of many documents the changed one alone is sent, and the answer says which one it was."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    documents = [Document(id_=f"d-{number}", text=f"{number}") for number in range(40)]
    index.refresh_ref_docs(documents)
    documents[7] = Document(id_="d-7", text="changed")
    service.sizes.clear()
    assert index.refresh_ref_docs(documents) == [number == 7 for number in range(40)]
    assert [count for count, _ in service.sizes] == [1]


# Settings


def test_conditions_of_filters_are_sent() -> None:
    """Ensure each condition, nested ones as well, arrives as it was written."""
    one, two = MetadataFilter(key="a", value=1), MetadataFilter(key="b", value=2)
    service = ScriptedIndex()
    for condition in FilterCondition:
        inner = MetadataFilters(filters=[one], condition=condition)
        filters = MetadataFilters(filters=[inner, two], condition=FilterCondition.OR)
        service.retriever_of(None, id="i-1", filters=filters).retrieve("x")
        sent = service.body()["search_filters"]
        assert sent["condition"] == "or"
        assert sent["filters"][0]["condition"] == condition.value
    LlamaCloudIndex.create_index("x", preset_retrieval_parameters={"filters": filters}, **service.connection)
    assert service.body()["preset_retrieval_parameters"]["search_filters"]["condition"] == "or"


def test_zero_and_false_are_sent() -> None:
    """Ensure values that are false in Python are values, in queries, in presets and in composites."""
    service = ScriptedIndex()
    settings: dict[str, Any] = {"alpha": 0.0, "enable_reranking": False, "dense_similarity_cutoff": 0.0}
    service.index(None, id="i-1").as_retriever(**settings).retrieve("x")
    assert service.body() == {**settings, "query": "x"}
    LlamaCloudIndex.create_index("x", preset_retrieval_parameters=settings, **service.connection)
    assert service.body()["preset_retrieval_parameters"] == settings
    loose = service.composite(None, persisted=False)
    loose.add_index(service.index(None, id="i-1"), name="a", preset_retrieval_parameters=settings)
    loose.retrieve("x")
    assert service.body()["pipelines"][0]["preset_retrieval_parameters"] == settings


def test_no_argument_is_swallowed() -> None:
    """Ensure an argument that means nothing raises, wherever it is given, and nothing is sent."""
    service = ScriptedIndex()
    at = service.connection
    index = service.index(None, id="i-1")
    calls: list[Callable[[], Any]] = [
        lambda: LlamaCloudIndex("x", nonsense=1, **at),
        lambda: LlamaCloudIndex.create_index("x", nonsense=1, **at),
        lambda: LlamaCloudIndex.from_documents([], "x", nonsense=1, **at),
        lambda: LlamaCloudRetriever("x", nonsense=1, **at),
        lambda: LlamaCloudCompositeRetriever("x", nonsense=1, **at),
        lambda: index.as_retriever(nonsense=1),
        lambda: index.as_query_engine(llm=MockLLM(), nonsense=1),
        lambda: index.as_chat_engine(llm=MockLLM(), nonsense=1),
        lambda: index.insert(Document(text="x"), nonsense=1),
        lambda: index.delete_ref_doc("x", nonsense=1),
        lambda: asyncio.run(index.ainsert(Document(text="x"), nonsense=1)),
        lambda: LlamaCloudIndex.create_index("x", transform_config={"nonsense": 1}, **at),
        lambda: LlamaCloudIndex.create_index("x", llama_parse_parameters={"nonsense": 1}, **at),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match="nonsense"):
            call()
    assert service.requests == []


def test_llamaindex_finds_what_it_expects() -> None:
    """Ensure the parts that LlamaIndex's base classes set up are there."""
    manager = CallbackManager([])
    index = ScriptedIndex().index(callback_manager=manager)
    assert index.storage_context is not None
    assert index.docstore is not None
    assert index.index_struct.index_id
    assert index._callback_manager is manager
    for retriever in (index.as_retriever(), ScriptedIndex().composite(callback_manager=manager)):
        assert retriever.callback_manager is manager
        assert retriever.object_map == {}
        assert retriever.get_prompts() == {}


def test_object_maps_are_forwarded() -> None:
    """Ensure an object behind a retrieved IndexNode is entered, whichever way the map was given."""
    service = ScriptedIndex()
    book = TextNode(text="A whole book.")
    entry = IndexNode(index_id="book", text="An entry.", obj=book)
    mapped = service.index().as_retriever(object_map={"book": book})
    assert mapped.object_map == {"book": book}
    for retriever in (
        service.retriever_of(objects=[entry]),
        service.composite(objects=[entry]),
        service.index().as_retriever(objects=[entry]),
    ):
        assert retriever.object_map == {"book": book}


# Pictures


def different_pictures(step: str, content: bytes = PNG) -> httpx.Response | None:
    """A picture that is not like the other one: LlamaIndex up to 0.14.0 takes equal ones for one and the same."""
    return httpx.Response(200, content=content + step.encode()) if step in ("screenshot", "figure") else None


@pytest.mark.parametrize("content", [PNG, JPEG])
def test_pictures_are_the_same_bytes_on_both_paths(content: bytes) -> None:
    """Ensure bytes that are no text come through unchanged, synchronously and asynchronously."""
    service = ScriptedIndex(
        {"retrieval_nodes": [], "image_nodes": [picture(0)], "page_figure_nodes": [picture(0, "a.png")]},
        fault=lambda step, request: different_pictures(step, content),
    )
    for nodes in both_ways(service.retriever_of(None, id="i-1")):
        assert len(nodes) == 2
        for node, step in zip(nodes, (b"screenshot", b"figure"), strict=True):
            assert isinstance(node.node, ImageNode)
            assert base64.b64decode(node.node.image or "") == content + step
            assert node.node.resolve_image().read() == content + step


@pytest.mark.parametrize(("content", "mimetype"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
@pytest.mark.parametrize("told", ["image/png", "application/octet-stream", ""])
def test_image_nodes_have_a_media_type(content: bytes, mimetype: str, told: str) -> None:
    """Ensure the media type is what the bytes are, whatever the service says of them."""
    answer = httpx.Response(200, content=content, headers={"content-type": told} if told else {})
    service = ScriptedIndex(
        {"retrieval_nodes": [], "image_nodes": [picture(0)]},
        fault=lambda step, request: answer if step == "screenshot" else None,
    )
    for nodes in both_ways(service.retriever_of(None, id="i-1")):
        assert [node.node.image_mimetype for node in nodes if isinstance(node.node, ImageNode)] == [mimetype]


# Composite retrievers


def test_a_composite_needs_no_rerank_configuration() -> None:
    """Ensure a composite retriever works with neither a configuration nor a number, and sends none then."""
    service = ScriptedIndex({"nodes": [text_node("Words.")]})
    for retriever in (service.composite(), service.composite(None, persisted=False)):
        for nodes in both_ways(retriever):
            assert [node.text for node in nodes] == ["Words."]
        assert "rerank_config" not in service.body()
        assert "rerank_top_n" not in service.body()


def test_a_composite_keeps_node_ids() -> None:
    """Ensure nodes keep the service's ids, spelled either way, and no two of them share one."""
    older, newer = text_node("one"), text_node("two")
    newer["node"]["id"] = newer["node"].pop("id_")
    service = ScriptedIndex({"nodes": [older, newer]})
    for nodes in both_ways(service.composite()):
        assert {node.node_id for node in nodes} == {"node one", "node two"}


def test_a_composite_brings_figures() -> None:
    """Ensure screenshots and figures come as ImageNodes, in one order with the text."""
    service = ScriptedIndex(
        {
            "nodes": [{**text_node("best"), "score": 0.9}, {**text_node("worst"), "score": 0.1}],
            "image_nodes": [picture(3)],
            "page_figure_nodes": [picture(3, "fig.png")],
        },
        fault=lambda step, request: different_pictures(step),
    )
    for nodes in both_ways(service.composite()):
        assert [type(node.node) for node in nodes] == [TextNode, ImageNode, ImageNode, TextNode]
        assert [node.metadata.get("figure_name") for node in nodes] == [None, None, "fig.png", None]
        assert [node.metadata["page_number"] for node in nodes[1:3]] == [4, 4]


# The newer Indexes API


def test_there_is_a_class_for_indexes_over_directories() -> None:
    """Ensure the newer indexes have a LlamaIndex index and retriever of their own, engines and tools included."""
    service = ScriptedDirectory()
    index = service.index()
    assert isinstance(index, BaseManagedIndex)
    assert isinstance(index.as_retriever(), BaseRetriever)
    answer = index.as_query_engine(llm=MockLLM()).query("x")
    assert [node.text for node in answer.source_nodes] == ["Words."]
    assert index.as_chat_engine("context", llm=MockLLM()).chat("x").source_nodes[0].text == "Words."
    assert [tool.metadata.name for tool in index.as_tools()] == ["retrieve", "find_files", "grep_file", "read_file"]
