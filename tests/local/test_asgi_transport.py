"""The in-process HTTP transport."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.asgi_transport import AsgiTransport
from llama_cloud_ext.local.in_process import local_transport, parse_address

CHUNK = bytes(256 * 1024)


def client_of(app: Any, **options: Any) -> httpx.AsyncClient:
    """A client whose requests go to `app`."""
    return httpx.AsyncClient(transport=AsgiTransport(app), base_url="http://app.test", **options)


async def body_of(receive: Any) -> bytes:
    """Read a whole request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def start(send: Any, status: int = 200) -> None:
    """Begin an answer."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-test", b"yes")]})


async def test_request_and_answer_arrive_whole() -> None:
    """Ensure method, path, query, headers and bodies cross in both directions as on a socket."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope, received=await body_of(receive))
        await start(send, 201)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async with client_of(app) as client:
        response = await client.put("/a%20b/c?x=1&x=2", content=b"hello", headers={"X-Own": "Ä".encode("latin-1")})
    assert (response.status_code, response.content, response.headers["x-test"]) == (201, b"ab", "yes")
    assert (seen["method"], seen["path"], seen["raw_path"]) == ("PUT", "/a b/c", b"/a%20b/c")
    assert (seen["query_string"], seen["received"]) == (b"x=1&x=2", b"hello")
    assert (b"x-own", b"\xc4") in seen["headers"]


async def test_bodies_stream_with_bounded_queues() -> None:
    """Ensure neither side can run ahead of the other by more than a few chunks."""
    sent = received = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await start(send)
        for _ in range(50):
            sent += 1
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        await send({"type": "http.response.body"})

    async with client_of(app) as client, client.stream("GET", "/") as response:
        async for chunk in response.aiter_raw():
            received += 1
            await asyncio.sleep(0)
            assert len(chunk) == len(CHUNK)
            assert sent - received <= 4
    assert received == 50


async def test_uploads_wait_for_the_application() -> None:
    """Ensure a slow application slows the upload down instead of filling memory."""
    made = taken = 0
    ahead = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(50):
            made += 1
            yield CHUNK

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal taken, ahead
        while (await receive())["more_body"]:
            taken += 1
            ahead = max(ahead, made - taken)
            await asyncio.sleep(0)
        await start(send)
        await send({"type": "http.response.body"})

    async with client_of(app) as client:
        assert (await client.post("/", content=chunks())).status_code == 200
    assert taken == 50
    assert ahead <= 4


async def test_read_timeouts() -> None:
    """Ensure a late answer and a stalled one raise ReadTimeout in time, and the application sees a disconnect."""
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        if scope["path"] == "/stalled":
            await start(send)
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    async with client_of(app, timeout=0.1) as client:
        for path in ("/late", "/stalled"):
            gone.clear()
            started = asyncio.get_running_loop().time()
            with pytest.raises(httpx.ReadTimeout):
                await client.post(path, content=b"x")
            assert asyncio.get_running_loop().time() - started < 1
            await asyncio.wait_for(gone.wait(), 1)


async def test_write_timeout() -> None:
    """Ensure an application that takes nothing from an upload raises WriteTimeout."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield CHUNK

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(5)

    transport = AsgiTransport(app)
    request = httpx.Request("POST", "http://app.test", content=chunks(), extensions={"timeout": {"write": 0.1}})
    with pytest.raises(httpx.WriteTimeout):
        await transport.handle_async_request(request)
    for task in transport._tasks:
        task.cancel()


async def test_a_long_upload_does_not_count_as_waiting() -> None:
    """Ensure the read timeout starts when the upload has ended."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.sleep(0.05)
            yield b"x"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await start(send)
        await send({"type": "http.response.body"})

    async with client_of(app, timeout=0.2) as client:
        assert (await client.post("/", content=chunks())).status_code == 200


async def test_cancellation_is_a_disconnect() -> None:
    """Ensure a cancelled caller disconnects: the application is not cancelled and ends by itself."""
    states: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        states.append((await receive())["type"])
        await asyncio.sleep(0.01)
        states.append("ended")

    client = client_of(app)
    call = asyncio.create_task(client.get("/"))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await client.aclose()
    assert states == ["http.disconnect", "ended"]


