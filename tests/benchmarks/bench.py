"""The bench that measurements are taken on: the clients' environments, the simulated cloud, a folder of files."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.clients.measured import TINY_PDF
from tests.benchmarks.served_index import ServedIndex
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.virtualenvs import ROOT, SDK, clean_environment, virtualenv

OURS, SDK_CLIENT, SERVICES = "ours", "sdk", "services"
TITLES = {SERVICES: "llama-cloud-services 0.6.94", SDK_CLIENT: "llama-cloud 2.19.0", OURS: "llama-cloud-ext"}
REQUIREMENTS = {
    SERVICES: ["llama-cloud-services==0.6.94"],
    SDK_CLIENT: [SDK, "llama-index-core>=0.13,<0.15"],
    OURS: ["-e", f"{ROOT}[local,ray]", "pypdf"],
}
LONGEST_TASK_SECONDS = 900


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        clients: Which of `OURS`, `SDK_CLIENT`, `SERVICES`.
        runs: Medians are over this many.
        scale: Factor on the number of files and the size of the upload.
        durations: Jobs after which the time lost is measured, in seconds.
        seconds: How long the jobs of groups of files take.
        long_job: A last job to count the requests of, in seconds (0: none).
        rate: Whether to measure against 60 requests a minute, which takes minutes.
        own_environment: Measure our client in an environment of its own, not in this one.
    """

    clients: tuple[str, ...] = (SERVICES, SDK_CLIENT, OURS)
    runs: int = 3
    scale: float = 1.0
    durations: tuple[float, ...] = (1.2, 4.2, 12.3)
    seconds: float = 2.5
    long_job: float = 0.0
    rate: bool = True
    own_environment: bool = True


QUICK = Plan(clients=(OURS,), runs=1, scale=0.125, durations=(0.6,), seconds=0.5, rate=False, own_environment=False)


@dataclass
class Row:
    """One line of the table."""

    what: str
    cells: dict[str, str] = field(default_factory=dict)

    def line(self, clients: Iterable[str]) -> str:
        """The row in markdown."""
        return f"| {self.what} | " + " | ".join(self.cells.get(client, "—") for client in clients) + " |"


class Bench:
    """Runs tasks of clients against one simulated cloud.

    Args:
        plan: How much is measured.
        folder: Where files are made.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.cloud = SimulatedCloud()
        self._served: ServedIndex | None = None
        self._indexes = 0
        self.pythons = {
            client: virtualenv(f"benchmark-{client}", REQUIREMENTS[client])
            if client != OURS or plan.own_environment
            else Path(sys.executable)
            for client in plan.clients
        }

    def close(self) -> None:
        """End the simulated cloud, and local LlamaCloud if it was served."""
        self.cloud.close()
        if self._served is not None:
            self._served.close()

    @property
    def served(self) -> ServedIndex:
        """Local LlamaCloud, served from the first time that it is asked for."""
        if self._served is None:
            self._served = ServedIndex()
        return self._served

    def new_index(self) -> str:
        """A name that no index has yet."""
        self._indexes += 1
        return f"benchmark-{self._indexes}"

    def files(self, count: int, seconds: float, failing_every: int = 0) -> list[str]:
        """Make tiny files whose jobs take this long; every `failing_every`-th job fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number in range(1, count + 1):
            kind = "fail" if failing_every and number % failing_every == 0 else "job"
            path = self.folder / f"{kind}-{number:03d}-{seconds:g}.pdf"
            path.write_bytes(TINY_PDF)
            paths.append(str(path))
        return paths

    def distinct_files(self, count: int, seconds: float) -> list[str]:
        """Make tiny files whose jobs take this long and whose contents differ, as a ledger wants them."""
        paths = self.files(count, seconds)
        for number, path in enumerate(paths):
            Path(path).write_bytes(TINY_PDF + str(number).encode())
        return paths

    def scaled(self, number: int) -> int:
        """A number of files at this plan's scale, at least 4."""
        return max(4, round(number * self.plan.scale))

    def python(self, client: str, *arguments: str) -> str:
        """Run the client's Python; its standard output."""
        here = client == OURS and not self.plan.own_environment
        environment = clean_environment(PYTHONPATH=str(ROOT)) if here else clean_environment()
        done = subprocess.run(
            [str(self.pythons[client]), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=LONGEST_TASK_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{client} {arguments[:2]} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def task(self, client: str, name: str, **arguments: Any) -> dict[str, Any]:
        """Run one task of a client's script (see `tests/benchmarks/clients`)."""
        script = ROOT / "tests" / "benchmarks" / "clients" / f"{client}.py"
        answer: dict[str, Any] = json.loads(self.python(client, str(script), name, json.dumps(arguments)))
        return answer

    def cloud_task(
        self, client: str, name: str, *, scenario: dict[str, Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Run a task against the simulated cloud; the answer and, under "stats", what the cloud counted.

        The client parses one file before measuring begins, so that imports and first connections are not measured.
        """
        self.cloud.reset()
        (warm_up,) = self.files(1, 0)
        cloud = {"base_url": self.cloud.base_url, "warm_up": warm_up, "scenario": scenario or {}}
        answer = self.task(client, name, **cloud, **arguments)
        return answer | {"stats": self.cloud.stats()}

    def index_task(self, client: str, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a task of an index against local LlamaCloud, which all clients share."""
        return self.task(client, name, base_url=self.served.base_url, **arguments)

    def repeated(self, measure: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        """Measure as often as the plan says."""
        return [measure() for _ in range(self.plan.runs)]

    def row(self, what: str, cell: Callable[[str], str], clients: Iterable[str] | None = None) -> Row:
        """A row with a cell for each of these clients (default: all that are measured)."""
        measured = [client for client in (clients or self.plan.clients) if client in self.plan.clients]
        return Row(what, {client: cell(client) for client in measured})


def median(answers: Iterable[dict[str, Any]], read: Callable[[dict[str, Any]], float]) -> float:
    """The median of a figure over several answers."""
    return statistics.median(map(read, answers))


def requests_of(answer: dict[str, Any]) -> float:
    """Requests that the cloud counted."""
    return float(answer["stats"]["requests"])


def lost_seconds(answer: dict[str, Any]) -> float:
    """Seconds from the end of the (last) job to the return of the call."""
    return float(answer["returned_at"] - max(job["finished_at"] for job in answer["stats"]["jobs"]))


def arrivals(expected: int, answer: dict[str, Any]) -> str:
    """How many files arrived, and how the rest went missing."""
    missing = expected - answer["arrived"]
    if answer["error"]:
        return f"{answer['error']}, nothing returned"
    if answer.get("reported"):
        return f"{answer['arrived']} arrived, {answer['reported']} reported with their reasons"
    return f"{missing} silently missing" if missing else "all arrived"
