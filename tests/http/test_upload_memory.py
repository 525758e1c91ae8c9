"""Peak memory of uploads, each measured in a process of its own against a loopback server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.http.upload_sink import upload_sink

ROOT = Path(__file__).parents[2]
SIZE = 400 * 1024 * 1024
ALLOWED = 16 * 1024 * 1024


def measure(kind: str, location: str, **environment: str) -> dict[str, int]:
    """What the probe printed."""
    with upload_sink() as address:
        done = subprocess.run(
            [sys.executable, "-m", "tests.http.memory_probe", address, kind, location],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    result: dict[str, int] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("kind", ["local", "sparse"])
def test_a_large_upload_needs_little_memory(tmp_path: Path, kind: str) -> None:
    """Ensure that 400 MiB, from a path or from an fsspec filesystem, raise peak memory by at most 16 MiB."""
    big = tmp_path / "big.pdf"
    with big.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(SIZE)
    result = measure(kind, str(big))
    assert result["size"] == SIZE
    assert result["off"] == 0
    assert result["risen"] <= ALLOWED, f"{result['risen'] / 2**20:.1f} MiB"
