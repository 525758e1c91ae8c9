"""LlamaCloudCompositeRetriever on local LlamaCloud: made, changed, asked in both modes, kept on the service or not."""

from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.schema import ImageNode, NodeWithScore, TextNode

from llama_cloud_ext import (
    ConfigurationError,
    LlamaCloudCompositeRetriever,
    LlamaCloudIndex,
    NotFoundError,
)

ANIMALS = ["Wombats dig burrows with their claws.", "Quokkas live on an island.", "Otters hold hands."]
ROCKS = ["Basalt forms when lava cools quickly.", "Granite cools slowly.", "Slate splits into sheets."]
ABOUT = {"animals": "Animals: wombats, quokkas and otters.", "rocks": "Rocks: basalt, granite and slate."}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud for all of these tests."""
    return f"local:{tmp_path_factory.mktemp('composite') / 'cloud'}"


@pytest.fixture(scope="module")
def indexes(address: str) -> dict[str, LlamaCloudIndex]:
    """Two indexes."""
    return {
        name: LlamaCloudIndex.from_documents(
            [Document(id_=f"{name}-{number}", text=text) for number, text in enumerate(texts)], name, base_url=address
        )
        for name, texts in {"animals": ANIMALS, "rocks": ROCKS}.items()
    }


def both(address: str, indexes: dict[str, LlamaCloudIndex], name: str | None, **options: Any) -> Any:
    """A retriever of both indexes."""
    options = {"create_if_not_exists": True, **options} if name else options
    retriever = LlamaCloudCompositeRetriever(name, base_url=address, **options)
    for index_name, index in indexes.items():
        retriever.add_index(index, description=ABOUT[index_name])
    return retriever


def texts(nodes: list[NodeWithScore]) -> list[str]:
    """What was found."""
    return [node.text for node in nodes]


@pytest.mark.parametrize("persisted", [True, False])
def test_both_indexes_are_asked(address: str, indexes: dict[str, LlamaCloudIndex], persisted: bool) -> None:
    """Ensure nodes of both come in one order, with ids, and with where they come from, unseen by models."""
    retriever = both(address, indexes, f"full {persisted}" if persisted else None, persisted=persisted, mode="full")
    nodes = retriever.retrieve("What cools slowly?")
    assert nodes[0].text == "Granite cools slowly."
    assert {node.metadata["retriever_pipeline_name"] for node in nodes} == {"animals", "rocks"}
    assert {node.metadata["pipeline_id"] for node in nodes} == {index.id for index in indexes.values()}
    scores = [node.score for node in nodes]
    assert scores == sorted(scores, reverse=True)
    single = indexes["rocks"].as_retriever(dense_similarity_top_k=9).retrieve("What cools slowly?")
    assert {node.node_id for node in single} <= {node.node_id for node in nodes}
    for node in nodes:
        inner = node.node
        assert isinstance(inner, TextNode)
        assert {"pipeline_id", "retriever_pipeline_name"} <= set(inner.excluded_llm_metadata_keys)
        assert {"pipeline_id", "retriever_pipeline_name"} <= set(inner.excluded_embed_metadata_keys)
    assert texts(asyncio.run(retriever.aretrieve("What cools slowly?"))) == texts(nodes)


def test_routing_asks_the_index_that_fits(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure the mode routing goes by the descriptions, set for the retriever or for one query."""
    retriever = both(address, indexes, "routing", mode="routing")
    assert set(texts(retriever.retrieve("wombats, quokkas and otters"))) <= set(ANIMALS)
    assert set(texts(retriever.retrieve("basalt, granite and slate"))) <= set(ROCKS)
    full = retriever._retrieve(_bundle("basalt, granite and slate"), mode="full")
    assert set(texts(full)) & set(ANIMALS)


