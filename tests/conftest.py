"""Fixtures that every kind of test may use."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cloud_ext import close_connections
from tests.benchmarks.simulated_cloud import SimulatedCloud


def pytest_collection_finish() -> None:
    """Leave modules and tests out of garbage collections: of thousands of tests, they are most of what is looked at."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real files that come with the tests."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def _simulated_process() -> Iterator[SimulatedCloud]:
    with SimulatedCloud() as cloud:
        yield cloud


@pytest.fixture
def simulated_cloud(_simulated_process: SimulatedCloud) -> SimulatedCloud:
    """A simulated LlamaCloud in a process of its own, empty and without faults; `reset(...)` sets a scenario."""
    _simulated_process.reset()
    return _simulated_process


@pytest.fixture(autouse=True)
def _connections_end_with_the_test() -> Iterator[None]:
    """Close connections after each test: a `local:` address alone holds a dozen threads and files."""
    yield
    close_connections()
