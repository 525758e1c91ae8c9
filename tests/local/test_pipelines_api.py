"""`/api/v1/pipelines` on local LlamaCloud."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding
from tests.local.pipeline_calls import (
    PIPELINES,
    add_file,
    chunks,
    document,
    ingested,
    pipeline,
    put,
    status_of,
    texts,
    under_way,
    upsert,
)

LONG = " ".join(f"Sentence number {number} tells of wombats." for number in range(200))
SMALL_CHUNKS = {"mode": "auto", "chunk_size": 64, "chunk_overlap": 0}
AZURE = {
    "type": "AZURE_EMBEDDING",
    "component": {
        "azure_deployment": "mine",
        "api_key": "sk-key-secret",
        "default_headers": {"Authorization": "Bearer header-secret"},
    },
}


async def test_upsert_by_name(tmp_path: Path) -> None:
    """Ensure an upsert creates a pipeline or changes the one of its name, and says all of its configuration."""
    async with local_client(tmp_path) as client:
        made = await upsert(client, preset_retrieval_parameters={"alpha": 0.0}, transform_config=SMALL_CHUNKS)
        assert made["pipeline_type"] == "MANAGED"
        assert made["embedding_config"]["type"] == "MANAGED_OPENAI_EMBEDDING"
        assert made["local_embedding"].startswith("lexical")
        again = await upsert(client, preset_retrieval_parameters={"alpha": 1.0})
        assert again["id"] == made["id"]
        assert again["preset_retrieval_parameters"] == {"alpha": 1.0}
        assert again["transform_config"] == {"mode": "auto"}, "what an upsert does not say takes its default"
        assert again["created_at"] == made["created_at"] <= again["updated_at"]
        at_once = await asyncio.gather(*(upsert(client, "new") for _ in range(5)))
        assert len({one["id"] for one in at_once}) == 1


async def test_create_and_update(tmp_path: Path) -> None:
    """Ensure a taken name is 409, and an update changes what it gives alone, the name included."""
    async with local_client(tmp_path) as client:
        first = await client.post(PIPELINES, json={"name": "a", "preset_retrieval_parameters": {"alpha": 0.5}})
        assert first.status_code == 200
        conflict = await client.post(PIPELINES, json={"name": "a"})
        assert conflict.status_code == 409
        assert "a already exists" in conflict.json()["detail"]
        path = f"{PIPELINES}/{first.json()['id']}"
        changed = (await client.put(path, json={"name": "b", "transform_config": SMALL_CHUNKS})).json()
        assert (changed["name"], changed["preset_retrieval_parameters"]) == ("b", {"alpha": 0.5})
        assert changed == (await client.get(path)).json()
        await upsert(client, "c")
        assert (await client.put(path, json={"name": "c"})).status_code == 409
        assert (await client.get(path)).json()["name"] == "b"


async def test_lists(tmp_path: Path) -> None:
    """Ensure lists filter by name, type and project, and the paged one has cursors that lead through all of it."""
    async with local_client(tmp_path) as client:
        for number in range(5):
            await upsert(client, f"p{number}", pipeline_type="PLAYGROUND" if number == 3 else "MANAGED")
        names = [one["name"] for one in (await client.get(PIPELINES)).json()]
        assert names == ["p0", "p1", "p2", "p3", "p4"]
        for query, expected in [
            ({"pipeline_name": "p2"}, ["p2"]),
            ({"pipeline_type": "PLAYGROUND"}, ["p3"]),
            ({"project_name": "default"}, names),
            ({"project_name": "other"}, []),
            ({"pipeline_name": "none"}, []),
        ]:
            assert [one["name"] for one in (await client.get(PIPELINES, params=query)).json()] == expected
        seen: list[str] = []
        token: str | None = None
        pages = 0
        while True:
            query = {"page_size": "2", **({"page_token": token} if token else {})}
            page = (await client.get("/api/v2/pipelines", params=query)).json()
            seen += [one["name"] for one in page["items"]]
            pages += 1
            token = page["next_page_token"]
            if token is None:
                break
        assert (seen, pages) == (names, 3)
        for bad in ({"page_token": "x"}, {"page_size": "0"}, {"page_size": "many"}):
            assert (await client.get("/api/v2/pipelines", params=bad)).status_code == 422


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 3001}, "name"),
        ({"name": "\ud800"}, "JSON"),
        ({"name": "a", "transform_config": {"mode": "automatic"}}, "transform_config"),
        ({"name": "a", "transform_config": {"chunk_size": 0}}, "chunk_size"),
        ({"name": "a", "transform_config": {"chunk_size": 10, "chunk_overlap": 11}}, "chunk_overlap"),
        ({"name": "a", "transform_config": "auto"}, "transform_config"),
        ({"name": "a", "llama_parse_parameters": {"bbox_top": "wide"}}, "bbox_top"),
        ({"name": "a", "pipeline_type": "OTHER"}, "pipeline_type"),
        ({"name": "a", "embedding_config": {"type": "NONE_SUCH"}}, "embedding_config"),
        ({"name": "a", "preset_retrieval_parameters": {"alpha": 2}}, "alpha"),
        ({"name": "a", "preset_retrieval_parameters": {"alpha": "0"}}, "alpha"),
        ({"name": "a", "preset_retrieval_parameters": {"rerank_top_n": -1}}, "rerank_top_n"),
        ({"name": "a", "preset_retrieval_parameters": {"enable_reranking": 1}}, "enable_reranking"),
        ({"name": "a", "preset_retrieval_parameters": {"retrieval_mode": "x"}}, "retrieval_mode"),
        (
            {"name": "a", "preset_retrieval_parameters": {"search_filters": {"filters": [{"key": "k"}]}}},
            "search_filters",
        ),
        ({"name": "a", "data_sink": {"name": "pinecone"}}, "SQLite"),
        ({"name": "a", "data_sink_id": str(uuid.uuid4())}, "SQLite"),
        ([], "dictionary"),
    ],
)
async def test_what_is_refused(tmp_path: Path, body: Any, words: str) -> None:
    """Ensure a body that means nothing is 422 with the name of what is wrong, and creates nothing."""
    async with local_client(tmp_path) as client:
        for method in ("PUT", "POST"):
            answer = await client.request(method, PIPELINES, content=ascii_json(body))
            assert (answer.status_code, words in answer.text) == (422, True), answer.text
        assert (await client.get(PIPELINES)).json() == []


def ascii_json(value: Any) -> bytes:
    """JSON as Python's module writes it, lone surrogates and NaN included."""
    import json

    return json.dumps(value).encode()


