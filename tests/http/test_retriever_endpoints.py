"""The requests of composite retrievers' endpoints, and creates whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import ConfigurationError, UnprocessableError
from llama_cloud_ext.wire import retrievers
from tests.http.test_parse_endpoints import HOST, SCOPE, call, query

RETRIEVER = {"id": "r-1", "name": "Alles", "pipelines": []}
BODY = {"name": "Alles", "pipelines": [{"pipeline_id": "p-1", "name": None, "description": None}]}
QUERY = {"query": "Wörter?", "mode": "routing", "rerank_config": {"top_n": 3, "type": "score"}}
NODES = {"nodes": [{"node": {"id": "n"}, "score": 0.0}], "image_nodes": []}


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


@pytest.mark.parametrize(("function", "method"), [(retrievers.create, "POST"), (retrievers.upsert, "PUT")])
def test_creating(service: respx.Router, function: Any, method: str) -> None:
    """Ensure a retriever's body leaves as it is, None included, in the project and organization."""
    route = service.request(method, "/api/v1/retrievers").respond(json=RETRIEVER)
    assert call(function, BODY) == RETRIEVER
    assert json.loads(route.calls.last.request.content) == BODY
    assert query(route.calls.last.request) == SCOPE


def test_a_lost_create_is_looked_up_by_its_name(service: respx.Router) -> None:
    """Ensure a retriever whose answer was lost is found again, and not another whose name is like it."""
    created = service.post("/api/v1/retrievers").mock(side_effect=httpx.ReadError("reset"))
    listed = service.get("/api/v1/retrievers").respond(json=[{"id": "r-0", "name": "Alles andere"}, RETRIEVER])
    assert call(retrievers.create, BODY) == RETRIEVER
    assert created.call_count == 1
    assert query(listed.calls.last.request) == [("name", "Alles"), *SCOPE]


def test_a_create_that_left_nothing_is_repeated(service: respx.Router) -> None:
    """Ensure a create is sent again only where the service has no retriever of that name."""
    created = service.post("/api/v1/retrievers").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json=RETRIEVER)]
    )
    service.get("/api/v1/retrievers").respond(json=[{"id": "r-0", "name": "Alles andere"}])
    assert call(retrievers.create, BODY) == RETRIEVER
    assert created.call_count == 2


def test_list(service: respx.Router) -> None:
    """Ensure a name travels where it is given, and what is no retriever is passed over."""
    route = service.get("/api/v1/retrievers").respond(json=[RETRIEVER, None])
    assert call(retrievers.list_retrievers) == [RETRIEVER]
    assert query(route.calls.last.request) == SCOPE
    assert call(retrievers.list_retrievers, name="a & b") == [RETRIEVER]
    assert query(route.calls.last.request) == [("name", "a & b"), *SCOPE]


@pytest.mark.parametrize("answer", [{}, None, "busy"])
def test_a_list_that_is_none(service: respx.Router, answer: Any) -> None:
    """Ensure an answer of another shape is no retrievers, and no error."""
    service.get("/api/v1/retrievers").respond(json=answer)
    assert call(retrievers.list_retrievers) == []


@pytest.mark.parametrize(
    ("function", "arguments", "method", "suffix", "answer"),
    [
        (retrievers.get, [], "GET", "", RETRIEVER),
        (retrievers.update, [{"pipelines": []}], "PUT", "", RETRIEVER),
        (retrievers.retrieve, [QUERY], "POST", "/retrieve", NODES),
    ],
)
def test_one_retriever(
    service: respx.Router, function: Any, arguments: list[Any], method: str, suffix: str, answer: Any
) -> None:
    """Ensure a retriever is addressed by its encoded id, and asked again after a lost answer."""
    route = service.request(method, url__startswith=f"{HOST}/api/v1/retrievers/").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(503), httpx.Response(200, json=answer)]
    )
    assert call(function, "r/1 ?", *arguments) == answer
    assert route.call_count == 3
    request = route.calls.last.request
    assert request.url.raw_path.partition(b"?")[0] == f"/api/v1/retrievers/r%2F1%20%3F{suffix}".encode()
    assert query(request) == SCOPE
    assert (json.loads(request.content) if request.content else None) == (arguments[0] if arguments else None)


def test_retrieving_without_a_stored_retriever(service: respx.Router) -> None:
    """Ensure the pipelines travel with the query, which is repeated freely."""
    route = service.post("/api/v1/retrievers/retrieve").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json=NODES)]
    )
    body = {**QUERY, "pipelines": BODY["pipelines"]}
    assert call(retrievers.retrieve_from, body) == NODES
    assert [json.loads(made.request.content) for made in route.calls] == [body] * 2
    assert query(route.calls.last.request) == SCOPE


def test_a_refused_query_says_why(service: respx.Router) -> None:
    """Ensure the service's word about a query arrives, and it is sent once."""
    route = service.post("/api/v1/retrievers/retrieve").respond(422, json={"detail": "no pipelines"})
    with pytest.raises(UnprocessableError, match="no pipelines"):
        call(retrievers.retrieve_from, QUERY)
    assert route.call_count == 1


def test_delete(service: respx.Router) -> None:
    """Ensure a delete whose answer was lost is no error when the retriever is gone by then."""
    route = service.delete("/api/v1/retrievers/r-1").mock(side_effect=[httpx.ReadError("reset"), httpx.Response(404)])
    assert call(retrievers.delete, "r-1") is None
    assert query(route.calls.last.request) == SCOPE


@pytest.mark.parametrize("retriever_id", ["", "..", None])
def test_what_cannot_be_an_id(retriever_id: Any) -> None:
    """Ensure an id that would address something else is refused before anything is sent."""
    for function, arguments in ((retrievers.get, []), (retrievers.delete, []), (retrievers.retrieve, [QUERY])):
        with pytest.raises(ConfigurationError, match="is not an id"):
            call(function, retriever_id, *arguments)
