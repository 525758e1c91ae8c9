"""The official SDK, refusing every answer that its models do not describe: pipelines of local LlamaCloud.

The SDK calls the endpoints deprecated; they are what its own index classes use.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk

DOCUMENTS = [
    {"id": "wombat", "text": "Wombats dig burrows with their claws.", "metadata": {"kind": "animal", "year": 2001}},
    {"id": "quokka", "text": "Quokkas live on an island near Perth.", "metadata": {"kind": "animal", "year": 2011}},
    {"id": "basalt", "text": "Basalt forms when lava cools quickly.", "metadata": {"kind": "rock", "year": 2021}},
    {"id": "a/b c%2Fd", "text": "Granite cools slowly below ground.", "metadata": {"kind": "rock", "tags": ["hard"]}},
]


def with_documents(client: Any, name: str, documents: list[dict[str, Any]], **configuration: Any) -> str:
    """A pipeline that has ingested these documents; its id."""
    import time

    pipeline = client.pipelines.upsert(name=name, **configuration)
    client.pipelines.documents.create(pipeline.id, body=documents)
    client.pipelines.sync.create(pipeline.id)
    give_up_at = time.monotonic() + 30
    while (status := client.pipelines.get_status(pipeline.id).status) in ("NOT_STARTED", "IN_PROGRESS"):
        assert time.monotonic() < give_up_at, status
        time.sleep(0.05)
    assert status == "SUCCESS", status
    return str(pipeline.id)


def with_file(client: Any, pipeline_id: str, path: str, metadata: dict[str, Any] | None = None) -> str:
    """Upload a file, add it to a pipeline and wait until it is ingested; its id."""
    import time
    from pathlib import Path

    file = client.files.create(file=Path(path), purpose="user_data")
    client.pipelines.files.create(pipeline_id, body=[{"file_id": file.id, "custom_metadata": metadata}])
    give_up_at = time.monotonic() + 30
    while (status := client.pipelines.files.get_status(file.id, pipeline_id=pipeline_id).status) not in (
        "SUCCESS",
        "ERROR",
    ):
        assert time.monotonic() < give_up_at, status
        time.sleep(0.05)
    assert status == "SUCCESS", status
    return str(file.id)


def retrieve(client: Any, pipeline_id: str, query: str, **settings: Any) -> dict[str, Any]:
    """What a retrieval answers, as JSON."""
    return client.pipelines.retrieve(pipeline_id, query=query, **settings).to_dict(mode="json")


def found(answer: dict[str, Any]) -> list[str]:
    """The ids of the documents of a retrieval's nodes, best first."""
    return [node["node"]["relationships"]["1"]["node_id"] for node in answer["retrieval_nodes"]]


@pytest.fixture(scope="module")
def documents_id(sdk: OfficialSdk) -> str:
    """A pipeline with the four documents; tests leave it as it is."""
    return str(sdk.run(with_documents, name=f"documents {uuid.uuid4()}", documents=DOCUMENTS))


@pytest.fixture(scope="module")
def files_pipeline(sdk: OfficialSdk, data_dir: Path) -> Iterator[dict[str, str]]:
    """A pipeline with two real files, and their ids; tests leave it as it is."""
    pipeline_id = sdk.run(with_documents, name=f"files {uuid.uuid4()}", documents=[])
    answer = {"pipeline": str(pipeline_id)}
    for name, metadata in [("reportlab-userguide.pdf", {"topic": "manual"}), ("mtcars.csv", {"topic": "data"})]:
        answer[name] = sdk.run(with_file, pipeline_id=pipeline_id, path=str(data_dir / name), metadata=metadata)
    yield answer
    sdk.run(delete_pipeline, pipeline_id=pipeline_id)


def delete_pipeline(client: Any, pipeline_id: str) -> None:
    """Delete a pipeline."""
    client.pipelines.delete(pipeline_id)


# -- the pipeline itself ----------------------------------------------------------------------------------------------


def test_a_pipeline_from_creation_to_deletion(sdk: OfficialSdk) -> None:
    """Ensure a pipeline can be created, read, updated, upserted by name, listed and deleted."""

    def journey(client: Any, name: str) -> dict[str, Any]:
        from llama_cloud import NotFoundError

        made = client.pipelines.create(name=name)
        read = client.pipelines.get(made.id)
        updated = client.pipelines.update(
            made.id, name=name + " renamed", preset_retrieval_parameters={"dense_similarity_top_k": 7, "alpha": 0.0}
        )
        upserted = client.pipelines.upsert(name=name + " renamed", transform_config={"mode": "auto", "chunk_size": 256})
        listed = client.pipelines.list(pipeline_name=name + " renamed")
        managed = client.pipelines.list(pipeline_type="MANAGED")
        paginated = [found.id for found in client.pipelines.list_paginated(name=name + " renamed")]
        client.pipelines.delete(made.id)
        gone = 0
        for call in (client.pipelines.get, client.pipelines.get_status, client.pipelines.delete):
            try:
                call(made.id)
            except NotFoundError as error:
                gone += bool(error.body["detail"])
        return {
            "same": {made.id, read.id, updated.id, upserted.id, *paginated, *(found.id for found in listed)}
            == {made.id},
            "read": read.to_dict(mode="json") == made.to_dict(mode="json"),
            "project": made.project_id == client.projects.list()[0].id,
            "type": made.pipeline_type,
            "status": made.status,
            "preset": updated.preset_retrieval_parameters.to_dict(exclude_none=True),
            "transform": upserted.transform_config.to_dict(exclude_none=True),
            "listed": len(listed),
            "managed": made.id in {found.id for found in managed},
            "left": client.pipelines.list(pipeline_name=name + " renamed"),
            "gone": gone,
        }

    answer = sdk.run(journey, name=f"journey {uuid.uuid4()}")
    assert answer["same"]
    assert answer["read"]
    assert answer["project"]
    assert (answer["type"], answer["status"]) == ("MANAGED", "CREATED")
    assert (answer["preset"]["dense_similarity_top_k"], answer["preset"]["alpha"]) == (7, 0.0)
    assert answer["transform"]["chunk_size"] == 256
    assert (answer["listed"], answer["managed"], answer["left"], answer["gone"]) == (1, True, [], 3)


