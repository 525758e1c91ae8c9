"""Requests over the wire: what is sent, retried, recovered, paced and refused."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    PlanLimitError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    SourceError,
    TransportError,
)
from llama_cloud_ext.wire.multipart import MultipartBody
from llama_cloud_ext.wire.rate_limit import RateLimiter
from llama_cloud_ext.wire.retry import RetryPolicy
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.sources import resolve_source
from llama_cloud_ext.wire.transport import Connection, Pool, connection_for
from tests.http.loopback import Mischief, loopback, reply, truncated

HOST = "https://api.cloud.llamaindex.ai"
KEY = "llx-top-secret"


@dataclass
class Waits:
    """A clock on which only the waits of retries pass, at once."""

    seconds: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return sum(self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


Connect = Callable[..., Connection]


@pytest.fixture
async def connect(waits: Waits) -> AsyncIterator[Connect]:
    """Makes connections that wait on the test's own clock, and closes them."""
    made: list[Connection] = []

    def make(**values: Any) -> Connection:
        settings = Settings.resolve(**{"api_key": KEY, "environ": {}, **values})
        policy = RetryPolicy(budget=settings.retry_budget, clock=waits.clock, sleep=waits.sleep, random=lambda: 0.5)
        pool = Pool(settings)
        turns = Waits()
        pool.limiter = RateLimiter(settings.requests_per_minute, clock=turns.clock, sleep=turns.sleep)
        made.append(Connection(settings, pool, policy=policy))
        return made[-1]

    yield make
    for connection in made:
        await connection.aclose()


# -- what is sent ---------------------------------------------------------------------------------------------------


@respx.mock
async def test_request_as_sent(connect: Connect) -> None:
    """Ensure method, path, query, scope, headers and JSON arrive as meant."""
    route = respx.post(f"{HOST}/api/v2/parse").respond(json={"id": "pjb-1"})
    connection = connect(project_id="p-1", organization_id="o-1", headers={"X-Team": "docs"})
    sent = {"tier": "fast", "no": False, "zero": 0, "text": "é\ud800"}
    assert await connection.request("post", "/api/v2/parse", params={"expand": ["a", "b"], "x": None}, json=sent) == {
        "id": "pjb-1"
    }
    request = route.calls.last.request
    assert request.url.params.multi_items() == [
        ("expand", "a"),
        ("expand", "b"),
        ("project_id", "p-1"),
        ("organization_id", "o-1"),
    ]
    assert json.loads(request.content) == sent
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "docs"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("llama-cloud-ext/")


@respx.mock
async def test_scope_can_be_left_out_or_given(connect: Connect) -> None:
    """Ensure unscoped requests carry no project, and a given project wins over the settings'."""
    route = respx.get(f"{HOST}/x").respond(json={})
    connection = connect(project_id="p-1")
    await connection.request("GET", "/x", scoped=False)
    assert not route.calls.last.request.url.params
    await connection.request("GET", "x", params={"project_id": "p-2"})
    assert route.calls.last.request.url.params.multi_items() == [("project_id", "p-2")]


@respx.mock
async def test_authorization_of_the_user_replaces_the_key(connect: Connect) -> None:
    """Ensure an own Authorization header is sent once and instead of the key."""
    route = respx.get("https://byoc.example.com/llama/x").respond(json={})
    await connect(base_url="byoc.example.com/llama/api/v1", headers={"authorization": "Bearer oidc"}).request(
        "GET", "/x"
    )
    assert route.calls.last.request.headers.get_list("authorization") == ["Bearer oidc"]


@respx.mock
@pytest.mark.parametrize(("content", "meant"), [(b"", None), (b" \n", None), (b"null", None), (b"[1]", [1])])
async def test_bodies_of_successes(connect: Connect, content: bytes, meant: Any) -> None:
    """Ensure an empty body is None and JSON of any kind is decoded."""
    respx.get(f"{HOST}/x").respond(content=content)
    assert await connect().request("GET", "/x") == meant


