"""`/api/v1/retrievers` on local LlamaCloud."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_cloud_ext.local import create_app
from llama_cloud_ext.local.asgi_transport import AsgiTransport
from llama_cloud_ext.local.composite_retrieval import Tool, route
from llama_cloud_ext.local.pipeline_records import PipelineRecord
from tests.local.clients import local_client

RETRIEVERS, PIPELINES = "/api/v1/retrievers", "/api/v1/pipelines"


async def call(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> Any:
    """The JSON of an answer that is fine."""
    answer = await client.request(method, url, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pipeline_of(client: httpx.AsyncClient, name: str, texts: list[str], **configuration: Any) -> str:
    """A pipeline that has ingested these texts; its id."""
    pipeline = await call(client, "PUT", PIPELINES, json={"name": name, **configuration})
    url = f"{PIPELINES}/{pipeline['id']}"
    documents = [{"id": f"{number}", "text": text, "metadata": {"of": name}} for number, text in enumerate(texts)]
    await call(client, "POST", f"{url}/documents", json=documents)
    for _ in range(1000):
        if (await call(client, "GET", f"{url}/status"))["status"] == "SUCCESS":
            return str(pipeline["id"])
        await asyncio.sleep(0.01)
    raise AssertionError("not ingested")


async def search(client: httpx.AsyncClient, query: str, pipelines: list[Any], **body: Any) -> Any:
    """The nodes that pipelines in the request find."""
    answer = await call(client, "POST", f"{RETRIEVERS}/retrieve", json={"query": query, "pipelines": pipelines, **body})
    return answer["nodes"]


def tool(name: str, description: str | None = None) -> Tool:
    """A tool over a pipeline that is never asked."""
    record = PipelineRecord(str(uuid.uuid4()), f"{name} pipeline", {}, "", "", 1)
    return Tool.of(record, {"name": name, "description": description})


async def test_records(tmp_path: Path) -> None:
    """Ensure a retriever is kept across restarts with what was sent, and its times tell of changes."""
    async with local_client(tmp_path) as client:
        pipeline_id = await pipeline_of(client, "one", ["Hello."])
        entry = {
            "pipeline_id": pipeline_id,
            "name": "tool",
            "description": None,
            "preset_retrieval_parameters": {"alpha": 0.0, "enable_reranking": False, "rerank_top_n": None},
        }
        made = await call(client, "POST", RETRIEVERS, json={"name": "mine", "pipelines": [entry]})
        assert uuid.UUID(made["id"])
        assert made["pipelines"] == [entry]
        assert made["created_at"] == made["updated_at"]
    async with local_client(tmp_path) as client:
        assert await call(client, "GET", f"{RETRIEVERS}/{made['id']}") == made
        changed = await call(client, "PUT", f"{RETRIEVERS}/{made['id']}", json={"name": "other", "pipelines": None})
        assert changed == made | {"name": "other", "updated_at": changed["updated_at"]}
        assert changed["updated_at"] > made["updated_at"]
        upserted = await call(client, "PUT", RETRIEVERS, json={"name": "other"})
        assert (upserted["id"], upserted["pipelines"]) == (made["id"], [])


async def test_pages_newest_first(tmp_path: Path) -> None:
    """Ensure the list by pages meets every retriever once, by name too, and tells the total only if asked to."""
    async with local_client(tmp_path) as client:
        names = [f"retriever {number}" for number in range(7)]
        for name in names:
            await call(client, "POST", RETRIEVERS, json={"name": name})
        seen: list[str] = []
        query: dict[str, str] = {"page_size": "3", "include_total": "true"}
        while True:
            page = await call(client, "GET", "/api/v1/beta/retrievers", params=query)
            assert page["total_size"] == 7
            seen += [item["name"] for item in page["items"]]
            if page["next_page_token"] is None:
                break
            query["page_token"] = page["next_page_token"]
        assert seen == names[::-1]
        page = await call(client, "GET", "/api/v1/beta/retrievers", params={"name": "retriever 3"})
        assert ([item["name"] for item in page["items"]], page["total_size"]) == (["retriever 3"], None)
        assert [item["name"] for item in await call(client, "GET", RETRIEVERS)] == names[::-1]


async def test_the_same_name_at_the_same_time(tmp_path: Path) -> None:
    """Ensure of several creations of a name one wins, and upserts at the same time are one retriever."""
    async with local_client(tmp_path) as client:
        answers = await asyncio.gather(*(client.post(RETRIEVERS, json={"name": "mine"}) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        answers = await asyncio.gather(*(client.put(RETRIEVERS, json={"name": "ours"}) for _ in range(8)))
        assert len({answer.json()["id"] for answer in answers}) == 1
        ours = answers[0].json()["id"]
        taken = await client.put(f"{RETRIEVERS}/{ours}", json={"name": "mine", "pipelines": None})
        assert taken.status_code == 409
        assert "'mine'" in taken.json()["detail"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": 7}, ["name"]),
        ({"name": "x", "pipelines": {}}, ["pipelines"]),
        ({"name": "x", "pipelines": "all"}, ["pipelines"]),
        ({"name": "x", "pipelines": ["id"]}, ["pipelines", 0]),
        ({"name": "x", "pipelines": [{"name": "no id"}]}, ["pipelines", 0, "pipeline_id"]),
        ({"name": "x", "pipelines": [{"pipeline_id": "i", "name": 1}]}, ["pipelines", 0, "name"]),
        (
            {"name": "x", "pipelines": [{"pipeline_id": "i", "preset_retrieval_parameters": {"alpha": 3}}]},
            ["pipelines", 0, "preset_retrieval_parameters", "alpha"],
        ),
    ],
)
async def test_bodies_that_mean_nothing(tmp_path: Path, body: Any, place: list[Any]) -> None:
    """Ensure a senseless retriever is refused with the place of the problem."""
    async with local_client(tmp_path) as client:
        for method in ("POST", "PUT"):
            answer = await client.request(method, RETRIEVERS, json=body)
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"][0]["loc"] == ["body", *place]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"query": None}, ["query"]),
        ({"query": " "}, ["query"]),
        ({"mode": "both"}, ["mode"]),
        ({"rerank_top_n": 0}, ["rerank_top_n"]),
        ({"rerank_config": {"top_n": "many"}}, ["rerank_config", "top_n"]),
        ({"rerank_config": "score"}, ["rerank_config"]),
        ({"rerank_config": {"type": "cohere"}}, ["rerank_config", "type"]),
        ({"pipelines": [{}]}, ["pipelines", 0, "pipeline_id"]),
    ],
)
async def test_queries_that_mean_nothing(tmp_path: Path, body: Any, place: list[Any]) -> None:
    """Ensure a senseless query is refused with the place of the problem."""
    async with local_client(tmp_path) as client:
        answer = await client.post(f"{RETRIEVERS}/retrieve", json={"query": "x", **body})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", *place]


async def test_what_there_is_not(tmp_path: Path) -> None:
    """Ensure unknown retrievers, pipelines and projects are 404 with a sentence."""
    unknown = str(uuid.uuid4())
    async with local_client(tmp_path) as client:
        for method, url, body in [
            ("GET", f"{RETRIEVERS}/{unknown}", None),
            ("PUT", f"{RETRIEVERS}/{unknown}", {"pipelines": []}),
            ("DELETE", f"{RETRIEVERS}/{unknown}", None),
            ("POST", f"{RETRIEVERS}/{unknown}/retrieve", {"query": "x"}),
        ]:
            answer = await client.request(method, url, json=body)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Retriever not found"})
        answer = await client.post(RETRIEVERS, json={"name": "x", "pipelines": [{"pipeline_id": unknown}]})
        assert (answer.status_code, answer.json()) == (404, {"detail": f"Pipeline {unknown} not found"})
        answer = await client.get(RETRIEVERS, params={"project_id": unknown})
        assert answer.status_code == 404


async def test_one_ranking_of_several_pipelines(tmp_path: Path) -> None:
    """Ensure the kinds of re-ranking do what they say: anew, by score, or not at all."""
    async with local_client(tmp_path) as client:
        one = await pipeline_of(client, "one", ["apples and pears", "apples", "quinces"])
        two = await pipeline_of(client, "two", ["apples and pears and plums", "cherries"])
        entries = [{"pipeline_id": one}, {"pipeline_id": two}]
        anew = await search(client, "apples and pears and plums", entries)
        assert anew[0]["node"]["text"] == "apples and pears and plums"
        assert len(await search(client, "apples", entries, rerank_config={"top_n": 2})) == 2
        by_score = await search(client, "apples", entries, rerank_config={"type": "score", "top_n": 50})
        scores = [node["score"] for node in by_score]
        assert scores == sorted(scores, reverse=True)
        as_found = await search(client, "apples", entries, rerank_config={"type": "disabled", "top_n": 1})
        assert len(as_found) == len(by_score) == 5
        assert [node["node"]["pipeline_id"] for node in as_found[:4]] == [one, two, one, two]


async def test_a_reranker_of_ones_own(tmp_path: Path) -> None:
    """Ensure a node postprocessor that the server was given ranks what several pipelines found."""

    class Shortest(BaseNodePostprocessor):
        def _postprocess_nodes(
            self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
        ) -> list[NodeWithScore]:
            ranked = sorted(nodes, key=lambda node: len(node.text))
            return [NodeWithScore(node=node.node, score=1.0 / len(node.text)) for node in ranked]

    app = create_app(tmp_path, reranker=Shortest())
    async with httpx.AsyncClient(transport=AsgiTransport(app), base_url="http://cloud.test") as client:
        one = await pipeline_of(client, "one", ["apples and pears and plums"])
        two = await pipeline_of(client, "two", ["apples"])
        nodes = await search(client, "apples and pears", [{"pipeline_id": one}, {"pipeline_id": two}])
    await asyncio.to_thread(app.state.cloud.close)
    assert [(node["node"]["pipeline_id"], node["score"]) for node in nodes] == [(two, 1 / 6), (one, 1 / 26)]


async def test_the_same_document_in_two_pipelines(tmp_path: Path) -> None:
    """Ensure nodes of the same document id in different pipelines, or the same pipeline twice, keep their origin."""
    async with local_client(tmp_path) as client:
        one, two = [await pipeline_of(client, name, ["apples"]) for name in ("one", "two")]
        entries = [{"pipeline_id": one, "name": "a"}, {"pipeline_id": two}, {"pipeline_id": one, "name": "b"}]
        nodes = [node["node"] for node in await search(client, "apples", entries)]
        assert {(node["pipeline_id"], node["retriever_pipeline_name"], node["metadata"]["of"]) for node in nodes} == {
            (one, "a", "one"),
            (two, "two", "two"),
            (one, "b", "one"),
        }


async def test_parameters_of_the_retriever_beat_those_of_the_pipeline(tmp_path: Path) -> None:
    """Ensure each pipeline is asked with its own presets, where the retriever's say nothing else."""
    presets = {"dense_similarity_top_k": 1, "alpha": 1.0, "enable_reranking": False}
    async with local_client(tmp_path) as client:
        texts = ["apples", "apples and pears", "pears"]
        pipeline_id = await pipeline_of(client, "one", texts, preset_retrieval_parameters=presets)
        assert len(await search(client, "apples", [{"pipeline_id": pipeline_id}])) == 1
        given = {"dense_similarity_top_k": 3, "alpha": None}
        entry = {"pipeline_id": pipeline_id, "preset_retrieval_parameters": given}
        assert len(await search(client, "apples", [entry])) == 3
        words_only = {"alpha": 0.0, "sparse_similarity_top_k": 9}
        entry = {"pipeline_id": pipeline_id, "preset_retrieval_parameters": words_only}
        assert len(await search(client, "apples", [entry])) == 2


def test_routes() -> None:
    """Ensure routing takes what fits best, all that fit equally well, and everything where nothing fits."""
    tools = [tool("manuals", "How to operate machines"), tool("law", "Contracts, courts"), tool("news")]
    assert route("How do I operate the lathe?", tools) == tools[:1]
    assert route("which court decided", tools) == tools[1:2]
    assert route("what is in the news", tools) == tools[2:]
    assert route("entirely different", tools) == tools
    assert route("Ask a court.", [*tools, tools[1]]) == [tools[1], tools[1]]
    assert route("anything", []) == []
