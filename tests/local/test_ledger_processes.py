"""Processes that share a ledger, one after the other and at once: nothing is lost, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.local.ledger_client import started

KILLS = int(os.environ.get("LEDGER_KILLS", "4"))
"""Kills in each test; as many more as you have time for find rarer moments."""

FILES = 24
LOST = {"one_create_in_lost": 5, "lost_kinds": ["cut", "502", "truncated"]}


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


@pytest.mark.parametrize(
    ("scenario", "portion"),
    [({}, None), (LOST, None), ({"one_create_in_lost": 2}, 10)],
    ids=["reliable", "lost answers", "batches with lost answers"],
)
def test_killed_again_and_again(
    simulated_cloud: SimulatedCloud, folder: Path, tmp_path: Path, scenario: dict[str, Any], portion: int | None
) -> None:
    """Ensure a process that kill -9 ends at random moments, started until it is done, creates each job once."""
    expected = undisturbed(simulated_cloud, folder, tmp_path)
    simulated_cloud.reset(**scenario)
    moments = random.Random(os.environ.get("LEDGER_SEED", "1"))
    out = tmp_path / "out"
    killed = 0
    while not out.exists():
        process = started(simulated_cloud.base_url, str(tmp_path / "ledger"), folder, out, portion=portion)
        if killed < KILLS:
            while not out.with_name("out.started").exists():
                time.sleep(0.005)
            process.join(moments.uniform(0.05, 0.5))
            killed += process.exitcode is None
            process.kill()
        process.join(60)
        out.with_name("out.started").unlink()
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (FILES, 0)
    assert json.loads(out.read_text()) == expected
    assert killed >= KILLS // 2
    if portion is None and scenario:
        assert stats["creates_lost"] >= FILES // 6
    # A process killed between the two leaves an empty directory behind, which expires.
    assert portion is None or stats["directories"] <= killed


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
