"""`/api/v1/pipelines/{id}/documents` on local LlamaCloud."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding
from tests.local.pipeline_calls import (
    add_file,
    chunks,
    document,
    ingested,
    pipeline,
    put,
    retrieved,
    status_of,
    texts,
)

LONG = " ".join(f"Sentence number {number} tells of wombats." for number in range(400))
IDS = [
    "plain",
    "a/b",
    "with space",
    "plus+sign",
    "100%",
    "%2F",
    "ünï/cödé 良い",
    "question?mark#hash&amp",
    "ends/status",
    "ends/chunks",
    "status",
    "/leading",
    "trailing/",
    "dots/../x",
    "e5d1c7a4-58b0-4a79-8a9a-000000000000",
]


def encoded(document_id: str, times: int) -> str:
    """An id for a path, encoded so many times."""
    for _ in range(times):
        document_id = quote(document_id, safe="")
    return document_id


async def test_documents_come_back_as_they_went_in(tmp_path: Path) -> None:
    """Ensure what a document says of itself is kept, its status is told, and one without an id gets one."""
    given = {
        "id": "d",
        "text": "Wombats dig.\n\u0000\U0001f999 ünïcode",
        "metadata": {"a": 1, "b": [1.5, None, "x"], "c": {"d": True}},
        "excluded_embed_metadata_keys": ["a"],
        "excluded_llm_metadata_keys": ["b"],
        "page_positions": [0, 5],
    }
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        (stored,) = await put(client, path, given)
        assert {name: stored[name] for name in given} == given
        assert stored["status_metadata"]["status"] in {"NOT_STARTED", "IN_PROGRESS", "SUCCESS"}
        assert await ingested(client, path) == "SUCCESS"
        read = (await client.get(f"{path}/documents/d")).json()
        assert read["status_metadata"] == {"status": "SUCCESS", "error_message": None}
        made = await client.post(f"{path}/documents", json=[{"text": "x", "metadata": {}}])
        assert made.status_code == 200
        assert len(made.json()[0]["id"]) == 36


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"text": "x", "metadata": {}}, "list"),
        (["x"], "dictionary"),
        ([{"metadata": {}}], "text"),
        ([{"text": 7, "metadata": {}}], "text"),
        ([{"text": "x"}], "metadata"),
        ([{"text": "x", "metadata": []}], "metadata"),
        ([{"text": "x", "metadata": {}, "id": ""}], "id"),
        ([{"text": "x", "metadata": {}, "id": 7}], "id"),
        ([{"text": "x", "metadata": {}, "page_positions": [1, 0]}], "page_positions"),
        ([{"text": "x", "metadata": {}, "page_positions": [0, 9]}], "page_positions"),
        ([{"text": "x", "metadata": {}, "page_positions": [True]}], "page_positions"),
        ([{"text": "x", "metadata": {}, "excluded_llm_metadata_keys": "a"}], "excluded_llm_metadata_keys"),
        ([{"text": "x", "metadata": {"a": float("nan")}}], "NaN"),
        ([{"text": "\ud800", "metadata": {}}], "surrogates"),
        ([{"text": "x", "metadata": {}, "id": "\udfff"}], "surrogates"),
    ],
)
async def test_what_is_refused(tmp_path: Path, body: Any, place: str) -> None:
    """Ensure one wrong document is 422 with its place, and none of its batch is accepted."""
    if isinstance(body, list):
        body = [document("good", "Wombats dig."), *body]
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        for method in ("POST", "PUT"):
            answer = await client.request(method, f"{path}/documents", content=json.dumps(body).encode())
            assert (answer.status_code, place in answer.text) == (422, True), answer.text
        assert (await client.post(f"{path}/documents", content=b"[")).status_code == 422
        assert (await client.get(f"{path}/documents")).json() == []


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_ids_in_paths(tmp_path: Path, times: int) -> None:
    """Ensure every id can be asked for and deleted, encoded once, twice or three times."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, *(document(one, f"The text of {one}") for one in IDS))
        assert await ingested(client, path) == "SUCCESS"
        for one in IDS:
            place = f"{path}/documents/{encoded(one, times)}"
            assert (await client.get(place)).json()["id"] == one
            assert (await status_of(client, place))["job_id"] == one
            nodes = (await client.get(f"{place}/chunks")).json()
            assert [node["relationships"]["1"]["node_id"] for node in nodes] == [one]
            assert (await client.post(f"{place}/sync")).json() == {"id": one}
        assert await ingested(client, path) == "SUCCESS"
        for one in IDS:
            assert (await client.delete(f"{path}/documents/{encoded(one, times)}")).status_code == 204, one
        assert (await client.get(f"{path}/documents")).json() == []


