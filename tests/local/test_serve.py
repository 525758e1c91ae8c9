"""Local LlamaCloud on a port."""

from __future__ import annotations

import signal
import socket
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local import serve
from llama_cloud_ext.local.middleware import is_loopback

ROOT = Path(__file__).parents[2]


@contextmanager
def served(data: Path, options: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its base URL."""
    script = f"""
        import sys
        from llama_cloud_ext.local import Simulation, serve
        from tests.local import fake_engine
        serve(sys.argv[1], port=0, engine=fake_engine.parse, on_start=lambda url: print(url, flush=True), {options})
        print("served", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    """Ensure a job runs over a real port, the port can be learned, and signals end the server cleanly."""
    with served(tmp_path / "data") as (process, url):
        with httpx.Client(base_url=url) as client:
            files = {"file": ("a.txt", b"hello")}
            configuration = '{"tier": "fast", "version": "latest"}'
            job = client.post("/api/v2/parse/upload", data={"configuration": configuration}, files=files).json()
            while client.get(f"/api/v2/parse/{job['id']}").json()["job"]["status"] != "COMPLETED":
                time.sleep(0.02)
            answer = client.get(f"/api/v2/parse/{job['id']}?expand=text,text_content_metadata").json()
            assert answer["text"]["pages"][0]["text"] == "hello"
            presigned = answer["result_content_metadata"]["text"]["presigned_url"]
            assert presigned.startswith(f"{url}/presigned/")
            assert client.get(presigned).text == "hello"
        process.send_signal(stop)
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output, errors) == (0, "served\n", "")
        assert list((tmp_path / "data" / "owners").iterdir()) == []


def test_faults_reach_the_wire(tmp_path: Path) -> None:
    """Ensure cut connections are cut on a real socket as well: before the deed, after it, in the middle."""
    for fault, error in [
        ("reset", httpx.ReadError),
        ("lost", httpx.RemoteProtocolError),
        ("truncate", httpx.RemoteProtocolError),
    ]:
        options = f"simulate=Simulation(fault_rate=1.0, faults=({fault!r},))"
        with served(tmp_path / "data", options) as (process, url):
            for _ in range(2):
                with pytest.raises(error):
                    httpx.get(f"{url}/api/v1/projects")
            assert process.poll() is None


def test_answers_do_not_wait_for_acknowledgements(tmp_path: Path) -> None:
    """Ensure answers on a kept connection leave at once: Nagle's algorithm would hold each back for 40 ms."""
    with served(tmp_path) as (_, url), httpx.Client(base_url=url) as client:
        seconds = []
        for _ in range(40):
            started = time.perf_counter()
            client.get("/api/v1/projects").raise_for_status()
            seconds.append(time.perf_counter() - started)
        assert statistics.median(seconds) < 0.03


def test_key_is_required_where_one_is_set(tmp_path: Path) -> None:
    """Ensure requests without the key are 401 over a port."""
    with served(tmp_path, "api_key='llx-1'") as (_, url):
        assert httpx.get(f"{url}/api/v1/projects").status_code == 401
        headers = {"Authorization": "Bearer llx-1"}
        assert httpx.get(f"{url}/api/v1/projects", headers=headers).status_code == 200


def test_web_pages_are_kept_out(tmp_path: Path) -> None:
    """Ensure without a key neither a foreign host name nor a foreign origin gets in, and local ones do."""
    with served(tmp_path) as (_, url):
        for headers, status in [
            ({"Host": "evil.example"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": "localhost:1", "Origin": "http://127.0.0.1:9"}, 200),
        ]:
            assert httpx.get(f"{url}/api/v1/projects", headers=headers).status_code == status


def test_an_unusable_folder_is_a_clear_error(tmp_path: Path) -> None:
    """Ensure a data folder that is a file raises ConfigurationError with its name."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigurationError, match="data"):
        serve(tmp_path / "data", port=0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])  # noqa: S104 - refused
def test_other_addresses_need_a_key(tmp_path: Path, host: str) -> None:
    """Ensure nothing but the loopback is served without an API key."""
    with pytest.raises(ConfigurationError, match="API key"):
        serve(tmp_path, host)
    assert not is_loopback(host)


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    """Ensure a port in use raises ConfigurationError that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            serve(tmp_path, port=port)
