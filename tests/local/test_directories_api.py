"""Directories of local LlamaCloud and the indexes over them, beyond what the official SDK's journeys show."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext.local.file_grep import PatternError, find_matches
from tests.local.clients import local_client, upload_file

DIRECTORIES = "/api/v1/beta/directories"
INDEXES = "/api/v1/indexes"
RETRIEVAL = "/api/v1/retrieval"


async def directory(client: httpx.AsyncClient, name: str = "docs", **options: Any) -> str:
    """Create a directory; its id."""
    response = await client.post(DIRECTORIES, json={"name": name, **options})
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def put(client: httpx.AsyncClient, directory_id: str, text: str, name: str = "a.txt", **fields: Any) -> Any:
    """Upload a text into a directory; its record."""
    files = {"upload_file": (name, text.encode())}
    response = await client.post(f"{DIRECTORIES}/{directory_id}/files/upload", data=fields, files=files)
    assert response.status_code == 200, response.text
    return response.json()


async def index_over(client: httpx.AsyncClient, directory_id: str, **options: Any) -> str:
    """Create an index; its id."""
    response = await client.post(INDEXES, json={"source_directory_id": directory_id, **options})
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def settled(client: httpx.AsyncClient, index_id: str) -> Any:
    """Wait until no sync is running; the index."""
    deadline = time.monotonic() + 30
    while True:
        index = (await client.get(f"{INDEXES}/{index_id}", params={"expand": "sync_in_progress"})).json()
        if not index["sync_in_progress"]:
            return index
        assert time.monotonic() < deadline


async def names(client: httpx.AsyncClient, index_id: str) -> list[str]:
    """The names of the files that an index can read."""
    found = await client.post(f"{RETRIEVAL}/files/find", json={"index_id": index_id})
    return [file["file_name"] for file in found.json()["items"]]


def kept(data: Path) -> set[str]:
    """The ids of the contents on disk."""
    return {path.name for path in (data / "files").iterdir()}


async def test_an_ephemeral_directory_ends_at_its_time(tmp_path: Path) -> None:
    """Ensure a directory whose time is over is gone with its files, one that has time is not, and both are listed."""
    now = datetime.now(timezone.utc)
    async with local_client(tmp_path) as client:
        soon = await directory(client, type="ephemeral", expires_at=(now + timedelta(seconds=0.3)).isoformat())
        later = await directory(client, type="ephemeral", expires_at=(now + timedelta(days=2)).isoformat())
        await put(client, soon, "short-lived")
        lasting = await put(client, later, "lasting")
        await asyncio.sleep(max(0.0, 0.31 - (datetime.now(timezone.utc) - now).total_seconds()))
        assert (await client.get(f"{DIRECTORIES}/{soon}")).status_code == 404
        assert (await client.get(f"{DIRECTORIES}/{later}")).json()["expires_at"].startswith(str(now.year))
        listed = (await client.get(DIRECTORIES, params={"include_deleted": "true"})).json()["items"]
        assert [one["deleted_at"] is not None for one in listed] == [True, False]
        assert kept(tmp_path) == {lasting["file_id"]}


async def test_uploads_go_with_the_last_directory_that_has_them(tmp_path: Path) -> None:
    """Ensure an upload that came with a directory stays as long as anybody has it, and one of before stays anyway."""
    async with local_client(tmp_path) as client:
        one, other = await directory(client), await directory(client)
        own = await put(client, one, "shared")
        before = await upload_file(client, b"before")
        for target, file_id in ((one, before["id"]), (other, own["file_id"])):
            added = await client.post(f"{DIRECTORIES}/{target}/files", json={"file_id": file_id, "unique_id": "u"})
            assert added.status_code == 200, added.text
        await client.delete(f"{DIRECTORIES}/{one}")
        assert kept(tmp_path) == {own["file_id"], before["id"]}
        await client.delete(f"{DIRECTORIES}/{other}")
        assert kept(tmp_path) == {before["id"]}
        gone = await client.post(f"{DIRECTORIES}/{other}/files", json={"file_id": before["id"]})
        assert gone.status_code == 404


async def test_a_refused_upload_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ensure a file whose unique id is taken, or whose metadata is nested, is not kept."""
    async with local_client(tmp_path) as client:
        made = await directory(client)
        first = await put(client, made, "x", unique_id="u")
        path = f"{DIRECTORIES}/{made}/files/upload"
        for fields, status in (
            ({"unique_id": "u"}, 409),
            ({"metadata": json.dumps({"a": {"b": 1}})}, 422),
            ({"metadata": json.dumps({"a": [1]})}, 422),
            ({"metadata": "{"}, 422),
            ({"metadata": "[1]"}, 422),
        ):
            refused = await client.post(path, data=fields, files={"upload_file": ("b.txt", b"y")})
            assert refused.status_code == status, refused.text
        assert kept(tmp_path) == {first["file_id"]}
        listed = (await client.get("/api/v1/beta/files")).json()["items"]
        assert [file["id"] for file in listed] == [first["file_id"]]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (DIRECTORIES, {}, "name"),
        (DIRECTORIES, {"name": "x", "type": "index"}, "type"),
        (DIRECTORIES, {"name": "x", "expires_at": "soon"}, "expires_at"),
        (DIRECTORIES, {"name": "x", "connector_subscription_id": "s"}, "connector_subscription_id"),
        (INDEXES, {}, "source_directory_id"),
        (INDEXES, {"source_directory_id": "d", "sync_frequency": "hourly"}, "sync_frequency"),
        (INDEXES, {"source_directory_id": "d", "store_attachments": ["pages"]}, "store_attachments"),
        (INDEXES, {"source_directory_id": "d", "products": [{"product_type": "extract"}]}, "product_type"),
        (
            INDEXES,
            {"source_directory_id": "d", "products": [{"product_type": "parse", "product_config_id": "cfg-1"}]},
            "product_config_id",
        ),
        (f"{RETRIEVAL}/retrieve", {"query": "x"}, "index_id"),
    ],
)
async def test_bodies_that_mean_nothing_are_refused(path: str, body: dict[str, Any], field: str) -> None:
    """Ensure a wrong field is answered by 422 that names it."""
    async with local_client(None) as client:
        refused = await client.post(path, json=body)
        assert refused.status_code == 422, refused.text
        assert field in str(refused.json()["detail"][0]["loc"])


