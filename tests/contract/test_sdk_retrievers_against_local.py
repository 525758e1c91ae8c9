"""The official SDK, refusing every answer that its models do not describe: composite retrievers of local LlamaCloud."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_sdk_pipelines_against_local import with_documents, with_file

ANIMALS = [
    {"id": "wombat", "text": "Wombats dig burrows with their claws.", "metadata": {"kind": "animal"}},
    {"id": "quokka", "text": "Quokkas live on an island near Perth.", "metadata": {"kind": "animal"}},
]
ROCKS = [
    {"id": "basalt", "text": "Basalt forms when lava cools quickly.", "metadata": {"kind": "rock"}},
    {"id": "granite", "text": "Granite cools slowly below ground.", "metadata": {"kind": "rock"}},
]


@pytest.fixture(scope="module")
def animals(sdk: OfficialSdk) -> str:
    """A pipeline about animals."""
    return str(sdk.run(with_documents, name=f"animals {uuid.uuid4()}", documents=ANIMALS))


@pytest.fixture(scope="module")
def rocks(sdk: OfficialSdk) -> str:
    """A pipeline about rocks."""
    return str(sdk.run(with_documents, name=f"rocks {uuid.uuid4()}", documents=ROCKS))


def tools(animals: str, rocks: str, **preset: Any) -> list[dict[str, Any]]:
    """Both pipelines, as a retriever takes them, with these parameters for each."""
    described = [
        (animals, "animals", "Wombats, quokkas and other animals of Australia"),
        (rocks, "rocks", "Lava, granite and other rocks"),
    ]
    return [
        {
            "pipeline_id": pipeline_id,
            "name": name,
            "description": description,
            **({"preset_retrieval_parameters": preset} if preset else {}),
        }
        for pipeline_id, name, description in described
    ]


def search(client: Any, query: str, pipelines: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    """What pipelines in the body of the request answer, as JSON."""
    return client.retrievers.search(query=query, pipelines=pipelines, **settings).to_dict(mode="json")


def texts(answer: dict[str, Any]) -> list[str]:
    """The first words of the nodes, best first."""
    return [node["node"]["text"].split()[0] for node in answer["nodes"]]


def test_a_retriever_from_creation_to_deletion(sdk: OfficialSdk, animals: str, rocks: str) -> None:
    """Ensure a retriever can be created, read, updated, upserted by name, listed and deleted."""

    def journey(client: Any, name: str, pipelines: list[dict[str, Any]]) -> dict[str, Any]:
        from llama_cloud import ConflictError, NotFoundError

        retrievers = client.retrievers
        made = retrievers.create(name=name, pipelines=pipelines[:1])
        try:
            retrievers.create(name=name)
            conflict = ""
        except ConflictError as error:
            conflict = error.body["detail"]
        read = retrievers.get(made.id)
        updated = retrievers.update(made.id, pipelines=pipelines)
        renamed = retrievers.update(made.id, pipelines=None, name=name + " renamed")
        upserted = retrievers.upsert(name=name + " renamed", pipelines=pipelines[1:])
        listed = retrievers.list(name=name + " renamed")
        paginated = list(retrievers.list_paginated(name=name + " renamed"))
        retrievers.delete(made.id)
        gone = 0
        for call in (
            retrievers.get,
            retrievers.delete,
            lambda unknown: retrievers.update(unknown, pipelines=[]),
            lambda unknown: retrievers.retriever.search(unknown, query="x"),
        ):
            try:
                call(made.id)
            except NotFoundError as error:
                gone += isinstance(error.body["detail"], str)
        return {
            "same": len({item.id for item in (made, read, updated, renamed, upserted, *listed, *paginated)}),
            "project": made.project_id == client.projects.list()[0].id,
            "read": read.to_dict(mode="json") == made.to_dict(mode="json"),
            "first": [[tool.pipeline_id, tool.name, tool.description] for tool in made.pipelines],
            "names": [updated.name == name, renamed.name == name + " renamed"],
            "counts": [len(item.pipelines) for item in (made, updated, renamed, upserted)],
            "listed": [len(listed), len(paginated)],
            "conflict": bool(conflict),
            "gone": gone,
            "left": retrievers.list(name=name + " renamed"),
        }

    pipelines = tools(animals, rocks)
    assert sdk.run(journey, name=f"retriever {uuid.uuid4()}", pipelines=pipelines) == {
        "same": 1,
        "project": True,
        "read": True,
        "first": [[animals, "animals", pipelines[0]["description"]]],
        "names": [True, True],
        "counts": [1, 2, 2, 1],
        "listed": [1, 1],
        "conflict": True,
        "gone": 4,
        "left": [],
    }


def test_retrievers_over_pages(sdk: OfficialSdk) -> None:
    """Ensure the newer list reads every retriever once, newest first, and counts them only if asked to."""

    def journey(client: Any, prefix: str) -> dict[str, Any]:
        ids = [client.retrievers.create(name=f"{prefix} {number}").id for number in range(5)]
        everything = [found.id for found in client.retrievers.list_paginated(page_size=2)]
        first = client.retrievers.list_paginated(page_size=2)
        raw = client.retrievers.with_raw_response.list_paginated(page_size=2, include_total=True)
        for retriever_id in ids:
            client.retrievers.delete(retriever_id)
        return {
            "newest first": [item for item in everything if item in ids] == ids[::-1],
            "once": len(everything) == len(set(everything)),
            "page": [len(first.items), bool(first.next_page_token), first.to_dict().get("total_size")],
            "total": raw.json()["total_size"] == len(everything),
        }

    assert sdk.run(journey, prefix=f"paged {uuid.uuid4()}") == {
        "newest first": True,
        "once": True,
        "page": [2, True, None],
        "total": True,
    }


def test_retrieval_with_a_retriever(sdk: OfficialSdk, animals: str, rocks: str) -> None:
    """Ensure a retriever searches all of its pipelines, and its nodes tell where they come from."""

    def journey(client: Any, name: str, pipelines: list[dict[str, Any]]) -> dict[str, Any]:
        made = client.retrievers.create(name=name, pipelines=pipelines)
        answer = client.retrievers.retriever.search(made.id, query="What cools slowly?", mode="full", rerank_top_n=3)
        client.retrievers.delete(made.id)
        return {"id": made.id, "nodes": [node.to_dict(mode="json") for node in answer.nodes]}

    answer = sdk.run(journey, name=f"retriever {uuid.uuid4()}", pipelines=tools(animals, rocks))
    assert len(answer["nodes"]) == 3
    best = answer["nodes"][0]
    assert best["class_name"] == "NodeWithScore"
    assert best["node"]["id"]
    assert best["node"] | {"id": ""} == {
        "id": "",
        "text": ROCKS[1]["text"],
        "metadata": best["node"]["metadata"] | {"kind": "rock"},
        "start_char_idx": 0,
        "end_char_idx": len(ROCKS[1]["text"]),
        "pipeline_id": rocks,
        "retriever_id": answer["id"],
        "retriever_pipeline_name": "rocks",
    }
    assert {node["node"]["pipeline_id"] for node in answer["nodes"]} == {animals, rocks}
    scores = [node["score"] for node in answer["nodes"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 4),
        ({"mode": "full", "rerank_top_n": 1}, 1),
        ({"rerank_config": {"top_n": 2}}, 2),
        ({"rerank_config": {"top_n": 3, "type": "score"}}, 3),
        ({"rerank_config": {"type": "system_default", "top_n": 1}}, 1),
        ({"rerank_config": {"type": "disabled"}}, 4),
        ({"rerank_config": {"top_n": 2}, "rerank_top_n": 1}, 2),
    ],
)
def test_reranking(sdk: OfficialSdk, animals: str, rocks: str, settings: dict[str, Any], count: int) -> None:
    """Ensure what several pipelines found is ranked and cut as asked, by either name of the number."""
    answer = sdk.run(search, query="burrows on an island", pipelines=tools(animals, rocks), **settings)
    assert len(answer["nodes"]) == count
    if settings.get("rerank_config", {}).get("type") != "disabled":
        assert texts(answer)[0] in {"Wombats", "Quokkas"}


@pytest.mark.parametrize("kind", ["llm", "cohere", "bedrock"])
def test_rerankers_that_need_a_service(sdk: OfficialSdk, animals: str, rocks: str, kind: str) -> None:
    """Ensure re-ranking by models that are not on this machine is refused, rather than done in another way."""

    def journey(client: Any, pipelines: list[dict[str, Any]], kind: str) -> Any:
        from llama_cloud import UnprocessableEntityError

        try:
            client.retrievers.search(query="x", pipelines=pipelines, rerank_config={"type": kind})
        except UnprocessableEntityError as error:
            return error.body["detail"][0]
        return None

    detail = sdk.run(journey, pipelines=tools(animals, rocks), kind=kind)
    assert detail["loc"] == ["body", "rerank_config", "type"]
    assert "system_default" in detail["msg"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Which animals are there in Australia?", {"Wombats", "Quokkas"}),
        ("How does lava become rock?", {"Basalt", "Granite"}),
        ("Something else entirely", {"Wombats", "Quokkas", "Basalt", "Granite"}),
    ],
)
def test_routing(sdk: OfficialSdk, animals: str, rocks: str, query: str, expected: set[str]) -> None:
    """Ensure routing asks only the pipeline whose name and description fit the query, and all where none does."""
    answer = sdk.run(search, query=query, pipelines=tools(animals, rocks), mode="routing")
    assert set(texts(answer)) == expected


def test_parameters_of_each_pipeline(sdk: OfficialSdk, animals: str, rocks: str) -> None:
    """Ensure a retriever's parameters for a pipeline hold in it."""
    filters = {"filters": [{"key": "kind", "operator": "==", "value": "rock"}]}
    pipelines = tools(animals, rocks, search_filters=filters, dense_similarity_top_k=1, alpha=1.0)
    answer = sdk.run(search, query="burrows lava", pipelines=pipelines)
    assert texts(answer) == ["Basalt"]


