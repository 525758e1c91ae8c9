"""The requests of the pipelines' endpoints, as they leave for the service, and what becomes of lost answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import ConfigurationError, NotFoundError, TransportError, UnprocessableError
from llama_cloud_ext.wire import pipelines
from tests.http.test_parse_endpoints import HOST, SCOPE, call, query

PIPELINE = {"id": "p-1", "name": "Handbuch", "project_id": "prj-1"}
BODY = {"name": "Handbuch", "preset_retrieval_parameters": {"alpha": 0.0, "enable_reranking": False}}
PROJECT = [("project_id", "prj-1")]


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


@pytest.mark.parametrize(("function", "method"), [(pipelines.create, "POST"), (pipelines.upsert, "PUT")])
def test_creating(service: respx.Router, function: Any, method: str) -> None:
    """Ensure a pipeline's body leaves as it is, what is off included, in the project and organization."""
    route = service.request(method, "/api/v1/pipelines").respond(json=PIPELINE)
    assert call(function, BODY) == PIPELINE
    assert json.loads(route.calls.last.request.content) == BODY
    assert query(route.calls.last.request) == SCOPE


def test_a_lost_create_is_looked_up_by_its_name(service: respx.Router) -> None:
    """Ensure a pipeline whose answer was lost is found again, and not another whose name is like it."""
    created = service.post("/api/v1/pipelines").mock(side_effect=httpx.ReadError("reset"))
    listed = service.get("/api/v1/pipelines").respond(json=[{"id": "p-0", "name": "Handbuch 2"}, "junk", PIPELINE])
    assert call(pipelines.create, BODY) == PIPELINE
    assert created.call_count == 1
    assert query(listed.calls.last.request) == [("pipeline_name", "Handbuch"), *SCOPE]


@pytest.mark.parametrize("known", [[], [{"id": "p-0", "name": "Handbuch 2"}], {}, None])
def test_a_create_that_left_nothing_is_repeated(service: respx.Router, known: Any) -> None:
    """Ensure a create is sent again only where the service has no pipeline of that name."""
    created = service.post("/api/v1/pipelines").mock(
        side_effect=[httpx.ReadTimeout("slow"), httpx.Response(200, json=PIPELINE)]
    )
    service.get("/api/v1/pipelines").respond(json=known)
    assert call(pipelines.create, BODY) == PIPELINE
    assert created.call_count == 2


def test_a_create_that_answers_nothing_is_looked_up(service: respx.Router) -> None:
    """Ensure an accepted create whose answer is empty counts as a lost one."""
    service.post("/api/v1/pipelines").respond(200, content=b"")
    service.get("/api/v1/pipelines").respond(json=[PIPELINE])
    assert call(pipelines.create, BODY) == PIPELINE


def test_an_upsert_is_repeated(service: respx.Router) -> None:
    """Ensure an upsert, which may be sent twice, is sent again after a fault of any kind."""
    route = service.put("/api/v1/pipelines").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(503), httpx.Response(200, json=PIPELINE)]
    )
    assert call(pipelines.upsert, BODY) == PIPELINE
    assert [json.loads(made.request.content) for made in route.calls] == [BODY] * 3


def test_a_refused_create_says_why(service: respx.Router) -> None:
    """Ensure the service's word about a body arrives, and the body is sent once."""
    detail = [{"type": "value_error", "loc": ["body", "transform_config"], "msg": "chunk size is too large"}]
    route = service.post("/api/v1/pipelines").respond(422, json={"detail": detail})
    with pytest.raises(UnprocessableError, match="transform_config: chunk size is too large"):
        call(pipelines.create, BODY)
    assert route.call_count == 1


def test_list(service: respx.Router) -> None:
    """Ensure filters that are set travel, and what is no pipeline is passed over."""
    route = service.get("/api/v1/pipelines").respond(json=[PIPELINE, None, "junk"])
    assert call(pipelines.list_pipelines) == [PIPELINE]
    assert query(route.calls.last.request) == SCOPE
    assert call(pipelines.list_pipelines, pipeline_name="a & b", pipeline_type="MANAGED") == [PIPELINE]
    assert query(route.calls.last.request) == [("pipeline_name", "a & b"), ("pipeline_type", "MANAGED"), *SCOPE]


@pytest.mark.parametrize("answer", [{}, None, "busy", {"items": [PIPELINE]}])
def test_a_list_that_is_none(service: respx.Router, answer: Any) -> None:
    """Ensure an answer of another shape is no pipelines, and no error."""
    service.get("/api/v1/pipelines").respond(json=answer)
    assert call(pipelines.list_pipelines) == []