@pytest.mark.parametrize(
    "settings",
    [
        {"query": " "},
        {"top_k": 0},
        {"top_k": "many"},
        {"unknown": 1},
        {"custom_filters": {"a": {"operator": "like", "value": 1}}},
        {"custom_filters": {"a": {"operator": "in", "value": 1}}},
        {"static_filters": {"page": 1}},
        {"vector_pipeline_weight": 0, "full_text_pipeline_weight": 0},
    ],
)
async def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    """Ensure a wrong setting of a retrieval is answered by 422."""
    async with local_client(None) as client:
        index_id = await index_over(client, await directory(client))
        body = {"index_id": index_id, "query": "x", **settings}
        assert (await client.post(f"{RETRIEVAL}/retrieve", json=body)).status_code == 422


async def test_an_empty_directory_makes_an_empty_index() -> None:
    """Ensure an index over nothing is ready at once, and answers nothing."""
    async with local_client(None) as client:
        index = await settled(client, await index_over(client, await directory(client, "empty")))
        assert (index["name"], index["metadata"]["status"]) == ("empty", "ready")
        answer = await client.post(f"{RETRIEVAL}/retrieve", json={"index_id": index["id"], "query": "x"})
        assert answer.json() == {"results": []}
        assert await names(client, index["id"]) == []


