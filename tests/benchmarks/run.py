"""Measures this package beside the two that exist, all on one machine in one run, and prints a table.

    python -m tests.benchmarks.run            # everything, about 25 minutes; writes RESULTS.md and the README's table
    python -m tests.benchmarks.run --quick    # our client only, small numbers, half a minute
    python -m tests.benchmarks.run --only many,directories

Each client runs in a virtual environment of its own (made on first use) against the same simulated cloud, whose jobs
take as long as their files' names say; indexes against the same local LlamaCloud.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from tests.benchmarks.bench import OURS, QUICK, TITLES, Bench, Plan, Row
from tests.benchmarks.measurements import SUBJECTS
from tests.virtualenvs import ROOT

RESULTS = Path(__file__).with_name("RESULTS.md")
README = ROOT / "README.md"
VERSIONS = """
import importlib.metadata as m
print(", ".join(f"{p} {m.version(p)}" for p in ("llama-index-core", "httpx", "pydantic", "liteparse")))
"""


def measure(plan: Plan, subjects: Iterable[str], folder: Path) -> tuple[list[Row], str]:
    """Take the measurements.

    Args:
        plan: How much is measured.
        subjects: Keys of `SUBJECTS`.
        folder: For files made on the way.

    Returns:
        The table's rows, and the versions of what our client stands on.
    """
    bench = Bench(plan, folder)
    rows: list[Row] = []
    try:
        for subject in subjects:
            for row in SUBJECTS[subject](bench):
                rows.append(row)
                sys.stderr.write(row.line(plan.clients) + "\n")
        versions = bench.python(OURS, "-c", VERSIONS).strip() if OURS in plan.clients else ""
    finally:
        bench.close()
    return rows, versions


def table(rows: Iterable[Row], clients: Iterable[str]) -> str:
    """The rows as a markdown table."""
    clients = list(clients)
    head = f"| | {' | '.join(TITLES[client] for client in clients)} |"
    return "\n".join([head, "|---" * (len(clients) + 1) + "|", *(row.line(clients) for row in rows)])


def report(rows: Iterable[Row], versions: str, plan: Plan) -> str:
    """The table with what is needed to read it."""
    runs = f"Medians of {plan.runs} runs." if plan.runs > 1 else "One run."
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"""# Benchmark results

{date.today():%d %B %Y}. {machine}. Python {platform.python_version()}, {versions}. {runs}
All clients in the same run against the same simulated cloud (for indexes: local LlamaCloud) on the loopback; made by
`python -m tests.benchmarks.run`.

{table(rows, plan.clients)}
"""


def shown_in(readme: str, results: str) -> str:
    """The README with these results, without their heading, in the place of those that it shows."""
    before, start, rest = readme.partition("<!-- benchmark -->\n")
    _, end, after = rest.partition("<!-- /benchmark -->")
    return before + start + results.partition("\n")[2].strip() + "\n" + end + after


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="our client only, small numbers")
    parser.add_argument("--only", metavar="SUBJECTS", help=f"some of {','.join(SUBJECTS)}; writes no file")
    parser.add_argument("--clients", metavar="NAMES", help=f"some of {','.join(TITLES)}; writes no file")
    parser.add_argument("--runs", type=int, help="medians over this many runs")
    parser.add_argument("--two-minutes", action="store_true", help="also a job of two minutes")
    given = parser.parse_args()
    plan = QUICK if given.quick else Plan()
    if given.clients:
        plan = replace(plan, clients=tuple(given.clients.split(",")))
    if given.runs:
        plan = replace(plan, runs=given.runs)
    if given.two_minutes:
        plan = replace(plan, long_job=120.0)
    subjects = given.only.split(",") if given.only else list(SUBJECTS)
    with tempfile.TemporaryDirectory(prefix="llama-cloud-ext-benchmark-") as folder:
        rows, versions = measure(plan, subjects, Path(folder))
    sys.stdout.write(table(rows, plan.clients) + "\n")
    if not (given.quick or given.only or given.clients):
        results = report(rows, versions, plan)
        RESULTS.write_text(results, encoding="utf-8")
        README.write_text(shown_in(README.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