CONFIGURATION: dict[str, Any] = {
    "embedding_config": {
        "type": "OPENAI_EMBEDDING",
        "component": {"api_key": "sk-1234", "model_name": "text-embedding-3-small", "embed_batch_size": 10},
    },
    "llama_parse_parameters": {"parse_mode": "parse_document_with_agent", "take_screenshot": True, "languages": ["en"]},
    "metadata_config": {"excluded_embed_metadata_keys": ["secret"], "excluded_llm_metadata_keys": ["noise"]},
    "preset_retrieval_parameters": {
        "alpha": 0.0,
        "enable_reranking": False,
        "dense_similarity_top_k": 3,
        "retrieval_mode": "chunks",
        "search_filters": {"condition": "or", "filters": [{"key": "kind", "operator": "==", "value": "rock"}]},
    },
    "sparse_model_config": {"model_type": "bm25"},
    "transform_config": {
        "mode": "advanced",
        "chunking_config": {"mode": "sentence", "chunk_size": 128, "chunk_overlap": 16},
        "segmentation_config": {"mode": "none"},
    },
}


def test_a_configuration_comes_back(sdk: OfficialSdk) -> None:
    """Ensure every group of a pipeline's configuration is kept and answered as it was sent, secrets apart."""

    def journey(client: Any, name: str, configuration: dict[str, Any]) -> dict[str, Any]:
        made = client.pipelines.create(name=name, **configuration)
        return client.pipelines.get(made.id).to_dict(mode="json", exclude_none=True)

    answer = sdk.run(journey, name=f"configured {uuid.uuid4()}", configuration=CONFIGURATION)

    def holds(whole: Any, part: Any) -> bool:
        if isinstance(part, dict):
            return all(key == "api_key" or holds(whole[key], value) for key, value in part.items())
        return bool(whole == part)

    for name, value in CONFIGURATION.items():
        assert holds(answer[name], value), (name, answer[name])


def test_pipelines_over_pages(sdk: OfficialSdk) -> None:
    """Ensure the newer list reads every pipeline once, page by page."""

    def journey(client: Any, prefix: str) -> dict[str, Any]:
        ids = [client.pipelines.create(name=f"{prefix} {number}").id for number in range(5)]
        everything = [found.id for found in client.pipelines.list_paginated(page_size=2)]
        first = client.pipelines.list_paginated(page_size=2)
        for pipeline_id in ids:
            client.pipelines.delete(pipeline_id)
        return {
            "all": set(ids) <= set(everything),
            "once": len(everything) == len(set(everything)),
            "page": [len(first.items), bool(first.next_page_token)],
        }

    assert sdk.run(journey, prefix=f"paged {uuid.uuid4()}") == {"all": True, "once": True, "page": [2, True]}


def test_a_pipeline_that_is_not_there(sdk: OfficialSdk) -> None:
    """Ensure every endpoint below an unknown pipeline is 404 with a sentence."""

    def journey(client: Any, unknown: str) -> list[str]:
        from llama_cloud import NotFoundError

        pipelines = client.pipelines
        calls = {
            "update": lambda: pipelines.update(unknown, name="x"),
            "retrieve": lambda: pipelines.retrieve(unknown, query="x"),
            "sync": lambda: pipelines.sync.create(unknown),
            "cancel": lambda: pipelines.sync.cancel(unknown),
            "documents.create": lambda: pipelines.documents.create(unknown, body=[{"text": "x", "metadata": {}}]),
            "documents.upsert": lambda: pipelines.documents.upsert(unknown, body=[{"text": "x", "metadata": {}}]),
            "documents.list": lambda: pipelines.documents.list(unknown),
            "documents.get": lambda: pipelines.documents.get("x", pipeline_id=unknown),
            "documents.delete": lambda: pipelines.documents.delete("x", pipeline_id=unknown),
            "documents.get_status": lambda: pipelines.documents.get_status("x", pipeline_id=unknown),
            "documents.get_chunks": lambda: pipelines.documents.get_chunks("x", pipeline_id=unknown),
            "documents.sync": lambda: pipelines.documents.sync("x", pipeline_id=unknown),
            "documents.get_status_counts": lambda: pipelines.documents.get_status_counts(unknown),
            "files.create": lambda: pipelines.files.create(unknown, body=[{"file_id": unknown}]),
            "files.update": lambda: pipelines.files.update(unknown, pipeline_id=unknown, custom_metadata={}),
            "files.list": lambda: pipelines.files.list(unknown),
            "files.delete": lambda: pipelines.files.delete(unknown, pipeline_id=unknown),
            "files.get_status": lambda: pipelines.files.get_status(unknown, pipeline_id=unknown),
            "files.get_status_counts": lambda: pipelines.files.get_status_counts(unknown),
            "metadata.create": lambda: pipelines.metadata.create(unknown, upload_file=("m.csv", b"file_name,a\nx,1")),
            "metadata.delete_all": lambda: pipelines.metadata.delete_all(unknown),
        }
        wrong = []
        for name, call in calls.items():
            try:
                call()
            except NotFoundError as error:
                if isinstance(error.body["detail"], str):
                    continue
            wrong.append(name)
        return wrong

    assert sdk.run(journey, unknown=str(uuid.uuid4())) == []


