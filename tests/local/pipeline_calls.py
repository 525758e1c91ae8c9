"""The calls that most tests of pipelines begin with."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from tests.local.clients import upload_file

PIPELINES = "/api/v1/pipelines"
PENDING = {"NOT_STARTED", "IN_PROGRESS"}


async def upsert(client: httpx.AsyncClient, name: str = "animals", **configuration: Any) -> Any:
    """Upsert a pipeline; returns it."""
    response = await client.put(PIPELINES, json={"name": name, **configuration})
    assert response.status_code == 200, response.text
    return response.json()


async def pipeline(client: httpx.AsyncClient, name: str = "animals", **configuration: Any) -> str:
    """Upsert a pipeline; returns its path."""
    return f"{PIPELINES}/{(await upsert(client, name, **configuration))['id']}"


def document(document_id: str, text: str, **metadata: Any) -> dict[str, Any]:
    """A document as requests bring it."""
    return {"id": document_id, "text": text, "metadata": metadata}


async def put(client: httpx.AsyncClient, path: str, *documents: dict[str, Any]) -> Any:
    """Upsert documents; returns them."""
    response = await client.put(f"{path}/documents", json=list(documents))
    assert response.status_code == 200, response.text
    return response.json()


async def add_file(
    client: httpx.AsyncClient, path: str, content: bytes, name: str = "a.txt", metadata: dict[str, Any] | None = None
) -> str:
    """Upload a file and put it into a pipeline; returns its id."""
    file_id = (await upload_file(client, content, name))["id"]
    response = await client.put(f"{path}/files", json=[{"file_id": file_id, "custom_metadata": metadata}])
    assert response.status_code == 200, response.text
    return str(file_id)


async def ingested(client: httpx.AsyncClient, path: str, *, within: float = 30.0) -> str:
    """Wait until a pipeline has nothing left to do; returns its status."""
    deadline = time.monotonic() + within
    while (status := (await client.get(f"{path}/status")).json()["status"]) in PENDING:
        assert time.monotonic() < deadline, f"still {status}"
        await asyncio.sleep(0.01)
    return str(status)


async def under_way(client: httpx.AsyncClient, path: str, *, within: float = 10.0) -> None:
    """Wait until the ingestion of a document or file has begun."""
    deadline = time.monotonic() + within
    while (status := (await client.get(f"{path}/status")).json()["status"]) != "IN_PROGRESS":
        assert time.monotonic() < deadline, f"still {status}"
        await asyncio.sleep(0.01)


async def status_of(client: httpx.AsyncClient, path: str) -> Any:
    """A status answer."""
    response = await client.get(f"{path}/status")
    assert response.status_code == 200, response.text
    return response.json()


async def chunks(client: httpx.AsyncClient, path: str, document_id: str) -> list[str]:
    """The texts of a document's chunks."""
    response = await client.get(f"{path}/documents/{document_id}/chunks")
    assert response.status_code == 200, response.text
    return [node["text"] for node in response.json()]


async def retrieved(client: httpx.AsyncClient, path: str, query: str, **settings: Any) -> Any:
    """What a retrieval answers."""
    response = await client.post(f"{path}/retrieve", json={"query": query, **settings})
    assert response.status_code == 200, response.text
    return response.json()


async def texts(client: httpx.AsyncClient, path: str, query: str, **settings: Any) -> list[str]:
    """The texts that a retrieval finds, the best first."""
    return [found["node"]["text"] for found in (await retrieved(client, path, query, **settings))["retrieval_nodes"]]
