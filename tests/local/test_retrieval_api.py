"""`/api/v1/pipelines/{id}/retrieve` on local LlamaCloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding, ShortestFirst
from tests.local.pipeline_calls import (
    add_file,
    document,
    ingested,
    pipeline,
    put,
    retrieved,
    texts,
)

ANIMALS = [
    document("wombat", "Wombats dig burrows with their claws.", kind="animal", legs=4, file="wombat.md"),
    document("quokka", "Quokkas live on an island near Perth.", kind="animal", legs=4, tags=["small", "happy"]),
    document("emu", "Emus run fast over open plains.", kind="animal", legs=2),
    document("basalt", "Basalt forms when lava cools quickly.", kind="rock"),
    document("granite", "Granite cools slowly, far below ground.", kind="rock"),
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a local LlamaCloud."""
    async with local_client(tmp_path) as client:
        yield client


async def animals(client: httpx.AsyncClient, **preset: Any) -> str:
    """A pipeline with five documents; its path."""
    path = await pipeline(client, preset_retrieval_parameters=preset)
    await put(client, path, *ANIMALS)
    assert await ingested(client, path) == "SUCCESS"
    return path


async def found(client: httpx.AsyncClient, path: str, query: str, **settings: Any) -> list[str]:
    """The documents that a retrieval finds, the best first."""
    nodes = (await retrieved(client, path, query, **settings))["retrieval_nodes"]
    return [node["node"]["relationships"]["1"]["node_id"] for node in nodes]


async def test_the_answer(client: httpx.AsyncClient) -> None:
    """Ensure the answer has the service's shape: nodes with scores, no images, and how long it took."""
    path = await animals(client)
    answer = await retrieved(client, path, "Who digs burrows?")
    assert answer["pipeline_id"] == path.rsplit("/", 1)[1]
    best = answer["retrieval_nodes"][0]
    assert best["class_name"] == "NodeWithScore"
    assert best["node"]["text"] == ANIMALS[0]["text"]
    assert best["node"]["metadata"]["legs"] == 4
    assert best["node"]["metadata"]["document_id"] == "wombat"
    scores = [one["score"] for one in answer["retrieval_nodes"]]
    assert scores == sorted(scores, reverse=True)
    assert (answer["image_nodes"], answer["page_figure_nodes"]) == ([], [])
    assert answer["inferred_search_filters"] is None
    assert answer["retrieval_latency"]["retrieval"] > 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"query": None}, "query"),
        ({"query": " "}, "query"),
        ({"query": 7}, "query"),
        ({"alpha": 1.5}, "alpha"),
        ({"alpha": True}, "alpha"),
        ({"dense_similarity_top_k": -1}, "dense_similarity_top_k"),
        ({"dense_similarity_top_k": 2.5}, "dense_similarity_top_k"),
        ({"sparse_similarity_top_k": "3"}, "sparse_similarity_top_k"),
        ({"dense_similarity_cutoff": "high"}, "dense_similarity_cutoff"),
        ({"enable_reranking": "yes"}, "enable_reranking"),
        ({"retrieve_page_screenshot_nodes": 1}, "retrieve_page_screenshot_nodes"),
        ({"retrieval_mode": "everything"}, "retrieval_mode"),
        ({"search_filters": {"filters": [{"key": "legs", "operator": "~", "value": 2}]}}, "legs"),
        ({"search_filters": {"filters": [{"key": "legs", "operator": "~", "value": 2}]}}, "~"),
        ({"search_filters": {"filters": [{"key": "legs", "operator": "in", "value": 2}]}}, "in"),
        ({"search_filters": {"filters": [], "condition": "xor"}}, "xor"),
        ({"search_filters": []}, "search_filters"),
        ({"search_filters_inference_schema": "kind"}, "search_filters_inference_schema"),
    ],
)
async def test_what_is_refused(client: httpx.AsyncClient, settings: dict[str, Any], words: str) -> None:
    """Ensure a setting that means nothing is 422 and named, filters with their key and operator."""
    path = await pipeline(client)
    answer = await client.post(f"{path}/retrieve", json={"query": "x", **settings})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