async def test_application_errors_are_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a bug of the application is a 500 with a correlation id that the log has too."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("a bug")

    async with client_of(app) as client:
        response = await client.get("/")
    assert response.status_code == 500
    assert response.json()["correlation_id"] in caplog.text


async def test_an_unfinished_answer_is_a_transport_error() -> None:
    """Ensure an application that breaks off, with or without an exception, is a cut connection."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/silent":
            return
        await start(send)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        if scope["path"] == "/raising":
            raise ZeroDivisionError("a bug")

    async with client_of(app) as client:
        for path in ("/silent", "/half", "/raising"):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(path)


async def test_errors_of_the_callers_body_reach_the_caller() -> None:
    """Ensure an upload that fails to read its source raises that very error, and the application a disconnect."""
    states: list[str] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("source")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            assert message["more_body"]
        states.append(message["type"])

    async with client_of(app) as client:
        with pytest.raises(KeyError, match="source"):
            await client.post("/", content=chunks())
    assert states == ["http.disconnect"]


@pytest.mark.parametrize(
    "address", ["local:", "remote:dir", "dir", "local:d?latency", "local:d?speed=1", "local:d?seed=x"]
)
def test_malformed_addresses_are_refused(address: str) -> None:
    """Ensure an address that is not understood raises at once instead of opening some folder."""
    with pytest.raises(ConfigurationError):
        parse_address(address)


def test_addresses(tmp_path: Path) -> None:
    """Ensure folders become absolute, `:memory:` has none, and the query becomes a simulation."""
    assert parse_address(f"local:{tmp_path}") == (tmp_path, None)
    assert parse_address("local:here")[0] == Path.cwd() / "here"
    folder, simulation = parse_address("local::memory:?latency=0.3-2&faults=429,lost&fault_rate=0.2&seed=4")
    assert folder is None
    assert simulation is not None
    assert (simulation.latency, simulation.faults, simulation.seed) == ((0.3, 2.0), ("429", "lost"), 4)


async def test_local_folder_is_private_and_shared(tmp_path: Path) -> None:
    """Ensure the folder is made with mode 0700 at the first request, and two transports see the same data."""
    data = tmp_path / "deep" / "data"
    one, two = local_transport(f"local:{data}"), local_transport(f"local:{data}")
    assert not data.exists()
    async with httpx.AsyncClient(transport=one, base_url="http://a") as client:
        first = (await client.get("/api/v1/projects")).json()
    assert data.stat().st_mode & 0o777 == 0o700
    async with httpx.AsyncClient(transport=two, base_url="http://b") as client:
        assert (await client.get("/api/v1/projects")).json() == first
    assert list((data / "owners").iterdir()) == []


async def test_an_unusable_folder_is_a_clear_error(tmp_path: Path) -> None:
    """Ensure a folder that cannot be opened, or was written by a newer version, raises ConfigurationError."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "newer").mkdir()
    with sqlite3.connect(tmp_path / "newer" / "llamacloud.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    for name in ("file", "newer"):
        async with httpx.AsyncClient(transport=local_transport(f"local:{tmp_path / name}")) as client:
            with pytest.raises(ConfigurationError, match=name):
                await client.get("http://a/api/v1/projects")


async def test_memory_is_shared_within_the_process() -> None:
    """Ensure what one client of `local::memory:` stores outlives it and is seen by the next."""
    async with httpx.AsyncClient(transport=local_transport("local::memory:"), base_url="http://a") as client:
        files = {"file": ("a.txt", b"x")}
        record = (await client.post("/api/v1/beta/files", data={"purpose": "parse"}, files=files)).json()
    async with httpx.AsyncClient(transport=local_transport("local::memory:"), base_url="http://a") as client:
        assert (await client.get(f"/api/v1/beta/files/{record['id']}")).json() == record


def _use_memory() -> None:
    local_transport("local::memory:")


def test_memory_is_refused_in_worker_processes() -> None:
    """Ensure a spawned or forked worker is told that it cannot see its parent's memory."""
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool, pytest.raises(ConfigurationError, match="worker"):
            pool.apply(_use_memory)


def test_use_after_fork_is_refused(tmp_path: Path) -> None:
    """Ensure a transport that a fork inherited raises ConfigurationError instead of hanging."""

    async def use(transport: httpx.AsyncBaseTransport) -> None:
        response = await transport.handle_async_request(httpx.Request("GET", "http://a/api/v1/projects"))
        await response.aread()

    for address in ("local::memory:", f"local:{tmp_path}"):
        transport = local_transport(address)
        asyncio.run(use(transport))
        if (child := os.fork()) == 0:  # the child leaves by _exit: it must not run the parent's clean-up
            try:
                asyncio.run(use(transport))
            except ConfigurationError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        asyncio.run(transport.aclose())


def run_script(script: str, *arguments: str) -> str:
    """Run a Python script in a process of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_memory_of_large_uploads_and_downloads(tmp_path: Path) -> None:
    """Ensure 300 MiB go up and down with less than 16 MiB more memory at the peak."""
    output = run_script(
        """
        import asyncio, resource, sys
        import httpx
        from llama_cloud_ext.local import create_app
        from llama_cloud_ext.local.asgi_transport import AsgiTransport
        from tests.local import fake_engine

        PIECE, COUNT = bytes(256 * 1024), 1200
        HEAD = b'--b\\r\\nContent-Disposition: form-data; name="purpose"\\r\\n\\r\\nparse\\r\\n'
        HEAD += b'--b\\r\\nContent-Disposition: form-data; name="file"; filename="a.txt"\\r\\n\\r\\n'

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        async def body(count):
            yield HEAD
            for _ in range(count):
                yield PIECE
            yield b'\\r\\n--b--\\r\\n'

        async def main():
            app = create_app(sys.argv[1], engine=fake_engine.parse)
            async with httpx.AsyncClient(transport=AsgiTransport(app), base_url='http://a', timeout=60) as client:
                async def up(count):
                    headers = {'content-type': 'multipart/form-data; boundary=b'}
                    return (await client.post('/api/v1/beta/files', content=body(count), headers=headers)).json()['id']

                async def down(file):
                    url = (await client.get(f'/api/v1/beta/files/{file}/content')).json()['url']
                    async with client.stream('GET', url) as response:
                        return sum([len(chunk) async for chunk in response.aiter_raw()])

                await down(await up(20))
                before = peak()
                file = await up(COUNT)
                assert await down(file) == COUNT * len(PIECE)
                print(peak() - before)
            app.state.cloud.close()

        asyncio.run(main())
        """,
        str(tmp_path),
    )
    assert float(output) < 16


def test_clean_exit_with_a_running_job(tmp_path: Path) -> None:
    """Ensure a process that ends while a job runs exits at once and silently, and the job waits for the next start."""
    run_script(
        """
        import asyncio, json, sys
        import httpx
        from llama_cloud_ext.local import in_process
        from llama_cloud_ext.local.cloud import LocalCloud
        from tests.local import fake_engine

        in_process.LocalCloud = lambda *a, **k: LocalCloud(*a, **k, engine=fake_engine.parse)

        async def main():
            client = httpx.AsyncClient(transport=in_process.local_transport(f'local:{sys.argv[1]}'), base_url='http://a')
            data = {'configuration': json.dumps({'tier': 'fast', 'version': 'latest'})}
            await client.post('/api/v2/parse/upload', data=data, files={'file': ('a.txt', b'SLEEP 60')})
            while (await client.get('/api/v2/parse')).json()['items'][0]['status'] != 'RUNNING':
                await asyncio.sleep(0.01)

        asyncio.run(main())
        """,
        str(tmp_path),
    )
    with sqlite3.connect(tmp_path / "llamacloud.sqlite3") as connection:
        assert connection.execute("SELECT status, owner, attempts FROM jobs").fetchall() == [("PENDING", None, 0)]