async def test_ids_that_look_encoded(tmp_path: Path) -> None:
    """Ensure an id encoded once, as it should be, is never taken for another that it would be decoded."""
    ids = ["100%", "100%25", "100%2525", "a+b", "a b", "a%20b"]
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, *(document(one, "x") for one in ids))
        for one in ids:
            assert (await client.get(f"{path}/documents/{encoded(one, 1)}")).json()["id"] == one


async def test_ids_that_end_like_a_path(tmp_path: Path) -> None:
    """Ensure an unencoded id that ends in /status is found, and the status of a document of the shorter id is, too."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, document("a/status", "Longer."))
        assert (await client.get(f"{path}/documents/a/status")).json()["id"] == "a/status"
        await put(client, path, document("a", "Shorter."))
        assert (await client.get(f"{path}/documents/a/status")).json()["job_id"] == "a"
        assert (await client.get(f"{path}/documents/a%2Fstatus")).json()["id"] == "a/status"
        assert (await client.get(f"{path}/documents/b/status")).status_code == 404


async def test_what_is_not_there(tmp_path: Path) -> None:
    """Ensure an unknown document is 404 everywhere."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        for method, below in [("GET", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/chunks"), ("POST", "/sync")]:
            answer = await client.request(method, f"{path}/documents/none{below}")
            assert (answer.status_code, answer.json()["detail"]) == (404, "Document not found")


# -- what changes and what does not -----------------------------------------------------------------------------------


async def test_unchanged_documents_keep_their_chunks(tmp_path: Path) -> None:
    """Ensure an upsert of the same documents embeds nothing, and of some changed ones just these."""
    model = LetterEmbedding()
    documents = [document(f"d{number}", f"The number is {number}.", number=number) for number in range(10)]
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, *documents)
        assert await ingested(client, path) == "SUCCESS"
        assert len(model.embedded) == 10
        again = await put(client, path, *documents)
        assert {one["status_metadata"]["status"] for one in again} == {"SUCCESS"}
        documents[3]["metadata"]["number"] = 33
        documents[4]["text"] = "Four."
        documents[5]["excluded_llm_metadata_keys"] = ["number"]
        changed = await put(client, path, *documents)
        assert [one["id"] for one in changed if one["status_metadata"]["status"] != "SUCCESS"] == ["d3", "d4", "d5"]
        assert await ingested(client, path) == "SUCCESS"
        assert len(model.embedded) == 13


async def test_a_changed_document_replaces_its_chunks(tmp_path: Path) -> None:
    """Ensure the chunks of the former text go, whether the new one has fewer of them, none, or cannot be ingested."""
    async with local_client(tmp_path, embed_model=LetterEmbedding()) as client:
        path = await pipeline(client, transform_config={"mode": "auto", "chunk_size": 128, "chunk_overlap": 0})
        await put(client, path, document("d", LONG), document("other", "Wombats are kept."))
        await ingested(client, path)
        assert len(await chunks(client, path, "d")) > 10
        for text, left in [("Quokkas.", ["Quokkas."]), (LONG, None), ("unspeakable", []), (LONG, None), (" ", [])]:
            await put(client, path, document("d", text))
            assert await ingested(client, path) == ("PARTIAL_SUCCESS" if text == "unspeakable" else "SUCCESS")
            if left is not None:
                assert await chunks(client, path, "d") == left
                assert not any("Sentence" in one for one in await texts(client, path, "Sentence number"))
        assert await chunks(client, path, "other") == ["Wombats are kept."]


async def test_a_document_that_fails_alone(tmp_path: Path) -> None:
    """Ensure of a batch the one document that cannot be embedded ends in ERROR with its reason, and no other."""
    async with local_client(tmp_path, embed_model=LetterEmbedding()) as client:
        path = await pipeline(client)
        documents = [document(f"d{number}", f"Text {number}") for number in range(40)]
        documents[17]["text"] = "unspeakable"
        await put(client, path, *documents)
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        read = (await client.get(f"{path}/documents/d17")).json()["status_metadata"]
        assert read == {"status": "ERROR", "error_message": "the model has no word for it"}
        (error,) = (await status_of(client, f"{path}/documents/d17"))["error"]
        assert (error["job_id"], error["step"]) == ("d17", "INGESTION")
        counts = (await client.get(f"{path}/documents/status-counts")).json()
        assert (counts["counts"], counts["total_count"]) == ({"ERROR": 1, "SUCCESS": 39}, 40)
        await client.post(f"{path}/documents/d17/sync")
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        (again,) = await put(client, path, document("d17", "Speakable."))
        assert again["status_metadata"]["error_message"] is None
        assert await ingested(client, path) == "SUCCESS"