@respx.mock
async def test_large_answers_are_decoded_off_the_loop(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a large result is decoded in a thread, where it holds nobody up."""
    import threading

    decoded_in: list[str] = []
    loads = json.loads

    def spy(data: bytes) -> Any:
        decoded_in.append(threading.current_thread().name)
        return loads(data)

    monkeypatch.setattr("llama_cloud_ext.wire.transport.jsonlib.loads", spy)
    respx.get(f"{HOST}/x").respond(json=["x" * 300_000])
    await connect().request("GET", "/x")
    assert decoded_in != [threading.current_thread().name]


async def test_options_that_are_no_json(connect: Connect) -> None:
    """Ensure what JSON cannot express is refused before anything is sent."""
    for value in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises(ConfigurationError, match="JSON"):
            await connect().request("POST", "/x", json=value)


# -- retries --------------------------------------------------------------------------------------------------------


@respx.mock
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_transient_statuses_are_retried(connect: Connect, waits: Waits, status: int) -> None:
    """Ensure a read survives every transient status, waiting longer each time."""
    failures = [httpx.Response(status, json={"detail": "later"})] * 3
    respx.get(f"{HOST}/x").mock(side_effect=[*failures, httpx.Response(200, json={"ok": 1})])
    connection = connect()
    assert await connection.request("GET", "/x") == {"ok": 1}
    assert waits.seconds == [0.25, 0.5, 1.0]


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
async def test_final_statuses_are_not_retried(connect: Connect, status: int) -> None:
    """Ensure what waiting does not mend is raised after one send."""
    route = respx.get(f"{HOST}/x").respond(status, json={"detail": "no"})
    with pytest.raises(Exception, match="answered") as caught:
        await connect().request("GET", "/x")
    assert getattr(caught.value, "status", None) == status
    assert route.call_count == 1


@respx.mock
async def test_plan_limits_are_not_retried(connect: Connect) -> None:
    """Ensure a 429 for a limit of the plan is raised at once and does not slow others down."""
    route = respx.post(f"{HOST}/x").respond(
        429, json={"detail": "You've already reached the maximum number of indexes."}
    )
    connection = connect()
    with pytest.raises(PlanLimitError):
        await connection.request("POST", "/x", json={})
    assert route.call_count == 1
    assert connection.limiter.pace is None


@respx.mock
async def test_rate_is_retried_also_for_creates(connect: Connect, waits: Waits) -> None:
    """Ensure a 429 for the rate repeats a create, keeps to Retry-After, and several put on the brake."""
    detail = {"detail": "Resources exhausted. Please wait for existing jobs to complete."}
    route = respx.post(f"{HOST}/x").mock(
        side_effect=[
            *[httpx.Response(429, json=detail, headers={"Retry-After": "7"}) for _ in range(3)],
            httpx.Response(200, json={"id": 1}),
        ]
    )
    connection = connect()
    assert await connection.request("POST", "/x", json={}) == {"id": 1}
    assert route.call_count == 4
    assert waits.seconds[0] == pytest.approx(7.025)
    assert connection.limiter.pace is not None


@respx.mock
async def test_budget_ends_the_retries(connect: Connect, waits: Waits) -> None:
    """Ensure the last error is raised when the budget is used up, and a budget of its own binds one request."""
    respx.get(f"{HOST}/x").respond(503, json={"detail": "later", "correlation_id": "c-9"})
    with pytest.raises(ServerError) as caught:
        await connect().request("GET", "/x", budget=10)
    assert sum(waits.seconds) == pytest.approx(10)
    assert caught.value.correlation_id == "c-9"
    waits.seconds.clear()
    with pytest.raises(ServerError):
        await connect(retry_budget=0).request("GET", "/x")
    assert waits.seconds == []


@respx.mock
async def test_refused_key_names_the_host(connect: Connect) -> None:
    """Ensure a 401 says which host refused the key, and does not show the key."""
    respx.get("https://api.cloud.eu.llamaindex.ai/x").respond(401, json={"detail": "Invalid API Key"})
    with pytest.raises(AuthenticationError) as caught:
        await connect(region="eu").request("GET", "/x")
    assert "api.cloud.eu.llamaindex.ai" in (caught.value.hint or "")
    assert KEY not in str(caught.value)


@respx.mock
async def test_deleting_twice_is_success(connect: Connect) -> None:
    """Ensure a delete whose answer was lost succeeds when the repetition finds nothing, but not a first 404."""
    respx.delete(f"{HOST}/x").mock(side_effect=[httpx.ReadTimeout(""), httpx.Response(404, json={"detail": "no"})])
    assert await connect().request("DELETE", "/x") is None
    respx.delete(f"{HOST}/y").respond(404, json={"detail": "no"})
    with pytest.raises(Exception, match="404"):
        await connect().request("DELETE", "/y")


@pytest.mark.parametrize(
    ("failure", "sent", "kind"),
    [
        (httpx.ConnectError("refused"), False, TransportError),
        (httpx.ConnectTimeout(""), False, RequestTimeoutError),
        (httpx.PoolTimeout(""), False, RequestTimeoutError),
        (httpx.ProxyError("no"), False, TransportError),
        (httpx.WriteError("reset"), True, TransportError),
        (httpx.WriteTimeout(""), True, RequestTimeoutError),
        (httpx.ReadError("reset"), True, TransportError),
        (httpx.ReadTimeout(""), True, RequestTimeoutError),
        (httpx.RemoteProtocolError("cut"), True, TransportError),
        (httpx.DecodingError("gzip"), True, TransportError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@respx.mock
async def test_what_may_have_been_accepted(
    connect: Connect, failure: Exception, sent: bool, kind: type[TransportError]
) -> None:
    """Ensure a create without a look-up is repeated only where the service cannot have seen it."""
    route = respx.post(f"{HOST}/x").mock(side_effect=[failure, httpx.Response(200, json={"id": 1})])
    if not sent:
        assert await connect().request("POST", "/x", json={}) == {"id": 1}
        return
    with pytest.raises(kind) as caught:
        await connect().request("POST", "/x?signature=hidden", json={})
    assert caught.value.sent
    assert caught.value.request == f"POST {HOST}/x"
    assert caught.value.__cause__ is failure
    assert route.call_count == 1


@respx.mock
async def test_declared_idempotence(connect: Connect) -> None:
    """Ensure a POST is repeated where the caller says that this is safe, or where it carries nothing."""
    respx.post(f"{HOST}/query").mock(side_effect=[httpx.Response(500), httpx.Response(200, json=[])])
    assert await connect().request("POST", "/query", json={}, idempotent=True) == []
    respx.post(f"{HOST}/cancel").mock(side_effect=[httpx.ReadTimeout(""), httpx.Response(200)])
    assert await connect().request("POST", "/cancel") is None
    respx.post(f"{HOST}/create").respond(500)
    with pytest.raises(ServerError):
        await connect().request("POST", "/create", json={})


# -- recovery -------------------------------------------------------------------------------------------------------


def finder(*found: Any) -> Callable[[], Awaitable[Any]]:
    """A look-up that returns, or raises, one after the other."""
    answers = list(found)

    async def recover() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return recover


LOST = [
    httpx.ReadTimeout(""),
    httpx.RemoteProtocolError("cut"),
    httpx.Response(500),
    httpx.Response(502, html="<h1>Bad gateway</h1>"),
    httpx.Response(200, content=b'{"id": "pj'),
]


@respx.mock
@pytest.mark.parametrize("lost", LOST, ids=repr)
async def test_lost_create_is_looked_up(connect: Connect, lost: Any) -> None:
    """Ensure a create whose answer was lost returns what the look-up finds, and is not repeated."""
    route = respx.post(f"{HOST}/x").mock(side_effect=[lost])
    assert await connect().request("POST", "/x", json={}, recover=finder({"id": "found"})) == {"id": "found"}
    assert route.call_count == 1


@respx.mock
async def test_create_that_never_arrived_is_repeated(connect: Connect) -> None:
    """Ensure a look-up that finds nothing lets the create be sent again, as often as needed."""
    route = respx.post(f"{HOST}/x").mock(side_effect=[*LOST[:3], httpx.Response(200, json={"id": "new"})])
    result = await connect().request("POST", "/x", json={}, recover=finder(None, None, None))
    assert result == {"id": "new"}
    assert route.call_count == 4


@respx.mock
@pytest.mark.parametrize("failure", [httpx.Response(429), httpx.ConnectError("refused"), httpx.Response(408)], ids=repr)
async def test_no_look_up_where_nothing_was_accepted(connect: Connect, failure: Any) -> None:
    """Ensure a create that was turned away is repeated without looking anything up."""
    respx.post(f"{HOST}/x").mock(side_effect=[failure, httpx.Response(200, json={"id": "new"})])
    assert await connect().request("POST", "/x", json={}, recover=finder()) == {"id": "new"}


@respx.mock
async def test_failed_look_up_ends_it(connect: Connect) -> None:
    """Ensure a create is not repeated while nobody can tell whether it happened."""
    route = respx.post(f"{HOST}/x").respond(500)
    unreachable = TransportError("refused")
    with pytest.raises(ServerError) as caught:
        await connect().request("POST", "/x", json={}, recover=finder(unreachable))
    assert caught.value.__cause__ is unreachable
    assert route.call_count == 1


@respx.mock
async def test_last_look_up_after_the_budget(connect: Connect) -> None:
    """Ensure a paid job is looked for even when no time is left to create it again."""
    route = respx.post(f"{HOST}/x").mock(side_effect=httpx.ReadTimeout(""))
    create = connect(retry_budget=0).request
    assert await create("POST", "/x", json={}, recover=finder({"id": "found"})) == {"id": "found"}
    with pytest.raises(RequestTimeoutError):
        await create("POST", "/x", json={}, recover=finder(None))
    assert route.call_count == 2


# -- on a real socket -----------------------------------------------------------------------------------------------


async def test_cut_and_truncated_answers(connect: Connect) -> None:
    """Ensure resets, truncated and undecodable bodies are retried on a real connection."""
    script = (
        Mischief.RESET,
        truncated(b'{"ok"', 9),
        reply(b'{"ok"', headers=["Connection: close"]),
        reply(b"junk", headers=["Content-Encoding: gzip"]),
        reply(b'{"ok": 1}'),
    )
    async with loopback(*script) as server:
        assert await connect(base_url=server.url).request("GET", "/x") == {"ok": 1}
        assert len(server.received) == 5


async def test_truncated_create_counts_as_sent(connect: Connect) -> None:
    """Ensure a create whose answer breaks off is looked up."""
    async with loopback(truncated(b'{"id"', 500)) as server:
        connection = connect(base_url=server.url)
        assert await connection.request("POST", "/x", json={}, recover=finder({"id": 1})) == {"id": 1}


async def test_silence_ends_at_the_timeout(connect: Connect) -> None:
    """Ensure a service that never answers is given up after the timeout, with a hint."""
    async with loopback(Mischief.SILENCE) as server:
        with pytest.raises(RequestTimeoutError) as caught:
            await connect(base_url=server.url, retry_budget=0).request("GET", "/x", timeout=0.1)
    assert caught.value.sent
    assert "timeout=" in (caught.value.hint or "")


async def test_an_answer_that_trickles_in_is_a_timeout(connect: Connect) -> None:
    """Ensure an answer that comes byte by byte ends at the timeout, in a request as in a download."""
    async with loopback(*[Mischief.TRICKLE] * 6) as server:
        connection = connect(base_url=server.url, timeout=0.2, retry_budget=0)
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError, match="trickled"):
            await connection.request("GET", "/x")
        with pytest.raises(DownloadError, match="trickled"):
            await connection.download(f"{server.url}/file")
        assert time.monotonic() - started < 2


async def test_nobody_there(connect: Connect, unused_tcp_port: int) -> None:
    """Ensure an address where nothing listens says so and is known not to have been reached."""
    with pytest.raises(TransportError) as caught:
        await connect(base_url=f"localhost:{unused_tcp_port}", retry_budget=0).request("POST", "/x", json={})
    assert not caught.value.sent
    assert caught.value.request == f"POST http://localhost:{unused_tcp_port}/x"
    assert "base_url=" in (caught.value.hint or "")


async def test_an_error_that_is_its_own_cause() -> None:
    """Ensure a transport of the user's whose errors go in a circle is an error like any other, and holds up nothing."""

    def fail(_: httpx.Request) -> httpx.Response:
        error, inner = httpx.ReadError("reset"), OSError("reset")
        error.__cause__, inner.__cause__ = inner, error
        raise error

    settings = Settings.resolve(api_key=KEY, base_url=HOST, environ={}, transport=httpx.MockTransport(fail))
    with pytest.raises(TransportError, match="ReadError: reset"):
        await Connection(settings, policy=RetryPolicy(budget=0)).request("POST", "/x", json={})


async def test_connections_are_kept(connect: Connect) -> None:
    """Ensure requests one after the other use one connection."""
    async with loopback(*[reply()] * 5) as server:
        connection = connect(base_url=server.url)
        for _ in range(5):
            await connection.request("GET", "/x")
        assert {request.connection for request in server.received} == {1}


@pytest.mark.parametrize("apart", [0.0, 0.02], ids=["in one piece", "a moment later"])
async def test_an_answer_that_comes_twice_is_not_the_next_ones(connect: Connect, apart: float) -> None:
    """Ensure each request gets its own answer, though the server says everything twice."""
    twice = [reply(b'{"number": %d}' % number) for number in range(20)]
    async with loopback(*(one * 2 if not apart else one for one in twice), again_after=apart) as server:
        connection = connect(base_url=server.url)
        for number in range(20):
            assert await connection.request("GET", "/x") == {"number": number}
            await asyncio.sleep(2 * apart)


async def test_an_answer_about_answers_is_whole(connect: Connect) -> None:
    """Ensure what looks like a second answer may stand in the first one's body."""
    async with loopback(reply(b'{"text": "HTTP/1.1 200 OK"}'), reply(b'{"b": 2}')) as server:
        connection = connect(base_url=server.url)
        assert await connection.request("GET", "/x") == {"text": "HTTP/1.1 200 OK"}
        assert await connection.request("GET", "/x") == {"b": 2}


async def test_an_answer_to_another_request_counts_as_lost(connect: Connect) -> None:
    """Ensure it is asked for again over another connection, and said after the budget."""
    own = lambda answer: answer["id"] == "b"  # noqa: E731
    async with loopback(reply(b'{"id": "a"}'), reply(b'{"id": "b"}')) as server:
        connection = connect(base_url=server.url)
        assert await connection.request("GET", "/x", is_answer=own) == {"id": "b"}
        assert [one.connection for one in server.received] == [1, 2]
    async with loopback(*[reply(b'{"id": "a"}')] * 100) as server:
        with pytest.raises(TransportError, match="belongs to another request") as caught:
            await connect(base_url=server.url).request("GET", "/x", is_answer=own)
        assert caught.value.sent


async def test_upload_is_read_again_for_each_send(connect: Connect) -> None:
    """Ensure a repeated upload starts from the first byte, with its exact length and not chunked."""
    body = MultipartBody([("purpose", "parse")], "file", resolve_source(b"%PDF-1.7" + b"x" * 700_000))
    turned_away = reply(b"{}", status=429)
    async with loopback(turned_away, turned_away, reply(b'{"id": 1}')) as server:
        assert await connect(base_url=server.url).request("POST", "/x", body=body) == {"id": 1}
        first, *others = server.received
        assert len(first.body) == int(first.headers["content-length"]) > 700_000
        assert all(other.body == first.body for other in others)
        assert all("transfer-encoding" not in request.headers for request in server.received)


async def test_source_that_fails_is_not_retried(connect: Connect, waits: Waits) -> None:
    """Ensure an error of the source comes out as it is, after one send."""

    class Broken:
        def __init__(self) -> None:
            self.headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "10"}

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"12345"
            raise SourceError("a.pdf shrank while it was read")

    async with loopback() as server:
        with pytest.raises(SourceError, match="shrank"):
            await connect(base_url=server.url).request("POST", "/x", body=Broken(), recover=finder())
    assert waits.seconds == []


