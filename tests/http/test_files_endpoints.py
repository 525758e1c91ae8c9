"""The requests of the files' and projects' endpoints, as they leave for the service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.wire import files, projects
from llama_cloud_ext.wire.recovery import new_tag
from llama_cloud_ext.wire.sources import resolve_source
from tests.http.test_parse_endpoints import HOST, SCOPE, call, query

FILE = {"id": "dfl-1", "name": "report.pdf", "project_id": "prj-1"}


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, [(b"purpose", b"parse")]),
        (
            {"purpose": "extract", "external_file_id": "ext-1"},
            [(b"purpose", b"extract"), (b"external_file_id", b"ext-1")],
        ),
        ({"external_file_id": ""}, [(b"purpose", b"parse"), (b"external_file_id", b"")]),
    ],
)
def test_upload(service: respx.Router, options: dict[str, Any], fields: list[tuple[bytes, bytes]]) -> None:
    """Ensure an upload carries its fields before the file, and the scope in the query."""
    route = service.post("/api/v1/beta/files").respond(json=FILE)
    source = resolve_source(b"a,b\n1,2\n", extra_info={"file_name": "table.csv"})
    assert call(files.upload, source, **options) == FILE
    request = route.calls.last.request
    assert re.findall(rb'name="(\w+)"\r\n\r\n(.*?)\r\n', request.content) == fields
    assert b'name="file"; filename="table.csv"' in request.content
    assert query(request) == SCOPE


def test_a_lost_upload_is_looked_up(service: respx.Router) -> None:
    """Ensure the recovery that a caller gives is asked before a file is sent twice."""
    route = service.post("/api/v1/beta/files").mock(side_effect=httpx.ReadError("reset"))

    async def recover() -> dict[str, Any]:
        return FILE

    assert call(files.upload, resolve_source(b"x", extra_info={"file_name": "x.txt"}), recover=recover) == FILE
    assert route.call_count == 1


def test_get(service: respx.Router) -> None:
    """Ensure a file's record is asked for by its encoded id, with the parts to add repeated."""
    route = service.get("/api/v1/beta/files/dfl-1").respond(json=FILE)
    assert call(files.get, "dfl-1", expand=["a", "b"]) == FILE
    assert query(route.calls.last.request) == [("expand", "a"), ("expand", "b"), *SCOPE]


def test_an_upload_that_gets_anothers_answer_is_looked_up(service: respx.Router) -> None:
    """Ensure a job is never created on another file."""
    service.post("/api/v1/beta/files").respond(json={**FILE, "id": "dfl-2", "external_file_id": new_tag()})

    async def found() -> Any:
        return FILE

    source = resolve_source(b"text", extra_info={"file_name": "a.txt"})
    assert call(files.upload, source, external_file_id=new_tag(), recover=found) == FILE


def test_list(service: respx.Router) -> None:
    """Ensure all filters travel, ids with repeated keys, over all pages."""
    route = service.get("/api/v1/beta/files").mock(
        side_effect=[
            httpx.Response(200, json={"items": [{"id": "a"}], "next_page_token": "t"}),
            httpx.Response(200, json={"items": [{"id": "b"}]}),
        ]
    )
    found = call(
        files.list_files,
        file_ids=["a", "b"],
        file_name="x.pdf",
        external_file_id="ext",
        order_by="name",
        page_size=1,
        expand=["more"],
    )
    assert [file["id"] for file in found] == ["a", "b"]
    assert sorted(query(route.calls.last.request)) == sorted(
        [
            ("expand", "more"),
            ("external_file_id", "ext"),
            ("file_ids", "a"),
            ("file_ids", "b"),
            ("file_name", "x.pdf"),
            ("order_by", "name"),
            ("page_size", "1"),
            ("page_token", "t"),
            *SCOPE,
        ]
    )


def test_list_by_no_ids_asks_nothing() -> None:
    """Ensure an empty list of ids is no list of all files."""
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        anything = router.route().respond(json={"items": [{"id": "other"}]})
        assert call(files.list_files, file_ids=[]) == []
    assert not anything.called


def test_query(service: respx.Router) -> None:
    """Ensure a query sends what was set alone, and is repeated freely because it creates nothing."""
    route = service.post("/api/v1/beta/files/query").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json={"items": [FILE]})]
    )
    found = call(files.query, {"file_name": "x.pdf", "only_manually_uploaded": False}, page_size=2)
    assert found == {"items": [FILE]}
    assert json.loads(route.calls.last.request.content) == {
        "filter": {"file_name": "x.pdf", "only_manually_uploaded": False},
        "page_size": 2,
    }
    assert query(route.calls.last.request) == SCOPE


def test_delete(service: respx.Router) -> None:
    """Ensure deleting needs no answer, also when the first one was lost."""
    route = service.delete("/api/v1/beta/files/dfl-1").mock(
        side_effect=[httpx.Response(204), httpx.ReadError("reset"), httpx.Response(404, json={"detail": "gone"})]
    )
    assert call(files.delete, "dfl-1") is None
    assert call(files.delete, "dfl-1") is None
    assert route.call_count == 3


@pytest.mark.parametrize(("options", "extra"), [({}, []), ({"expires_at_seconds": 60}, [("expires_at_seconds", "60")])])
def test_content(service: respx.Router, options: dict[str, Any], extra: list[tuple[str, str]]) -> None:
    """Ensure the address of a file's content is asked for, for as long as the caller wants it to work."""
    where = {"url": "https://storage.test/x", "expires_at": "2026-10-16T08:00:00Z"}
    route = service.get("/api/v1/beta/files/dfl-1/content").respond(json=where)
    assert call(files.content, "dfl-1", **options) == where
    assert query(route.calls.last.request) == [*extra, *SCOPE]


def test_projects(service: respx.Router) -> None:
    """Ensure projects are listed within the organization, by name if wanted, without a project to narrow them."""
    route = service.get("/api/v1/projects").respond(json=[{"id": "prj-1", "name": "Default"}, "junk"])
    assert call(projects.list_projects, project_name="Default") == [{"id": "prj-1", "name": "Default"}]
    assert query(route.calls.last.request) == [("organization_id", "org-1"), ("project_name", "Default")]


def test_project(service: respx.Router) -> None:
    """Ensure one project is asked for by its encoded id."""
    route = service.get(path__regex=r"^/api/v1/projects/").respond(json={"id": "p/1"})
    assert call(projects.get, "p/1") == {"id": "p/1"}
    assert route.calls.last.request.url.raw_path == b"/api/v1/projects/p%2F1?organization_id=org-1"
