"""LlamaCloudRetriever on local LlamaCloud: every setting, filters, pictures, events, and LlamaIndex around it."""

from __future__ import annotations

import asyncio
import base64
import copy
import pickle
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent, RetrievalStartEvent
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import ImageNode, IndexNode, NodeRelationship, NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import RetrieverTool
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from PIL import Image
from pydantic import BaseModel, Field

from llama_cloud_ext import ConfigurationError, LlamaCloudIndex, LlamaCloudRetriever

PICTURES = "table-and-pictures.pdf"

PLANETS = [
    ("Mercury", {"number": 1, "moons": 0, "kind": "rock", "tags": ["hot", "small"]}),
    ("Venus", {"number": 2, "moons": 0, "kind": "rock", "tags": ["hot"]}),
    ("Earth", {"number": 3, "moons": 1, "kind": "rock", "tags": ["water"]}),
    ("Mars", {"number": 4, "moons": 2, "kind": "rock", "tags": ["cold", "small"]}),
    ("Jupiter", {"number": 5, "moons": 95, "kind": "gas", "tags": []}),
    ("Saturn", {"number": 6, "moons": 146, "kind": "gas", "tags": ["rings"]}),
    ("Uranus", {"number": 7, "moons": 28, "kind": "ice"}),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud that these tests only read."""
    return f"local:{tmp_path_factory.mktemp('retriever') / 'cloud'}"


@pytest.fixture(scope="module")
def index(address: str) -> LlamaCloudIndex:
    """An index of planets."""
    documents = [
        Document(id_=name, text=f"{name} is planet number {facts['number']} of the sun.", metadata=facts)
        for name, facts in PLANETS
    ]
    return LlamaCloudIndex.from_documents(documents, "planets", base_url=address)


@pytest.fixture(scope="module")
def pictures(address: str, data_dir: Path) -> LlamaCloudIndex:
    """An index of a file with pictures."""
    index = LlamaCloudIndex.create_index("pictures", base_url=address)
    index.upload_file(data_dir / PICTURES)
    return index


def names(nodes: list[NodeWithScore]) -> set[str | None]:
    """Which documents the nodes are of."""
    return {node.node.ref_doc_id for node in nodes}


# Settings


def test_settings_say_how_many(index: LlamaCloudIndex) -> None:
    """Ensure the numbers of nodes are those asked for, under either name, and 0 switches a search off."""
    query = "Which planet is Jupiter?"
    for settings, count in (
        ({"dense_similarity_top_k": 2, "sparse_similarity_top_k": 0, "enable_reranking": False}, 2),
        ({"similarity_top_k": 3, "sparse_similarity_top_k": 0, "enable_reranking": False}, 3),
        ({"dense_similarity_top_k": 7, "enable_reranking": True, "rerank_top_n": 4}, 4),
        ({"dense_similarity_top_k": 0, "sparse_similarity_top_k": 1, "alpha": 0.0}, 1),
        ({"dense_similarity_top_k": 7, "dense_similarity_cutoff": 1.0, "sparse_similarity_top_k": 0}, 0),
    ):
        nodes = index.as_retriever(**settings).retrieve(query)
        assert len(nodes) == count, settings
    best = index.as_retriever(dense_similarity_top_k=0, sparse_similarity_top_k=1, alpha=0.0).retrieve("Jupiter")
    assert names(best) == {"Jupiter"}


def test_none_leaves_it_to_the_preset(index: LlamaCloudIndex, address: str) -> None:
    """Ensure None is the preset of the index, and False and 0.0 are values."""
    LlamaCloudIndex.from_documents(
        [Document(text=f"Text {number}.") for number in range(6)],
        "preset",
        base_url=address,
        preset_retrieval_parameters={
            "dense_similarity_top_k": 5,
            "sparse_similarity_top_k": 0,
            "enable_reranking": True,
            "rerank_top_n": 2,
        },
    )
    at: dict[str, Any] = {"name": "preset", "base_url": address}
    assert len(LlamaCloudRetriever(**at, enable_reranking=None).retrieve("text")) == 2
    assert len(LlamaCloudRetriever(**at, enable_reranking=False).retrieve("text")) == 5
    assert len(LlamaCloudRetriever(**at, dense_similarity_top_k=1).retrieve("text")) == 1
    retriever = LlamaCloudRetriever(**at, alpha=0.0, enable_reranking=False, dense_similarity_cutoff=0.0)
    assert retriever.settings == {"alpha": 0.0, "enable_reranking": False, "dense_similarity_cutoff": 0.0}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dense_similarity_topk": 3}, "dense_similarity_top_k"),
        ({"rerank_topn": 3}, "rerank_top_n"),
        ({"filter": None}, "filters"),
        ({"alpha": 1.5}, "alpha"),
        ({"alpha": "much"}, "alpha"),
        ({"dense_similarity_top_k": -1}, "dense_similarity_top_k"),
        ({"rerank_top_n": 0}, "rerank_top_n"),
        ({"retrieval_mode": "pages"}, "retrieval_mode"),
        ({"dense_similarity_top_k": 3, "similarity_top_k": 4}, "similarity_top_k"),
        ({"dense_similarity_top_k": 0, "sparse_similarity_top_k": 0}, "nothing to retrieve"),
        ({"filters": 7}, "filters"),
        ({"search_filters_inference_schema": 7}, "search_filters_inference_schema"),
        ({"retrieve_page_figure_nodes": False, "retrieve_image_nodes": True}, "retrieve_image_nodes"),
    ],
)
@pytest.mark.filterwarnings("ignore:retrieve_image_nodes:DeprecationWarning")
def test_settings_that_cannot_work(index: LlamaCloudIndex, address: str, settings: Any, words: str) -> None:
    """Ensure unknown settings raise with the nearest one's name, and impossible values with theirs."""
    with pytest.raises(ConfigurationError, match=words):
        index.as_retriever(**settings)
    with pytest.raises(ConfigurationError, match=words):
        LlamaCloudRetriever("planets", base_url=address, **settings)


def test_an_index_keeps_its_connection(index: LlamaCloudIndex) -> None:
    """Ensure a retriever of an index cannot be pointed elsewhere."""
    for elsewhere in ({"api_key": "llx-other"}, {"base_url": "https://example.com"}):
        with pytest.raises(ConfigurationError, match=next(iter(elsewhere))):
            index.as_retriever(**elsewhere)
    with pytest.raises((ConfigurationError, TypeError)):
        index.as_retriever(name="other")


def test_an_index_is_named_once(address: str) -> None:
    """Ensure a retriever wants exactly one of name and id."""
    for named in ({}, {"name": "a", "pipeline_id": "b"}, {"index_id": "a", "id": "b"}):
        with pytest.raises(ConfigurationError, match=r"name|id"):
            LlamaCloudRetriever(base_url=address, **named)


def test_by_name_and_by_every_id(index: LlamaCloudIndex, address: str) -> None:
    """Ensure all ways to name an index find the same."""
    for named in (
        {"name": "planets"},
        {"name": "planets", "project_name": "default"},
        {"pipeline_id": index.id},
        {"index_id": index.id},
        {"id": index.id},
    ):
        nodes = LlamaCloudRetriever(base_url=address, dense_similarity_top_k=1, **named).retrieve("Saturn")
        assert names(nodes) == {"Saturn"}


# Nodes


def test_nodes_are_whole(index: LlamaCloudIndex) -> None:
    """Ensure nodes keep id, text, relationships, metadata, score and mode, the latter unseen by models."""
    retriever = index.as_retriever(dense_similarity_top_k=3)
    nodes = retriever.retrieve("Saturn")
    again = retriever.retrieve(QueryBundle("Saturn"))
    assert [node.node_id for node in nodes] == [node.node_id for node in again]
    best = nodes[0].node
    assert isinstance(best, TextNode)
    assert best.text == "Saturn is planet number 6 of the sun."
    assert best.relationships[NodeRelationship.SOURCE].node_id == "Saturn"  # type: ignore[union-attr]  # one source
    assert (best.metadata["moons"], best.metadata["tags"]) == (146, ["rings"])
    assert best.metadata["retrieval_mode"] == "chunks"
    assert "retrieval_mode" in best.excluded_llm_metadata_keys
    assert "retrieval_mode" in best.excluded_embed_metadata_keys
    scores = [node.score for node in nodes]
    assert all(isinstance(score, float) for score in scores)


@pytest.mark.parametrize("mode", ["files_via_metadata", "files_via_content", "auto_routed"])
def test_files_instead_of_chunks(pictures: LlamaCloudIndex, mode: Any) -> None:
    """Ensure the modes that retrieve files say so in their nodes' metadata."""
    nodes = pictures.as_retriever(retrieval_mode=mode, files_top_k=1).retrieve("table and pictures")
    assert nodes
    assert {node.metadata["retrieval_mode"] for node in nodes} == {mode}
    assert {node.metadata["file_name"] for node in nodes} == {PICTURES}


# Filters


def where(*filters: Any, condition: str = "and") -> MetadataFilters:
    """LlamaIndex filters."""
    return MetadataFilters(filters=list(filters), condition=FilterCondition(condition))


def that(key: str, operator: str, value: Any) -> MetadataFilter:
    """One LlamaIndex filter."""
    return MetadataFilter(key=key, operator=FilterOperator(operator), value=value)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (where(that("kind", "==", "gas")), {"Jupiter", "Saturn"}),
        (where(that("moons", ">", 1), that("kind", "==", "rock")), {"Mars"}),
        (where(that("moons", ">=", 95), that("number", "<", 2), condition="or"), {"Jupiter", "Saturn", "Mercury"}),
        (where(that("kind", "in", ["gas", "ice"])), {"Jupiter", "Saturn", "Uranus"}),
        (where(that("number", "nin", [1, 2, 3, 4, 5])), {"Saturn", "Uranus"}),
        (where(that("tags", "contains", "small")), {"Mercury", "Mars"}),
        (where(that("tags", "any", ["rings", "water"])), {"Earth", "Saturn"}),
        (where(that("tags", "all", ["hot", "small"])), {"Mercury"}),
        (where(where(that("kind", "==", "rock")), condition="not"), {"Jupiter", "Saturn", "Uranus"}),
        (
            where(
                where(that("kind", "==", "gas"), that("number", "==", 3), condition="or"),
                where(that("moons", "<=", 95)),
            ),
            {"Jupiter", "Earth"},
        ),
        (
            where(
                where(where(that("moons", "==", 0), that("kind", "==", "gas"), condition="or"), condition="not"),
                where(that("number", "!=", 7)),
            ),
            {"Earth", "Mars"},
        ),
        ({"filters": [{"key": "number", "value": 7, "operator": "=="}]}, {"Uranus"}),
    ],
)
def test_filters(index: LlamaCloudIndex, filters: Any, expected: set[str]) -> None:
    """Ensure filters keep what they name and no more, nested or not, whatever the query."""
    nodes = index.as_retriever(filters=filters, dense_similarity_top_k=20).retrieve("planet of the sun")
    assert names(nodes) == expected


