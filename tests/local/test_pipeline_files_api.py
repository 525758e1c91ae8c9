"""`/api/v1/pipelines/{id}/files` and `…/metadata` on local LlamaCloud, with a stand-in engine."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local import fake_engine
from tests.local.clients import local_client, upload_file
from tests.local.embeddings import LetterEmbedding
from tests.local.pipeline_calls import (
    add_file,
    chunks,
    ingested,
    pipeline,
    retrieved,
    status_of,
    texts,
    under_way,
)


async def listed(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """A page of files."""
    answer = await client.get(f"{path}/files2", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_file_becomes_a_document(tmp_path: Path) -> None:
    """Ensure a file is parsed into one document, whose chunks carry the file, the page and the custom metadata."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, b"Wombats dig.\fQuokkas smile.", "animals.txt", {"year": 2021})
        assert await ingested(client, path) == "SUCCESS"
        (file,) = (await listed(client, path))["files"]
        assert (file["id"], file["file_id"], file["name"], file["status"]) == (
            file_id,
            file_id,
            "animals.txt",
            "SUCCESS",
        )
        assert (file["file_size"], file["file_type"], file["indexed_page_count"]) == (27, "txt", 2)
        assert file["custom_metadata"] == {"year": 2021}
        (made,) = (await client.get(f"{path}/documents")).json()
        assert made["id"] == file_id
        assert made["text"] == "# Wombats dig.\n\n# Quokkas smile."
        assert made["metadata"] == {"file_name": "animals.txt", "file_id": file_id, "year": 2021}
        found = (await retrieved(client, path, "quokkas smile"))["retrieval_nodes"][0]["node"]
        assert found["text"] == "# Quokkas smile."
        assert {name: found["metadata"][name] for name in ("file_name", "page_number", "page_label", "year")} == {
            "file_name": "animals.txt",
            "page_number": 2,
            "page_label": "2",
            "year": 2021,
        }
        assert (await status_of(client, f"{path}/files/{file_id}"))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"FAIL PDF_IS_BROKEN", "PDF_IS_BROKEN: a.txt was meant to fail"),
        (b"FAIL PASSWORD_PROTECTED", "PASSWORD_PROTECTED: a.txt was meant to fail"),
        (b"CRASH", "ZeroDivisionError: a bug of the engine"),
        (b"unspeakable", "the model has no word for it"),
    ],
)
async def test_a_file_that_fails(tmp_path: Path, content: bytes, reason: str) -> None:
    """Ensure a file that cannot be parsed or embedded ends in ERROR with the engine's code, and others do not."""
    async with local_client(tmp_path, embed_model=LetterEmbedding()) as client:
        path = await pipeline(client)
        bad = await add_file(client, path, content)
        await add_file(client, path, b"Wombats dig.", "good.txt")
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        status = await status_of(client, f"{path}/files/{bad}")
        assert status["status"] == "ERROR"
        (error,) = status["error"]
        assert (error["job_id"], error["message"], error["step"]) == (bad, reason, "PARSE")
        assert (await status_of(client, path))["error"] == [error]
        assert len((await client.get(f"{path}/documents")).json()) == 1
        assert [file["status"] for file in (await listed(client, path))["files"]] == ["ERROR", "SUCCESS"]


async def test_what_is_not_in_the_file(tmp_path: Path) -> None:
    """Ensure a file in which nothing can be read, or whose upload is gone, says so."""

    def blank(*arguments: Any, **options: Any) -> Any:
        result = fake_engine.parse(*arguments, **options)
        for page in result.pages:
            page.text = page.markdown = " "
        return result

    async with local_client(tmp_path, engine=blank) as client:
        path = await pipeline(client)
        await add_file(client, path, b"x", "scan.pdf")
        assert await ingested(client, path) == "ERROR"
        (error,) = (await status_of(client, path))["error"]
        assert error["message"] == "NO_DATA_FOUND_IN_FILE: there is no text in scan.pdf"


