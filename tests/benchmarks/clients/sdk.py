"""`llama-cloud`, used as its examples do: the async client, bounded by a semaphore."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import managed_index
import measured
from llama_cloud import AsyncLlamaCloud


async def parse_all(base_url: str, paths: Sequence[str], workers: int) -> list[str]:
    """Parse the files, at most `workers` at a time."""
    client = AsyncLlamaCloud(api_key="llx-benchmark", base_url=base_url)
    places = asyncio.Semaphore(workers)

    async def parse(path: str) -> str:
        async with places:
            result = await client.parsing.parse(
                upload_file=Path(path), tier="agentic", version="latest", expand=["markdown"]
            )
        return result.markdown.pages[0].markdown

    return await asyncio.gather(*map(parse, paths))


def many(base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], workers: int = 8) -> dict[str, Any]:
    """Parse files and tell how long it took."""
    asyncio.run(parse_all(base_url, [warm_up], 1))
    measured.begin(base_url, scenario)
    return measured.timed(measured.names_of(paths), lambda: asyncio.run(parse_all(base_url, paths, workers)))


def upload(base_url: str, warm_up: str, scenario: dict[str, Any], path: str) -> dict[str, Any]:
    """Parse a large file and tell what memory it took."""
    asyncio.run(parse_all(base_url, [warm_up], 1))
    measured.begin(base_url, scenario)
    return measured.peak_memory(lambda: asyncio.run(parse_all(base_url, [path], 1)))


def index_class() -> type:
    """The index class that comes with it, imported when it is measured: it needs llama-index-core."""
    from llama_cloud.lib.index import LlamaCloudIndex

    return LlamaCloudIndex


if __name__ == "__main__":
    measured.run(many=many, upload=upload, **managed_index.tasks(index_class))
