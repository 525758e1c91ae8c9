"""A process of its own that extracts on a folder, for tests that kill it.

Run as `python -m tests.local.extraction_worker DATA DOCUMENT…`: accepts a job for each document (printing its id once
it is accepted), prints READY, and goes on working until its input closes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.local.clients import upload_file
from tests.local.extract_calls import extract, extract_client
from tests.local.worker_process import WorkerProcess, work_until_input_closes


async def main(data: Path, documents: Sequence[str]) -> None:
    """Accept the documents, then work until the input closes."""
    async with extract_client(data) as client:
        for document in documents:
            file = await upload_file(client, document.encode(), "doc.txt")
            print((await extract(client, file["id"]))["id"], flush=True)
        await work_until_input_closes()


class ExtractionWorker(WorkerProcess):
    """A running worker.

    Args:
        data: The data folder.
        documents: Documents to extract from.
    """

    def __init__(self, data: Path, *documents: str) -> None:
        super().__init__("tests.local.extraction_worker", data, *documents)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