def test_filters_that_cannot_be_mapped(index: LlamaCloudIndex) -> None:
    """Ensure an operator that the service does not know raises and is named."""
    with pytest.raises(ConfigurationError, match=r"operator|between"):
        index.as_retriever(filters={"filters": [{"key": "a", "value": 1, "operator": "between"}]})
    with pytest.raises(ConfigurationError, match="condition"):
        index.as_retriever(filters={"filters": [], "condition": "xor"})


class Planet(BaseModel):
    """What is known of a planet."""

    kind: str = Field(description="rock, gas or ice")


def test_filters_are_inferred_from_the_query(index: LlamaCloudIndex) -> None:
    """Ensure a schema of the metadata has the service infer filters, given as a class or as JSON."""
    for schema in (Planet, Planet.model_json_schema()):
        retriever = index.as_retriever(search_filters_inference_schema=schema, dense_similarity_top_k=20)
        assert names(retriever.retrieve("planets whose kind is gas")) == {"Jupiter", "Saturn"}


# Pictures


def test_screenshots_and_figures(pictures: LlamaCloudIndex) -> None:
    """Ensure pages come as ImageNodes with bytes of a picture, media type, file, page and score, sync and async."""
    retriever = pictures.as_retriever(
        retrieve_page_screenshot_nodes=True, retrieve_page_figure_nodes=True, dense_similarity_top_k=3
    )
    nodes = retriever.retrieve("table and pictures")
    shown = [node.node for node in nodes if isinstance(node.node, ImageNode)]
    figures = [node for node in shown if "figure_name" in node.metadata]
    assert figures
    assert len(shown) > len(figures)
    for node in shown:
        content = base64.b64decode(node.image or "")
        with Image.open(BytesIO(content)) as picture:
            assert Image.MIME[picture.format or ""] == node.image_mimetype
        assert node.resolve_image().read() == content
        assert node.metadata["page_number"] == node.metadata["page_index"] + 1
        assert node.metadata["file_id"] == pictures.list_files()[0].file_id
    assert len({node.node_id for node in shown}) == len(shown)
    again = asyncio.run(retriever.aretrieve("table and pictures"))
    assert [node.node_id for node in again] == [node.node_id for node in nodes]
    assert [node.node.hash for node in again] == [node.node.hash for node in nodes]