async def test_presets(client: httpx.AsyncClient) -> None:
    """Ensure None leaves a setting to the preset, while False, 0 and 0.0 are values of the request."""
    only_rocks = {"filters": [{"key": "kind", "operator": "==", "value": "rock"}]}
    path = await animals(client, rerank_top_n=1, alpha=1.0, enable_reranking=True, search_filters=only_rocks)
    assert await found(client, path, "cools", rerank_top_n=None, alpha=None, search_filters=None) in (
        ["basalt"],
        ["granite"],
    )
    assert await found(client, path, "cools", rerank_top_n=0) == []
    assert set(await found(client, path, "cools", enable_reranking=False)) == {"basalt", "granite"}
    everything = {"filters": []}
    assert len(await found(client, path, "cools", enable_reranking=False, search_filters=everything)) == 5
    # Words alone do not find what has none of them.
    assert set(await found(client, path, "cools", enable_reranking=False, alpha=0.0, search_filters=everything)) == {
        "basalt",
        "granite",
    }
    assert await found(client, path, "cools", dense_similarity_top_k=0) == []


async def test_dense_and_sparse(client: httpx.AsyncClient) -> None:
    """Ensure the numbers of chunks found by vectors and words, the cutoff and the re-ranking do what they say."""
    path = await animals(client)
    assert len(await found(client, path, "granite", dense_similarity_top_k=2, enable_reranking=False)) == 2
    assert await found(client, path, "granite", sparse_similarity_top_k=3) == ["granite"]
    assert await found(client, path, "granite", alpha=1.0, dense_similarity_cutoff=2.0) == []
    assert len(await found(client, path, "granite", alpha=1.0, dense_similarity_cutoff=0.0)) >= 1
    assert len(await found(client, path, "granite", rerank_top_n=3)) == 3
    assert len(await found(client, path, "granite")) == 5


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"key": "legs", "operator": "==", "value": 2}], {"emu"}),
        ([{"key": "legs", "operator": ">=", "value": 2}], {"emu", "wombat", "quokka"}),
        ([{"key": "tags", "operator": "contains", "value": "happy"}], {"quokka"}),
        ([{"key": "tags", "operator": "any", "value": ["happy", "sad"]}], {"quokka"}),
        ([{"key": "kind", "operator": "in", "value": ["rock"]}], {"basalt", "granite"}),
        ([{"key": "legs", "operator": "is_empty"}], {"basalt", "granite"}),
        ([{"key": "file", "operator": "text_match", "value": "wombat"}], {"wombat"}),
        ([{"key": "kind", "value": "rock"}], {"basalt", "granite"}),
    ],
)
async def test_filters(client: httpx.AsyncClient, filters: list[dict[str, Any]], expected: set[str]) -> None:
    """Ensure filters come before everything else, whatever is asked, alone and nested."""
    path = await animals(client)
    given = {"filters": filters}
    assert set(await found(client, path, "anything", search_filters=given)) == expected
    everybody = {one["id"] for one in ANIMALS}
    negated = {"condition": "not", "filters": [given]}
    assert set(await found(client, path, "anything", search_filters=negated)) == everybody - expected
    nested = {"condition": "or", "filters": [given, {"condition": "and", "filters": [given, negated]}]}
    assert set(await found(client, path, "anything", search_filters=nested)) == expected


async def test_inferred_filters(client: httpx.AsyncClient) -> None:
    """Ensure a schema has filters read out of the query, which join those that are given and are told."""
    path = await animals(client)
    schema = {"type": "object", "properties": {"kind": {"type": "string", "enum": ["animal", "rock"]}}}
    answer = await retrieved(client, path, "things where kind is rock", search_filters_inference_schema=schema)
    assert {node["node"]["metadata"]["kind"] for node in answer["retrieval_nodes"]} == {"rock"}
    (inferred,) = answer["inferred_search_filters"]["filters"]
    assert (inferred["key"], inferred["value"]) == ("kind", "rock")
    two_legs = {"filters": [{"key": "legs", "operator": "==", "value": 2}]}
    joined = await retrieved(
        client, path, 'kind="animal"', search_filters_inference_schema=schema, search_filters=two_legs
    )
    assert [node["node"]["text"] for node in joined["retrieval_nodes"]] == [ANIMALS[2]["text"]]


