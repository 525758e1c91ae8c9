"""`llama-cloud-ext`: LlamaParseReader, with its defaults."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import managed_index
import measured
import pipelines

from llama_cloud_ext import LlamaParseReader


def reader(base_url: str, workers: int | None = None) -> LlamaParseReader:
    """A reader as its users make it; `workers=None` is the default."""
    options = {} if workers is None else {"num_workers": workers}
    return LlamaParseReader(api_key="llx-benchmark", base_url=base_url, **options)


def texts(base_url: str, paths: Sequence[str], workers: int | None) -> list[str]:
    """Load the files' documents."""
    return [document.text for document in reader(base_url, workers).load_data(list(paths))]


def many(
    base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], workers: int | None = 8
) -> dict[str, Any]:
    """Parse files and tell how long it took."""
    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)
    return measured.timed(measured.names_of(paths), lambda: texts(base_url, paths, workers))


def many_skipping(
    base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], workers: int = 8
) -> dict[str, Any]:
    """Parse files leniently: what failed is a record in its place."""
    from llama_cloud_ext import FailedItem

    skipping = LlamaParseReader(api_key="llx-benchmark", base_url=base_url, num_workers=workers, on_error="skip")
    records: list[Any] = []
    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)

    def parse() -> list[str]:
        records.extend(skipping.parse(list(paths)))
        return [record.markdown.strip() for record in records if not isinstance(record, FailedItem)]

    answer = measured.timed(measured.names_of(paths), parse)
    return answer | {"reported": sum(isinstance(record, FailedItem) for record in records)}


def directory(
    base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], prefetch: bool = False
) -> dict[str, Any]:
    """Parse files through SimpleDirectoryReader, jobs started beforehand or not."""
    from llama_index.core import SimpleDirectoryReader

    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)
    parser = reader(base_url)

    def load() -> list[str]:
        if prefetch:
            parser.prefetch(paths)
        extractor = {".pdf": parser}
        return [d.text for d in SimpleDirectoryReader(input_files=paths, file_extractor=extractor).load_data()]

    return measured.timed(measured.names_of(paths), load)


def from_ledger(base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any]) -> dict[str, Any]:
    """Parse files by way of a ledger, and then once more, as a new process would: what the second time takes."""
    from llama_cloud_ext.jobs import ledger

    texts(base_url, [warm_up], 1)
    with tempfile.TemporaryDirectory() as folder:
        keeping = LlamaParseReader(api_key="llx-benchmark", base_url=base_url, ledger=folder)
        first = measured.timed(measured.names_of(paths), lambda: [d.text for d in keeping.load_data(paths)])
        ledger._ledgers.clear()
        measured.begin(base_url, scenario)
        again = measured.timed(measured.names_of(paths), lambda: [d.text for d in keeping.load_data(paths)])
        kept = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    return again | {"first": first["seconds"], "objects": len(kept), "bytes": sum(kept)}


def upload(base_url: str, warm_up: str, scenario: dict[str, Any], path: str) -> dict[str, Any]:
    """Parse a large file and tell what memory it took."""
    parser = reader(base_url)
    parser.load_data(warm_up)
    measured.begin(base_url, scenario)
    return measured.peak_memory(lambda: parser.load_data(path))


def documents(pages: int) -> dict[str, Any]:
    """Build the documents of a long result, and as many bare ones with the same text and metadata."""
    from llama_index.core import Document

    from llama_cloud_ext.jobs.source_identity import SourceIdentity
    from llama_cloud_ext.parse.result import ParseResult

    response = {
        "job": {"id": "pjb-1", "project_id": "p", "status": "COMPLETED"},
        "markdown": {
            "pages": [{"page_number": n, "markdown": f"Page {n}", "success": True} for n in range(1, pages + 1)]
        },
    }
    source = SourceIdentity(name="long.pdf", identity="file:/long.pdf", path="/long.pdf", extra_info={})
    result = ParseResult(response, source=source)
    plain = [(document.text, document.metadata) for document in result.documents()]
    ours = median_seconds(result.documents)
    bare = median_seconds(lambda: [Document(text=text, metadata=dict(metadata)) for text, metadata in plain])
    return {"ours": ours, "bare": bare}


BARE = {
    "the same blocks and links": {"output_format": "json", "extract_blocks": True, "extract_annotations": True},
    "markdown": {"output_format": "markdown"},
    "text": {"output_format": "text"},
}
"""What bare liteparse is asked for; local LlamaCloud stores text, markdown and items with boxes and links at once."""


def local(pdf: str, data: str) -> dict[str, float]:
    """Parse a PDF with local LlamaCloud over its whole HTTP path, and with bare liteparse."""
    import liteparse

    parser = LlamaParseReader(base_url=f"local:{data}", disable_cache=True)
    calls: dict[str, Callable[[], object]] = {"ours": lambda: parser.parse(pdf)}
    for name, options in BARE.items():
        bare = liteparse.LiteParse(ocr_enabled=False, quiet=True, **options)
        calls[name] = partial(bare.parse, pdf)
    rounds = [{name: median_seconds(call, 1) for name, call in calls.items()} for _ in range(8)]
    return {name: statistics.median(taken[name] for taken in rounds[1:]) for name in calls}


def median_seconds(call: Callable[[], object], times: int = 5) -> float:
    """The median duration of a call."""
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def index_class() -> type:
    """The index class, imported when it is measured."""
    from llama_cloud_ext import LlamaCloudIndex

    return LlamaCloudIndex


if __name__ == "__main__":
    os.environ.pop("LLAMA_CLOUD_BASE_URL", None)
    measured.run(
        many=many,
        many_skipping=many_skipping,
        directory=directory,
        from_ledger=from_ledger,
        upload=upload,
        documents=documents,
        local=local,
        pipeline_in_one_process=pipelines.in_one_process,
        pipeline_on_ray=pipelines.on_ray,
        **managed_index.tasks(index_class),
    )
