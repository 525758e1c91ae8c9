"""Simulated latency, limits and faults."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext import LlamaParseReader
from llama_cloud_ext.errors import ConfigurationError, NotFoundError
from llama_cloud_ext.local import Simulation
from llama_cloud_ext.local.simulation import simulation_of
from tests.local.clients import FILES, PARSE, finished, local_client, submit


@pytest.mark.parametrize(
    "options",
    [
        {"fault_rate": 1.5},
        {"fault_rate": 0.1, "faults": ()},
        {"faults": ("teapot",)},
        {"latency": -1.0},
        {"latency": (2.0, 1.0)},
        {"requests_per_minute": 0},
        {"max_concurrent_jobs": -1},
    ],
)
def test_impossible_simulations_are_refused(options: dict[str, Any]) -> None:
    """Ensure values out of range raise ConfigurationError."""
    with pytest.raises(ConfigurationError):
        Simulation(**options)


def test_draws_repeat_with_the_seed() -> None:
    """Ensure a seed makes latencies and faults repeatable, and each independent of the other."""
    one, two = (Simulation(latency=(0.0, 9.0), fault_rate=0.5, seed=3) for _ in range(2))
    faults = [one.draw_fault() for _ in range(50)]
    latencies = [one.draw_latency("a") for _ in range(50)]
    assert [two.draw_latency("a") for _ in range(50)] == latencies
    assert [two.draw_fault() for _ in range(50)] == faults
    assert set(faults) == {None, "429", "500", "503", "reset", "truncate", "lost"}
    assert Simulation(latency=len).draw_latency("abc") == 3


def test_options_of_addresses() -> None:
    """Ensure the texts of an address become numbers, and unknown or unreadable ones raise."""
    simulation = simulation_of({"latency": "2", "max_concurrent_jobs": "3", "requests_per_minute": "20"})
    assert (simulation.latency, simulation.max_concurrent_jobs, simulation.requests_per_minute) == (2.0, 3, 20.0)
    for options in ({"_lock": "1"}, {"latency": "fast"}, {"fault_rate": "0.1-0.2"}):
        with pytest.raises(ConfigurationError):
            simulation_of(options)


async def test_latency_takes_no_cores(tmp_path: Path) -> None:
    """Ensure any number of jobs can sit out their latency side by side."""
    async with local_client(tmp_path, simulate=Simulation(latency=0.5)) as client:
        started = time.monotonic()
        jobs = [await submit(client, "x") for _ in range(24)]
        done = await asyncio.gather(*(finished(client, job["id"]) for job in jobs))
        assert {job["status"] for job in done} == {"COMPLETED"}
        assert 0.5 < time.monotonic() - started < 3


async def test_concurrency_limit(tmp_path: Path) -> None:
    """Ensure no more jobs run at once than the simulation allows; the others are PENDING."""
    simulate = Simulation(latency=0.1, max_concurrent_jobs=2)
    async with local_client(tmp_path, simulate=simulate) as client:
        jobs = [await submit(client, "x") for _ in range(6)]
        while True:
            items = (await client.get(PARSE)).json()["items"]
            states = [job["status"] for job in items]
            assert states.count("RUNNING") <= 2
            if states == ["COMPLETED"] * len(jobs):
                break
            await asyncio.sleep(0.005)


async def test_cancelling_ends_the_latency(tmp_path: Path) -> None:
    """Ensure a job that waits can be cancelled and is never run."""
    async with local_client(tmp_path, simulate=Simulation(latency=60.0)) as client:
        job = await submit(client, "x")
        assert (await client.post(f"{PARSE}/{job['id']}/cancel")).json()["status"] == "CANCELLED"


async def test_rate_limit(tmp_path: Path) -> None:
    """Ensure requests beyond the rate get a 429 and change nothing."""
    async with local_client(tmp_path, simulate=Simulation(requests_per_minute=3)) as client:
        answers = [await client.get(PARSE) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].json()["detail"].startswith("Rate limit exceeded.")


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("500", 500), ("503", 503)])
async def test_faults_that_answer(tmp_path: Path, fault: Any, status: int) -> None:
    """Ensure status faults answer without acting; a 5xx carries a correlation id."""
    simulation = Simulation(fault_rate=1.0, faults=(fault,))
    async with local_client(tmp_path, simulate=simulation) as client:
        response = await client.post(FILES, data={"purpose": "parse"}, files={"file": ("a.txt", b"x")})
        assert response.status_code == status
        assert ("correlation_id" in response.json()) == (status >= 500)
        simulation.fault_rate = 0.0
        assert (await client.get(FILES)).json()["items"] == []


@pytest.mark.parametrize(("fault", "acted"), [("reset", False), ("lost", True), ("truncate", True)])
async def test_faults_that_cut(tmp_path: Path, fault: Any, acted: bool) -> None:
    """Ensure cut connections are transport errors, and only `lost` and `truncate` come after the deed."""
    simulation = Simulation(fault_rate=1.0, faults=(fault,))
    async with local_client(tmp_path, simulate=simulation) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(FILES, data={"purpose": "parse"}, files={"file": ("a.txt", b"x")})
        simulation.fault_rate = 0.0
        assert len((await client.get(FILES)).json()["items"]) == acted


async def test_refusals_can_be_lost_too(tmp_path: Path) -> None:
    """Ensure a lost answer is lost even when it was an error."""
    async with local_client(tmp_path, simulate=Simulation(fault_rate=1.0, faults=("lost",))) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{PARSE}/pjb-none")


async def test_everything_arrives_through_faults(tmp_path: Path) -> None:
    """Ensure with one request in five failing, clients that repeat reads and look before they repeat creates lose
    nothing."""
    simulation = Simulation(fault_rate=0.2, seed=11)
    async with local_client(tmp_path, simulate=simulation) as client:

        async def attempt(method: str, url: str, **options: Any) -> Any:
            with contextlib.suppress(httpx.TransportError):
                response = await client.request(method, url, **options)
                if response.status_code == 200:
                    return response.json()
            return None

        async def listed(**query: str) -> Any:
            while (answer := await attempt("GET", FILES, params=query)) is None:
                pass
            return answer

        for number in range(20):
            name = f"{number}.txt"
            while not (await listed(file_name=name))["items"]:
                await attempt("POST", FILES, data={"purpose": "parse"}, files={"file": (name, b"x")})
        assert (await listed())["total_size"] == 20


def test_memories_with_queries(tmp_path: Path) -> None:
    """Ensure a query makes a memory of its own, with just the trouble that it names."""
    path = tmp_path / "note.txt"
    path.write_text("Oaks.")
    seconds: dict[str, float] = {}
    jobs: dict[str, str] = {}
    for query in ("", "?latency=0.4", "?latency=0&seed=1"):
        reader = LlamaParseReader(base_url=f"local::memory:{query}")
        started = time.monotonic()
        jobs[query] = reader.parse(path).job.id
        seconds[query] = time.monotonic() - started
    assert seconds["?latency=0.4"] >= 0.4
    with pytest.raises(NotFoundError):
        LlamaParseReader(base_url="local::memory:").get_result(jobs["?latency=0.4"])
