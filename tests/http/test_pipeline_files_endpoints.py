"""The requests of the endpoints of a pipeline's files and their metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import ConfigurationError, PayloadTooLargeError
from llama_cloud_ext.wire import pipeline_files as files
from llama_cloud_ext.wire.sources import resolve_source
from tests.http.test_parse_endpoints import HOST, call, query

PATH = "/api/v1/pipelines/p-1/files"
PROJECT = [("project_id", "prj-1")]
FILE = {"id": "pf-1", "file_id": "f-1", "name": "a.pdf", "status": "SUCCESS"}


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


def test_add(service: respx.Router) -> None:
    """Ensure files are added by their ids with their metadata, and again after a fault, as that adds nothing twice."""
    route = service.put(PATH).mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(503), httpx.Response(200, json=[FILE, "junk"])]
    )
    given = ({"file_id": "f-1", "custom_metadata": {"year": 0, "none": None}}, {"file_id": "f-2"})
    assert call(files.add, "p-1", given) == [FILE]
    assert [json.loads(made.request.content) for made in route.calls] == [list(given)] * 3
    assert query(route.calls.last.request) == PROJECT


@pytest.mark.parametrize("metadata", [{"team": "a", "none": None}, {}, None])
def test_update(service: respx.Router, metadata: dict[str, Any] | None) -> None:
    """Ensure new metadata replaces the old, and None takes it away."""
    route = service.put(f"{PATH}/f-1").respond(json=FILE)
    assert call(files.update, "p-1", "f-1", metadata) == FILE
    assert json.loads(route.calls.last.request.content) == {"custom_metadata": metadata}


def listed(total: int) -> Any:
    """A list of so many files that heeds offset and limit."""

    def answer(request: httpx.Request) -> httpx.Response:
        offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        found = [{"id": f"f-{number}"} for number in range(offset, min(total, offset + limit))]
        return httpx.Response(200, json={"files": found, "total_count": total, "offset": offset, "limit": limit})

    return answer


@pytest.mark.parametrize(("total", "page_size", "requests"), [(0, 3, 1), (2, 3, 1), (3, 3, 1), (7, 3, 3), (7, 1, 7)])
def test_list(service: respx.Router, total: int, page_size: int, requests: int) -> None:
    """Ensure all files come, once each and in order, and no request is made beyond the last."""
    route = service.get("/api/v1/pipelines/p-1/files2").mock(side_effect=listed(total))
    found = call(files.list_files, "p-1", page_size=page_size)
    assert [file["id"] for file in found] == [f"f-{number}" for number in range(total)]
    assert route.call_count == requests


def test_list_filters(service: respx.Router) -> None:
    """Ensure filters travel with every page: states with a repeated key, False among the rest."""
    route = service.get("/api/v1/pipelines/p-1/files2").mock(side_effect=listed(2))
    call(
        files.list_files,
        "p-1",
        statuses=["ERROR", "CANCELLED"],
        file_name_contains="a & b",
        only_manually_uploaded=False,
        data_source_id="s",
        order_by="name desc",
        page_size=1,
    )
    assert [query(made.request) for made in route.calls] == [
        [
            ("statuses", "ERROR"),
            ("statuses", "CANCELLED"),
            ("file_name_contains", "a & b"),
            ("only_manually_uploaded", "false"),
            ("data_source_id", "s"),
            ("order_by", "name desc"),
            ("offset", offset),
            ("limit", "1"),
            *PROJECT,
        ]
        for offset in ("0", "1")
    ]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ({"files": [FILE]}, 1),
        ({"files": [FILE], "total_count": 5}, 1),
        ({"files": [{"name": "no id"}], "total_count": -1}, 1),
        ([FILE, 7], 1),
        ({"files": [None, 7]}, 0),
        ({"files": FILE}, 0),
        (None, 0),
    ],
)
def test_lists_that_misbehave_end(service: respx.Router, page: Any, found: int) -> None:
    """Ensure a list that never moves on, or is none, is soon left."""
    route = service.get("/api/v1/pipelines/p-1/files2").respond(json=page)
    assert len(call(files.list_files, "p-1")) == found
    assert route.call_count <= 2


@pytest.mark.parametrize(("function", "suffix"), [(files.status, "/status")])
def test_status(service: respx.Router, function: Any, suffix: str) -> None:
    """Ensure both ids are encoded, and a lost answer is asked for again."""
    route = service.get(url__startswith=f"{HOST}/api/v1/pipelines/").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json={"status": "SUCCESS"})]
    )
    assert call(function, "p/1", "f 1") == {"status": "SUCCESS"}
    assert (
        route.calls.last.request.url.raw_path
        == f"/api/v1/pipelines/p%2F1/files/f%201{suffix}?project_id=prj-1".encode()
    )


def test_delete(service: respx.Router) -> None:
    """Ensure a delete whose answer was lost is no error when the file is gone by then."""
    route = service.delete(f"{PATH}/f-1").mock(side_effect=[httpx.ReadError("reset"), httpx.Response(404)])
    assert call(files.delete, "p-1", "f-1") is None
    assert query(route.calls.last.request) == PROJECT


def test_status_counts(service: respx.Router) -> None:
    """Ensure counts are asked for with what narrows them."""
    counts = {"counts": {"SUCCESS": 2}, "total_count": 2}
    route = service.get(f"{PATH}/status-counts").respond(json=counts)
    assert call(files.status_counts, "p-1") == counts
    assert query(route.calls.last.request) == PROJECT
    call(files.status_counts, "p-1", data_source_id="s", only_manually_uploaded=False)
    assert query(route.calls.last.request) == [
        ("data_source_id", "s"),
        ("only_manually_uploaded", "false"),
        *PROJECT,
    ]


def test_metadata_table(service: respx.Router) -> None:
    """Ensure a table is uploaded as a file, whole again after a fault."""
    route = service.put("/api/v1/pipelines/p-1/metadata").mock(
        side_effect=[httpx.Response(502), httpx.Response(200, json={"files": "2"})]
    )
    table = resolve_source(b"file_name,team\na.pdf,x\n", extra_info={"file_name": "meta.csv"})
    assert call(files.import_metadata, "p-1", table) == {"files": "2"}
    assert route.call_count == 2
    for made in route.calls:
        content = made.request.content
        assert re.search(
            rb'name="upload_file"; filename="meta.csv"\r\n.*?\r\n\r\nfile_name,team\na.pdf,x\n\r\n', content, re.DOTALL
        )
    assert query(route.calls.last.request) == PROJECT


def test_metadata_table_that_is_too_large(service: respx.Router) -> None:
    """Ensure a refusal is final and says so."""
    service.put("/api/v1/pipelines/p-1/metadata").respond(413, json={"detail": "too large"})
    table = resolve_source(b"x", extra_info={"file_name": "meta.csv"})
    with pytest.raises(PayloadTooLargeError, match="too large"):
        call(files.import_metadata, "p-1", table)


def test_taking_metadata_back(service: respx.Router) -> None:
    """Ensure the metadata of all files is taken back with one request."""
    route = service.delete("/api/v1/pipelines/p-1/metadata").respond(204)
    assert call(files.delete_metadata, "p-1") is None
    assert query(route.calls.last.request) == PROJECT


@pytest.mark.parametrize("file_id", ["", ".", None])
def test_what_cannot_be_an_id(file_id: Any) -> None:
    """Ensure an id that would address all files is refused before anything is sent."""
    for function, arguments in ((files.delete, []), (files.status, []), (files.update, [{}])):
        with pytest.raises(ConfigurationError, match="is not an id"):
            call(function, "p-1", file_id, *arguments)
