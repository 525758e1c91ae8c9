"""Calls of `/api/v2/extract` and of saved configurations that many tests begin with."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx

from tests.local import fake_extractor
from tests.local.clients import TERMINAL, local_client, upload_file

EXTRACT = "/api/v2/extract"
CONFIGURATIONS = "/api/v1/beta/configurations"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string", "description": "The text."}}}


def extract_client(data: Path | None, **options: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """A client of an application that parses and extracts with stand-ins."""
    return local_client(data, **{"extractor": fake_extractor.extract, **options})


async def extract(client: httpx.AsyncClient, file_input: str, **configuration: Any) -> Any:
    """Create a job; the job."""
    body = {"file_input": file_input, "configuration": {"data_schema": SCHEMA, **configuration}}
    answer = await client.post(EXTRACT, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ended(client: httpx.AsyncClient, job_id: str, *expand: str, within: float = 10.0) -> Any:
    """Wait for a job's terminal state; the job."""
    deadline = time.monotonic() + within
    while True:
        answer = await client.get(f"{EXTRACT}/{job_id}", params={"expand": list(expand)})
        assert answer.status_code == 200, answer.text
        job = answer.json()
        if job["status"] in TERMINAL:
            return job
        assert time.monotonic() < deadline, f"still {job['status']}"
        await asyncio.sleep(0.01)


async def extracting(client: httpx.AsyncClient, job_id: str) -> None:
    """Wait until a job runs."""
    while True:
        if (await client.get(f"{EXTRACT}/{job_id}")).json()["status"] == "RUNNING":
            return
        await asyncio.sleep(0.01)


async def extracted(client: httpx.AsyncClient, content: bytes | str, *expand: str, **configuration: Any) -> Any:
    """Upload a text and extract from it; the job at its end."""
    file = await upload_file(client, content.encode() if isinstance(content, str) else content, "doc.txt")
    return await ended(client, (await extract(client, file["id"], **configuration))["id"], *expand)


async def save(client: httpx.AsyncClient, name: str, product_type: str = "extract_v2", **parameters: Any) -> Any:
    """Save a configuration; the configuration."""
    if product_type == "extract_v2":
        parameters = {"data_schema": SCHEMA, **parameters}
    body = {"name": name, "parameters": {"product_type": product_type, **parameters}}
    answer = await client.post(CONFIGURATIONS, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def places(answer: httpx.Response) -> list[list[str | int]]:
    """Where the problems are that a 422 tells of, in the service's form."""
    assert answer.status_code == 422, answer.text
    for problem in answer.json()["detail"]:
        assert problem.keys() == {"type", "loc", "msg", "input"}
    return [problem["loc"] for problem in answer.json()["detail"]]