# -- redirects ------------------------------------------------------------------------------------------------------


@respx.mock
async def test_redirects_keep_secrets_at_home(connect: Connect) -> None:
    """Ensure a redirect within the host keeps the headers, and one to another host, port or scheme loses them."""
    home = respx.get(f"{HOST}/b").respond(json={})
    respx.get(f"{HOST}/a").respond(302, headers={"Location": "/b"})
    connection = connect(headers={"X-Pass": "hidden"})
    await connection.request("GET", "/a")
    assert home.calls.last.request.headers["authorization"] == f"Bearer {KEY}"
    for elsewhere in ("https://elsewhere.example.com/1", f"{HOST}:8443/2", f"{HOST.replace('https', 'http')}/3"):
        away = respx.get(elsewhere).respond(json={})
        respx.get(f"{HOST}/c").respond(307, headers={"Location": elsewhere})
        await connection.request("GET", "/c")
        assert not {"authorization", "x-pass"} & set(away.calls.last.request.headers)


@respx.mock
async def test_redirected_posts(connect: Connect) -> None:
    """Ensure a POST keeps its method and body on its own host, and its content goes to no other."""
    respx.post("http://byoc.example.com/x").respond(301, headers={"Location": "https://byoc.example.com/x"})
    secure = respx.post("https://byoc.example.com/x").respond(json={"id": 1})
    connection = connect(base_url="http://byoc.example.com")
    assert await connection.request("POST", "/x", json={"a": 1}) == {"id": 1}
    assert json.loads(secure.calls.last.request.content) == {"a": 1}
    assert secure.calls.last.request.headers["authorization"] == f"Bearer {KEY}"
    respx.post("http://byoc.example.com/y").respond(308, headers={"Location": "https://elsewhere.example.com/y"})
    with pytest.raises(TransportError, match=r"another host \(elsewhere\.example\.com\)"):
        await connection.request("POST", "/y", json={"a": 1})


