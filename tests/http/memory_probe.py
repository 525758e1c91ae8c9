"""Run in a process of its own: upload one file and print by how many bytes the peak memory rose.

Usage: python memory_probe.py ADDRESS KIND LOCATION, where KIND is local, sparse or s3.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import httpx
from fsspec.spec import AbstractFileSystem

from llama_cloud_ext.wire.multipart import MultipartBody
from llama_cloud_ext.wire.sources import Source, resolve_source


class SparseFileSystem(AbstractFileSystem):
    """A filesystem with ranged reads whose files are local ones; its `open` must not be used for an upload."""

    protocol = "sparse"
    cachable = False

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Size and kind."""
        return {"name": path, "size": Path(path).stat().st_size, "type": "file"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """One range."""
        with Path(path).open("rb") as file:
            file.seek(start or 0)
            return file.read() if end is None else file.read(end - (start or 0))

    def _open(self, path: str, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("opened instead of read in ranges")


def source_of(kind: str, location: str) -> Source:
    """The source to measure."""
    if kind == "sparse":
        return resolve_source(location, fs=SparseFileSystem())
    return resolve_source(location)


def peak() -> int:
    """Highest resident memory so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Start measuring anew, where the system can."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")


async def main(address: str, kind: str, location: str) -> dict[str, int]:
    """Upload once small, to load and warm up everything, then the file itself."""
    async with httpx.AsyncClient(timeout=60) as client:

        async def send(source: Source) -> int:
            body = MultipartBody([("configuration", "{}")], "file", source)
            response = await client.post(address, content=body, headers=body.headers)
            return int(response.json()["received"]) - int(body.headers["Content-Length"])

        await send(resolve_source(b"%PDF-warm-up"))
        if kind == "s3":
            await send(resolve_source(os.environ["SMALL_FILE"]))
        source = await asyncio.to_thread(source_of, kind, location)
        forget_peak()
        before = peak()
        off = await send(source)
        return {"risen": peak() - before, "size": source.size or 0, "off": off}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