async def test_what_is_not_there(tmp_path: Path) -> None:
    """Ensure every path below an unknown pipeline is 404, and so is a foreign project."""
    async with local_client(tmp_path) as client:
        unknown = f"{PIPELINES}/{uuid.uuid4()}"
        for method, below in [
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("GET", "/status"),
            ("POST", "/sync"),
            ("POST", "/sync/cancel"),
            ("GET", "/documents"),
            ("POST", "/documents"),
            ("GET", "/documents/paginated"),
            ("GET", "/documents/status-counts"),
            ("GET", "/documents/a/status"),
            ("GET", "/files2"),
            ("PUT", "/files"),
            ("GET", "/files/status-counts"),
            ("PUT", "/metadata"),
            ("DELETE", "/metadata"),
            ("POST", "/retrieve"),
        ]:
            answer = await client.request(method, unknown + below, content=b"[]" if "doc" in below else b"{}")
            assert (answer.status_code, answer.json()["detail"]) == (404, "Pipeline not found"), (method, below)
        assert (await client.get(PIPELINES, params={"project_id": str(uuid.uuid4())})).status_code == 404


async def test_deletion_leaves_nothing(tmp_path: Path) -> None:
    """Ensure a deleted pipeline takes its documents, files and chunks with it, and a new one of its name is empty."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, document("d", "Wombats dig."))
        file_id = await add_file(client, path, b"Quokkas smile.")
        assert await ingested(client, path) == "SUCCESS"
        assert (await client.delete(path)).status_code == 204
        assert (await client.delete(path)).status_code == 404
        assert (await client.get(f"/api/v1/beta/files/{file_id}")).status_code == 200, "the upload itself stays"
        again = await pipeline(client)
        assert again != path
        assert (await client.get(f"{again}/documents")).json() == []
        assert await texts(client, again, "wombats") == []
    assert rows(tmp_path, "chunks", "chunk_texts", "chunk_vectors", "pipeline_documents", "pipeline_files") == [0] * 5


def rows(data: Path, *tables: str) -> list[int]:
    """How many rows tables of a data folder have."""
    import sqlite3

    connection = sqlite3.connect(data / "llamacloud.sqlite3")
    counts = [connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - fixed names
    connection.close()
    return counts


async def test_secrets_are_not_kept(tmp_path: Path) -> None:
    """Ensure keys and headers of a configuration are covered in every answer, and never reach the disk."""
    parameters = {
        "vendor_multimodal_api_key": "vendor-secret",
        "webhook_signing_secret": "signing-secret",
        "webhook_headers": {"x": "hook-secret"},
        "http_proxy": "http://me:proxy-secret@proxy",
        "hide_headers": True,
    }
    async with local_client(tmp_path) as client:
        made = await upsert(client, embedding_config=AZURE, llama_parse_parameters=parameters)
        component = made["embedding_config"]["component"]
        assert (component["azure_deployment"], component["api_key"]) == ("mine", "**********")
        assert component["default_headers"] == {"Authorization": "**********"}
        assert made["llama_parse_parameters"]["hide_headers"] is True
        read = await client.get(f"{PIPELINES}/{made['id']}")
        assert "secret" not in read.text.replace("webhook_signing_secret", "")
    content = everything_in(tmp_path)
    for secret in (b"key", b"header", b"vendor", b"signing", b"hook", b"proxy"):
        assert secret + b"-secret" not in content


def everything_in(folder: Path) -> bytes:
    """The content of all files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_presets_keep_what_looks_like_a_secret(tmp_path: Path) -> None:
    """Ensure a metadata key that happens to be called token is not covered in a schema."""
    schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    async with local_client(tmp_path) as client:
        made = await upsert(client, preset_retrieval_parameters={"search_filters_inference_schema": schema})
        assert made["preset_retrieval_parameters"]["search_filters_inference_schema"] == schema


