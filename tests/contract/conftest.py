"""The two sides of the contract: the official SDK in its own environment, and local LlamaCloud on a port."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.contract.served_cloud import ServedCloud
from tests.virtualenvs import FOLDER, SDK, one_maker_of, virtualenv

MAKING_ENVIRONMENTS_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test here may have to install the SDK, which takes longer than a test may."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(MAKING_ENVIRONMENTS_SECONDS), append=False)


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    """The Python of a virtual environment with the official SDK, and pip to fetch its source distribution."""
    return virtualenv("sdk", [SDK, "pip"])


@pytest.fixture(scope="session")
def served_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a local LlamaCloud on a loopback port."""
    with ServedCloud(tmp_path_factory.mktemp("served") / "data") as cloud:
        yield cloud.base_url


@pytest.fixture(scope="session")
def sdk(sdk_python: Path, served_cloud: str) -> Iterator[OfficialSdk]:
    """The official SDK, talking to the served cloud and refusing every answer that its models do not describe."""
    official = OfficialSdk(sdk_python, served_cloud)
    yield official
    official.close()


@pytest.fixture(scope="session")
def index_sdk_python() -> Path:
    """The Python of a virtual environment with the SDK and what its index classes, and their own tests, need beside."""
    return virtualenv("sdk-index", [SDK, "llama-index-core>=0.14,<0.15", "pytest", "pytest-asyncio"])


@pytest.fixture(scope="session")
def index_sdk(index_sdk_python: Path, served_cloud: str) -> Iterator[OfficialSdk]:
    """The official SDK with LlamaIndex, as strict as the other."""
    official = OfficialSdk(index_sdk_python, served_cloud)
    yield official
    official.close()


@pytest.fixture(scope="session")
def recording_sdk(sdk_python: Path) -> Iterator[OfficialSdk]:
    """The official SDK, recording its requests in `client.recorded` instead of sending them."""
    official = OfficialSdk(sdk_python, None)
    yield official
    official.close()


@pytest.fixture(scope="session")
def sdk_source(sdk_python: Path) -> Path:
    """The SDK's source distribution with its examples and tests, downloaded once."""
    home = FOLDER / SDK.replace("==", "-")
    with one_maker_of(home.name):
        if not any((home / "unpacked").glob("*/tests")):
            home.mkdir(parents=True, exist_ok=True)
            command = [str(sdk_python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*command, "--dest", str(home), SDK], check=True, timeout=300)
            (archive,) = home.glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(home / "unpacked", filter="data")
    (unpacked,) = (home / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="session")
def served_folder(data_dir: Path) -> Iterator[str]:
    """The base URL of an HTTP server of the tests' files."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(data_dir))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
