"""LlamaParseTransform on a real Ray: two workers, one ledger on S3, files on S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.ingestion import IngestionPipeline

from llama_cloud_ext import LedgerEntries, LlamaParseReader, LlamaParseTransform
from tests.http.test_s3_sources import endpoint, environment, s3  # noqa: F401 - fixtures

_FILES = ("latex-lorem.pdf", "table-and-pictures.pdf", "pdfminer-readme.md", "mtcars.csv", "census-crime-table.pdf")


@pytest.fixture
def cluster(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: F811 - the fixture
    """A Ray of this machine, whose workers know the S3 server."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("cluster")
def test_two_workers_share_a_ledger(s3: Any, tmp_path: Path, data_dir: Path) -> None:  # noqa: F811 - the fixture
    """Ensure two workers give what one process gives, and each file on S3 is parsed once, whoever runs when."""
    from llama_index.ingestion.ray import RayIngestionPipeline, RayTransformComponent

    for name in _FILES:
        s3.pipe_file(f"papers/ray/{name}", (data_dir / name).read_bytes())
    reader = LlamaParseReader(base_url=f"local:{tmp_path / 'cloud'}", ledger="s3://papers/ray-ledger")
    spread = RayIngestionPipeline(
        transformations=[
            RayTransformComponent(
                transform_class=LlamaParseTransform,
                transform_kwargs={"reader": reader},
                map_batches_kwargs={"batch_size": 1, "concurrency": 2},
            )
        ]
    )
    # The same files twice: the workers come upon each other's.
    stubs = LlamaParseTransform.file_documents("s3://papers/ray/*") * 2
    nodes = spread.run(documents=stubs)
    assert len(reader.list_jobs()) == len(_FILES)
    assert [entry.state for entry in LedgerEntries("s3://papers/ray-ledger")] == ["done"] * len(_FILES)
    alone = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader)], disable_cache=True)
    expected = alone.run(documents=stubs[: len(_FILES)])
    assert len(reader.list_jobs()) == len(_FILES)
    texts = sorted(node.get_content() for node in nodes)
    assert texts == sorted([node.get_content() for node in expected] * 2)
    assert {node.metadata["file_path"] for node in nodes} == {f"s3://papers/ray/{name}" for name in _FILES}
    assert {node.ref_doc_id for node in nodes} == {stub.id_ for stub in stubs}