def test_statuses_of_a_pipeline(sdk: OfficialSdk) -> None:
    """Ensure a pipeline's status can be followed, with details, and that syncing and cancelling answer it."""

    def journey(client: Any, name: str) -> dict[str, Any]:
        import time

        made = client.pipelines.create(name=name)
        empty = client.pipelines.get_status(made.id).status
        client.pipelines.documents.create(
            made.id, body=[{"text": f"Document {number}.", "metadata": {}} for number in range(20)]
        )
        synced = client.pipelines.sync.create(made.id)
        seen = []
        give_up_at = time.monotonic() + 30
        while not seen or (seen[-1] in ("NOT_STARTED", "IN_PROGRESS") and time.monotonic() < give_up_at):
            details = client.pipelines.get_status(made.id, full_details=True)
            seen.append(details.status)
            time.sleep(0.02)
        cancelled = client.pipelines.sync.cancel(made.id)
        return {
            "empty": empty,
            "last": seen[-1],
            "error": details.error,
            "same": {synced.id, cancelled.id} == {made.id},
            "after": client.pipelines.get_status(made.id).status,
        }

    answer = sdk.run(journey, name=f"status {uuid.uuid4()}")
    assert answer["empty"] in {"NOT_STARTED", "SUCCESS"}
    assert (answer["last"], answer["error"], answer["same"]) == ("SUCCESS", None, True)
    assert answer["after"] in {"SUCCESS", "CANCELLED"}


# -- documents --------------------------------------------------------------------------------------------------------


def test_documents_are_created_and_listed(sdk: OfficialSdk) -> None:
    """Ensure documents are ingested, read back, counted, and listed over pages, whatever their ids."""

    def journey(client: Any, pipeline_id: str, ids: list[str]) -> dict[str, Any]:
        calls = client.pipelines.documents
        without_id = calls.create(pipeline_id, body=[{"text": "An id is made up.", "metadata": {}}])
        read = [calls.get(document_id, pipeline_id=pipeline_id) for document_id in ids]
        page = calls.list(pipeline_id, limit=2)
        chunks = calls.get_chunks("wombat", pipeline_id=pipeline_id)
        counts = calls.get_status_counts(pipeline_id)
        return {
            "made up": bool(without_id[0].id),
            "statuses": list({calls.get_status(document_id, pipeline_id=pipeline_id).status for document_id in ids}),
            "read": [document.id for document in read],
            "wombat": [read[0].text, read[0].metadata],
            "page": [len(page.documents), page.total_count],
            "skipped": len(calls.list(pipeline_id, skip=3, limit=10).documents),
            "listed": sorted(document.id for document in calls.list(pipeline_id, limit=2) if document.id in ids),
            "direct": calls.list(pipeline_id, only_direct_upload=True).total_count,
            "of a data source": calls.list(pipeline_id, only_api_data_source_documents=True).total_count,
            "chunks": [(chunk.text, chunk.start_char_idx, chunk.end_char_idx) for chunk in chunks],
            "counts": [counts.total_count, sum(counts.counts.values()), counts.pipeline_id == pipeline_id],
        }

    ids = [document["id"] for document in DOCUMENTS]
    pipeline_id = sdk.run(with_documents, name=f"created {uuid.uuid4()}", documents=DOCUMENTS)
    text = DOCUMENTS[0]["text"]
    assert sdk.run(journey, pipeline_id=pipeline_id, ids=ids) == {
        "made up": True,
        "statuses": ["SUCCESS"],
        "read": ids,
        "wombat": [text, {"kind": "animal", "year": 2001}],
        "page": [2, 5],
        "skipped": 2,
        "listed": sorted(ids),
        "direct": 5,
        "of a data source": 0,
        "chunks": [[text, 0, len(text)]],
        "counts": [5, 5, True],
    }


def test_documents_are_replaced_and_deleted(sdk: OfficialSdk) -> None:
    """Ensure documents can be replaced, synced and deleted, and are gone after that, whatever their ids."""

    def journey(client: Any, pipeline_id: str, ids: list[str]) -> dict[str, Any]:
        import time

        from llama_cloud import NotFoundError

        calls = client.pipelines.documents

        def wait() -> str:
            give_up_at = time.monotonic() + 30
            while True:
                status = calls.get_status("wombat", pipeline_id=pipeline_id).status
                if status not in ("NOT_STARTED", "IN_PROGRESS") or time.monotonic() > give_up_at:
                    return status
                time.sleep(0.02)

        changed = calls.upsert(pipeline_id, body=[{"id": "wombat", "text": "Wombats sleep.", "metadata": {"new": 1}}])
        answers: dict[str, Any] = {
            "changed": [document.id for document in changed],
            "again": [wait(), calls.get("wombat", pipeline_id=pipeline_id).metadata],
            "chunks": [chunk.text for chunk in calls.get_chunks("wombat", pipeline_id=pipeline_id)],
        }
        calls.sync("wombat", pipeline_id=pipeline_id)
        answers["synced"] = wait()
        for document_id in ids:
            calls.delete(document_id, pipeline_id=pipeline_id)
        answers["gone"] = 0
        for call in (calls.get, calls.delete, calls.get_status, calls.get_chunks, calls.sync):
            for document_id in ("wombat", "a/b c%2Fd"):
                try:
                    call(document_id, pipeline_id=pipeline_id)
                except NotFoundError as error:
                    answers["gone"] += isinstance(error.body["detail"], str)
        answers["left"] = list(calls.list(pipeline_id))
        answers["found"] = client.pipelines.retrieve(pipeline_id, query="wombats").retrieval_nodes
        return answers

    pipeline_id = sdk.run(with_documents, name=f"replaced {uuid.uuid4()}", documents=DOCUMENTS)
    assert sdk.run(journey, pipeline_id=pipeline_id, ids=[document["id"] for document in DOCUMENTS]) == {
        "changed": ["wombat"],
        "again": ["SUCCESS", {"new": 1}],
        "chunks": ["Wombats sleep."],
        "synced": "SUCCESS",
        "gone": 10,
        "left": [],
        "found": [],
    }


