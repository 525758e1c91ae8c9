"""What importing costs: next to nothing for the package, little over LlamaIndex for the reader."""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 5
TIMED = "started = time.perf_counter(); {}; print(time.perf_counter() - started)"


def seconds(*statements: str) -> list[float]:
    """How long a fresh interpreter takes for statements, one after the other."""
    program = "; ".join(["import time", *(TIMED.format(statement) for statement in statements)])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return [float(line) for line in done.stdout.split()]


def test_the_package_is_imported_at_once() -> None:
    """Ensure `import llama_cloud_ext` takes less than 60 ms, the median of several fresh interpreters."""
    seconds("import llama_cloud_ext")  # compiles what was not
    assert statistics.median(seconds("import llama_cloud_ext")[0] for _ in range(RUNS)) < 0.06


def test_importing_the_package_imports_neither_llamaindex_nor_httpx() -> None:
    """Ensure the package leaves heavy packages for when they are needed, and the reader leaves HTTP for then."""
    heavy = {"llama_index", "httpx", "pydantic", "fsspec", "starlette", "liteparse", "asyncio", "ssl"}
    for statement, absent in (
        ("import llama_cloud_ext", heavy),
        ("from llama_cloud_ext import LlamaCloudError", heavy),
        ("from llama_cloud_ext import LlamaParseReader", {"httpx", "starlette", "liteparse", "pandas", "typer"}),
    ):
        program = f"import sys; {statement}; print(sorted({absent!r} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "[]", statement


def test_the_reader_costs_little_over_llamaindex() -> None:
    """Ensure the reader adds at most a tenth to `import llama_index.core`, the median of five pairs.

    Each pair is taken in one interpreter, one right after the other, so that a busy machine slows both. Three pairs
    that agree are the median already.
    """
    statements = ("import llama_index.core", "from llama_cloud_ext import LlamaParseReader")
    seconds(*statements)  # compiles what was not
    shares: list[float] = []
    while len(shares) < RUNS and sum(share <= 0.1 for share in shares) <= RUNS // 2:
        core, reader = seconds(*statements)
        shares.append(reader / core)
    assert sum(share <= 0.1 for share in shares) > RUNS // 2, shares
