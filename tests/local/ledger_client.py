"""Processes that work on a folder by way of a ledger, for tests that kill them or start several."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from llama_cloud_ext import LlamaBatchReader, LlamaExtract, LlamaParseReader
from llama_cloud_ext.batch import ledgered, starting
from llama_cloud_ext.cli.app import app
from llama_cloud_ext.wire import recovery

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def parse_folder(address: str, ledger: str, folder: Path, out: Path, workers: int) -> None:
    """Parse every file of a folder; writes what came out of it once all of it is there."""
    # Listings of the simulated service are never late.
    recovery.look_up_repeatedly = functools.partial(recovery.look_up_repeatedly, pauses=(0.02,))
    reader = LlamaParseReader(
        base_url=address, api_key="llx-test", ledger=ledger, num_workers=workers, version="2025-01-01"
    )
    (out.parent / f"{out.name}.started").touch()
    documents = reader.load_data(sorted(folder.iterdir()))
    _write(out, [[document.id_, document.text, document.metadata] for document in documents])


def parse_in_batches(address: str, ledger: str, folder: Path, out: Path, workers: int) -> None:
    """Parse every file of a folder in batches of ten; writes what came out of it once all of it is there."""
    recovery.look_up_repeatedly = functools.partial(recovery.look_up_repeatedly, pauses=(0.02,))
    starting.look_up_repeatedly = recovery.look_up_repeatedly
    ledgered.MOST_FILES = 10
    reader = LlamaBatchReader(base_url=address, api_key="llx-test", ledger=ledger, num_workers=workers)
    (out.parent / f"{out.name}.started").touch()
    _write(out, [[document.id_, document.text, document.metadata] for document in reader.load_data(folder)])


def extract_folder(address: str, ledger: str, folder: Path, out: Path, workers: int) -> None:
    """Extract a total from every file of a folder; writes what came out of it once all of it is there."""
    recovery.look_up_repeatedly = functools.partial(recovery.look_up_repeatedly, pauses=(0.02,))
    extractor = LlamaExtract(base_url=address, api_key="llx-test", ledger=ledger, num_workers=workers)
    (out.parent / f"{out.name}.started").touch()
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    results = extractor.extract(schema, None, sorted(folder.iterdir()))
    _write(out, [[result.source.name, result.data] for result in results])


def _write(out: Path, said: Any) -> None:
    temporary = out.with_suffix(".writing")
    temporary.write_text(json.dumps(said))
    temporary.rename(out)


def started(
    address: str,
    ledger: str,
    folder: Path,
    out: Path,
    *,
    workers: int = 4,
    work: Callable[[str, str, Path, Path, int], None] = parse_folder,
) -> BaseProcess:
    """Start such a process."""
    process = _CONTEXT.Process(target=work, args=(address, ledger, folder, out, workers))
    process.start()
    return process


def started_command(arguments: list[str], folder: Path, address: str) -> BaseProcess:
    """Start the command line in a folder, with the address of the service in its environment."""
    process = _CONTEXT.Process(target=_command, args=(arguments, folder, address))
    process.start()
    return process


def _command(arguments: list[str], folder: Path, address: str) -> None:
    # The environment and the folder are those of the server that forks, not the test's.
    os.chdir(folder)
    os.environ["LLAMA_CLOUD_BASE_URL"] = address
    with contextlib.redirect_stdout(io.StringIO()):
        app(arguments)
