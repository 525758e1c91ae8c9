"""`/api/v1/beta/files` on local LlamaCloud."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.local.clients import FILES, local_client, upload_file


async def test_upload_get_content_delete(tmp_path: Path) -> None:
    """Ensure a file can be uploaded, looked at, downloaded and deleted."""
    async with local_client(tmp_path) as client:
        record = await upload_file(client, b"%PDF-1", "Report.PDF", external_file_id="mine")
        assert uuid.UUID(record["id"])
        assert (record["name"], record["file_type"], record["external_file_id"]) == ("Report.PDF", "pdf", "mine")
        assert (await client.get(f"{FILES}/{record['id']}")).json() == record
        presigned = (await client.get(f"{FILES}/{record['id']}/content")).json()
        assert (await client.get(presigned["url"])).content == b"%PDF-1"
        deleted = await client.delete(f"{FILES}/{record['id']}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        for method, path in [("GET", ""), ("GET", "/content"), ("DELETE", "")]:
            gone = await client.request(method, f"{FILES}/{record['id']}{path}")
            assert (gone.status_code, gone.json()) == (404, {"detail": "File not found"})
        assert (await client.get(presigned["url"])).status_code == 404


async def test_refusals_have_the_messages_of_the_error_reference(tmp_path: Path) -> None:
    """Ensure bad uploads are refused with the service's own statuses and messages, and leave nothing behind."""
    boundary = {"content-type": "multipart/form-data; boundary=b"}
    nameless = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"files": {"file": ("a.txt", b"")}}, 400, "Uploaded file is empty."),
        ({"content": nameless, "headers": boundary}, 400, "File must have a filename."),
        ({"files": {"other": ("a.txt", b"x")}}, 400, "file field is required for multipart requests."),
        ({"json": {}}, 400, "file field is required for multipart requests."),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "Missing boundary in multipart."),
        ({"content": b"--b\r\nno header", "headers": boundary}, 400, "There was an error parsing the body"),
        ({"files": {"file": ("n" * 300, b"x")}}, 400, "File name exceeds the maximum length of 255 characters"),
    ]
    async with local_client(tmp_path) as client:
        for request, status, detail in cases:
            response = await client.post(FILES, **request)
            assert response.status_code == status
            assert response.json()["detail"].startswith(detail)
        assert list((tmp_path / "incoming").iterdir()) == list((tmp_path / "files").iterdir()) == []


async def test_purpose_is_checked(tmp_path: Path) -> None:
    """Ensure a missing or unknown purpose is a structured 422."""
    async with local_client(tmp_path) as client:
        for data in ({}, {"purpose": "fun"}):
            response = await client.post(FILES, data=data, files={"file": ("a.txt", b"x")})
            assert response.status_code == 422
            assert response.json()["detail"][0]["loc"] == ["body", "purpose"]