async def test_a_file_that_fails_later_keeps_nothing(tmp_path: Path) -> None:
    """Ensure a file that could be ingested and then cannot has no chunks, pages or document left."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, b"Wombats dig.")
        assert await ingested(client, path) == "SUCCESS"
        model.broken = True
        await client.put(f"{path}/files/{file_id}", json={"custom_metadata": {"a": 1}})
        assert await ingested(client, path) == "ERROR"
        (file,) = (await listed(client, path))["files"]
        assert file["indexed_page_count"] is None
        assert (await client.get(f"{path}/documents")).json() == []
        model.broken = False
        await client.post(f"{path}/sync")
        assert await ingested(client, path) == "SUCCESS"
        assert await chunks(client, path, file_id) == ["# Wombats dig."]


async def test_status_while_a_file_is_parsed(tmp_path: Path) -> None:
    """Ensure a file under way says so, and so do its pipeline and the counts."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, b"SLEEP 0.4")
        await under_way(client, f"{path}/files/{file_id}")
        assert (await listed(client, path))["files"][0]["status"] == "IN_PROGRESS"
        assert await ingested(client, path) == "SUCCESS"
        counts = (await client.get(f"{path}/files/status-counts")).json()
        assert (counts["counts"], counts["total_count"], counts["pipeline_id"]) == (
            {"SUCCESS": 1},
            1,
            path.rsplit("/", 1)[1],
        )
        by_source = await client.get(f"{path}/files/status-counts", params={"data_source_id": str(uuid.uuid4())})
        assert (by_source.json()["counts"], by_source.json()["total_count"]) == ({}, 0)


async def test_adding_again(tmp_path: Path) -> None:
    """Ensure a file that is there already is ingested again where its metadata changed, and only then."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        file_id = await add_file(client, path, b"Wombats dig.", metadata={"a": 1})
        await ingested(client, path)
        for metadata, count in [({"a": 1}, 1), ({"a": 2}, 2), (None, 3), (None, 3)]:
            body = [{"file_id": file_id, "custom_metadata": metadata}]
            (stored,) = (await client.put(f"{path}/files", json=body)).json()
            assert stored["custom_metadata"] == metadata
            assert await ingested(client, path) == "SUCCESS"
            assert len(model.embedded) == count
        for metadata, count in [(None, 3), ({"b": 1}, 4), ({"b": 1}, 4)]:
            answer = await client.put(f"{path}/files/{file_id}", json={"custom_metadata": metadata})
            assert answer.json()["custom_metadata"] == metadata
            assert await ingested(client, path) == "SUCCESS"
            assert len(model.embedded) == count
        assert len((await listed(client, path))["files"]) == 1


async def test_what_is_refused(tmp_path: Path) -> None:
    """Ensure bodies that mean nothing are 422 with the place, and unknown files are 404, all or nothing."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        good = (await upload_file(client))["id"]
        for body, status, words in [
            ({}, 422, "list"),
            (["x"], 422, "file_id"),
            ([{"file_id": 7}], 422, "file_id"),
            ([{"file_id": good, "custom_metadata": ["x"]}], 422, "custom_metadata"),
            ([{"file_id": good}, {"file_id": "none"}], 404, "none"),
        ]:
            answer = await client.put(f"{path}/files", json=body)
            assert (answer.status_code, words in answer.text) == (status, True), answer.text
        assert (await client.put(f"{path}/files", content=b"[")).status_code == 422
        assert (await listed(client, path))["total_count"] == 0
        for method, below in [("PUT", ""), ("DELETE", ""), ("GET", "/status")]:
            answer = await client.request(method, f"{path}/files/{good}{below}", json={})
            assert (answer.status_code, answer.json()["detail"]) == (404, "File not found in this pipeline")


