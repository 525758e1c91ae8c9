"""Letting go of connections and of the folders behind `local:` addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from llama_cloud_ext import LlamaParseReader, aclose_connections, close_connections


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("llama-cloud-local")]


def _ends(threads: Callable[[], list[str]]) -> None:
    """Ensure none is left within seconds: a pool's threads end one after the other."""
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == []


def test_a_local_folder_is_let_go_and_opened_again(tmp_path: Path, data_dir: Path) -> None:
    """Ensure closing ends the threads of a local address, and that what is in its folder is there afterwards."""
    reader = LlamaParseReader(base_url=f"local:{tmp_path}")
    result = reader.parse(data_dir / "latex-lorem.pdf")
    assert _threads()
    close_connections()
    _ends(_threads)
    again = reader.get_result(result.job_id, source=data_dir / "latex-lorem.pdf")
    assert [page.text for page in again.pages] == [page.text for page in result.pages]


async def test_closing_is_awaited_and_repeated(tmp_path: Path, data_dir: Path) -> None:
    """Ensure the asynchronous form does the same, and that there may be nothing to close."""
    await LlamaParseReader(base_url=f"local:{tmp_path}").aparse(data_dir / "latex-lorem.pdf")
    assert _threads()
    await aclose_connections()
    await aclose_connections()
    _ends(_threads)