async def test_a_sync_can_be_cancelled_and_taken_up_again() -> None:
    """Ensure a cancelled sync ends, says so, and the next one does the rest."""
    async with local_client(None) as client:
        made = await directory(client)
        for number in range(4):
            await put(client, made, "SLEEP 30" if number == 0 else f"text {number}", f"{number}.txt")
        index_id = await index_over(client, made)
        running = (await client.get(f"{INDEXES}/{index_id}", params={"expand": "sync_in_progress"})).json()
        assert (running["sync_in_progress"], running["metadata"]["status"]) == (True, "syncing")
        assert running["last_synced_at"] is None
        assert (await client.post(f"{INDEXES}/{index_id}/sync/cancel")).status_code < 300
        assert (await settled(client, index_id))["metadata"]["status"] == "cancelled"
        slow = (await client.get(f"{DIRECTORIES}/{made}/files", params={"display_name": "0.txt"})).json()["items"][0]
        await client.delete(f"{DIRECTORIES}/{made}/files/{slow['id']}")
        assert (await client.post(f"{INDEXES}/{index_id}/sync")).status_code < 300
        index = await settled(client, index_id)
        assert (index["metadata"]["status"], sorted(await names(client, index_id))) == (
            "ready",
            ["1.txt", "2.txt", "3.txt"],
        )


async def test_a_failed_file_is_told_of_and_tried_again() -> None:
    """Ensure an index is ready with a file in it that failed, failed if all have, and tries again at each sync."""
    async with local_client(None) as client:
        made = await directory(client)
        bad = await put(client, made, "FAIL PDF_IS_BROKEN", "bad.pdf")
        index_id = await index_over(client, made)
        index = await settled(client, index_id)
        assert index["metadata"]["status"] == "failed"
        assert "bad.pdf: PDF_IS_BROKEN" in index["metadata"]["error_message"]
        await put(client, made, "good", "good.txt")
        await client.post(f"{INDEXES}/{index_id}/sync")
        index = await settled(client, index_id)
        assert index["metadata"]["status"] == "ready"
        assert [one["file_name"] for one in index["metadata"]["failed_files"]] == ["bad.pdf"]
        assert await names(client, index_id) == ["good.txt"]
        await client.delete(f"{DIRECTORIES}/{made}/files/{bad['id']}")
        await client.post(f"{INDEXES}/{index_id}/sync")
        assert (await settled(client, index_id))["metadata"]["failed_files"] == []


async def test_an_index_that_follows_by_itself() -> None:
    """Ensure `on_source_change` brings uploads, moves and deletions into the index without a sync being asked for."""
    async with local_client(None) as client:
        made, other = await directory(client), await directory(client)
        index_id = await index_over(client, made, sync_frequency="on_source_change")
        file = await put(client, made, "one", "one.txt")
        await put(client, made, "two", "two.txt")
        await settled(client, index_id)
        assert await names(client, index_id) == ["one.txt", "two.txt"]
        path = f"{DIRECTORIES}/{made}/files/{file['id']}"
        assert (await client.patch(path, json={"target_directory_id": other})).status_code == 200
        await settled(client, index_id)
        assert await names(client, index_id) == ["two.txt"]


async def test_a_renamed_file_is_another_file() -> None:
    """Ensure an index shows a file under its new name, and unique ids may be exchanged."""
    async with local_client(None) as client:
        made = await directory(client)
        one, two = await put(client, made, "one", "one.txt"), await put(client, made, "two", "two.txt")
        index_id = await index_over(client, made)
        await settled(client, index_id)
        for file, unique_id in ((one, "free"), (two, "one.txt"), (one, "two.txt")):
            path = f"{DIRECTORIES}/{made}/files/{file['id']}"
            assert (await client.patch(path, json={"unique_id": unique_id})).status_code == 200
        path = f"{DIRECTORIES}/{made}/files/{one['id']}"
        assert (await client.patch(path, json={"unique_id": "one.txt"})).status_code == 409
        await client.patch(path, json={"display_name": "uno.txt"})
        await client.post(f"{INDEXES}/{index_id}/sync")
        await settled(client, index_id)
        assert sorted(await names(client, index_id)) == ["two.txt", "uno.txt"]