async def test_a_model_that_always_fails(tmp_path: Path) -> None:
    """Ensure everything ends in ERROR with the reason, and an upsert of the same document tries again."""
    model = LetterEmbedding(broken=True)
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("a", "A"), document("b", "B"))
        assert await ingested(client, path) == "ERROR"
        errors = (await status_of(client, path))["error"]
        assert {one["message"] for one in errors} == {"ConnectionError: the model cannot be reached"}
        model.broken = False
        await put(client, path, document("a", "A"), document("b", "B"))
        assert await ingested(client, path) == "SUCCESS"


async def test_accepted_while_others_are_ingested(tmp_path: Path) -> None:
    """Ensure documents that come while a batch is under way are accepted at once and ingested, changed ones as well."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        model.gate.clear()
        await put(client, path, *(document(f"d{number}", f"Old text {number}") for number in range(100)))
        while (await client.get(f"{path}/documents/status-counts")).json()["counts"].get("IN_PROGRESS", 0) == 0:
            assert True
            await asyncio.sleep(0.01)
        await put(client, path, *(document(f"d{number}", f"New text {number}") for number in range(50, 150)))
        await put(client, path, *(document(f"d{number}", f"Old text {number}") for number in range(50)))
        model.gate.set()
        assert await ingested(client, path) == "SUCCESS"
        for number, words in [(0, "Old text 0"), (50, "New text 50"), (99, "New text 99"), (149, "New text 149")]:
            assert await chunks(client, path, f"d{number}") == [words]
        assert model.embedded.count("Old text 0") == 1, "what did not change while it was ingested is not done twice"


# -- lists ------------------------------------------------------------------------------------------------------------


async def test_lists(tmp_path: Path) -> None:
    """Ensure pages lead through all documents in the order in which they came, and filters tell files' from others."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, *(document(f"d{number}", f"Text {number}") for number in range(25)))
        file_id = await add_file(client, path, b"Quokkas smile.")
        assert await ingested(client, path) == "SUCCESS"
        seen = []
        for skip in (0, 10, 20, 30):
            page = await paginated(client, path, skip=skip)
            assert (page["limit"], page["offset"], page["total_count"]) == (10, skip, 26)
            seen += [one["id"] for one in page["documents"]]
        assert seen == [*(f"d{number}" for number in range(25)), file_id]
        assert len((await client.get(f"{path}/documents")).json()) == 10
        for query, count in [
            ({"limit": 1000}, 26),
            ({"file_id": file_id}, 1),
            ({"only_direct_upload": "true"}, 25),
            ({"only_api_data_source_documents": "true"}, 0),
            ({"file_id": "none"}, 0),
            ({"skip": 2**63 - 1}, 26),
        ]:
            assert (await paginated(client, path, **query))["total_count"] == count, query
        counts = (await client.get(f"{path}/documents/status-counts", params={"file_id": file_id})).json()
        assert (counts["total_count"], counts["file_id"]) == (1, file_id)
        for query, count in [({"only_direct_upload": "true"}, 25), ({"data_source_id": "x"}, 0), ({}, 26)]:
            answer = await client.get(f"{path}/documents/status-counts", params=query)
            assert answer.json()["total_count"] == count
        for bad in ({"limit": 0}, {"limit": 1001}, {"skip": -1}, {"skip": "x"}, {"skip": 2**63}, {"limit": "9" * 99}):
            assert (await client.get(f"{path}/documents/paginated", params=bad)).status_code == 422


async def paginated(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """One page of documents."""
    answer = await client.get(f"{path}/documents/paginated", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- chunks -----------------------------------------------------------------------------------------------------------


async def test_chunks_are_nodes(tmp_path: Path) -> None:
    """Ensure chunks name their document, their neighbours and their page, and stand in the text where they say."""
    text = "Wombats dig.\n\nQuokkas smile."
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        given = {**document("d", text, kind="animal"), "page_positions": [0, 14]}
        await put(client, path, {**given, "excluded_embed_metadata_keys": ["kind"]})
        assert await ingested(client, path) == "SUCCESS"
        first, second = (await client.get(f"{path}/documents/d/chunks")).json()
        for node, page in ((first, 1), (second, 2)):
            assert node["text"] == text[node["start_char_idx"] : node["end_char_idx"]]
            assert node["metadata"] == node["extra_info"]
            assert (node["metadata"]["page_number"], node["metadata"]["page_label"]) == (page, str(page))
            assert (node["metadata"]["kind"], node["metadata"]["document_id"]) == ("animal", "d")
            assert set(node["excluded_embed_metadata_keys"]) >= {"kind", "document_id", "pipeline_id"}
            assert node["relationships"]["1"]["node_id"] == "d"
        assert first["relationships"]["3"]["node_id"] == second["id_"]
        assert second["relationships"]["2"]["node_id"] == first["id_"]
        assert "2" not in first["relationships"]
        answer = await retrieved(client, path, "quokkas")
        assert answer["retrieval_nodes"][0]["node"]["id_"] == second["id_"]
