"""Files through ingestion pipelines with `LlamaParseTransform`: in one process, and by two workers of Ray."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

import measured

from llama_cloud_ext import LlamaParseReader, LlamaParseTransform

WORKERS = 2


def in_one_process(base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline in this process, twice: the second run has the first one's ledger."""
    from llama_index.core.ingestion import IngestionPipeline

    def run(reader: LlamaParseReader, files: list[str]) -> list[str]:
        pipeline = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader)], disable_cache=True)
        return [node.get_content() for node in pipeline.run(documents=LlamaParseTransform.file_documents(files))]

    return twice(run, base_url, paths, warm_up, scenario)


def on_ray(
    base_url: str, paths: list[str], warm_up: str, scenario: dict[str, Any], batch_size: int = 64
) -> dict[str, Any]:
    """The same on Ray, which has started before; its workers start within each run. Each has one batch at a time."""
    # Keeps Ray to the loopback and from leaving a token in the home directory, or reporting what it is used for.
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from llama_index.ingestion.ray import RayIngestionPipeline, RayTransformComponent
    from ray.data import ActorPoolStrategy, DataContext

    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(
            num_cpus=WORKERS,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=folder,
        )
        DataContext.get_current().enable_progress_bars = False

        def run(reader: LlamaParseReader, files: list[str]) -> list[str]:
            parsing = RayTransformComponent(
                transform_class=LlamaParseTransform,
                transform_kwargs={"reader": reader},
                map_batches_kwargs={"batch_size": batch_size, "compute": ActorPoolStrategy(size=WORKERS)},
            )
            pipeline = RayIngestionPipeline(transformations=[parsing])
            return [node.get_content() for node in pipeline.run(documents=LlamaParseTransform.file_documents(files))]

        try:
            return twice(run, base_url, paths, warm_up, scenario)
        finally:
            ray.shutdown()


def twice(
    run: Callable[[LlamaParseReader, list[str]], list[str]],
    base_url: str,
    paths: list[str],
    warm_up: str,
    scenario: dict[str, Any],
) -> dict[str, Any]:
    """Run a pipeline with an empty ledger, and again: the first run's answer, and the second's seconds as `again`."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as ledger:
        reader = LlamaParseReader(api_key="llx-benchmark", base_url=base_url, ledger=ledger)
        run(reader, [warm_up])
        measured.begin(base_url, scenario)
        first = measured.timed(measured.names_of(paths), lambda: run(reader, paths))
        again = measured.timed(measured.names_of(paths), lambda: run(reader, paths))
    return first | {"again": again["seconds"]}
