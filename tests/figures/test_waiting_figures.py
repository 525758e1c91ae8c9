"""The figures that this package promises for waiting: little time lost, few requests, and all files at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llama_cloud_ext import LlamaParseReader
from llama_cloud_ext.wire.watcher import poll_interval
from tests.benchmarks.clients.measured import TINY_PDF
from tests.benchmarks.simulated_cloud import SimulatedCloud

CREATE_AND_RESULT = 2
"""Requests of a job besides the looks at it."""


def reader(cloud: SimulatedCloud, **options: int) -> LlamaParseReader:
    """A reader that talks to the simulated cloud."""
    return LlamaParseReader(api_key="llx-figures", base_url=cloud.base_url, **options)


def files(folder: Path, count: int, seconds: float) -> list[str]:
    """Files whose jobs take this long."""
    paths = [folder / f"job-{number:02d}-{seconds:g}.pdf" for number in range(count)]
    for path in paths:
        path.write_bytes(TINY_PDF)
    return [str(path) for path in paths]


@pytest.fixture
def second_cloud() -> Iterator[SimulatedCloud]:
    """Another simulated cloud, whose requests are counted apart."""
    with SimulatedCloud() as cloud:
        yield cloud


@pytest.fixture
def warm(simulated_cloud: SimulatedCloud, tmp_path: Path) -> SimulatedCloud:
    """The simulated cloud, to which connections are open already."""
    reader(simulated_cloud).parse(files(tmp_path, 2, 0))
    simulated_cloud.reset()
    return simulated_cloud


def looks(seconds: float, draw: random.Random) -> tuple[int, float]:
    """How often the watcher looks at a job of this length, and how long after its end it does so for the last time."""
    age, count = 0.0, 0
    while age < seconds:
        age += poll_interval(age, draw.random())
        count += 1
    return count, age - seconds


def test_intervals_lose_little_and_ask_seldom() -> None:
    """Ensure, over thousands of jobs of every length, that what is lost stays a tenth, and that looks stay few."""
    draw = random.Random(1)
    lengths = [draw.uniform(0.3, 12) for _ in range(5000)]
    lost = [looks(length, draw)[1] for length in lengths]
    assert sum(lost) <= 0.12 * sum(lengths)
    assert all(late <= 0.2 * length + 0.25 for late, length in zip(lost, lengths, strict=True))
    assert max(looks(12, draw)[0] for _ in range(1000)) + CREATE_AND_RESULT <= 21
    assert max(looks(120, draw)[0] for _ in range(1000)) + CREATE_AND_RESULT <= 38


def test_time_lost_after_jobs_of_every_length(
    warm: SimulatedCloud, second_cloud: SimulatedCloud, tmp_path: Path
) -> None:
    """Ensure that jobs from 0.3 to 12 s are returned soon after their ends, and that 12 s cost 21 requests at most."""
    lengths = [round(0.3 + number * 11.7 / 15, 2) for number in range(16)]
    parser, lone = reader(warm), reader(second_cloud)
    paths = {length: files(tmp_path, 1, length)[0] for length in lengths}

    def returned_at(length: float) -> float:
        parser.parse(paths[length])
        return time.time()

    with ThreadPoolExecutor(len(lengths) + 1) as threads:
        alone = threads.submit(lone.parse, files(tmp_path, 1, 12)[0])
        returned = dict(zip(lengths, threads.map(returned_at, lengths), strict=True))
        alone.result()
    ends = {Path(path).name: length for length, path in paths.items()}
    finished = {ends[job["name"]]: job["finished_at"] for job in warm.stats()["jobs"]}
    lost = {length: returned[length] - finished[length] for length in lengths}
    assert all(late <= 0.2 * length + 0.25 for length, late in lost.items()), lost
    assert sum(lost.values()) <= 0.12 * sum(lengths), lost
    assert second_cloud.stats()["requests"] <= 21


def test_many_files_at_the_default_and_at_eight(warm: SimulatedCloud, tmp_path: Path) -> None:
    """Ensure that 32 jobs of 2.5 s return in 3.5 s with 80 requests, and in 11.2 s at eight at a time."""
    paths = files(tmp_path, 32, 2.5)
    for options, most_seconds, most_requests, most_unfinished in (
        ({}, 3.5, 80, 32),
        ({"num_workers": 8}, 11.2, 130, 8),
    ):
        warm.reset()
        parser = reader(warm, **options)
        started = time.monotonic()
        results = parser.parse(paths)
        seconds, stats = time.monotonic() - started, warm.stats()
        assert [result.job.name for result in results] == [Path(path).name for path in paths]
        assert seconds <= most_seconds
        assert stats["requests"] <= most_requests
        assert stats["max_unfinished"] <= most_unfinished
