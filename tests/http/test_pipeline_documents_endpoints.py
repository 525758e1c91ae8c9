"""The requests of the documents' endpoints, lists that misbehave, and creates whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import BadRequestError, ConfigurationError
from llama_cloud_ext.wire import pipeline_documents as documents
from tests.http.test_parse_endpoints import HOST, call, query

PATH = "/api/v1/pipelines/p-1/documents"
PROJECT = [("project_id", "prj-1")]
DOCUMENT: dict[str, Any] = {
    "id": "a/b c",
    "text": "Wörter",
    "metadata": {"year": 2024, "none": None},
    "excluded_embed_metadata_keys": [],
    "excluded_llm_metadata_keys": ["year"],
}
ENCODED = f"{HOST}{PATH}/a%2Fb%20c"


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


@pytest.mark.parametrize(("function", "method"), [(documents.create, "POST"), (documents.upsert, "PUT")])
def test_adding(service: respx.Router, function: Any, method: str) -> None:
    """Ensure documents leave as they are, as one list, and come back without what is none."""
    route = service.request(method, PATH).respond(json=[DOCUMENT, None, "junk"])
    assert call(function, "p-1", (DOCUMENT,)) == [DOCUMENT]
    assert json.loads(route.calls.last.request.content) == [DOCUMENT]
    assert query(route.calls.last.request) == PROJECT


@pytest.mark.parametrize(
    "lost", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), httpx.Response(200), httpx.Response(200, json=[])]
)
def test_a_lost_create_is_repeated_as_an_upsert(service: respx.Router, lost: Any) -> None:
    """Ensure documents whose answer was lost are never posted twice: they are put by their own ids."""
    created = service.post(PATH).mock(side_effect=[lost])
    replaced = service.put(PATH).respond(json=[DOCUMENT])
    assert call(documents.create, "p-1", [DOCUMENT]) == [DOCUMENT]
    assert (created.call_count, replaced.call_count) == (1, 1)
    assert json.loads(replaced.calls.last.request.content) == [DOCUMENT]
    assert query(replaced.calls.last.request) == PROJECT


def test_a_create_that_was_not_sent_is_repeated_as_it_is(service: respx.Router) -> None:
    """Ensure a create that cannot have arrived is simply sent again."""
    created = service.post(PATH).mock(
        side_effect=[httpx.ConnectError("refused"), httpx.Response(429), httpx.Response(200, json=[DOCUMENT])]
    )
    assert call(documents.create, "p-1", [DOCUMENT]) == [DOCUMENT]
    assert created.call_count == 3


def test_an_upsert_is_repeated(service: respx.Router) -> None:
    """Ensure an upsert, which may be sent twice, is sent again after a fault."""
    route = service.put(PATH).mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(500), httpx.Response(200, json=[DOCUMENT])]
    )
    assert call(documents.upsert, "p-1", [DOCUMENT]) == [DOCUMENT]
    assert route.call_count == 3


def test_a_refusal_is_final(service: respx.Router) -> None:
    """Ensure a document that the service refuses is sent once, and the reason arrives."""
    route = service.post(PATH).respond(400, json={"detail": "metadata is too large"})
    with pytest.raises(BadRequestError, match="metadata is too large"):
        call(documents.create, "p-1", [DOCUMENT])
    assert route.call_count == 1


def test_text_that_is_no_json_is_refused_before_it_leaves() -> None:
    """Ensure metadata that JSON cannot hold is an error that says so."""
    with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
        call(documents.create, "p-1", [{**DOCUMENT, "metadata": {"x": float("nan")}}])


def pages_of(total: int, *, total_count: int | None) -> Any:
    """A list endpoint with so many documents, of which it gives at most three at a time."""

    def answer(request: httpx.Request) -> httpx.Response:
        skip, limit = int(request.url.params["skip"]), int(request.url.params["limit"])
        found = [{"id": f"d-{number}"} for number in range(skip, min(total, skip + min(limit, 3)))]
        told = {} if total_count is None else {"total_count": total_count}
        return httpx.Response(200, json={"documents": found, "limit": limit, "offset": skip, **told})

    return answer


@pytest.mark.parametrize(
    ("total", "page_size", "told", "requests"),
    [(0, 2, True, 1), (0, 2, False, 1), (6, 2, True, 3), (6, 2, False, 4), (7, 100, True, 3), (7, 100, False, 4)],
)
def test_list(service: respx.Router, total: int, page_size: int, told: bool, requests: int) -> None:
    """Ensure all documents come, once each and in order, also where the service gives fewer than asked for."""
    route = service.get(f"{PATH}/paginated").mock(side_effect=pages_of(total, total_count=total if told else None))
    found = call(documents.list_documents, "p-1", page_size=page_size)
    assert [document["id"] for document in found] == [f"d-{number}" for number in range(total)]
    assert route.call_count == requests


def test_list_filters(service: respx.Router) -> None:
    """Ensure filters travel with every page, False among them, and None does not."""
    route = service.get(f"{PATH}/paginated").mock(side_effect=pages_of(2, total_count=None))
    call(documents.list_documents, "p-1", file_id="f/1", only_direct_upload=False, page_size=2)
    assert [query(made.request) for made in route.calls] == [
        [("file_id", "f/1"), ("only_direct_upload", "false"), ("skip", skip), ("limit", "2"), *PROJECT]
        for skip in ("0", "2")
    ]


@pytest.mark.parametrize(
    "page",
    [
        {"documents": [{"id": "d-1"}, {"id": "d-2"}]},
        {"documents": [{"id": "d-1"}, {"id": "d-2"}], "total_count": 10**9},
        {"documents": [{"id": "d-1"}, {"id": "d-2"}], "total_count": "many"},
        {"documents": [{"id": "d-1"}, None, "junk", {"id": "d-2"}]},
        [{"id": "d-1"}, {"id": "d-2"}],
    ],
)
def test_a_list_that_ignores_the_offset_ends(service: respx.Router, page: Any) -> None:
    """Ensure a deployment that always gives the first page is asked twice and not for ever."""
    route = service.get(f"{PATH}/paginated").respond(json=page)
    assert [document["id"] for document in call(documents.list_documents, "p-1")] == ["d-1", "d-2"]
    assert route.call_count <= 2


def test_elements_that_are_none_count_for_the_offset(service: respx.Router) -> None:
    """Ensure a list with gaps gives each of its documents once."""
    everything = [{"id": "d-0"}, None, {"id": "d-1"}, None, None, None, {"id": "d-2"}]

    def answer(request: httpx.Request) -> httpx.Response:
        skip = int(request.url.params["skip"])
        return httpx.Response(200, json={"documents": everything[skip : skip + 2], "total_count": len(everything)})

    route = service.get(f"{PATH}/paginated").mock(side_effect=answer)
    found = call(documents.list_documents, "p-1", page_size=2)
    assert [document["id"] for document in found] == ["d-0", "d-1", "d-2"]
    assert route.call_count == 4


@pytest.mark.parametrize("page", [{}, [], None, "documents", {"documents": None}, {"documents": "d-1"}, {"items": [1]}])
def test_a_list_of_another_shape_is_empty(service: respx.Router, page: Any) -> None:
    """Ensure an answer that holds no documents ends the list."""
    route = service.get(f"{PATH}/paginated").respond(json=page)
    assert call(documents.list_documents, "p-1") == []
    assert route.call_count == 1


def test_a_page_that_fails_is_asked_for_again(service: respx.Router) -> None:
    """Ensure a fault in the middle of a list costs a request and no documents."""
    answer = pages_of(4, total_count=4)
    faults = iter([None, httpx.ReadError("reset"), httpx.Response(503)])

    def faulty(request: httpx.Request) -> httpx.Response:
        fault = next(faults, None)
        if isinstance(fault, Exception):
            raise fault
        return fault or answer(request)

    service.get(f"{PATH}/paginated").mock(side_effect=faulty)
    found = call(documents.list_documents, "p-1", page_size=2)
    assert [document["id"] for document in found] == ["d-0", "d-1", "d-2", "d-3"]


@pytest.mark.parametrize(
    ("function", "method", "suffix", "answer", "result"),
    [
        (documents.get, "GET", "", DOCUMENT, DOCUMENT),
        (documents.status, "GET", "/status", {"status": "SUCCESS"}, {"status": "SUCCESS"}),
        (documents.chunks, "GET", "/chunks", [{"id_": "n"}, 7], [{"id_": "n"}]),
        (documents.sync_document, "POST", "/sync", {"message": "ok"}, {"message": "ok"}),
        (documents.sync_document, "POST", "/sync", None, None),
    ],
)
def test_one_document(service: respx.Router, function: Any, method: str, suffix: str, answer: Any, result: Any) -> None:
    """Ensure an id with slashes and spaces is one segment, encoded once, and a lost answer is asked for again."""
    route = service.request(method, url__startswith=f"{HOST}{PATH}/").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json=answer)]
    )
    assert call(function, "p-1", "a/b c") == result
    assert str(route.calls.last.request.url) == f"{ENCODED}{suffix}?project_id=prj-1"
    assert route.call_count == 2


def test_delete(service: respx.Router) -> None:
    """Ensure a delete whose answer was lost is no error when the document is gone by then."""
    route = service.delete(url__startswith=ENCODED).mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(404, json={"detail": "gone"})]
    )
    assert call(documents.delete, "p-1", "a/b c") is None
    assert route.call_count == 2


def test_status_counts(service: respx.Router) -> None:
    """Ensure counts are asked for with what narrows them."""
    counts = {"counts": {"SUCCESS": 2}, "total_count": 2}
    route = service.get(f"{PATH}/status-counts").respond(json=counts)
    assert call(documents.status_counts, "p-1") == counts
    assert query(route.calls.last.request) == PROJECT
    call(documents.status_counts, "p-1", file_id="f", data_source_id="s", only_direct_upload=False)
    assert query(route.calls.last.request) == [
        ("file_id", "f"),
        ("data_source_id", "s"),
        ("only_direct_upload", "false"),
        *PROJECT,
    ]


@pytest.mark.parametrize("document_id", ["", "..", None])
def test_what_cannot_be_an_id(document_id: Any) -> None:
    """Ensure an id that would address the list of all documents is refused before anything is sent."""
    for function in (documents.get, documents.delete, documents.status, documents.chunks):
        with pytest.raises(ConfigurationError, match="is not an id"):
            call(function, "p-1", document_id)
