"""`llama-cloud-services`: the deprecated `LlamaParse` reader, with its defaults."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import managed_index
import measured

warnings.simplefilter("ignore")

from llama_cloud_services import LlamaParse  # noqa: E402 - the package warns when it is imported


def reader(base_url: str, **options: Any) -> LlamaParse:
    """A reader as its users make it."""
    return LlamaParse(api_key="llx-benchmark", base_url=base_url, result_type="markdown", verbose=False, **options)


def texts(base_url: str, paths: Sequence[str], workers: int) -> list[str]:
    """Load the files' documents."""
    return [document.text for document in reader(base_url, num_workers=workers).load_data(list(paths))]


def many(base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], workers: int = 8) -> dict[str, Any]:
    """Parse files and tell how long it took."""
    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)
    return measured.timed(measured.names_of(paths), lambda: texts(base_url, paths, workers))


def directory(base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any]) -> dict[str, Any]:
    """Parse files through SimpleDirectoryReader."""
    from llama_index.core import SimpleDirectoryReader

    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)
    extractor = {".pdf": reader(base_url)}
    return measured.timed(
        measured.names_of(paths),
        lambda: [d.text for d in SimpleDirectoryReader(input_files=paths, file_extractor=extractor).load_data()],
    )


def upload(base_url: str, warm_up: str, scenario: dict[str, Any], path: str) -> dict[str, Any]:
    """Parse a large file and tell what memory it took."""
    texts(base_url, [warm_up], 1)
    measured.begin(base_url, scenario)
    return measured.peak_memory(lambda: texts(base_url, [path], 1))


def index_class() -> type:
    """The index class, imported when it is measured."""
    from llama_cloud_services.index import LlamaCloudIndex

    return LlamaCloudIndex


if __name__ == "__main__":
    measured.run(many=many, directory=directory, upload=upload, **managed_index.tasks(index_class))
