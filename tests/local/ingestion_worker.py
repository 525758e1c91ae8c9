"""A process of its own that ingests on a folder, for tests that kill it or start several.

Run as `python -m tests.local.ingestion_worker DATA PATH FIRST END FILES DELAY`: puts the documents d`FIRST` to d`END`
and so many files into the pipeline at `PATH` (creating it for `new`), prints its path, READY, and goes on working until
its input closes. `DELAY` is how many seconds its model takes for each of its calls.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tests.local import fake_engine
from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding
from tests.local.pipeline_calls import add_file, document, pipeline, put
from tests.local.worker_process import WorkerProcess, work_until_input_closes

TRANSFORM = {"mode": "auto", "chunk_size": 64, "chunk_overlap": 0}


def text_of(number: int) -> str:
    """The text of a document: several chunks, each unlike those of others."""
    return " ".join(f"Sentence {sentence} of document {number} is here." for sentence in range(20))


class SlowLetters(LetterEmbedding):
    """Takes its time."""

    seconds: float = 0.0

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        time.sleep(self.seconds)
        return super()._get_text_embeddings(texts)


async def main(data: Path, path: str, first: int, end: int, files: int, delay: float) -> None:
    """Accept the documents and files, then work until the input closes."""
    async with local_client(data, engine=fake_engine.parse, embed_model=SlowLetters(seconds=delay)) as client:
        await client.get("/api/v1/projects")
        if path == "new":
            path = await pipeline(client, transform_config=TRANSFORM)
        numbers = range(first, end)
        for start in range(0, len(numbers), 50):
            await put(client, path, *(document(f"d{n}", text_of(n), number=n) for n in numbers[start : start + 50]))
        for number in range(files):
            await add_file(client, path, f"SLEEP 0.1\fPage two of file {number}.".encode(), f"{first}-{number}.txt")
        print(path, flush=True)
        await work_until_input_closes()


class IngestionWorker(WorkerProcess):
    """A running worker.

    Args:
        data: The data folder.
        path: The pipeline's path; None to create it.
        documents: Numbers of the documents to accept.
        files: How many files to accept.
        delay: Seconds that its model takes for each call.
    """

    def __init__(
        self,
        data: Path,
        path: str | None = None,
        *,
        documents: range = range(0),
        files: int = 0,
        delay: float = 0.0,
    ) -> None:
        given = (data, path or "new", documents.start, documents.stop, files, delay)
        super().__init__("tests.local.ingestion_worker", *given)

    def wait_until_ready(self) -> str:
        """Wait until everything has been accepted; the pipeline's path."""
        (path,) = self.lines_until_ready()
        return path


if __name__ == "__main__":
    place, pipeline_path, begin, stop, count, seconds = sys.argv[1:]
    asyncio.run(main(Path(place), pipeline_path, int(begin), int(stop), int(count), float(seconds)))
