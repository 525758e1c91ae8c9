"""The figures that this package promises for streams: memory that does not grow with the number of files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext import LlamaBatchReader, LlamaParseReader, ParseResult, Progress
from tests.benchmarks.clients.measured import peak_memory
from tests.benchmarks.simulated_cloud import SimulatedCloud

FILES = int(os.environ.get("STREAMED_FILES", "300"))
"""5,000 take a few minutes."""

PAGES = 400
"""Of each result: half a megabyte as Documents, so that all of them would be seen."""

AT_ONCE = 8


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Files whose jobs end at once."""
    files = [tmp_path / f"job-{number:04d}-0.pdf" for number in range(FILES)]
    for file in files:
        file.write_bytes(b"%PDF-1.7 " + file.name.encode())
    return [str(file) for file in files]


@pytest.mark.parametrize(("kind", "ledger"), [(LlamaParseReader, None), (LlamaBatchReader, "ledger")])
def test_streams_hold_few_results(
    simulated_cloud: SimulatedCloud, paths: list[str], tmp_path: Path, kind: type[Any], ledger: str | None
) -> None:
    """Ensure a stream of hundreds of long documents needs no more memory than one of a few dozen, and counts them."""
    simulated_cloud.reset(pages=PAGES)
    seen: list[Progress] = []
    reader = kind(api_key="llx-figures", base_url=simulated_cloud.base_url, num_workers=AT_ONCE)
    reader.ledger = None if ledger is None else tmp_path / ledger
    reader.show_progress = seen.append

    def stream(some: list[str]) -> int:
        return sum(1 for _ in reader.lazy_load_data(some))

    assert stream(paths[: 4 * AT_ONCE]) == 4 * AT_ONCE * PAGES
    peak = peak_memory(lambda: stream(paths))
    assert peak["error"] is None
    print(peak)
    assert peak["mib"] < 48
    assert (seen[-1].done, seen[-1].total, seen[-1].failed) == (FILES, FILES, 0)
    assert seen[-1].rate


async def test_a_slow_reader_of_a_stream_is_waited_for(simulated_cloud: SimulatedCloud, paths: list[str]) -> None:
    """Ensure jobs are not created far ahead of who takes the results, and none goes on once the stream is left."""
    simulated_cloud.reset()
    reader = LlamaParseReader(api_key="llx-figures", base_url=simulated_cloud.base_url, num_workers=AT_ONCE)
    taken = 0
    stream = reader.astream(paths)
    async for result in stream:
        assert isinstance(result, ParseResult)
        taken += 1
        if taken == 5:
            break
    await stream.aclose()
    created = simulated_cloud.stats()["jobs_created"]
    assert created <= taken + 3 * AT_ONCE
    await asyncio.sleep(0.2)
    assert simulated_cloud.stats()["jobs_created"] == created
