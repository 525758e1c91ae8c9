"""The requests of Parse v2's endpoints, as they leave for the service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire import io_loop, parse
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.recovery import new_tag
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.sources import resolve_source
from llama_cloud_ext.wire.transport import Connection

HOST = "https://llamacloud.test"
JOB = {"id": "pjb-1", "project_id": "prj-1", "status": "PENDING"}


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


def call(function: Any, *arguments: Any, **options: Any) -> Any:
    """Run an endpoint function on the I/O loop, against a project of an organization."""

    async def on_the_loop() -> Any:
        settings = Settings.resolve(api_key="llx-test", base_url=HOST, project_id="prj-1", organization_id="org-1")
        connection = Connection(settings)
        try:
            result = function(connection, *arguments, **options)
            return [item async for item in result] if hasattr(result, "__aiter__") else await result
        finally:
            await connection.aclose()

    return io_loop.run(on_the_loop)


def query(request: httpx.Request) -> list[tuple[str, str]]:
    return request.url.params.multi_items()


SCOPE = [("project_id", "prj-1"), ("organization_id", "org-1")]


def test_create(service: respx.Router) -> None:
    """Ensure a create is one JSON body with what was set, and the scope in the query."""
    route = service.post("/api/v2/parse").respond(json=JOB)
    body = {"tier": "agentic", "version": "latest", "file_id": "dfl-1", "disable_cache": False, "user_metadata": {}}
    assert call(parse.create, body) == JOB
    request = route.calls.last.request
    assert json.loads(request.content) == body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer llx-test"
    assert query(request) == SCOPE


def test_upload(service: respx.Router) -> None:
    """Ensure an upload sends the whole configuration and the file in one multipart request."""
    route = service.post("/api/v2/parse/upload").respond(json=JOB)
    body = {
        "tier": "agentic",
        "version": "latest",
        "configuration_id": "cfg-1",
        "user_metadata": {"team": "ä"},
        "webhook_configuration_ids": ["whk-1"],
    }
    source = resolve_source(b"%PDF-1.7 content", extra_info={"file_name": "report.pdf"})
    assert call(parse.upload, body, source) == JOB
    request = route.calls.last.request
    assert query(request) == SCOPE
    content = request.content
    assert int(request.headers["content-length"]) == len(content)
    configuration = re.search(rb'name="configuration"\r\n\r\n(.*?)\r\n--', content, re.DOTALL)
    assert configuration is not None
    assert json.loads(configuration[1]) == body
    assert re.search(rb'name="file"; filename="report.pdf"\r\n.*?\r\n\r\n%PDF-1.7 content\r\n--', content, re.DOTALL)


def test_a_lost_create_is_looked_up_before_it_is_repeated(service: respx.Router) -> None:
    """Ensure the recovery that a caller gives is asked after an answer was lost, and its find is the result."""
    route = service.post("/api/v2/parse").mock(side_effect=httpx.ReadTimeout)
    asked: list[bool] = []

    async def recover() -> dict[str, Any]:
        asked.append(True)
        return JOB

    assert call(parse.create, {"tier": "fast", "version": "latest"}, recover=recover) == JOB
    assert (len(asked), route.call_count) == (1, 1)


@pytest.mark.parametrize(
    "mixed_up", [{**JOB, "id": "pjb-2", "user_metadata": {RECOVERY_KEY: new_tag()}}, {"items": [JOB]}]
)
def test_a_create_that_gets_anothers_answer_is_looked_up(service: respx.Router, mixed_up: Any) -> None:
    """Ensure neither another file's job is taken, nor a second one created."""
    route = service.post("/api/v2/parse").respond(json=mixed_up)

    async def found() -> Any:
        return JOB

    assert call(parse.create, {"user_metadata": {RECOVERY_KEY: new_tag()}}, recover=found) == JOB
    assert route.call_count == 1


def test_get_alone(service: respx.Router) -> None:
    """Ensure asking for a job alone sends no empty parameters."""
    route = service.get("/api/v2/parse/pjb-1").respond(json={"job": JOB})
    assert call(parse.get, "pjb-1") == {"job": JOB}
    assert query(route.calls.last.request) == SCOPE


def test_get_with_parts(service: respx.Router) -> None:
    """Ensure the wanted parts repeat their key, and image names are one list with commas."""
    route = service.get("/api/v2/parse/pjb-1").respond(json={"job": JOB, "text": {"pages": []}})
    call(parse.get, "pjb-1", expand=["text", "images_content_metadata"], image_filenames=["a.png", "b.png"])
    assert query(route.calls.last.request) == [
        ("expand", "text"),
        ("expand", "images_content_metadata"),
        ("image_filenames", "a.png,b.png"),
        *SCOPE,
    ]