async def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a file beyond the limit is a 413, whether its length was announced or not."""
    monkeypatch.setattr("llama_cloud_ext.local.uploads.LARGEST_FILE", 2**20)
    monkeypatch.setattr("llama_cloud_ext.local.uploads.LARGEST_FIELD", 2**10)
    async with local_client(tmp_path) as client:
        for extra in (1, 2**20):
            response = await client.post(FILES, files={"file": ("a.txt", bytes(2**20 + extra))})
            assert response.status_code == 413
        assert list((tmp_path / "incoming").iterdir()) == []


async def test_names_are_never_paths(tmp_path: Path) -> None:
    """Ensure a hostile file name stays a display name: content is stored under an id."""
    async with local_client(tmp_path / "data") as client:
        for name in ("../../evil.txt", "..\\..\\evil.txt", "/etc/evil.txt"):
            record = await upload_file(client, name=name)
            assert record["name"] == "evil.txt"
            assert (tmp_path / "data" / "files" / record["id"]).read_bytes() == b"hello"
    assert "evil.txt" not in [name for _, _, names in os.walk(tmp_path) for name in names]


async def test_unicode_and_quotes_in_names_survive(tmp_path: Path) -> None:
    """Ensure names come back as they were sent."""
    async with local_client(tmp_path) as client:
        for name in ("naïve — 报告.pdf", 'a "quoted" name.txt'):
            assert (await upload_file(client, name=name))["name"] == name


async def test_list_filters(tmp_path: Path) -> None:
    """Ensure the list can be filtered by external id, ids and name."""
    async with local_client(tmp_path) as client:
        first, second, third = [
            await upload_file(client, name=name, external_file_id=external)
            for name, external in [("a.txt", "x"), ("b.txt", "y"), ("a.txt", "y")]
        ]
        for query, expected in [
            ({"external_file_id": "y"}, [third, second]),
            ({"file_name": "a.txt"}, [third, first]),
            ({"file_ids": [first["id"], second["id"]]}, [second, first]),
            ({"file_ids": f"{first['id']},{second['id']}"}, [second, first]),
            ({"file_name": "none"}, []),
        ]:
            page = (await client.get(FILES, params=query)).json()
            assert page["items"] == expected
            assert page["total_size"] == len(expected)
            assert page["next_page_token"] is None


@pytest.mark.parametrize("order", ["name", "id", "created_at"])
async def test_pages_stay_complete_while_files_are_deleted(tmp_path: Path, order: str) -> None:
    """Ensure paging in every order meets each file once, even when each is deleted as it is met."""
    async with local_client(tmp_path) as client:
        records = [await upload_file(client, name=f"{number % 3}.txt") for number in range(7)]
        met: list[dict[str, Any]] = []
        token = None
        while True:
            query = {"order_by": order, "page_size": 2, **({"page_token": token} if token else {})}
            page = (await client.get(FILES, params=query)).json()
            met += page["items"]
            for item in page["items"]:
                await client.delete(f"{FILES}/{item['id']}")
            if (token := page["next_page_token"]) is None:
                break
        assert sorted(item["id"] for item in met) == sorted(record["id"] for record in records)
        if order != "created_at":
            assert [item[order] for item in met] == sorted(item[order] for item in met)
        else:
            assert met == records[::-1]


async def test_list_refuses_bad_queries(tmp_path: Path) -> None:
    """Ensure unknown orders, expand values, page sizes and tokens are structured 422s."""
    async with local_client(tmp_path) as client:
        for query in (
            {"order_by": "size"},
            {"order_by": "name desc"},
            {"expand": "everything"},
            {"page_size": "0"},
            {"page_size": "1001"},
            {"page_size": "many"},
            {"page_token": "nonsense"},
        ):
            response = await client.get(FILES, params=query)
            assert response.status_code == 422
            assert {"type", "loc", "msg", "input"} == response.json()["detail"][0].keys()


async def test_expand_download_url(tmp_path: Path) -> None:
    """Ensure `expand=download_url` gives each file a working presigned URL."""
    async with local_client(tmp_path) as client:
        record = await upload_file(client, b"content")
        for url, found in ((FILES, "items"), (f"{FILES}/{record['id']}", None)):
            answer = (await client.get(url, params={"expand": "download_url"})).json()
            item = answer["items"][0] if found else answer
            assert (await client.get(item["download_url"]["url"])).content == b"content"


async def test_query_endpoint(tmp_path: Path) -> None:
    """Ensure the deprecated query filters, orders by several fields, and coerces large pages."""
    async with local_client(tmp_path) as client:
        records = [await upload_file(client, name=name) for name in ("b.txt", "a.txt", "b.txt")]

        async def query(**body: Any) -> Any:
            response = await client.post(f"{FILES}/query", json=body)
            assert response.status_code == 200, response.text
            return response.json()

        ordered = await query(order_by="name desc, created_at", page_size=5000)
        assert ordered["items"] == [records[0], records[2], records[1]]
        assert (await query(filter={"file_name": "a.txt"}))["items"] == [records[1]]
        assert (await query(filter={"data_source_id": "some"}))["items"] == []
        first = await query(order_by="name", page_size=1)
        rest = await query(order_by="name", page_token=first["next_page_token"])
        assert first["items"] + rest["items"] == [records[1], records[0], records[2]]
        assert (await client.post(f"{FILES}/query", json={"order_by": "size"})).status_code == 422
        assert (await client.post(f"{FILES}/query", content=b"[1]")).status_code == 422


async def test_other_projects_are_not_found(tmp_path: Path) -> None:
    """Ensure a foreign project or organization is a 404 that names the one that exists."""
    async with local_client(tmp_path) as client:
        project = (await client.get("/api/v1/projects")).json()[0]
        known = {"project_id": project["id"], "organization_id": project["organization_id"]}
        assert (await client.get(FILES, params=known)).status_code == 200
        for name, value in known.items():
            response = await client.get(FILES, params={name: str(uuid.uuid4())})
            assert response.status_code == 404
            assert value in response.json()["detail"]


async def test_projects(tmp_path: Path) -> None:
    """Ensure the default project is listed, found by name whatever its case, and stays the same over restarts."""
    async with local_client(tmp_path) as client:
        project = (await client.get("/api/v1/projects", params={"project_name": "default"})).json()[0]
        assert (project["name"], project["is_default"]) == ("Default", True)
        assert (await client.get("/api/v1/projects", params={"project_name": "other"})).json() == []
        assert (await client.get("/api/v2/projects", params={"name": "DEFAULT"})).json()["items"] == [project]
        for version in ("v1", "v2"):
            assert (await client.get(f"/api/{version}/projects/{project['id']}")).json() == project
            assert (await client.get(f"/api/{version}/projects/none")).status_code == 404
    async with local_client(tmp_path) as client:
        assert (await client.get("/api/v1/projects")).json() == [project]


async def test_unknown_routes_and_methods(tmp_path: Path) -> None:
    """Ensure unknown paths are 404 {"detail": "Not Found"}, and wrong methods 405."""
    async with local_client(tmp_path) as client:
        response = await client.get("/api/v9/nothing")
        assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
        assert (await client.put(FILES)).status_code == 405


async def test_api_key(tmp_path: Path) -> None:
    """Ensure a required key is required of everything but presigned downloads."""
    async with local_client(tmp_path, api_key="llx-right") as client:
        assert (await client.get(FILES)).status_code == 401
        assert (await client.get(FILES, headers={"Authorization": "Bearer llx-wrong"})).status_code == 401
        client.headers["Authorization"] = "Bearer llx-right"
        record = await upload_file(client, b"content")
        url = (await client.get(f"{FILES}/{record['id']}/content")).json()["url"]
        del client.headers["Authorization"]
        assert (await client.get(url)).content == b"content"


async def test_many_uploads_at_once(tmp_path: Path) -> None:
    """Ensure concurrent uploads all arrive whole."""
    async with local_client(tmp_path) as client:
        contents = [bytes([number]) * 100_000 for number in range(20)]
        records = await asyncio.gather(*(upload_file(client, content) for content in contents))
        for record, content in zip(records, contents, strict=True):
            assert (tmp_path / "files" / record["id"]).read_bytes() == content


async def test_expiry_can_be_chosen(tmp_path: Path) -> None:
    """Ensure `expires_at_seconds` is a duration when small, a moment when large, and never more than a week."""
    async with local_client(tmp_path) as client:
        record = await upload_file(client)

        async def expires(seconds: int) -> float:
            params = {"expires_at_seconds": seconds}
            url = (await client.get(f"{FILES}/{record['id']}/content", params=params)).json()["url"]
            return float(url.partition("expires=")[2].partition("&")[0])

        now = time.time()
        assert abs(await expires(60) - now - 60) < 5
        assert await expires(int(now) + 500) == int(now) + 500
        assert abs(await expires(300_000_000) - now - 7 * 24 * 3600) < 5