# -- what a changed configuration does --------------------------------------------------------------------------------


async def test_a_changed_transform_splits_again(tmp_path: Path) -> None:
    """Ensure other chunk sizes re-ingest documents and files; the same ones, and other presets, do not."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("d", LONG))
        file_id = await add_file(client, path, LONG.encode())
        assert await ingested(client, path) == "SUCCESS"
        few = len(await chunks(client, path, "d")), len(await chunks(client, path, file_id))
        model.embedded.clear()
        await upsert(client, preset_retrieval_parameters={"alpha": 0.5}, transform_config={"mode": "auto"})
        assert await ingested(client, path) == "SUCCESS"
        assert model.embedded == [], "nothing that chunks depend on has changed"
        await upsert(client, transform_config=SMALL_CHUNKS)
        assert await ingested(client, path) == "SUCCESS"
        many = len(await chunks(client, path, "d")), len(await chunks(client, path, file_id))
        assert many[0] > 5 * few[0]
        assert many[1] > 5 * few[1]
        assert len(model.embedded) == sum(many) == rows(tmp_path, "chunks")[0]


async def test_changed_metadata_config_and_parse_parameters(tmp_path: Path) -> None:
    """Ensure what an embedding may see, and which pages are parsed, takes effect on what is there already."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("d", "Wombats dig.", hidden="zzz"))
        await add_file(client, path, b"first page\fsecond page")
        await ingested(client, path)
        assert any("zzz" in text for text in model.embedded)
        model.embedded.clear()
        await upsert(client, metadata_config={"excluded_embed_metadata_keys": ["hidden"]})
        await ingested(client, path)
        assert len(model.embedded) == 3
        assert not any("zzz" in text for text in model.embedded)
        model.embedded.clear()
        await client.put(path, json={"llama_parse_parameters": {"max_pages": 1}})
        assert await ingested(client, path) == "SUCCESS"
        assert len(model.embedded) == 3, "the stand-in engine parses all pages, whatever it is asked for"