@pytest.mark.parametrize("function", [parse.get, parse.cancel, parse.delete])
def test_ids_are_encoded(service: respx.Router, function: Any) -> None:
    """Ensure an id with characters that mean something in URLs stays one segment."""
    route = service.route(path__regex=r"^/api/v2/parse/a/b").respond(json={})
    call(function, "a/b?c")
    assert route.calls.last.request.url.raw_path.startswith(b"/api/v2/parse/a%2Fb%3Fc")
    with pytest.raises(ConfigurationError, match="is not an id"):
        call(function, "..")


def test_list_with_filters_and_pages(service: respx.Router) -> None:
    """Ensure filters travel as documented, with every page, and only the token changes."""
    route = service.get("/api/v2/parse").mock(
        side_effect=[
            httpx.Response(200, json={"items": [{"id": "a"}], "next_page_token": "t/1"}),
            httpx.Response(200, json={"items": [{"id": "b"}], "next_page_token": None, "total_size": 2}),
        ]
    )
    after = datetime(2026, 10, 16, 8, tzinfo=timezone.utc)
    jobs = call(
        parse.list_jobs,
        status="COMPLETED",
        created_at_on_or_after=after,
        created_at_on_or_before="2026-10-17T00:00:00Z",
        page_size=1,
    )
    assert [job["id"] for job in jobs] == ["a", "b"]
    filters = [
        ("status", "COMPLETED"),
        ("created_at_on_or_after", "2026-10-16T08:00:00+00:00"),
        ("created_at_on_or_before", "2026-10-17T00:00:00Z"),
        ("page_size", "1"),
    ]
    assert query(route.calls[0].request) == [*filters, *SCOPE]
    assert query(route.calls[1].request) == [*filters, ("page_token", "t/1"), *SCOPE]


def test_list_without_filters(service: respx.Router) -> None:
    """Ensure a plain list sends the scope alone."""
    route = service.get("/api/v2/parse").respond(json={"items": []})
    assert call(parse.list_jobs) == []
    assert query(route.calls.last.request) == SCOPE


def test_list_by_ids_splits_long_addresses(service: respx.Router) -> None:
    """Ensure hundreds of ids are asked for in addresses of a sane length, each id once, all on one page each."""

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get_list("job_ids")
        assert request.url.params["page_size"] == str(len(wanted))
        assert len(str(request.url)) < 6500
        return httpx.Response(200, json={"items": [{"id": job_id} for job_id in wanted]})

    route = service.get("/api/v2/parse").mock(side_effect=answer)
    ids = [f"pjb-{number:036d}" for number in range(350)]
    assert [job["id"] for job in call(parse.list_jobs, job_ids=ids)] == ids
    assert route.call_count == 4
    long_ids = ["x" * 1000 + str(number) for number in range(7)]
    assert [job["id"] for job in call(parse.list_jobs, job_ids=long_ids)] == long_ids
    assert route.call_count == 6


def test_list_by_no_ids_asks_nothing() -> None:
    """Ensure an empty list of ids is no list of all jobs."""
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        anything = router.route().respond(json={"items": [{"id": "other"}]})
        assert call(parse.list_jobs, job_ids=[]) == []
    assert not anything.called


def test_cancel(service: respx.Router) -> None:
    """Ensure cancelling posts without a body."""
    route = service.post("/api/v2/parse/pjb-1/cancel").respond(json={**JOB, "status": "CANCELLED"})
    assert call(parse.cancel, "pjb-1")["status"] == "CANCELLED"
    assert route.calls.last.request.content == b""
    assert query(route.calls.last.request) == SCOPE


def test_delete(service: respx.Router) -> None:
    """Ensure deleting gives what the service says, and nothing for an empty answer."""
    route = service.delete("/api/v2/parse/pjb-1").mock(
        side_effect=[httpx.Response(200, json={"id": "pjb-1"}), httpx.Response(204)]
    )
    assert call(parse.delete, "pjb-1") == {"id": "pjb-1"}
    assert call(parse.delete, "pjb-1") == {}
    assert query(route.calls.last.request) == SCOPE


def test_delete_of_what_a_lost_answer_deleted(service: respx.Router) -> None:
    """Ensure a delete whose answer was lost succeeds when the repetition finds nothing left."""
    service.delete("/api/v2/parse/pjb-1").mock(
        side_effect=[httpx.ReadError("reset"), httpx.Response(404, json={"detail": "Parse job not found"})]
    )
    assert call(parse.delete, "pjb-1") == {}


def test_versions(service: respx.Router) -> None:
    """Ensure the list of versions is asked for without a scope, which it does not take."""
    versions = {"fast": ["2026-06-15"], "latest": {"fast": "2026-06-15"}}
    route = service.get("/api/v2/parse/versions").respond(json=versions)
    assert call(parse.versions) == versions
    assert query(route.calls.last.request) == []


@pytest.mark.parametrize("answer", [None, [], "junk", 5, True])
def test_answers_of_another_shape_are_empty(service: respx.Router, answer: Any) -> None:
    """Ensure an answer that is no object reads as an empty one instead of breaking the caller."""
    service.get("/api/v2/parse/pjb-1").respond(json=answer)
    assert call(parse.get, "pjb-1") == {}
