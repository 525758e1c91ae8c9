"""Clients of a local LlamaCloud for tests, and the calls that most of them begin with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from llama_cloud_ext.local import Simulation, create_app
from llama_cloud_ext.local.asgi_transport import AsgiTransport
from tests.local import fake_engine

FILES = "/api/v1/beta/files"
PARSE = "/api/v2/parse"
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}


@contextlib.asynccontextmanager
async def local_client(
    data: Path | None,
    *,
    simulate: Simulation | None = None,
    api_key: str | None = None,
    engine: Any = fake_engine.parse,
    **models: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application of its own; both end with the block. `models` are those of indexes."""
    app = create_app(data, simulate=simulate, api_key=api_key, engine=engine, **models)
    try:
        async with httpx.AsyncClient(transport=AsgiTransport(app), base_url="http://cloud.test") as client:
            yield client
    finally:
        await asyncio.to_thread(app.state.cloud.close)


async def upload_file(client: httpx.AsyncClient, content: bytes = b"hello", name: str = "a.txt", **fields: str) -> Any:
    """Upload a file; returns its record."""
    fields = {"purpose": "parse", **fields}
    response = await client.post(FILES, data=fields, files={"file": (name, content)})
    assert response.status_code == 200, response.text
    return response.json()


async def submit(client: httpx.AsyncClient, content: bytes | str, name: str = "a.txt", **options: Any) -> Any:
    """Upload and parse; returns the job."""
    body = {"tier": "agentic", "version": "latest", **options}
    content = content.encode() if isinstance(content, str) else content
    response = await client.post(
        f"{PARSE}/upload", data={"configuration": json.dumps(body)}, files={"file": (name, content)}
    )
    assert response.status_code == 200, response.text
    return response.json()


async def finished(client: httpx.AsyncClient, job_id: str, *, within: float = 10.0) -> Any:
    """Wait for a job's terminal state; returns the job."""
    deadline = time.monotonic() + within
    while True:
        job = (await client.get(f"{PARSE}/{job_id}")).json()["job"]
        if job["status"] in TERMINAL:
            return job
        assert time.monotonic() < deadline, f"still {job['status']}"
        await asyncio.sleep(0.01)


async def running(client: httpx.AsyncClient, job_id: str) -> None:
    """Wait until a job runs."""
    while True:
        if (await client.get(f"{PARSE}/{job_id}")).json()["job"]["status"] == "RUNNING":
            return
        await asyncio.sleep(0.01)


async def expanded(client: httpx.AsyncClient, job_id: str, *values: str, **query: str) -> Any:
    """A finished job with expanded fields."""
    response = await client.get(f"{PARSE}/{job_id}", params={"expand": list(values), **query})
    assert response.status_code == 200, response.text
    return response.json()