async def test_configuration_changed_while_ingesting(tmp_path: Path) -> None:
    """Ensure what is being ingested as the configuration changes ends up as the new one says."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        model.gate.clear()
        file_id = await add_file(client, path, LONG.encode())
        await put(client, path, document("d", LONG))
        await under_way(client, f"{path}/files/{file_id}")
        await upsert(client, transform_config=SMALL_CHUNKS)
        model.gate.set()
        assert await ingested(client, path, within=4) == "SUCCESS", "no lease should have to expire"
        assert len(await chunks(client, path, file_id)) == len(await chunks(client, path, "d")) > 20


# -- how far it has come ----------------------------------------------------------------------------------------------


async def test_status_from_beginning_to_end(tmp_path: Path) -> None:
    """Ensure an empty pipeline is done, a waiting one in progress, and failures are named with their reasons."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        assert (await status_of(client, path))["status"] == "SUCCESS"
        model.gate.clear()
        await put(client, path, *(document(f"d{number}", f"Text {number}") for number in range(200)))
        status = await status_of(client, path)
        assert status["status"] in {"IN_PROGRESS", "NOT_STARTED"}
        assert status["deployment_date"] is None
        model.gate.set()
        assert await ingested(client, path) == "SUCCESS"
        assert (await status_of(client, path))["deployment_date"]
        await put(client, path, *(document(f"bad{number}", "unspeakable") for number in range(30)))
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        status = await status_of(client, path)
        assert len(status["error"]) == 20
        assert status["error"][0]["message"] == "the model has no word for it"
        full = (await client.get(f"{path}/status", params={"full_details": "true"})).json()
        assert {one["job_id"] for one in full["error"]} == {f"bad{number}" for number in range(30)}
        assert (await client.get(f"{path}/status", params={"full_details": "perhaps"})).status_code == 422


async def test_sync_takes_up_what_failed(tmp_path: Path) -> None:
    """Ensure sync ingests again what failed, files included, and leaves the rest alone."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("good", "Wombats dig."))
        assert await ingested(client, path) == "SUCCESS"
        model.broken = True
        await put(client, path, document("bad", "Quokkas smile."))
        file_id = await add_file(client, path, b"Echidnas have spines.")
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        errors = (await status_of(client, path))["error"]
        assert {(one["job_id"], one["step"]) for one in errors} == {("bad", "INGESTION"), (file_id, "PARSE")}
        assert {one["message"] for one in errors} == {"ConnectionError: the model cannot be reached"}
        model.broken = False
        model.embedded.clear()
        assert (await client.post(f"{path}/sync")).status_code == 200
        assert await ingested(client, path) == "SUCCESS"
        assert len(model.embedded) == 2
        assert await texts(client, path, "echidnas spines", dense_similarity_top_k=3, rerank_top_n=1)


async def test_a_file_that_failed_to_be_split_again(tmp_path: Path) -> None:
    """Ensure what a change of the configuration could not ingest is told of, and taken up by sync."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, LONG.encode())
        assert await ingested(client, path) == "SUCCESS"
        model.broken = True
        await upsert(client, transform_config=SMALL_CHUNKS)
        assert await ingested(client, path) in {"ERROR", "PARTIAL_SUCCESS"}
        assert await chunks(client, path, file_id) == []
        model.broken = False
        await client.post(f"{path}/sync")
        assert await ingested(client, path) == "SUCCESS"
        assert len(await chunks(client, path, file_id)) > 20