def test_the_older_name_of_pictures(pictures: LlamaCloudIndex) -> None:
    """Ensure `retrieve_image_nodes` stands for both kinds, with a warning that points here."""
    with pytest.warns(DeprecationWarning, match="retrieve_page_screenshot_nodes") as warned:
        retriever = pictures.as_retriever(retrieve_image_nodes=True)
    assert retriever.settings["retrieve_page_screenshot_nodes"] is True
    assert retriever.settings["retrieve_page_figure_nodes"] is True
    assert len(warned) == 1
    without = pictures.as_retriever(retrieve_page_screenshot_nodes=False).retrieve("pictures")
    assert not [node for node in without if isinstance(node.node, ImageNode)]


# LlamaIndex around it


class Events(BaseEventHandler):
    """Keeps the events of retrieval."""

    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        """Keep it."""
        if isinstance(event, RetrievalStartEvent | RetrievalEndEvent):
            self.seen.append(event)


class Spans(SimpleSpanHandler):
    """Keeps the spans that ended."""

    ended: list[str] = Field(default_factory=list)

    def prepare_to_exit_span(self, id_: str, *args: Any, **kwargs: Any) -> SimpleSpan | None:
        """Keep its name."""
        self.ended.append(id_)
        return super().prepare_to_exit_span(id_, *args, **kwargs)


