"""The benchmark runs: small numbers, our client only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.bench import QUICK
from tests.benchmarks.run import README, RESULTS, measure, report, shown_in


def test_the_quick_benchmark(tmp_path: Path) -> None:
    """Ensure that subjects can be measured and that the table tells what was lost: nothing."""
    rows, versions = measure(QUICK, ["time", "directories", "memory", "documents"], tmp_path)
    text = report(rows, versions, QUICK)
    assert "llama-index-core" in versions
    assert "all arrived" in text
    for trouble in ("missing", "nothing returned", "created again"):
        assert trouble not in text


@pytest.mark.timeout(300)
def test_the_quick_benchmark_of_the_index(tmp_path: Path) -> None:
    """Ensure that an index can be measured, that nothing is lost, and that a query is one request."""
    rows, versions = measure(QUICK, ["index"], tmp_path)
    text = report(rows, versions, QUICK)
    assert text.count("server's own time, 100 requests") == 1
    for trouble in ("missing", "Error"):
        assert trouble not in text


def test_results_take_their_place_in_the_readme() -> None:
    """Ensure new results replace those that the README shows and nothing else, and the same ones change nothing."""
    readme = README.read_text(encoding="utf-8")
    assert shown_in(readme, RESULTS.read_text(encoding="utf-8")) == readme
    other = shown_in(readme, "# Benchmark results\n\nOthers.\n")
    assert "<!-- benchmark -->\nOthers.\n<!-- /benchmark -->" in other
    assert other.count("\n## ") == readme.count("\n## ")