async def test_lists(tmp_path: Path) -> None:
    """Ensure files are listed by status and name, in any order and in pages."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        for name, content in [("b.txt", b"12"), ("a.txt", b"1234"), ("c.md", b"FAIL PDF_IS_BROKEN"), ("d.txt", b"1")]:
            await add_file(client, path, content, name)
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        for query, expected in [
            ({}, "bacd"),
            ({"statuses": "ERROR"}, "c"),
            ({"statuses": "ERROR,SUCCESS"}, "bacd"),
            ({"statuses": ["ERROR", "SUCCESS"]}, "bacd"),
            ({"statuses": "CANCELLED"}, ""),
            ({"file_name_contains": ".txt"}, "bad"),
            ({"file_name_contains": "%"}, ""),
            ({"order_by": "name"}, "abcd"),
            ({"order_by": "name desc"}, "dcba"),
            ({"order_by": "file_size asc"}, "dbac"),
            ({"order_by": "created_at desc"}, "dcab"),
            ({"limit": 2, "offset": 1}, "ac"),
            ({"limit": 2, "offset": 3, "order_by": "name"}, "d"),
            ({"data_source_id": str(uuid.uuid4())}, ""),
        ]:
            page = await listed(client, path, **query)
            assert "".join(file["name"][0] for file in page["files"]) == expected, query
        page = await listed(client, path, limit=2, offset=1)
        assert (page["limit"], page["offset"], page["total_count"]) == (2, 1, 4)
        assert [file["name"] for file in (await client.get(f"{path}/files")).json()] == [
            "b.txt",
            "a.txt",
            "c.md",
            "d.txt",
        ]
        for bad in (
            {"statuses": "DONE"},
            {"order_by": "size"},
            {"order_by": "name; DROP TABLE pipelines"},
            {"order_by": " "},
            {"limit": 0},
            {"limit": 1001},
            {"offset": -1},
            {"offset": 2**64},
        ):
            assert (await client.get(f"{path}/files2", params=bad)).status_code == 422, bad


async def test_deletion(tmp_path: Path) -> None:
    """Ensure a file goes with its document and chunks, while it is parsed as well, and its upload stays."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        done = await add_file(client, path, b"Wombats dig.")
        assert await ingested(client, path) == "SUCCESS"
        running = await add_file(client, path, b"SLEEP 0.3")
        await under_way(client, f"{path}/files/{running}")
        for file_id in (done, running):
            assert (await client.delete(f"{path}/files/{file_id}")).status_code == 204
            assert (await client.delete(f"{path}/files/{file_id}")).status_code == 404
            assert (await client.get(f"/api/v1/beta/files/{file_id}")).status_code == 200
        await asyncio.sleep(0.5)
        assert (await client.get(f"{path}/documents")).json() == []
        assert await texts(client, path, "wombats sleep") == []


# -- metadata ---------------------------------------------------------------------------------------------------------

CSV = 'file_name,kind,note\na.txt,animal,"with, comma"\nb.txt,rock,\nunknown.txt,x,y\n'
ROWS = [{"file_name": "a.txt", "kind": "animal", "note": "with, comma"}, {"file_name": "b.txt", "kind": "rock"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", CSV.encode()),
        ("table.csv", CSV.encode("utf-8-sig")),
        ("table.json", json.dumps(ROWS).encode()),
        ("table.JSON", b"\xef\xbb\xbf" + json.dumps({row["file_name"]: row for row in ROWS}).encode()),
    ],
)
async def test_metadata_of_files(tmp_path: Path, name: str, content: bytes) -> None:
    """Ensure a table gives files their metadata by name, filters find it, and only what changed is ingested again."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        for file, text in [("a.txt", b"Wombats dig."), ("b.txt", b"Basalt cools."), ("c.txt", b"Plain.")]:
            await add_file(client, path, text, file)
        await ingested(client, path)
        for count in (5, 5):
            answer = await client.put(f"{path}/metadata", files={"upload_file": (name, content)})
            assert answer.status_code == 200, answer.text
            assert await ingested(client, path) == "SUCCESS"
            assert len(model.embedded) == count
        files = {file["name"]: file["custom_metadata"] for file in (await listed(client, path))["files"]}
        assert (files["a.txt"]["kind"], files["a.txt"]["note"]) == ("animal", "with, comma")
        assert files["c.txt"] is None
        rock = {"filters": [{"key": "kind", "operator": "==", "value": "rock"}]}
        assert await texts(client, path, "anything", search_filters=rock) == ["# Basalt cools."]
        assert (await client.delete(f"{path}/metadata")).status_code == 204
        assert await ingested(client, path) == "SUCCESS"
        assert await texts(client, path, "anything", search_filters=rock) == []
        assert {str(file["custom_metadata"]) for file in (await listed(client, path))["files"]} == {"None"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", b"name,kind\na.txt,x\n"),
        ("table.csv", b"\xff\xfe\x00"),
        ("table.json", b"{"),
        ("table.json", b"7"),
        ("table.json", b'["a.txt"]'),
        ("table.json", b'[["file_name"]]'),
        ("table.json", b'{"a.txt": 7}'),
        ("table.json", b'[{"file_name": "a.txt", "x": NaN}]'),
    ],
)
async def test_tables_that_mean_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    """Ensure what is no table of files is 422."""
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await add_file(client, path, b"Wombats dig.")
        answer = await client.put(f"{path}/metadata", files={"upload_file": (name, content)})
        assert answer.status_code == 422, answer.text
        assert (await client.put(f"{path}/metadata", content=b"x")).status_code == 400, "no form at all"
        assert (await listed(client, path))["files"][0]["custom_metadata"] is None
        assert list((tmp_path / "incoming").iterdir()) == []
