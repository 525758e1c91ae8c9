"""The README's pipeline on a real Ray: two workers that share a ledger on S3, and one that is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import s3fs
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import BaseNode

from llama_cloud_ext import LedgerEntries, LlamaParseTransform
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.docs.python_examples import REPOSITORY, fenced_blocks
from tests.http.test_s3_sources import endpoint  # noqa: F401 - the fixture

FILES = 8
README = REPOSITORY / "README.md"

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
        fs.makedirs("papers", exist_ok=True)
        yield fs


@pytest.fixture(scope="module", autouse=True)
def _cluster(s3: Any, _simulated_process: SimulatedCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray of this machine, on the loopback, which leaves nothing behind, and whose workers know the service."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's way to keep to the loopback, on Linux, too
        environment.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)  # else it leaves one in the home directory
        environment.setenv("LLAMA_CLOUD_BASE_URL", _simulated_process.base_url)
        environment.setenv("LLAMA_CLOUD_API_KEY", "llx-test")
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        ray.init(
            num_cpus=2,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=str(tmp_path_factory.mktemp("ray")),
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


def kill_who_holds_an_entry(s3: Any, ledger: str, killed: list[int]) -> None:
    """End a process in the middle of a job, by kill -9."""
    until = time.monotonic() + 100
    while not killed and time.monotonic() < until:
        s3.invalidate_cache()
        for record in s3.glob(f"{ledger}/**/lease-*"):
            try:
                pid = int(json.loads(s3.cat_file(record))["pid"])
            except FileNotFoundError:
                continue  # given back
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return
        time.sleep(0.05)


def test_two_workers_and_a_kill(s3: Any, simulated_cloud: SimulatedCloud) -> None:
    """Ensure each file is created once and none lost, though a worker is killed; one that fails is named."""
    for number in range(FILES):
        s3.pipe_file(f"papers/reports/{number}-0.4.pdf", b"%PDF-1.7 " + str(number).encode())
    s3.pipe_file("papers/reports/empty.pdf", b"")
    killed: list[int] = []
    killer = threading.Thread(target=kill_who_holds_an_entry, args=(s3, "papers/ledger", killed))
    killer.start()
    (example,) = fenced_blocks(README.read_text(encoding="utf-8"), "py")
    names: dict[str, Any] = {}
    # Several batches for each worker.
    exec(example.code.replace('"batch_size": 64', '"batch_size": 1'), names)  # noqa: S102 - our own documentation
    killer.join()
    assert len(killed) == 1
    assert killed[0] != os.getpid()
    stats = simulated_cloud.stats()
    assert (stats["jobs_created"], stats["jobs_created_again"]) == (FILES, 0)
    assert [entry.state for entry in LedgerEntries("s3://papers/ledger")] == ["done"] * FILES
    (failed,) = names["failed"]
    assert failed["file_path"] == "s3://papers/reports/empty.pdf"
    assert "is empty" in failed["parse_error"]
    alone = IngestionPipeline(
        transformations=[LlamaParseTransform(reader=names["reader"], failed_files="keep")], disable_cache=True
    )
    expected = alone.run(documents=LlamaParseTransform.file_documents("s3://papers/reports/*.pdf"))
    assert sorted(map(told, names["nodes"])) == sorted(map(told, expected))
    assert simulated_cloud.stats()["jobs_created"] == FILES


def told(node: BaseNode) -> str:
    """What a node says: its content, metadata and source."""
    return repr((node.get_content(), sorted(node.metadata.items()), node.ref_doc_id))