@respx.mock
async def test_a_post_that_is_answered_elsewhere(connect: Connect) -> None:
    """Ensure a 303 is followed by a GET that neither has a body nor announces one."""
    respx.post(f"{HOST}/x").respond(303, headers={"Location": "/y"})
    answer = respx.get(f"{HOST}/y").respond(json={"id": 1})
    assert await connect().request("POST", "/x", json={"a": 1}) == {"id": 1}
    assert not {"content-length", "content-type"} & set(answer.calls.last.request.headers)


@respx.mock
@pytest.mark.parametrize("location", ["/x", "ftp://host/x", "http://[broken"])
async def test_redirects_that_lead_nowhere(connect: Connect, waits: Waits, location: str) -> None:
    """Ensure a circle and an address that is none end at once."""
    respx.get(f"{HOST}/x").respond(302, headers={"Location": location})
    with pytest.raises(TransportError, match="redirected"):
        await connect().request("GET", "/x")
    assert waits.seconds == []


# -- pace, sharing and secrets --------------------------------------------------------------------------------------


@respx.mock
async def test_a_web_page_instead_of_an_answer(connect: Connect, waits: Waits) -> None:
    """Ensure a login page with status 200 is named for what it is, without minutes of retries."""
    respx.get(f"{HOST}/x").respond(html="<html>Log in</html>")
    with pytest.raises(TransportError) as caught:
        await connect().request("GET", "/x")
    assert "base_url=" in (caught.value.hint or "")
    assert waits.seconds == []


