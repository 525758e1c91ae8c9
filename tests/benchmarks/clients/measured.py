"""What the measured clients share: the tasks' command line and how memory is read. Standard library only."""

from __future__ import annotations

import json
import resource
import sys
import time
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


def timed(names: Iterable[str], texts_of: Callable[[], Iterable[str]]) -> dict[str, Any]:
    """Run a call that returns the texts of these files; tell how long it took and how many arrived.

    A call that raises has returned nothing, and its error is part of the answer.
    """
    error, texts = None, []
    started_at = time.time()
    try:
        texts = list(texts_of())
    except Exception as raised:
        error = type(raised).__name__
    returned_at = time.time()
    arrived = sum(any(text.endswith(f" of {name}") for text in texts) for name in names)
    return {"seconds": returned_at - started_at, "returned_at": returned_at, "arrived": arrived, "error": error}


def peak_memory(call: Callable[[], object]) -> dict[str, Any]:
    """Run a call; tell by how many MiB it raised the peak of this process's memory."""
    before = _peak_mib()
    error = None
    try:
        call()
    except Exception as raised:
        error = type(raised).__name__
    return {"mib": _peak_mib() - before, "error": error}


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def names_of(paths: Iterable[str]) -> list[str]:
    """The file names of paths."""
    return [Path(path).name for path in paths]