def test_reranking(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure none, a number, and every form of a configuration work, and a number beats the configuration's."""
    query = "burrows on an island"
    for options, count in (
        ({}, 6),
        ({"rerank_top_n": 1}, 1),
        ({"rerank_config": {"top_n": 2}}, 2),
        ({"rerank_config": {"type": "score", "top_n": 3}}, 3),
        ({"rerank_config": {"type": "disabled"}}, 6),
        ({"rerank_config": {"top_n": 3}, "rerank_top_n": 2}, 2),
    ):
        retriever = both(address, indexes, None, persisted=False, mode="full", **options)
        assert len(retriever.retrieve(query)) == count, options
    assert len(retriever._retrieve(_bundle(query), rerank_config={"top_n": 1})) == 2, "the retriever's number beats it"
    assert len(retriever._retrieve(_bundle(query), rerank_top_n=1)) == 1
    for wrong in ({"rerank_config": {"type": "best"}}, {"rerank_config": {"topn": 2}}, {"mode": "fastest"}):
        with pytest.raises(ConfigurationError, match=r"type|topn|mode"):
            LlamaCloudCompositeRetriever("x", base_url=address, **wrong)


def _bundle(query: str) -> Any:
    from llama_index.core.schema import QueryBundle

    return QueryBundle(query)


def test_from_creation_to_deletion(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure a retriever is created if it is missing, and its indexes can be added, replaced, removed and updated."""
    with pytest.raises(NotFoundError, match="create_if_not_exists"):
        LlamaCloudCompositeRetriever("life", base_url=address).retrieve("x")
    retriever = LlamaCloudCompositeRetriever("life", base_url=address, create_if_not_exists=True)
    assert retriever.retriever_pipelines == []
    assert retriever.retriever["name"] == "life"
    retriever.add_index(indexes["animals"])
    retriever.add_index(indexes["rocks"], "stones", ABOUT["rocks"], {"dense_similarity_top_k": 1})
    by_name = {pipeline.name: pipeline for pipeline in retriever.retriever_pipelines}
    assert set(by_name) == {"animals", "stones"}
    assert by_name["stones"].description == ABOUT["rocks"]
    assert by_name["stones"].preset_retrieval_parameters.dense_similarity_top_k == 1  # type: ignore[union-attr]
    retriever.add_index(indexes["animals"], "stones")
    assert [pipeline.pipeline_id for pipeline in retriever.retriever_pipelines] == [indexes["animals"].id] * 2
    same = LlamaCloudCompositeRetriever("life", project_name="default", base_url=address)
    by_id = LlamaCloudCompositeRetriever(retriever_id=retriever.retriever["id"], base_url=address)
    for other in (same, by_id):
        assert other.retriever["id"] == retriever.retriever["id"]
        assert len(other.retriever_pipelines) == 2
    assert retriever.remove_index("stones") is True
    assert retriever.remove_index("stones") is False
    retriever.update_retriever_pipelines([{"pipeline_id": indexes["rocks"].id, "name": "rocks"}])
    assert set(texts(retriever.retrieve("anything"))) <= set(ROCKS)
    retriever.delete()
    with pytest.raises(NotFoundError):
        by_id.retrieve("x")
    assert set(indexes["rocks"].ref_doc_info), "its indexes stay"


async def test_the_asynchronous_twins(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure every asynchronous method does what its twin does."""
    retriever = LlamaCloudCompositeRetriever("async", base_url=address, create_if_not_exists=True)
    assert (await retriever.aretriever())["name"] == "async"
    await retriever.aadd_index(indexes["animals"])
    await retriever.async_add_index(indexes["rocks"])
    assert len(await retriever.aretriever_pipelines()) == 2
    assert len(await retriever.aretrieve("What cools slowly?")) > 0
    assert await retriever.aremove_index("animals") is True
    await retriever.aupdate_retriever_pipelines([])
    assert await retriever.aretriever_pipelines() == []
    await retriever.adelete()
    with pytest.raises(NotFoundError):
        await LlamaCloudCompositeRetriever("async", base_url=address).aretrieve("x")


def test_one_that_is_not_kept(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure a retriever of its own object needs no name, leaves nothing on the service, and can be emptied."""
    retriever = both(address, indexes, None, persisted=False)
    assert len(retriever.retriever_pipelines) == 2
    assert retriever.remove_index("rocks") is True
    assert set(texts(retriever.retrieve("What cools slowly?"))) <= set(ANIMALS)
    twin = pickle.loads(pickle.dumps(retriever))
    assert set(texts(twin.retrieve("What cools slowly?"))) <= set(ANIMALS)
    retriever.delete()
    assert retriever.retriever_pipelines == []
    for wrong in ({}, {"name": "a", "retriever_id": "b"}):
        with pytest.raises(ConfigurationError, match="name"):
            LlamaCloudCompositeRetriever(base_url=address, **wrong)
    with pytest.raises(ConfigurationError, match="retriever_id"):
        LlamaCloudCompositeRetriever("x", base_url=address, retriver_id="y")  # type: ignore[call-arg]  # misspelled


def test_pictures_of_several_indexes(address: str, data_dir: Path) -> None:
    """Ensure screenshots and figures come as ImageNodes with bytes and media type, in order of their scores."""
    index = LlamaCloudIndex.create_index("shown", base_url=address)
    index.upload_file(data_dir / "table-and-pictures.pdf")
    retriever = LlamaCloudCompositeRetriever(persisted=False, base_url=address, mode="full")
    retriever.add_index(
        index,
        preset_retrieval_parameters={"retrieve_page_screenshot_nodes": True, "retrieve_page_figure_nodes": True},
    )
    nodes = retriever.retrieve("table and pictures")
    shown = [node.node for node in nodes if isinstance(node.node, ImageNode)]
    assert any("figure_name" in node.metadata for node in shown)
    assert any("figure_name" not in node.metadata for node in shown)
    assert all(node.image and (node.image_mimetype or "").startswith("image/") for node in shown)


def test_copies_and_texts(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure a retriever pickles and copies, before and after its first use, and shows no key."""
    both(address, indexes, "copied")
    made = LlamaCloudCompositeRetriever("copied", base_url=address, api_key="llx-secret", mode="full", rerank_top_n=1)
    for used in (False, True):
        for twin in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
            assert texts(twin.retrieve("What cools slowly?")) == ["Granite cools slowly."]
        if not used:
            made.retrieve("x")
    for shown in (repr(made), str(made), str(vars(made))):
        assert "llx-secret" not in shown
    assert repr(made) == "LlamaCloudCompositeRetriever('copied')"


def test_every_kind_of_caller(address: str, indexes: dict[str, LlamaCloudIndex]) -> None:
    """Ensure one retriever works in loops one after the other and inside a running loop."""
    retriever = both(address, indexes, "callers", rerank_top_n=1)

    async def inside() -> list[str]:
        return texts(retriever.retrieve("What cools slowly?")) + texts(await retriever.aretrieve("What cools slowly?"))

    for _ in range(2):
        assert asyncio.run(inside()) == ["Granite cools slowly."] * 2
