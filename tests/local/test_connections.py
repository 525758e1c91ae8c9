"""Letting go of connections and of the folders behind `local:` addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_cloud_ext import LlamaParseReader, aclose_connections, close_connections


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("llama-cloud-local")}


@pytest.fixture
def started() -> Callable[[], set[threading.Thread]]:
    """What gives the threads that this test has started: the folders of other tests may still be open."""
    before = _threads()
    return lambda: _threads() - before


def _ended(threads: Callable[[], set[threading.Thread]]) -> bool:
    """Whether none is left within seconds: a pool's threads end one after the other."""
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not threads()


def test_a_local_folder_is_let_go_and_opened_again(
    tmp_path: Path, data_dir: Path, started: Callable[[], set[threading.Thread]]
) -> None:
    """Ensure closing ends the threads of a local address, and that what is in its folder is there afterwards."""
    reader = LlamaParseReader(base_url=f"local:{tmp_path}")
    result = reader.parse(data_dir / "latex-lorem.pdf")
    assert started()
    close_connections()
    assert _ended(started)
    again = reader.get_result(result.job_id, source=data_dir / "latex-lorem.pdf")
    assert [page.text for page in again.pages] == [page.text for page in result.pages]


async def test_closing_is_awaited_and_repeated(
    tmp_path: Path, data_dir: Path, started: Callable[[], set[threading.Thread]]
) -> None:
    """Ensure the asynchronous form does the same, and that there may be nothing to close."""
    await LlamaParseReader(base_url=f"local:{tmp_path}").aparse(data_dir / "latex-lorem.pdf")
    assert started()
    await aclose_connections()
    await aclose_connections()
    assert _ended(started)