def test_ids_that_come_encoded_twice(sdk: OfficialSdk) -> None:
    """Ensure document ids are understood as the SDK's index class sends them, which is encoded three times in all."""

    def journey(client: Any, name: str, ids: list[str]) -> list[str]:
        from urllib.parse import quote_plus

        pipeline = client.pipelines.create(name=name)
        calls = client.pipelines.documents
        calls.create(pipeline.id, body=[{"id": item, "text": "Something.", "metadata": {}} for item in ids])
        read = [
            calls.get(document_id, pipeline_id=pipeline.id).id
            for item in ids
            for document_id in (item, quote_plus(item), quote_plus(quote_plus(item)))
        ]
        for item in ids:
            calls.delete(quote_plus(quote_plus(item)), pipeline_id=pipeline.id)
        assert not list(calls.list(pipeline.id))
        return read

    ids = ["plain", "with space", "a/b.md", "../up", "Größe & Maß", "1"]
    answer = sdk.run(journey, name=f"encoded {uuid.uuid4()}", ids=ids)
    assert answer == [item for item in ids for _ in range(3)]


def test_pages_of_a_document(sdk: OfficialSdk) -> None:
    """Ensure a document that says where its pages begin gives chunks that know their page."""
    pages = ["First page about wombats. ", "Second page about quokkas. ", "Third page about basalt."]
    positions = [0, len(pages[0]), len(pages[0]) + len(pages[1])]
    document = {"id": "paged", "text": "".join(pages), "metadata": {}, "page_positions": positions}
    pipeline_id = sdk.run(with_documents, name=f"pages {uuid.uuid4()}", documents=[document])
    answer = sdk.run(retrieve, pipeline_id=pipeline_id, query="quokkas", enable_reranking=True, rerank_top_n=1)
    (node,) = answer["retrieval_nodes"]
    assert node["node"]["text"].strip() == pages[1].strip()
    assert node["node"]["extra_info"]["page_label"] == "2"


# -- retrieval --------------------------------------------------------------------------------------------------------


def test_what_a_retrieval_answers(sdk: OfficialSdk, documents_id: str) -> None:
    """Ensure a retrieval finds the document in question, with everything a LlamaIndex node is made of."""
    answer = sdk.run(retrieve, pipeline_id=documents_id, query="Which animals dig burrows?")
    assert answer["pipeline_id"] == documents_id
    assert found(answer)[0] == "wombat"
    best = answer["retrieval_nodes"][0]
    assert best["node"]["text"] == DOCUMENTS[0]["text"]
    assert best["node"]["id_"]
    assert best["node"]["extra_info"]["kind"] == "animal"
    assert best["node"]["relationships"]["1"]["node_type"] == "4"
    assert best["node"]["start_char_idx"] == 0
    scores = [node["score"] for node in answer["retrieval_nodes"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["retrieval_latency"]


@pytest.mark.parametrize(
    ("query", "settings", "first", "most"),
    [
        ("lava", {"dense_similarity_top_k": 1, "alpha": 1.0, "enable_reranking": False}, "basalt", 1),
        ("lava", {"sparse_similarity_top_k": 1, "alpha": 0.0, "enable_reranking": False}, "basalt", 1),
        ("lava", {"dense_similarity_top_k": 4, "sparse_similarity_top_k": 4, "alpha": 0.5}, "basalt", 4),
        ("island", {"enable_reranking": True, "rerank_top_n": 2}, "quokka", 2),
        ("island", {"dense_similarity_top_k": 3, "enable_reranking": False}, "quokka", 3),
        ("island", {"retrieval_mode": "files_via_content", "files_top_k": 1}, "quokka", 1),
        ("island", {"retrieval_mode": "auto_routed"}, "quokka", 4),
        ("island", {"retrieve_image_nodes": True, "class_name": "base_component"}, "quokka", 4),
    ],
)
def test_settings_of_a_retrieval(
    sdk: OfficialSdk, documents_id: str, query: str, settings: dict[str, Any], first: str, most: int
) -> None:
    """Ensure every setting is understood and bounds what comes back."""
    answer = sdk.run(retrieve, pipeline_id=documents_id, query=query, **settings)
    assert found(answer)[0] == first
    assert len(answer["retrieval_nodes"]) <= most


def test_a_cutoff(sdk: OfficialSdk, documents_id: str) -> None:
    """Ensure no dense result below the cutoff comes back."""
    settings = {"alpha": 1.0, "dense_similarity_cutoff": 0.999, "enable_reranking": False, "sparse_similarity_top_k": 0}
    answer = sdk.run(retrieve, pipeline_id=documents_id, query="burrows", **settings)
    assert answer["retrieval_nodes"] == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"key": "kind", "operator": "==", "value": "rock"}], {"basalt", "a/b c%2Fd"}),
        ([{"key": "kind", "value": "rock"}, {"key": "year", "operator": ">", "value": 2000}], {"basalt"}),
        ([{"key": "kind", "operator": "!=", "value": "rock"}], {"wombat", "quokka"}),
        ([{"key": "year", "operator": "in", "value": [2001, 2011]}], {"wombat", "quokka"}),
        ([{"key": "tags", "operator": "contains", "value": "hard"}], {"a/b c%2Fd"}),
        ([{"key": "year", "operator": "is_empty", "value": None}], {"a/b c%2Fd"}),
        ([{"key": "kind", "operator": "text_match_insensitive", "value": "ANI"}], {"wombat", "quokka"}),
    ],
)
def test_filters(sdk: OfficialSdk, documents_id: str, filters: list[dict[str, Any]], expected: set[str]) -> None:
    """Ensure only documents whose metadata matches come back."""
    settings = {"dense_similarity_top_k": 10, "enable_reranking": False, "search_filters": {"filters": filters}}
    answer = sdk.run(retrieve, pipeline_id=documents_id, query="cools island burrows", **settings)
    assert set(found(answer)) == expected