async def test_modes(client: httpx.AsyncClient) -> None:
    """Ensure file modes give whole files, as many as asked for, chosen by name or by content."""
    path = await pipeline(client)
    for name, pages in [
        ("wombats.txt", b"Burrows are long.\fThey have claws."),
        ("emus.txt", b"Plains are wide.\fThey run."),
        ("rocks.txt", b"Lava cools.\fThey are hard."),
    ]:
        await add_file(client, path, pages, name)
    assert await ingested(client, path) == "SUCCESS"

    async def files(query: str, **settings: Any) -> list[str]:
        nodes = (await retrieved(client, path, query, **settings))["retrieval_nodes"]
        return [node["node"]["metadata"]["file_name"] for node in nodes]

    assert await files("wombats", retrieval_mode="files_via_metadata") == ["wombats.txt"]
    (whole,) = await texts(client, path, "lava", retrieval_mode="files_via_content")
    assert "Lava cools." in whole
    assert "They are hard." in whole
    two = await files("claws and lava", retrieval_mode="files_via_content", files_top_k=2)
    assert sorted(two) == ["rocks.txt", "wombats.txt"]
    assert await files("claws", retrieval_mode="files_via_content", files_top_k=0) == []
    assert len(await files("claws", retrieval_mode="chunks", rerank_top_n=4)) == 4
    assert await files("summarize the file emus.txt", retrieval_mode="auto_routed") == ["emus.txt"]


async def test_images_of_pages(tmp_path: Path, data_dir: Path) -> None:
    """Ensure screenshots and figures of the found pages come where they are wanted, and their bytes can be fetched."""
    async with local_client(tmp_path, engine=None) as client:
        path = await pipeline(client)
        content = await asyncio.to_thread((data_dir / "latex-lorem.pdf").read_bytes)
        file_id = await add_file(client, path, content, "latex-lorem.pdf")
        await put(client, path, document("d", "Lorem ipsum without a page."))
        assert await ingested(client, path, within=60) == "SUCCESS"
        plain = await retrieved(client, path, "lorem ipsum")
        assert plain["image_nodes"] == []
        for setting in ("retrieve_page_screenshot_nodes", "retrieve_image_nodes"):
            answer = await retrieved(client, path, "lorem ipsum", **{setting: True})
            pages = {
                node["node"]["metadata"]["page_number"] - 1
                for node in answer["retrieval_nodes"]
                if node["node"]["metadata"].get("file_id") == file_id
            }
            assert {image["node"]["page_index"] for image in answer["image_nodes"]} == pages
            for image in answer["image_nodes"]:
                shot = image["node"]
                place = f"/api/v1/files/{shot['file_id']}/page_screenshots/{shot['page_index']}"
                assert len((await client.get(place)).content) == shot["image_size"]
        off = await retrieved(client, path, "lorem", retrieve_image_nodes=True, retrieve_page_screenshot_nodes=False)
        assert off["image_nodes"] == []
        assert (await retrieved(client, path, "lorem", retrieve_page_figure_nodes=True))["image_nodes"] == []


async def test_what_is_being_ingested_is_found_by_its_former_text(tmp_path: Path) -> None:
    """Ensure a changed document answers with its former chunks until the new ones are there, then with those alone."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("d", "Old wombats."))
        await ingested(client, path)
        model.gate.clear()
        await put(client, path, document("d", "New wombats."))
        assert await texts(client, path, "wombats") == ["Old wombats."]
        model.gate.set()
        await ingested(client, path)
        assert await texts(client, path, "wombats") == ["New wombats."]


async def test_a_reranker(tmp_path: Path) -> None:
    """Ensure a node postprocessor ranks what was found, with its own scores."""
    async with local_client(tmp_path, reranker=ShortestFirst()) as client:
        path = await pipeline(client)
        await put(client, path, *ANIMALS)
        await ingested(client, path)
        answer = await retrieved(client, path, "granite", rerank_top_n=2)
        assert [node["score"] for node in answer["retrieval_nodes"]] == [1.0, 0.5]
        assert answer["retrieval_nodes"][0]["node"]["text"] == ANIMALS[2]["text"]