async def test_an_index_survives_a_restart_in_the_middle(tmp_path: Path) -> None:
    """Ensure a data folder that is closed while it syncs goes on where it was, and is still searched the same way."""
    async with local_client(tmp_path) as client:
        made = await directory(client)
        for number in range(3):
            await put(client, made, f"SLEEP 0.05\fwombat {number}", f"{number}.txt")
        index_id = await index_over(client, made)
    async with local_client(tmp_path) as client:
        index = await settled(client, index_id)
        assert index["metadata"]["file_counts"] == {"SUCCESS": 3}
        assert len(await names(client, index_id)) == 3


async def test_vectors_can_be_left_out() -> None:
    """Ensure an index without vectors is not searched, and its files are read all the same."""
    async with local_client(None) as client:
        made = await directory(client)
        await put(client, made, "text")
        index_id = await index_over(client, made, vector_target="DISABLED")
        await settled(client, index_id)
        refused = await client.post(f"{RETRIEVAL}/retrieve", json={"index_id": index_id, "query": "x"})
        assert (refused.status_code, "DISABLED" in refused.text) == (400, True)
        assert await names(client, index_id) == ["a.txt"]


async def test_what_belongs_to_an_index_goes_with_it(tmp_path: Path) -> None:
    """Ensure deleting an index removes its contents, its directory and its pipeline, and nothing of the source."""
    async with local_client(tmp_path) as client:
        made = await directory(client)
        file = await put(client, made, "text")
        index_id = await index_over(client, made)
        index = await settled(client, index_id)
        assert len(kept(tmp_path)) == 2
        assert (await client.delete(f"{DIRECTORIES}/{index['output_directory_id']}")).status_code == 400
        assert (await client.delete(f"{INDEXES}/{index_id}")).status_code == 204
        assert kept(tmp_path) == {file["file_id"]}
        assert (await client.get(f"{DIRECTORIES}/{index['output_directory_id']}")).status_code == 404
        assert (await client.delete(f"{INDEXES}/{index_id}")).status_code == 404
        await index_over(client, made)


async def test_attachments_of_what_has_none() -> None:
    """Ensure an index without attachments lists none, and a file that does not exist is 404."""
    async with local_client(None) as client:
        made = await directory(client)
        file = await put(client, made, "text")
        await settled(client, await index_over(client, made))
        path = "/api/v1/beta/attachments"
        assert (await client.get(path, params={"source_id": file["id"]})).json()["items"] == []
        assert (await client.get(path, params={"source_id": "dfl-0"})).status_code == 404
        assert (await client.get(path)).status_code == 422
        assert (await client.get(f"{path}/screenshots/page_1.jpg", params={"source_id": file["id"]})).status_code == 404


def test_a_pattern_that_backtracks_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a catastrophic pattern is stopped, while other threads go on."""
    monkeypatch.setattr("llama_cloud_ext.local.file_grep.MOST_SECONDS", 0.1)
    started = time.monotonic()
    with pytest.raises(PatternError, match="make it simpler"):
        find_matches("Wombats dig burrows with their claws. " * 3, r"(.|..|...)+[QZ]", start=0, limit=1, context=0)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^b", [(2, 3)]),
        (r"\n", [(1, 2)]),
        ("(?i)B", [(2, 3)]),
        ("x*", []),
        ("ü", [(3, 4)]),
        (".", [(0, 1), (2, 3), (3, 4)]),
    ],
)
def test_what_patterns_mean(pattern: str, expected: list[tuple[int, int]]) -> None:
    """Ensure lines, cases, empty matches and places in characters are those of a grep."""
    matches = find_matches("a\nbü", pattern, start=0, limit=9, context=0)
    assert [(match.start, match.end) for match in matches] == expected