def test_nested_filters(sdk: OfficialSdk, documents_id: str) -> None:
    """Ensure conditions may be nested: or, and, not."""
    rocks = {"filters": [{"key": "kind", "operator": "==", "value": "rock"}], "condition": "not"}
    early = {"key": "year", "operator": "<=", "value": 2001}
    late = {"key": "year", "operator": ">=", "value": 2021}
    filters = {"condition": "and", "filters": [rocks, {"condition": "or", "filters": [early, late]}]}
    settings = {"dense_similarity_top_k": 10, "enable_reranking": False, "search_filters": filters}
    answer = sdk.run(retrieve, pipeline_id=documents_id, query="cools island burrows", **settings)
    assert found(answer) == ["wombat"]


def test_filters_inferred_from_the_query(sdk: OfficialSdk, documents_id: str) -> None:
    """Ensure a schema lets a query name values of the metadata, and the answer tells which filters came of it."""
    schema = {"type": "object", "properties": {"kind": {"type": "string"}}}
    settings = {"search_filters_inference_schema": schema, "dense_similarity_top_k": 10}
    answer = sdk.run(retrieve, pipeline_id=documents_id, query='What cools, where kind="rock"?', **settings)
    assert set(found(answer)) == {"basalt", "a/b c%2Fd"}
    assert answer["inferred_search_filters"]["filters"][0]["key"] == "kind"


def test_presets_of_the_pipeline(sdk: OfficialSdk) -> None:
    """Ensure the pipeline's own parameters hold where a query says nothing, and yield where it does."""
    preset = {
        "dense_similarity_top_k": 10,
        "enable_reranking": False,
        "search_filters": {"filters": [{"key": "kind", "operator": "==", "value": "rock"}]},
    }
    pipeline_id = sdk.run(
        with_documents, name=f"preset {uuid.uuid4()}", documents=DOCUMENTS, preset_retrieval_parameters=preset
    )
    answer = sdk.run(retrieve, pipeline_id=pipeline_id, query="burrows")
    assert set(found(answer)) == {"basalt", "a/b c%2Fd"}
    animals = {"filters": [{"key": "kind", "operator": "==", "value": "animal"}]}
    answer = sdk.run(retrieve, pipeline_id=pipeline_id, query="burrows", search_filters=animals)
    assert set(found(answer)) == {"wombat", "quokka"}


def test_a_query_that_cannot_be(sdk: OfficialSdk, documents_id: str) -> None:
    """Ensure senseless settings are refused as 422 that says where they are."""

    def journey(client: Any, pipeline_id: str, settings: list[dict[str, Any]]) -> list[Any]:
        from llama_cloud import UnprocessableEntityError

        places = []
        for wrong in settings:
            try:
                client.pipelines.retrieve(pipeline_id, **{"query": "x", **wrong})
            except UnprocessableEntityError as error:
                places.append(error.body["detail"][0]["loc"][-1])
            else:
                places.append(None)
        return places

    wrong = [{"alpha": 2.0}, {"dense_similarity_top_k": -1}, {"retrieval_mode": "guess"}]
    assert sdk.run(journey, pipeline_id=documents_id, settings=wrong) == [
        "alpha",
        "dense_similarity_top_k",
        "retrieval_mode",
    ]


# -- files, their metadata and their images ---------------------------------------------------------------------------