async def test_cancel(tmp_path: Path) -> None:
    """Ensure cancelling takes what waits and what is under way out of the queue, and sync takes it up again."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        model.gate.clear()
        await put(client, path, *(document(f"d{number}", f"Text {number}") for number in range(300)))
        file_id = await add_file(client, path, b"Quokkas smile.")
        assert (await client.post(f"{path}/sync/cancel")).status_code == 200
        assert (await status_of(client, path))["status"] == "CANCELLED"
        model.gate.set()
        await asyncio.sleep(0.3)
        counts = (await client.get(f"{path}/documents/status-counts")).json()["counts"]
        assert counts == {"CANCELLED": 300}
        assert (await status_of(client, f"{path}/files/{file_id}"))["status"] == "CANCELLED"
        assert rows(tmp_path, "chunks") == [0]
        await client.post(f"{path}/sync")
        assert await ingested(client, path) == "SUCCESS"
        assert rows(tmp_path, "chunks") == [301]


# -- another embedding model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [{"model_name": "others"}, {"letters": "aeiou"}])
async def test_another_embedding_model(tmp_path: Path, other: dict[str, str]) -> None:
    """Ensure a pipeline of another model answers 409 and says what to do, and sync embeds it anew, files too."""
    async with local_client(tmp_path, embed_model=LetterEmbedding()) as client:
        path = await pipeline(client)
        await put(client, path, *(document(f"d{number}", f"Text {number}") for number in range(5)))
        file_id = await add_file(client, path, b"Quokkas smile.")
        assert await ingested(client, path) == "SUCCESS"
    model = LetterEmbedding(**other)
    async with local_client(tmp_path, embed_model=model) as client:
        answer = await client.post(f"{path}/retrieve", json={"query": "smile"})
        assert answer.status_code == 409
        assert "letters (26 dimensions)" in answer.text
        assert "sync" in answer.text
        assert await texts(client, path, "smile", alpha=0.0), "words need no model"
        await put(client, path, document("new", "Echidnas have spines."))
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        (error,) = (await status_of(client, path))["error"]
        assert error["job_id"] == "new"
        assert "sync the pipeline" in error["message"]
    async with local_client(tmp_path, embed_model=LetterEmbedding(**other)) as client:
        await client.post(f"{path}/sync")
        assert await ingested(client, path) == "SUCCESS"
        assert (await texts(client, path, "smile quokkas"))[0] == "# Quokkas smile."
        assert await chunks(client, path, file_id)
        assert rows(tmp_path, "chunks", "chunk_vectors", "chunk_collections") == [7, 7, 1]


# -- deletion while it is being ingested ------------------------------------------------------------------------------


async def test_deleted_while_it_is_ingested(tmp_path: Path) -> None:
    """Ensure a document, a file or a pipeline that is deleted while it is ingested leaves nothing behind."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        kept, gone = await pipeline(client, "kept"), await pipeline(client, "gone")
        model.gate.clear()
        await put(client, kept, document("stays", "Wombats dig."), document("goes", "Echidnas dig."))
        file_id = await add_file(client, kept, b"Quokkas smile.")
        await under_way(client, f"{kept}/files/{file_id}")
        await put(client, gone, document("d", "Numbats sleep."))
        await client.delete(f"{kept}/documents/goes")
        await client.delete(f"{kept}/files/{file_id}")
        await client.delete(gone)
        model.gate.set()
        assert await ingested(client, kept) == "SUCCESS"
        await asyncio.sleep(0.2)
        assert [one["id"] for one in (await client.get(f"{kept}/documents")).json()] == ["stays"]
    assert rows(tmp_path, "chunks", "chunk_texts", "chunk_vectors", "pipeline_documents", "pipeline_files") == [
        1,
        1,
        1,
        1,
        0,
    ]


async def test_status_is_of_one_moment(tmp_path: Path) -> None:
    """Ensure no answer takes the documents of one moment for those of another, in which their files failed."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, b"Wombats dig.")
        assert await ingested(client, path) == "SUCCESS"
        for attempt in range(10):
            model.broken = attempt % 2 == 0
            await client.put(f"{path}/files/{file_id}", json={"custom_metadata": {"attempt": attempt}})
            assert await ingested(client, path) == ("ERROR" if model.broken else "SUCCESS")