@respx.mock
async def test_rate_errors_surface_after_the_budget(connect: Connect) -> None:
    """Ensure a rate limit that never lifts is raised as one in the end."""
    respx.get(f"{HOST}/x").respond(429, json={"detail": "Rate limit exceeded."}, headers={"Retry-After": "3000"})
    with pytest.raises(RateLimitError):
        await connect().request("GET", "/x")


@respx.mock
async def test_nothing_secret_is_logged(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure logs tell path, status and retries, but neither key, nor headers, nor query values."""
    caplog.set_level(logging.DEBUG, logger="llama_cloud_ext")
    respx.get(f"{HOST}/x").mock(side_effect=[httpx.Response(500), httpx.ReadTimeout(""), httpx.Response(200, json={})])
    await connect(headers={"X-Pass": "hidden"}).request("GET", "/x", params={"token": "in-the-query"})
    assert "GET /x: 500" in caplog.text
    assert "GET /x failed (send 2)" in caplog.text
    for secret in (KEY, "hidden", "in-the-query"):
        assert secret not in caplog.text


async def test_one_connection_for_equal_settings() -> None:
    """Ensure equal settings share a connection, and projects of one account its pool and rate limiter."""
    settings = Settings.resolve(api_key=KEY, environ={})
    first = connection_for(settings)
    assert connection_for(Settings.resolve(api_key=KEY, environ={})) is first
    scoped = connection_for(settings.scoped(project_id="p-1"))
    assert scoped is not first
    assert scoped.pool is first.pool
    assert scoped.limiter is first.limiter
    assert connection_for(Settings.resolve(api_key="llx-other", environ={})).pool is not first.pool


def test_each_loop_has_connections_of_its_own() -> None:
    """Ensure a connection is never shared between event loops."""

    async def get() -> Connection:
        return connection_for(Settings.resolve(api_key=KEY, environ={}))

    assert asyncio.run(get()) is not asyncio.run(get())


async def test_forked_process_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a forked child takes no connection over from its parent, as the two would share a socket."""
    settings = Settings.resolve(api_key=KEY, environ={})
    connection = connection_for(settings)
    with monkeypatch.context() as child:
        child.setattr("os.getpid", lambda: 0)
        assert connection_for(settings) is not connection
    assert connection_for(settings) is connection


async def test_transport_of_the_user_is_used_as_it_is(connect: Connect) -> None:
    """Ensure requests go through the very object that the user gave."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": 1})

    connection = connect(transport=httpx.MockTransport(handle))
    assert await connection.request("GET", "/x") == {"ok": 1}
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"


async def test_proxy_and_verify_apply(connect: Connect, unused_tcp_port: int) -> None:
    """Ensure requests go to the proxy, and that a proxy or CA file that cannot work is named."""
    async with loopback(reply(b'{"via": "proxy"}')) as proxy:
        connection = connect(base_url=f"http://nowhere.invalid:{unused_tcp_port}", proxy=proxy.url)
        assert await connection.request("GET", "/x") == {"via": "proxy"}
        assert proxy.received[0].line.startswith(f"GET http://nowhere.invalid:{unused_tcp_port}/x ")
    for option, value in (("verify", "/no/such/ca.pem"), ("proxy", "gopher://me:hunter2@proxy")):
        with pytest.raises(ConfigurationError) as caught:
            await connect(**{option: value}).request("GET", "/x")
        assert caught.value.option == option
        assert "hunter2" not in str(caught.value)


async def test_missing_extra_for_local(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a local address without the packages it needs says what to install."""
    monkeypatch.setitem(sys.modules, "llama_cloud_ext.local", None)
    with pytest.raises(ConfigurationError, match=r'pip install "llama-cloud-ext\[local\]"'):
        await connect(base_url="local::memory:").request("GET", "/x")


def test_import_is_light() -> None:
    """Ensure importing the transport does not import httpx."""
    code = "import sys, llama_cloud_ext.wire.transport; sys.exit('httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize(("number", "again"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
async def test_a_host_that_does_not_exist_is_not_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, number: int, again: bool
) -> None:
    """Ensure a name that no host has fails at the first send, while a busy name server is asked again."""
    questions = []

    def resolve(host: str, *_: Any, **__: Any) -> Any:
        questions.append(host)
        raise socket.gaierror(number, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TransportError, match="base_url"):
        await connect(retry_budget=2).request("GET", "/x")
    assert (len(questions) > 1) == again


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        (b'{"text": "\\ud800"}', {"text": "\ud800"}),
        (b"[" * 500 + b"]" * 500, None),
        (b'{"n": 123456789012345678901234567890, "x": NaN}', None),
    ],
    ids=["lone surrogate", "deep", "numbers"],
)
@respx.mock
async def test_json_that_strict_decoders_refuse(connect: Connect, body: bytes, meant: Any) -> None:
    """Ensure an answer that Python's own decoder takes is taken."""
    respx.get(f"{HOST}/x").mock(return_value=httpx.Response(200, content=body))
    answer = await connect().request("GET", "/x")
    assert answer == meant if meant is not None else json.dumps(answer) == json.dumps(json.loads(body))