def test_names_that_are_left_out(sdk: OfficialSdk, animals: str) -> None:
    """Ensure a pipeline without a name of its own goes by the pipeline's."""
    answer = sdk.run(search, query="burrows", pipelines=[{"pipeline_id": animals}])
    assert {node["node"]["retriever_pipeline_name"].split()[0] for node in answer["nodes"]} == {"animals"}
    assert sdk.run(search, query="burrows", pipelines=[])["nodes"] == []


def test_pipelines_that_are_not_there(sdk: OfficialSdk, animals: str) -> None:
    """Ensure unknown pipelines are refused, and a deleted one leaves the retrievers that had it."""

    def journey(client: Any, name: str, animals: str, unknown: str) -> dict[str, Any]:
        from llama_cloud import NotFoundError

        refused = 0
        for call in (
            lambda: client.retrievers.create(name=name, pipelines=[{"pipeline_id": unknown}]),
            lambda: client.retrievers.search(query="x", pipelines=[{"pipeline_id": unknown}]),
        ):
            try:
                call()
            except NotFoundError as error:
                refused += unknown in error.body["detail"]
        temporary = client.pipelines.create(name=name)
        ids = [animals, temporary.id]
        made = client.retrievers.create(name=name, pipelines=[{"pipeline_id": item} for item in ids])
        client.pipelines.delete(temporary.id)
        left = [tool.pipeline_id for tool in client.retrievers.get(made.id).pipelines]
        answer = client.retrievers.retriever.search(made.id, query="burrows")
        client.retrievers.delete(made.id)
        return {"refused": refused, "left": left == [animals], "nodes": len(answer.nodes)}

    name = f"retriever {uuid.uuid4()}"
    answer = sdk.run(journey, name=name, animals=animals, unknown=str(uuid.uuid4()))
    assert answer == {"refused": 2, "left": True, "nodes": 2}


