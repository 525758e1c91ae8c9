"""Batches of local LlamaCloud, beyond what the official SDK's journeys show."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext.local import batch_store, batches_routes
from llama_cloud_ext.local.batch_runner import BatchRunner
from tests.local.clients import TERMINAL, finished, local_client
from tests.local.test_directories_api import directory, put

BATCHES = "/api/v2/batches"
EXTRACT = "/api/v2/extract"
CONFIGURATIONS = "/api/v1/beta/configurations"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


async def batch_over(client: httpx.AsyncClient, directory_id: str, config: str = "cfg-PARSE_FAST", **job: str) -> Any:
    """Ask for a batch; the response."""
    job = {"type": "parse_v2", "configuration_id": config, **job}
    return await client.post(BATCHES, json={"source_directory_id": directory_id, "config": {"job": job}})


async def ended(client: httpx.AsyncClient, batch_id: str) -> Any:
    """Wait for a batch's end; the batch with its results."""
    deadline = time.monotonic() + 20
    while True:
        batch = (await client.get(f"{BATCHES}/{batch_id}", params={"expand": "results"})).json()
        if batch["status"] in TERMINAL:
            return batch
        assert batch["results"] is None
        assert time.monotonic() < deadline


@pytest.mark.parametrize("tier", ["FAST", "COST_EFFECTIVE", "AGENTIC", "AGENTIC_PLUS"])
async def test_presets_parse_every_file(tier: str) -> None:
    """Ensure each preset gives every file a parse job of its tier, for a batch and for a single job."""
    async with local_client(None) as client:
        directory_id = await directory(client, type="ephemeral")
        files = [await put(client, directory_id, f"text {name}", f"{name}.txt") for name in "abc"]
        batch = await ended(client, (await batch_over(client, directory_id, f"cfg-PARSE_{tier}")).json()["id"])
        assert batch["status"] == "COMPLETED"
        assert [result["source_directory_file_id"] for result in batch["results"]] == [file["id"] for file in files]
        for result, name in zip(batch["results"], "abc", strict=True):
            job = await finished(client, result["job_reference"]["id"])
            assert (job["status"], job["name"], job["tier"]) == ("COMPLETED", f"{name}.txt", tier.lower())
        body = {"file_id": files[0]["file_id"], "configuration_id": f"cfg-PARSE_{tier}"}
        assert (await client.post("/api/v2/parse", json=body)).json()["tier"] == tier.lower()


async def test_a_saved_configuration_extracts() -> None:
    """Ensure a saved extract configuration makes extract jobs, which say which it was."""
    async with local_client(None) as client:
        parameters = {"product_type": "extract_v2", "data_schema": SCHEMA}
        saved = (await client.post(CONFIGURATIONS, json={"name": "totals", "parameters": parameters})).json()
        directory_id = await directory(client)
        await put(client, directory_id, "Total: 12.50")
        made = await batch_over(client, directory_id, saved["id"], type="extract_v2")
        (result,) = (await ended(client, made.json()["id"]))["results"]
        assert result["job_reference"]["type"] == "extract_v2"
        job = (await client.get(f"{EXTRACT}/{result['job_reference']['id']}")).json()
        assert job["configuration_id"] == saved["id"]
        wrong = await batch_over(client, directory_id, saved["id"])
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"][-1]) == (422, "configuration_id")