@pytest.mark.parametrize(
    ("function", "arguments", "method", "suffix"),
    [
        (pipelines.get, [], "GET", ""),
        (pipelines.update, [BODY], "PUT", ""),
        (pipelines.status, [], "GET", "/status"),
        (pipelines.sync, [], "POST", "/sync"),
        (pipelines.cancel_sync, [], "POST", "/sync/cancel"),
    ],
)
def test_one_pipeline(service: respx.Router, function: Any, arguments: list[Any], method: str, suffix: str) -> None:
    """Ensure a pipeline is addressed by its encoded id in its project, and asked again after a lost answer."""
    route = service.request(method, url__startswith=f"{HOST}/api/v1/pipelines/").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(200, json=PIPELINE)]
    )
    assert call(function, "p/1 ?", *arguments) == PIPELINE
    assert route.call_count == 2
    request = route.calls.last.request
    assert request.url.raw_path == f"/api/v1/pipelines/p%2F1%20%3F{suffix}?project_id=prj-1".encode()
    assert (json.loads(request.content) if request.content else None) == (arguments[0] if arguments else None)


@pytest.mark.parametrize(("details", "extra"), [(None, []), (True, [("full_details", "true")])])
def test_status(service: respx.Router, details: bool | None, extra: list[tuple[str, str]]) -> None:
    """Ensure details are asked for only where they are wanted."""
    route = service.get("/api/v1/pipelines/p-1/status").respond(json={"status": "SUCCESS"})
    assert call(pipelines.status, "p-1", full_details=details) == {"status": "SUCCESS"}
    assert query(route.calls.last.request) == [*extra, *PROJECT]


def test_delete(service: respx.Router) -> None:
    """Ensure a delete whose answer was lost is no error when the pipeline is gone by then."""
    route = service.delete("/api/v1/pipelines/p-1").mock(
        side_effect=[httpx.Response(204), httpx.ReadError("reset"), httpx.Response(404, json={"detail": "gone"})]
    )
    assert call(pipelines.delete, "p-1") is None
    assert call(pipelines.delete, "p-1") is None
    assert route.call_count == 3
    assert query(route.calls.last.request) == PROJECT


def test_deleting_what_is_not_there_says_so(service: respx.Router) -> None:
    """Ensure a first delete of an unknown pipeline is an error."""
    service.delete("/api/v1/pipelines/p-1").respond(404, json={"detail": "Pipeline not found"})
    with pytest.raises(NotFoundError, match="Pipeline not found"):
        call(pipelines.delete, "p-1")


def test_retrieve(service: respx.Router) -> None:
    """Ensure a query leaves as it is and is repeated freely, because it changes nothing."""
    nodes = {"retrieval_nodes": [{"node": {"id_": "n"}, "score": 0.5}]}
    route = service.post("/api/v1/pipelines/p-1/retrieve").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(502), httpx.Response(200, json=nodes)]
    )
    body = {"query": "Wörter?", "alpha": 0.0, "enable_reranking": False}
    assert call(pipelines.retrieve, "p-1", body) == nodes
    assert [json.loads(made.request.content) for made in route.calls] == [body] * 3
    assert query(route.calls.last.request) == SCOPE


@pytest.mark.parametrize("answer", [[], None, "nodes"])
def test_an_answer_of_another_shape_is_empty(service: respx.Router, answer: Any) -> None:
    """Ensure a retrieval that answers anything but an object reads as one without nodes."""
    service.post("/api/v1/pipelines/p-1/retrieve").respond(json=answer)
    assert call(pipelines.retrieve, "p-1", {"query": "?"}) == {}


def test_a_web_page_is_no_answer(service: respx.Router) -> None:
    """Ensure a login page in place of nodes is an error that says what to check, and is not asked for again."""
    route = service.post("/api/v1/pipelines/p-1/retrieve").respond(html="<h1>Log in</h1>")
    with pytest.raises(TransportError, match=r"is not JSON\n.*base_url"):
        call(pipelines.retrieve, "p-1", {"query": "?"})
    assert route.call_count == 1


@pytest.mark.parametrize("pipeline_id", ["", " ", ".", "..", None, 7])
def test_what_cannot_be_an_id(pipeline_id: Any) -> None:
    """Ensure an id that would address something else is refused before anything is sent."""
    for function in (pipelines.get, pipelines.delete, pipelines.status, pipelines.sync):
        with pytest.raises(ConfigurationError, match="is not an id"):
            call(function, pipeline_id)
