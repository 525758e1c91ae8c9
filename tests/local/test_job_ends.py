"""How soon the end of a job is heard of, and what a job changes in the process while it runs."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local import Simulation, settling_status
from llama_cloud_ext.local.engine import EngineResult
from llama_cloud_ext.local.garbage_collection import SELDOM, seldom_collected
from tests.local import fake_engine
from tests.local.clients import PARSE, finished, local_client, submit


async def test_a_look_waits_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a look at a running job answers as soon as it ends."""
    monkeypatch.setattr(settling_status, "LONGEST_LOOK", 30.0)
    monkeypatch.setattr(settling_status, "LOOK_PER_AGE", 1000.0)
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 0.5")
        await asyncio.sleep(0.1)
        started = time.monotonic()
        assert (await client.get(f"{PARSE}/{job['id']}")).json()["job"]["status"] == "COMPLETED"
        assert time.monotonic() - started < 15


async def test_a_look_does_not_wait_long(tmp_path: Path) -> None:
    """Ensure a look at a job that goes on answers after half a second, and says so."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 20")
        await asyncio.sleep(0.2)
        started = time.monotonic()
        assert (await client.get(f"{PARSE}/{job['id']}")).json()["job"]["status"] == "RUNNING"
        assert time.monotonic() - started > 0.4


async def test_a_cancelled_job_is_no_longer_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a look that waits hears of a cancellation."""
    monkeypatch.setattr(settling_status, "LONGEST_LOOK", 30.0)
    monkeypatch.setattr(settling_status, "LOOK_PER_AGE", 1000.0)
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 20")
        await asyncio.sleep(0.2)
        look = asyncio.create_task(client.get(f"{PARSE}/{job['id']}"))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await client.post(f"{PARSE}/{job['id']}/cancel")
        assert (await look).json()["job"]["status"] == "CANCELLED"
        assert time.monotonic() - started < 15


async def test_simulations_answer_at_once(tmp_path: Path) -> None:
    """Ensure a simulated service answers looks as the service does, however long the job goes on."""
    async with local_client(tmp_path, simulate=Simulation(latency=20.0)) as client:
        job = await submit(client, "text")
        await asyncio.sleep(0.2)
        started = time.monotonic()
        assert (await client.get(f"{PARSE}/{job['id']}")).json()["job"]["status"] in {"PENDING", "RUNNING"}
        assert time.monotonic() - started < 0.3


async def test_collections_are_rare_during_a_job(tmp_path: Path) -> None:
    """Ensure garbage is collected seldom while a document is parsed, and as before when it is done."""
    usual = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    def engine(path: Path, name: str, configuration: dict[str, Any], **more: Callable[[], bool]) -> EngineResult:
        seen.append(gc.get_threshold())
        return fake_engine.parse(path, name, configuration, tessdata=None, should_stop=more["should_stop"])

    async with local_client(tmp_path, engine=engine) as client:
        await finished(client, (await submit(client, "text"))["id"])
    assert seen == [(SELDOM, *usual[1:])]
    assert gc.get_threshold() == usual


def test_the_pace_of_collections_is_the_callers() -> None:
    """Ensure blocks that overlap restore the pace once, and one that is off, slower or set meanwhile is left alone."""
    usual = gc.get_threshold()
    try:
        with seldom_collected():
            with seldom_collected():
                pass
            assert gc.get_threshold()[0] == SELDOM
        assert gc.get_threshold() == usual
        for own in (0, SELDOM * 2):
            gc.set_threshold(own, *usual[1:])
            with seldom_collected():
                assert gc.get_threshold()[0] == own
            assert gc.get_threshold()[0] == own
        gc.set_threshold(*usual)
        with seldom_collected():
            gc.set_threshold(123, *usual[1:])
        assert gc.get_threshold()[0] == 123
    finally:
        gc.set_threshold(*usual)