def test_images_of_a_composite(sdk: OfficialSdk, data_dir: Any, animals: str) -> None:
    """Ensure screenshots and figures come along from the pipelines whose parameters ask for them."""
    pipeline_id = sdk.run(with_documents, name=f"pictures {uuid.uuid4()}", documents=[])
    file_id = sdk.run(with_file, pipeline_id=pipeline_id, path=str(data_dir / "reportlab-userguide.pdf"))
    preset = {"retrieve_page_screenshot_nodes": True, "retrieve_page_figure_nodes": True}
    pipelines = [
        {"pipeline_id": pipeline_id, "preset_retrieval_parameters": preset},
        {"pipeline_id": animals},
    ]
    answer = sdk.run(search, query="ReportLab PDF Library User Guide", pipelines=pipelines)
    assert answer["image_nodes"]
    assert {node["node"]["file_id"] for node in answer["image_nodes"]} == {file_id}
    assert {node["node"]["file_id"] for node in answer["page_figure_nodes"]} <= {file_id}
    plain = sdk.run(search, query="ReportLab PDF Library User Guide", pipelines=[{"pipeline_id": pipeline_id}])
    assert not plain["image_nodes"]


def test_retrievers_with_the_async_client(sdk: OfficialSdk, animals: str, rocks: str) -> None:
    """Ensure the async client can do the same."""

    async def journey(client: Any, name: str, pipelines: list[dict[str, Any]]) -> dict[str, Any]:
        retrievers = client.retrievers
        made = await retrievers.upsert(name=name, pipelines=pipelines)
        again = await retrievers.upsert(name=name, pipelines=pipelines)
        updated = await retrievers.update(made.id, pipelines=pipelines)
        answer = await retrievers.retriever.search(made.id, query="lava", rerank_config={"top_n": 1})
        direct = await retrievers.search(query="lava", pipelines=pipelines, mode="routing")
        result = {
            "same": {made.id, again.id, updated.id, (await retrievers.get(made.id)).id} == {made.id},
            "listed": [item.id for item in await retrievers.list(name=name)] == [made.id],
            "paginated": [item.id async for item in retrievers.list_paginated(name=name)] == [made.id],
            "best": [answer.nodes[0].node.text, direct.nodes[0].node.text],
        }
        await retrievers.delete(made.id)
        return result

    assert sdk.run(journey, name=f"async {uuid.uuid4()}", pipelines=tools(animals, rocks)) == {
        "same": True,
        "listed": True,
        "paginated": True,
        "best": [ROCKS[0]["text"]] * 2,
    }