def test_files_of_a_pipeline(sdk: OfficialSdk, files_pipeline: dict[str, str]) -> None:
    """Ensure files are listed, counted and filtered with what is known of them."""

    def journey(client: Any, pipeline_id: str) -> dict[str, Any]:
        calls = client.pipelines.files
        files = {file.name: file.to_dict(mode="json") for file in calls.list(pipeline_id, limit=1)}
        page = calls.list(pipeline_id, limit=1, offset=1)
        counts = calls.get_status_counts(pipeline_id)
        manual = calls.get_status_counts(pipeline_id, only_manually_uploaded=True)
        return {
            "files": files,
            "page": [len(page.files), page.total_count],
            "named": [file.name for file in calls.list(pipeline_id, file_name_contains="cars")],
            "ordered": [file.name for file in calls.list(pipeline_id, order_by="name")],
            "done": len(list(calls.list(pipeline_id, statuses=["SUCCESS"]))),
            "failed": len(list(calls.list(pipeline_id, statuses=["ERROR", "CANCELLED"]))),
            "manual": len(list(calls.list(pipeline_id, only_manually_uploaded=True))),
            "counts": [counts.total_count, counts.counts["SUCCESS"], manual.total_count],
            "documents": client.pipelines.documents.get_status_counts(pipeline_id).total_count,
        }

    answer = sdk.run(journey, pipeline_id=files_pipeline["pipeline"])
    guide = answer["files"]["reportlab-userguide.pdf"]
    assert guide["file_id"] == files_pipeline["reportlab-userguide.pdf"]
    assert guide["pipeline_id"] == files_pipeline["pipeline"]
    assert (guide["file_type"], guide["file_size"], guide["status"]) == ("pdf", 560979, "SUCCESS")
    assert guide["indexed_page_count"] == 134
    assert guide["custom_metadata"] == {"topic": "manual"}
    assert answer["page"] == [1, 2]
    assert answer["named"] == ["mtcars.csv"]
    assert answer["ordered"] == ["mtcars.csv", "reportlab-userguide.pdf"]
    assert (answer["done"], answer["failed"], answer["manual"]) == (2, 0, 2)
    assert answer["counts"] == [2, 2, 2]
    assert answer["documents"] >= 2


def test_retrieval_from_files(sdk: OfficialSdk, files_pipeline: dict[str, str]) -> None:
    """Ensure nodes of a parsed file tell the file and the page they stand on, and carry the file's own metadata."""
    answer = sdk.run(retrieve, pipeline_id=files_pipeline["pipeline"], query="How do I set the font size on a canvas?")
    best = answer["retrieval_nodes"][0]["node"]
    assert best["extra_info"]["file_name"] == "reportlab-userguide.pdf"
    assert best["extra_info"]["file_id"] == files_pipeline["reportlab-userguide.pdf"]
    assert 1 <= int(best["extra_info"]["page_label"]) <= 134
    assert best["extra_info"]["topic"] == "manual"
    answer = sdk.run(retrieve, pipeline_id=files_pipeline["pipeline"], query="Mazda RX4")
    assert answer["retrieval_nodes"][0]["node"]["extra_info"]["file_name"] == "mtcars.csv"
    filters = {"filters": [{"key": "topic", "operator": "==", "value": "manual"}]}
    answer = sdk.run(retrieve, pipeline_id=files_pipeline["pipeline"], query="Mazda RX4", search_filters=filters)
    assert {node["node"]["extra_info"]["topic"] for node in answer["retrieval_nodes"]} == {"manual"}


@pytest.mark.parametrize("mode", ["files_via_metadata", "files_via_content"])
def test_whole_files(sdk: OfficialSdk, files_pipeline: dict[str, str], mode: str) -> None:
    """Ensure whole files can be asked for by their metadata or content."""
    settings = {"retrieval_mode": mode, "files_top_k": 1}
    answer = sdk.run(retrieve, pipeline_id=files_pipeline["pipeline"], query="mtcars Mazda RX4", **settings)
    assert {node["node"]["extra_info"]["file_name"] for node in answer["retrieval_nodes"]} == {"mtcars.csv"}


