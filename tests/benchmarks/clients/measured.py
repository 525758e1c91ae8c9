"""What the measured clients share: the tasks' command line and how memory is read. Standard library only."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TINY_PDF = b"%PDF-1.4\n%%EOF\n"


def run(**tasks: Callable[..., dict[str, Any]]) -> None:
    """Run the task that the command line names: `script.py TASK JSON-ARGUMENTS`; print its answer as JSON.

    Whatever else a client prints goes to standard error.
    """
    output, sys.stdout = sys.stdout, sys.stderr
    answer = tasks[sys.argv[1]](**json.loads(sys.argv[2]))
    output.write(json.dumps(answer) + "\n")


def begin(base_url: str, scenario: dict[str, Any]) -> None:
    """Have the simulated cloud behave as the scenario says and count from here: what came before was warming up."""
    request = urllib.request.Request(base_url + "/_reset", data=json.dumps(scenario).encode())  # noqa: S310 - loopback
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - an address of ours


def timed(names: Iterable[str], texts_of: Callable[[], Iterable[str]]) -> dict[str, Any]:
    """Run a call that returns the texts of these files; tell how long it took, its memory, and how many arrived.

    A call that raises has returned nothing, and its error is part of the answer.
    """
    error, texts = None, []
    before = _start_a_new_peak()
    started_at = time.time()
    try:
        texts = list(texts_of())
    except Exception as raised:
        error = type(raised).__name__
    returned_at = time.time()
    peak = _peak_mib() - before
    arrived = sum(any(text.endswith(f" of {name}") for text in texts) for name in names)
    return {
        "seconds": returned_at - started_at,
        "returned_at": returned_at,
        "mib": peak,
        "arrived": arrived,
        "error": error,
    }


def counted(base_url: str, call: Callable[[], object]) -> dict[str, Any]:
    """Run a call; tell how long it took, how many requests it made, and the error that it raised."""
    begin(base_url, {})
    error = None
    start = time.perf_counter()
    try:
        call()
    except Exception as raised:
        sys.stderr.write(f"{raised!r}\n")
        error = type(raised).__name__
    return {"seconds": time.perf_counter() - start, "error": error, "requests": _requests(base_url)}


def _requests(base_url: str) -> int:
    with urllib.request.urlopen(base_url + "/_stats", timeout=10) as response:  # noqa: S310 - loopback
        return int(json.load(response)["requests"])


def peak_memory(call: Callable[[], object]) -> dict[str, Any]:
    """Run a call; tell how many MiB above what this process held before it its peak was."""
    before = _start_a_new_peak()
    error = None
    try:
        call()
    except Exception as raised:
        error = type(raised).__name__
    return {"mib": _peak_mib() - before, "error": error}


def _start_a_new_peak() -> float:
    """Forget the peak of the imports, where the system can (Linux); what is held now, or else that peak, in MiB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_mib()


def _peak_mib() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def names_of(paths: Iterable[str]) -> list[str]:
    """The file names of paths."""
    return [Path(path).name for path in paths]