async def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a batch with no directory, no such configuration, an unknown job, or too many files says why."""
    async with local_client(None) as client:
        directory_id = await directory(client)
        await put(client, directory_id, "x")
        assert (await batch_over(client, "dir-none")).status_code == 404
        assert (await batch_over(client, directory_id, "cfg-none")).status_code == 404
        assert (await batch_over(client, directory_id, type="classify_v2")).status_code == 422
        assert (await client.post(BATCHES, json={"source_directory_id": directory_id})).status_code == 422
        assert (await client.get(f"{BATCHES}/bat-none")).status_code == 404
        assert (await client.get(BATCHES, params={"status": "DONE"})).status_code == 422
        assert (await client.get(BATCHES, params={"status": "THROTTLED"})).json()["items"] == []
        assert batches_routes.MOST_FILES == batch_store.MOST_FILES == 1000
        monkeypatch.setattr(batch_store, "MOST_FILES", 1)
        await put(client, directory_id, "y", "b.txt")
        refused = await batch_over(client, directory_id)
        assert refused.status_code == 400
        assert "2 files; a batch takes at most 1000" in refused.json()["detail"]


async def test_a_file_that_is_gone_is_a_result_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a file that was deleted before its turn has an error message, and the others have jobs."""
    mapping, may_begin = BatchRunner._map, threading.Event()

    async def late(self: BatchRunner, batch: Any, stop: threading.Event) -> None:
        assert may_begin.wait(10)
        await mapping(self, batch, stop)

    monkeypatch.setattr(BatchRunner, "_map", late)
    async with local_client(None) as client:
        directory_id = await directory(client)
        gone, kept = await put(client, directory_id, "a", "a.txt"), await put(client, directory_id, "b", "b.txt")
        made = (await batch_over(client, directory_id)).json()
        await client.delete(f"/api/v1/beta/directories/{directory_id}/files/{gone['id']}")
        may_begin.set()
        first, second = (await ended(client, made["id"]))["results"]
        assert (first["source_directory_file_id"], first["job_reference"]) == (gone["id"], None)
        assert gone["file_id"] in first["error_message"]
        assert (second["source_directory_file_id"], second["error_message"]) == (kept["id"], None)


async def test_a_batch_can_be_cancelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a cancelled batch makes no jobs any more, and one that has ended is not cancelled again."""

    async def until_stopped(self: BatchRunner, batch: Any, stop: threading.Event) -> None:
        assert stop.wait(10)

    monkeypatch.setattr(BatchRunner, "_map", until_stopped)
    async with local_client(None) as client:
        directory_id = await directory(client)
        await put(client, directory_id, "a")
        made = (await batch_over(client, directory_id)).json()
        cancelled = await client.post(f"{BATCHES}/{made['id']}/cancel")
        assert cancelled.json()["status"] == "CANCELLED"
        (result,) = (await ended(client, made["id"]))["results"]
        assert (result["job_reference"], result["error_message"]) == (None, None)
        assert (await client.post(f"{BATCHES}/{made['id']}/cancel")).status_code == 409
        assert (await client.get("/api/v2/parse")).json()["total_size"] == 0


async def test_mapping_goes_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a batch whose mapping was cut off before anything was noted ends at the next start, with no job twice."""
    mapping, reached = BatchRunner._map, threading.Event()

    async def cut_off(self: BatchRunner, batch: Any, stop: threading.Event) -> None:
        for file in self._cloud.batches.files(batch.id).result()[:2]:
            await self._job_of(batch, file)
        reached.set()
        assert stop.wait(10)

    monkeypatch.setattr(BatchRunner, "_map", cut_off)
    async with local_client(tmp_path) as client:
        directory_id = await directory(client)
        for name in "abc":
            await put(client, directory_id, name, f"{name}.txt")
        made = (await batch_over(client, directory_id)).json()
        assert await asyncio.to_thread(reached.wait, 10)
        accepted = {job["id"] for job in (await client.get("/api/v2/parse")).json()["items"]}
        assert len(accepted) == 2
    monkeypatch.setattr(BatchRunner, "_map", mapping)
    async with local_client(tmp_path) as client:
        batch = await ended(client, made["id"])
        mapped = [result["job_reference"]["id"] for result in batch["results"]]
        assert accepted < set(mapped)
        assert (await client.get("/api/v2/parse")).json()["total_size"] == len(mapped) == 3


async def test_webhooks_are_refused() -> None:
    """Ensure a batch that should tell somebody is not accepted, as nobody would be told and no record could say so."""
    async with local_client(None) as client:
        directory_id = await directory(client)
        for name, value in (
            ("webhook_configurations", [{"webhook_url": "https://a.b"}]),
            ("webhook_configuration_ids", ["w"]),
        ):
            job = {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}
            body = {"source_directory_id": directory_id, "config": {"job": job}}
            refused = await client.post(BATCHES, json={**body, name: value})
            assert (refused.status_code, name in refused.json()["detail"]) == (501, True)
            assert (await client.post(BATCHES, json={**body, name: "all"})).status_code == 422
            assert (await client.post(BATCHES, json={**body, name: []})).status_code == 200
