"""The benchmark runs: small numbers, our client only."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.bench import QUICK
from tests.benchmarks.run import measure, report


def test_the_quick_benchmark(tmp_path: Path) -> None:
    """Ensure that subjects can be measured and that the table tells what was lost: nothing."""
    rows, versions = measure(QUICK, ["time", "directories", "memory", "documents"], tmp_path)
    text = report(rows, versions, QUICK)
    assert "llama-index-core" in versions
    assert "all arrived" in text
    for trouble in ("missing", "nothing returned", "created again"):
        assert trouble not in text
