"""LlamaParseTransform on a real Ray: two workers that share a ledger, files on S3, and a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import s3fs
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, Document

from llama_cloud_ext import LedgerEntries, LlamaParseReader, LlamaParseTransform
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.http.test_s3_sources import endpoint  # noqa: F401 - the fixture

_FILES = ("latex-lorem.pdf", "table-and-pictures.pdf", "pdfminer-readme.md", "mtcars.csv", "census-crime-table.pdf")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Iterator[Any]:  # noqa: F811 - the fixture
    """A filesystem, which everything that is started from here knows by its environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        fs = s3fs.S3FileSystem()
        fs.mkdir("papers")
        yield fs


@pytest.fixture(scope="module", autouse=True)
def _cluster(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray of this machine, on the loopback, which leaves nothing behind."""
    import ray

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)  # Ray keeps one of its own in the home directory
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            num_cpus=2,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(tmp_path_factory.mktemp("ray")),
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


def run_on_ray(stubs: Sequence[Document], *, batch_size: int, split: bool = False, **options: Any) -> list[BaseNode]:
    """Parse files with two workers, and split what comes out of them."""
    from llama_index.ingestion.ray import RayIngestionPipeline, RayTransformComponent
    from ray.data import ActorPoolStrategy

    parsing = RayTransformComponent(
        transform_class=LlamaParseTransform,
        transform_kwargs=options,
        map_batches_kwargs={"batch_size": batch_size, "compute": ActorPoolStrategy(size=2), "num_cpus": 0.5},
    )
    splitting = RayTransformComponent(
        transform_class=SentenceSplitter, map_batches_kwargs={"compute": ActorPoolStrategy(size=1), "num_cpus": 0.5}
    )
    pipeline = RayIngestionPipeline(transformations=[parsing, splitting] if split else [parsing])
    return list(pipeline.run(documents=list(stubs)))


def test_two_workers_share_a_ledger(s3: Any, tmp_path: Path, data_dir: Path) -> None:
    """Ensure two workers give what one process gives, and each file on S3 is parsed once, whoever runs when."""
    for name in _FILES:
        s3.pipe_file(f"papers/ray/{name}", (data_dir / name).read_bytes())
    reader = LlamaParseReader(base_url=f"local:{tmp_path / 'cloud'}", ledger="s3://papers/ray-ledger")
    # The same files twice: the workers come upon each other's.
    stubs = LlamaParseTransform.file_documents("s3://papers/ray/*") * 2
    nodes = run_on_ray(stubs, reader=reader, batch_size=1)
    assert len(reader.list_jobs()) == len(_FILES)
    assert [entry.state for entry in LedgerEntries("s3://papers/ray-ledger")] == ["done"] * len(_FILES)
    alone = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader)], disable_cache=True)
    expected = alone.run(documents=stubs[: len(_FILES)])
    assert len(reader.list_jobs()) == len(_FILES)
    texts = sorted(node.get_content() for node in nodes)
    assert texts == sorted([node.get_content() for node in expected] * 2)
    assert {node.metadata["file_path"] for node in nodes} == {f"s3://papers/ray/{name}" for name in _FILES}
    assert {node.ref_doc_id for node in nodes} == {stub.id_ for stub in stubs}


def kill_who_holds_an_entry(ledger: Path, killed: list[int]) -> None:
    """End a process in the middle of a job, by kill -9."""
    until = time.monotonic() + 60
    while not killed and time.monotonic() < until:
        for record in ledger.glob("**/lease-*"):
            try:
                pid = int(json.loads(record.read_text())["pid"])
                os.kill(pid, signal.SIGKILL)
            except (OSError, ValueError, KeyError):
                continue  # given back, or being written
            killed.append(pid)
            return
        time.sleep(0.02)


def test_a_killed_worker(simulated_cloud: SimulatedCloud, tmp_path: Path) -> None:
    """Ensure a killed worker loses nothing and repeats nothing, and a file that fails is named and ends no batch."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(8):
        (files / f"{number}-0.3.pdf").write_bytes(b"%PDF-1.7 " + str(number).encode())
    stubs = LlamaParseTransform.file_documents(files)
    (files / "3-0.3.pdf").unlink()
    killed: list[int] = []
    killer = threading.Thread(target=kill_who_holds_an_entry, args=(tmp_path / "ledger", killed))
    killer.start()
    reader = LlamaParseReader(
        base_url=simulated_cloud.base_url,
        api_key="llx-test",
        version="2025-01-01",
        ledger=tmp_path / "ledger",
        on_error="skip",
    )
    nodes = run_on_ray(stubs, reader=reader, failed_files="keep", batch_size=1, split=True)
    killer.join()
    assert len(killed) == 1
    assert killed[0] != os.getpid()
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (7, 0)
    assert Counter(node.metadata["file_path"] for node in nodes) == {stub.metadata["file_path"]: 1 for stub in stubs}
    failed = [node.metadata for node in nodes if "parse_error" in node.metadata]
    assert [metadata["file_path"] for metadata in failed] == [str(files / "3-0.3.pdf")]
    assert "does not exist" in failed[0]["parse_error"]
