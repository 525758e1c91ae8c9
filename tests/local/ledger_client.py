"""A process that parses a folder by way of a ledger, for tests that kill it or start several."""

from __future__ import annotations

import functools
import json
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

from llama_cloud_ext import LlamaBatchReader, LlamaParseReader
from llama_cloud_ext.batch import ledgered, starting
from llama_cloud_ext.wire import recovery

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def parse_folder(address: str, ledger: str, folder: Path, out: Path, workers: int, portion: int | None) -> None:
    """Parse every file of a folder; writes what came out of it once all of it is there.

    With a `portion` it goes by batches of so many files.
    """
    # Listings of the simulated service are never late.
    recovery.look_up_repeatedly = functools.partial(recovery.look_up_repeatedly, pauses=(0.02,))
    starting.look_up_repeatedly = recovery.look_up_repeatedly
    connection = {"base_url": address, "api_key": "llx-test", "ledger": ledger, "num_workers": workers}
    reader = LlamaParseReader(**connection, version="2025-01-01") if portion is None else LlamaBatchReader(**connection)
    ledgered.MOST_FILES = portion or ledgered.MOST_FILES
    (out.parent / f"{out.name}.started").touch()
    documents = reader.load_data(sorted(folder.iterdir()))
    said = [[document.id_, document.text, document.metadata] for document in documents]
    temporary = out.with_suffix(".writing")
    temporary.write_text(json.dumps(said))
    temporary.rename(out)


def started(
    address: str, ledger: str, folder: Path, out: Path, *, workers: int = 4, portion: int | None = None
) -> BaseProcess:
    """Start such a process."""
    process = _CONTEXT.Process(target=parse_folder, args=(address, ledger, folder, out, workers, portion))
    process.start()
    return process