@pytest.fixture
def listeners() -> Iterator[tuple[Events, Spans]]:
    """Handlers of LlamaIndex's instrumentation, taken off afterwards."""
    dispatcher = get_dispatcher()
    handlers = list(dispatcher.event_handlers), list(dispatcher.span_handlers)
    events, spans = Events(), Spans()
    dispatcher.add_event_handler(events)
    dispatcher.add_span_handler(spans)
    yield events, spans
    dispatcher.event_handlers, dispatcher.span_handlers = handlers


def test_instrumentation(index: LlamaCloudIndex, listeners: tuple[Events, Spans]) -> None:
    """Ensure each retrieval has its start and end event and its span, and methods of the index have theirs."""
    events, spans = listeners
    retriever = index.as_retriever(dense_similarity_top_k=2)
    nodes = retriever.retrieve("Mars")
    start, end = events.seen
    assert isinstance(start, RetrievalStartEvent)
    assert isinstance(end, RetrievalEndEvent)
    assert str(start.str_or_query_bundle) == "Mars"
    assert end.nodes == nodes
    assert any(name.startswith("LlamaCloudRetriever.retrieve-") for name in spans.ended)
    asyncio.run(retriever.aretrieve("Mars"))
    assert len(events.seen) == 4
    index.refresh_ref_docs([])
    index.wait_for_completion()
    for method in ("refresh_ref_docs", "wait_for_completion"):
        assert any(f".{method}-" in name for name in spans.ended), method


def test_objects_behind_nodes(index: LlamaCloudIndex, address: str) -> None:
    """Ensure IndexNodes lead to the objects behind them, given by object_map or as objects."""
    target = IndexNode(index_id="Saturn", text="Saturn", obj=TextNode(text="A whole book about Saturn."))
    found = LlamaCloudRetriever("planets", base_url=address, objects=[target], dense_similarity_top_k=1)
    assert found.object_map == {"Saturn": target.obj}
    mapped = index.as_retriever(object_map={"Saturn": target.obj}, dense_similarity_top_k=1)
    assert mapped.object_map["Saturn"] is target.obj
    assert mapped.retrieve("Saturn")


def test_as_a_tool(index: LlamaCloudIndex) -> None:
    """Ensure a retriever works as an agent's tool, sync and async."""
    tool = RetrieverTool.from_defaults(index.as_retriever(dense_similarity_top_k=1), description="Planets.")
    assert "Saturn is planet number 6" in str(tool.call("Saturn"))
    assert "Saturn is planet number 6" in str(asyncio.run(tool.acall("Saturn")))


def test_copies_and_texts(index: LlamaCloudIndex, address: str) -> None:
    """Ensure a retriever pickles and copies with its settings, and shows them but no key."""
    made = LlamaCloudRetriever(
        "planets",
        base_url=address,
        api_key="llx-secret",
        dense_similarity_top_k=1,
        filters=where(that("moons", ">", 100)),
    )
    for used in (False, True):
        for twin in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
            assert twin.settings == made.settings
            assert names(twin.retrieve("planet")) == {"Saturn"}
        if not used:
            made.retrieve("planet")
    assert "dense_similarity_top_k=1" in repr(made)
    for shown in (repr(made), str(made), str(vars(made))):
        assert "llx-secret" not in shown


def test_one_retriever_in_every_kind_of_caller(index: LlamaCloudIndex) -> None:
    """Ensure one retriever works in loops one after the other, inside a running loop, in threads, and concurrently."""
    retriever = index.as_retriever(dense_similarity_top_k=1)
    answers: list[set[str | None]] = []

    async def inside() -> None:
        answers.append(names(retriever.retrieve("Mars")))
        several = await asyncio.gather(*(retriever.aretrieve("Mars") for _ in range(8)))
        answers.extend(map(names, several))

    for _ in range(2):
        asyncio.run(inside())
    threads = [threading.Thread(target=lambda: answers.append(names(retriever.retrieve("Mars")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"Mars"}] * 22