def test_some_pages_of_a_file(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure parse parameters may select pages, counted from 0, which keep the numbers they have in the file."""
    pipeline_id = sdk.run(
        with_documents,
        name=f"selected {uuid.uuid4()}",
        documents=[],
        llama_parse_parameters={"target_pages": "1,3"},
    )
    sdk.run(with_file, pipeline_id=pipeline_id, path=str(data_dir / "latex-lorem.pdf"))
    settings = {"dense_similarity_top_k": 50, "enable_reranking": False, "retrieve_page_screenshot_nodes": True}
    answer = sdk.run(retrieve, pipeline_id=pipeline_id, query="lorem ipsum dolor", **settings)
    assert {node["node"]["extra_info"]["page_label"] for node in answer["retrieval_nodes"]} == {"2", "4"}
    assert {node["node"]["page_index"] for node in answer["image_nodes"]} == {1, 3}


def test_images_with_a_retrieval(sdk: OfficialSdk, files_pipeline: dict[str, str]) -> None:
    """Ensure screenshots and figures of the pages found come along when they are asked for, and can be fetched."""

    def journey(client: Any, pipeline_id: str, query: str) -> dict[str, Any]:
        answer = client.pipelines.retrieve(
            pipeline_id, query=query, retrieve_page_screenshot_nodes=True, retrieve_page_figure_nodes=True
        )
        images = client.pipelines.images.with_raw_response
        heads = []
        for found in answer.image_nodes:
            raw = images.get_page_screenshot(found.node.page_index, id=found.node.file_id)
            assert len(raw.read()) == found.node.image_size
            heads.append([raw.headers["content-type"], raw.read()[:2].hex()])
        for found in answer.page_figure_nodes:
            node = found.node
            raw = images.get_page_figure(node.figure_name, id=node.file_id, page_index=node.page_index)
            assert len(raw.read()) == node.figure_size
        pages = {
            (node.node.extra_info["file_id"], node.node.extra_info.get("page_label")) for node in answer.retrieval_nodes
        }
        return {
            "heads": heads,
            "pages": {f"{file_id} {label}" for file_id, label in pages}
            >= {f"{node.node.file_id} {node.node.page_index + 1}" for node in answer.image_nodes},
            "once": len({(node.node.file_id, node.node.page_index) for node in answer.image_nodes})
            == len(answer.image_nodes),
            "names": sorted({node.node.metadata["file_name"] for node in answer.image_nodes}),
            "figures": len(answer.page_figure_nodes),
            "plain": client.pipelines.retrieve(pipeline_id, query=query).image_nodes,
        }

    query = "ReportLab PDF Library User Guide cover"
    answer = sdk.run(journey, pipeline_id=files_pipeline["pipeline"], query=query)
    assert answer["heads"]
    assert all(head == ["image/jpeg", "ffd8"] for head in answer["heads"])
    assert answer["pages"]
    assert answer["once"]
    assert answer["names"] == ["reportlab-userguide.pdf"]
    assert not answer["plain"]


def test_images_of_a_file(sdk: OfficialSdk, files_pipeline: dict[str, str]) -> None:
    """Ensure the lists of a file's page images name what can be fetched, and nothing else is found."""

    def journey(client: Any, guide: str, table: str, unknown: str) -> dict[str, Any]:
        from llama_cloud import NotFoundError

        images = client.pipelines.images
        figure = images.list_page_figures(guide)[0]
        raw = images.with_raw_response.get_page_figure(figure.figure_name, id=guide, page_index=figure.page_index)
        gone = 0
        for call in (
            lambda: images.list_page_screenshots(unknown),
            lambda: images.list_page_figures(unknown),
            lambda: images.get_page_screenshot(9999, id=guide),
            lambda: images.get_page_figure("none.png", id=guide, page_index=0),
        ):
            try:
                call()
            except NotFoundError as error:
                gone += isinstance(error.body["detail"], str)
        return {
            "figure": [figure.page_index, figure.confidence, figure.is_likely_noise, figure.metadata["file_name"]],
            "bytes": len(raw.read()) == figure.figure_size,
            "type": raw.headers["content-type"],
            "of a table": [images.list_page_screenshots(table), images.list_page_figures(table)],
            "gone": gone,
        }

    answer = sdk.run(
        journey,
        guide=files_pipeline["reportlab-userguide.pdf"],
        table=files_pipeline["mtcars.csv"],
        unknown=str(uuid.uuid4()),
    )
    assert answer == {
        "figure": [0, 1.0, False, "reportlab-userguide.pdf"],
        "bytes": True,
        "type": "image/png",
        "of a table": [[], []],
        "gone": 4,
    }


def test_a_file_changed_and_removed(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure a file's metadata can be replaced, and a file taken out of its pipeline without being deleted."""
    pipeline_id = sdk.run(with_documents, name=f"changing {uuid.uuid4()}", documents=[])
    path = str(data_dir / "pdfminer-readme.md")
    file_id = sdk.run(with_file, pipeline_id=pipeline_id, path=path, metadata={"stage": "draft"})

    def journey(client: Any, pipeline_id: str, file_id: str) -> dict[str, Any]:
        import time

        from llama_cloud import NotFoundError

        changed = client.pipelines.files.update(file_id, pipeline_id=pipeline_id, custom_metadata={"stage": "final"})
        give_up_at = time.monotonic() + 30
        stages: set[Any] = set()
        while stages != {"final"} and time.monotonic() < give_up_at:
            nodes = client.pipelines.retrieve(pipeline_id, query="pdfminer").retrieval_nodes
            stages = {node.node.extra_info["stage"] for node in nodes}
            time.sleep(0.05)
        client.pipelines.files.delete(file_id, pipeline_id=pipeline_id)
        gone = 0
        for call in (client.pipelines.files.get_status, client.pipelines.files.delete):
            try:
                call(file_id, pipeline_id=pipeline_id)
            except NotFoundError as error:
                gone += isinstance(error.body["detail"], str)
        return {
            "changed": changed.custom_metadata,
            "stages": sorted(stages),
            "nodes": client.pipelines.retrieve(pipeline_id, query="pdfminer").retrieval_nodes,
            "files": list(client.pipelines.files.list(pipeline_id)),
            "documents": list(client.pipelines.documents.list(pipeline_id)),
            "gone": gone,
            "still uploaded": client.files.retrieve(file_id).id == file_id,
        }

    assert sdk.run(journey, pipeline_id=pipeline_id, file_id=file_id) == {
        "changed": {"stage": "final"},
        "stages": ["final"],
        "nodes": [],
        "files": [],
        "documents": [],
        "gone": 2,
        "still uploaded": True,
    }


def test_a_file_that_cannot_be_parsed(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure a broken file is an error with a reason, of the file and in the pipeline's details, beside a good one."""

    def journey(client: Any, name: str, broken: str, good: str) -> dict[str, Any]:
        import time
        from pathlib import Path

        pipeline = client.pipelines.create(name=name)
        ids = [client.files.create(file=Path(path), purpose="user_data").id for path in (broken, good)]
        client.pipelines.files.create(pipeline.id, body=[{"file_id": file_id} for file_id in ids])
        give_up_at = time.monotonic() + 30
        while time.monotonic() < give_up_at:
            status = client.pipelines.get_status(pipeline.id, full_details=True)
            if status.status not in ("NOT_STARTED", "IN_PROGRESS"):
                break
            time.sleep(0.05)
        statuses = [client.pipelines.files.get_status(file_id, pipeline_id=pipeline.id) for file_id in ids]
        counts = client.pipelines.files.get_status_counts(pipeline.id).counts
        return {
            "pipeline": status.status,
            "pipeline error": [error.message for error in status.error or []],
            "files": [status.status for status in statuses],
            "error": [[error.step, error.message] for error in statuses[0].error or []],
            "counts": [counts["ERROR"], counts["SUCCESS"]],
        }

    broken, good = str(data_dir / "password-protected.pdf"), str(data_dir / "pdfminer-readme.md")
    answer = sdk.run(journey, name=f"broken {uuid.uuid4()}", broken=broken, good=good)
    assert answer["files"] == ["ERROR", "SUCCESS"]
    assert answer["pipeline"] in {"PARTIAL_SUCCESS", "ERROR"}
    assert answer["counts"] == [1, 1]
    ((step, message),) = answer["error"]
    assert step == "PARSE"
    assert "password" in message
    assert any("password" in text for text in answer["pipeline error"])


def test_a_metadata_file(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure a table of metadata by file name reaches the nodes of its files, and can be taken away again."""
    pipeline_id = sdk.run(with_documents, name=f"metadata {uuid.uuid4()}", documents=[])
    sdk.run(with_file, pipeline_id=pipeline_id, path=str(data_dir / "pdfminer-readme.md"))

    def journey(client: Any, pipeline_id: str) -> list[Any]:
        import time

        def becomes(expected: Any) -> bool:
            give_up_at = time.monotonic() + 30
            while time.monotonic() < give_up_at:
                nodes = client.pipelines.retrieve(pipeline_id, query="pdfminer").retrieval_nodes
                if nodes and all(node.node.extra_info.get("team") == expected for node in nodes):
                    return True
                time.sleep(0.05)
            return False

        content = b"file_name,team\npdfminer-readme.md,parsing\nother.md,nobody\n"
        answer = client.pipelines.metadata.create(pipeline_id, upload_file=("metadata.csv", content))
        given = becomes("parsing")
        client.pipelines.metadata.delete_all(pipeline_id)
        return [isinstance(answer, dict), given, becomes(None)]

    assert sdk.run(journey, pipeline_id=pipeline_id) == [True, True, True]


# -- the async client -------------------------------------------------------------------------------------------------


def test_pipelines_with_the_async_client(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure the async client can do the same, from creation over documents and files to images and deletion."""

    async def journey(client: Any, name: str, path: str) -> dict[str, Any]:
        import asyncio
        from pathlib import Path

        pipelines = client.pipelines
        pipeline = await pipelines.upsert(name=name)
        await pipelines.documents.upsert(
            pipeline.id, body=[{"id": "one", "text": "Wombats dig burrows.", "metadata": {"n": 1}}]
        )
        file = await client.files.create(file=Path(path), purpose="user_data")
        added = await pipelines.files.create(pipeline.id, body=[{"file_id": file.id}])
        await pipelines.sync.create(pipeline.id)
        for _ in range(600):
            if (await pipelines.get_status(pipeline.id)).status not in ("NOT_STARTED", "IN_PROGRESS"):
                break
            await asyncio.sleep(0.05)
        answer = await pipelines.retrieve(pipeline.id, query="wombats")
        shots = await pipelines.images.list_page_screenshots(file.id)
        raw = await pipelines.images.with_raw_response.get_page_screenshot(0, id=file.id)
        result = {
            "status": (await pipelines.get_status(pipeline.id)).status,
            "document": (await pipelines.documents.get_status("one", pipeline_id=pipeline.id)).status,
            "file": (await pipelines.files.get_status(file.id, pipeline_id=pipeline.id)).status,
            "added": [item.file_id for item in added] == [file.id],
            "chunks": [chunk.text for chunk in await pipelines.documents.get_chunks("one", pipeline_id=pipeline.id)],
            "best": answer.retrieval_nodes[0].node.text,
            "counts": (await pipelines.files.get_status_counts(pipeline.id)).counts["SUCCESS"],
            "document counts": (await pipelines.documents.get_status_counts(pipeline.id, file_id=file.id)).total_count,
            "documents": [item.id async for item in pipelines.documents.list(pipeline.id, only_direct_upload=True)],
            "files": [item.name async for item in pipelines.files.list(pipeline.id)],
            "listed": [item.id for item in await pipelines.list(pipeline_name=name)] == [pipeline.id],
            "paginated": [item.id async for item in pipelines.list_paginated(name=name)] == [pipeline.id],
            "screenshots": len(shots),
            "bytes": len(await raw.read()) == shots[0].image_size,
        }
        await pipelines.documents.delete("one", pipeline_id=pipeline.id)
        await pipelines.files.delete(file.id, pipeline_id=pipeline.id)
        await pipelines.delete(pipeline.id)
        return result

    answer = sdk.run(journey, name=f"async {uuid.uuid4()}", path=str(data_dir / "latex-lorem.pdf"))
    assert answer == {
        "status": "SUCCESS",
        "document": "SUCCESS",
        "file": "SUCCESS",
        "added": True,
        "chunks": ["Wombats dig burrows."],
        "best": "Wombats dig burrows.",
        "counts": 1,
        "document counts": answer["document counts"],
        "documents": ["one"],
        "files": ["latex-lorem.pdf"],
        "listed": True,
        "paginated": True,
        "screenshots": 4,
        "bytes": True,
    }
    assert answer["document counts"] >= 1
