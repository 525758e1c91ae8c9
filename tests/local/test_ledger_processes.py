"""Processes that share a ledger, one after the other and at once: nothing is lost, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext import LlamaExtract
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.contract.served_cloud import ServedCloud
from tests.local.ledger_client import extract_folder, parse_in_batches, started

KILLS = int(os.environ.get("LEDGER_KILLS", "4"))
"""Kills in each test; as many more as you have time for find rarer moments."""

SEEDS = range(1, 1 + int(os.environ.get("LEDGER_SEEDS", "1")))
"""Draws of faults and moments; 50 take about a quarter of an hour."""

FILES = 24
EXTRACTED = 12
LOST = {"one_create_in_lost": 5, "lost_kinds": ["cut", "502", "truncated"]}

CHAOS = {
    **LOST,
    "one_in_fails": 5,
    "fault_kinds": ["429", "500", "502", "503", "cut", "truncated", "slow", "duplicate"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files whose jobs take from 0.1 to 0.4 seconds."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:02}-{0.1 + number % 4 / 10:.1f}.pdf").write_bytes(b"%PDF-1.7 " + str(number).encode())
    return folder


def undisturbed(cloud: SimulatedCloud, folder: Path, tmp_path: Path) -> Any:
    """What a run comes to that nothing disturbs."""
    cloud.reset()
    process = started(cloud.base_url, str(tmp_path / "other-ledger"), folder, tmp_path / "expected", workers=FILES)
    process.join(30)
    assert process.exitcode == 0
    return json.loads((tmp_path / "expected").read_text())


@pytest.mark.parametrize("scenario", [{}, LOST, CHAOS], ids=["reliable", "lost answers", "chaos"])
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_again_and_again(
    simulated_cloud: SimulatedCloud, folder: Path, tmp_path: Path, scenario: dict[str, Any], seed: int
) -> None:
    """Ensure a process that kill -9 ends at random moments, started until it is done, creates each job once."""
    expected = undisturbed(simulated_cloud, folder, tmp_path)
    simulated_cloud.reset(**scenario, seed=seed)
    out = tmp_path / "out"
    killed = until_done(out, seed, lambda: started(simulated_cloud.base_url, str(tmp_path / "ledger"), folder, out))
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (FILES, 0)
    assert json.loads(out.read_text()) == expected
    assert killed >= KILLS // 2
    if scenario:
        # Where a create meets another fault first, its answer is not counted as lost.
        assert stats["creates_lost"] >= FILES // 12


def until_done(out: Path, seed: int, start: Callable[[], BaseProcess]) -> int:
    """Start a process until it has written its output, and kill it at random moments; how often that came about."""
    moments = random.Random(seed)
    killed = 0
    while not out.exists():
        process = start()
        if killed < KILLS:
            while not out.with_name("out.started").exists():
                time.sleep(0.005)
            process.join(moments.uniform(0.05, 0.5))
            killed += process.exitcode is None
            process.kill()
        process.join(60)
        out.with_name("out.started").unlink()
    return killed


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_killed_again_and_again(
    simulated_cloud: SimulatedCloud, folder: Path, tmp_path: Path, seed: int
) -> None:
    """Ensure the same of batches, half of whose creates get no answer: no file is in two of them."""
    expected = undisturbed(simulated_cloud, folder, tmp_path)
    simulated_cloud.reset(one_create_in_lost=2)
    address, ledger, out = simulated_cloud.base_url, str(tmp_path / "ledger"), tmp_path / "out"
    killed = until_done(out, seed, lambda: started(address, ledger, folder, out, work=parse_in_batches))
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (FILES, 0)
    assert json.loads(out.read_text()) == expected
    assert killed >= KILLS // 2
    # A process that is killed while it makes a directory leaves it behind, empty, and it expires.
    assert stats["directories"] <= killed


@pytest.mark.parametrize("seed", SEEDS)
def test_extraction_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """Ensure the same of extraction, with one request in five failing: every total is there, and no job is twice."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(EXTRACTED):
        (folder / f"{number:02}.txt").write_text(f"Total: {number}.50")
    out = tmp_path / "out"
    trouble = ["latency=0.1-0.4", "fault_rate=0.2", "faults=429,500,503,reset,truncate,lost", f"seed={seed}"]
    simulated = [word for one in trouble for word in ("--simulate", one)]
    with ServedCloud(tmp_path / "cloud", *simulated) as cloud:
        killed = until_done(
            out,
            seed,
            lambda: started(cloud.base_url, str(tmp_path / "ledger"), folder, out, work=extract_folder),
        )
        jobs = LlamaExtract(base_url=cloud.base_url, api_key="llx-test").list_jobs(limit=None)
    assert json.loads(out.read_text()) == [[f"{number:02}.txt", {"total": number + 0.5}] for number in range(EXTRACTED)]
    assert len(jobs) == EXTRACTED
    assert killed >= KILLS // 2


def test_two_at_once(simulated_cloud: SimulatedCloud, folder: Path, tmp_path: Path) -> None:
    """Ensure two processes on one ledger share the work: each file is created once, and both have all results."""
    expected = undisturbed(simulated_cloud, folder, tmp_path)
    simulated_cloud.reset()
    outs = [tmp_path / "one", tmp_path / "two"]
    processes = [started(simulated_cloud.base_url, str(tmp_path / "ledger"), folder, out) for out in outs]
    for process in processes:
        process.join(60)
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (FILES, 0)
    assert [json.loads(out.read_text()) for out in outs] == [expected] * 2
    assert stats["max_unfinished"] <= 8
