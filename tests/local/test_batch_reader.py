"""LlamaBatchReader against local LlamaCloud: folders to Documents and data, failures, resuming."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest
from pydantic import BaseModel

from llama_cloud_ext import (
    BatchHandle,
    ConfigurationError,
    ExtractResult,
    JobFailedError,
    LlamaBatchReader,
    LlamaParseReader,
    NotFoundError,
    ParseResult,
    PartialFailureError,
    Progress,
    SourceError,
)
from llama_cloud_ext.batch import runner
from llama_cloud_ext.wire import directories
from llama_cloud_ext.wire.io_loop import run
from llama_cloud_ext.wire.transport import connection_for


class Invoice(BaseModel):
    """What the invoices have."""

    total: float | None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files, one of them in a sub-folder, and a hidden one."""
    root = tmp_path / "files"
    (root / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("Total: 1.50")
    (root / "b.md").write_text("# Heading\n\nTotal: 2.50")
    (root / "deep" / "c.txt").write_text("Total: 3.50")
    (root / ".hidden.txt").write_text("no")
    return root


@pytest.fixture
def base_url(tmp_path: Path) -> str:
    """A service of its own."""
    return f"local:{tmp_path / 'cloud'}"


def left_directories(reader: LlamaBatchReader) -> list[str]:
    """The directories that there still are."""

    async def listed() -> list[str]:
        return [str(one["id"]) async for one in directories.list_directories(connection_for(reader.settings()))]

    return run(listed)


def test_a_folder_becomes_the_documents_of_a_parse(folder: Path, base_url: str) -> None:
    """Ensure Documents, their ids and metadata are those of LlamaParseReader, and nothing is left behind."""
    reader = LlamaBatchReader(base_url=base_url)
    documents = reader.load_data(folder, extra_info={"team": "a"})
    paths = [folder / "a.txt", folder / "b.md", folder / "deep" / "c.txt"]
    same = LlamaParseReader(base_url=base_url, tier="agentic").load_data(paths, extra_info={"team": "a"})
    assert [one.to_dict() for one in documents] == [one.to_dict() for one in same]
    assert left_directories(reader) == []
    whole = LlamaBatchReader(base_url=base_url, tier="fast", split_by_page=False).load_data(folder)
    assert len(whole) == 3


async def test_the_asynchronous_twins(folder: Path, base_url: str) -> None:
    """Ensure every asynchronous method gives what its twin does."""
    reader = LlamaBatchReader(base_url=base_url)
    assert len(await reader.aload_data(folder)) == 3
    assert all(isinstance(one, ParseResult) for one in await reader.aparse(folder))
    extracted = await reader.aextract(Invoice, None, folder)
    assert [one.data.total for one in extracted] == [1.5, 2.5, 3.5]
    handle = await reader.asubmit(folder)
    assert set(await reader.astatuses(handle)) == set(handle.batch_ids)
    assert len(await reader.aresume(handle)) == 3
    await reader.acancel(handle)


def test_what_stands_for_files(folder: Path, base_url: str) -> None:
    """Ensure patterns, fsspec URLs, filesystems, bytes and mixed lists all become files, in their order."""
    reader = LlamaBatchReader(base_url=base_url, tier="fast")
    memory = fsspec.filesystem("memory")
    memory.pipe("/batch-files/x.txt", b"x")
    memory.pipe("/batch-files/sub/y.txt", b"y")
    memory.pipe("/batch-files/.z.txt", b"z")

    def names(files: Any, **options: Any) -> list[str]:
        return [result.source.name for result in reader.parse(files, **options)]

    assert names(str(folder / "*.txt")) == ["a.txt"]
    assert names(str(folder / "**" / "*.txt")) == ["a.txt", "c.txt"]
    assert names("memory://batch-files") == ["y.txt", "x.txt"]
    assert names("memory://batch-files/*.txt") == ["x.txt"]
    assert names("/batch-files/sub", fs=memory) == ["y.txt"]
    assert names([b"bytes", folder / "deep"], extra_info=[{"file_name": "n.txt"}, {}]) == ["n.txt", "c.txt"]
    assert names([folder / "a.txt", folder / "a.txt"]) == ["a.txt", "a.txt"]
    with pytest.raises(SourceError, match="no file"):
        reader.parse(str(folder / "*.nothing"))


def test_data_are_read_into_the_model(folder: Path, base_url: str) -> None:
    """Ensure extraction validates into the model, and its saved configuration is used again."""
    reader = LlamaBatchReader(base_url=base_url)
    results = reader.extract(Invoice, {"cite_sources": True}, folder)
    assert [result.data for result in results] == [Invoice(total=1.5), Invoice(total=2.5), Invoice(total=3.5)]
    assert results[0].fields["total"].citations
    config_id = results[0].job.configuration_id
    again = reader.extract(Invoice, {"cite_sources": True}, folder / "a.txt")
    assert again[0].job.configuration_id == config_id
    by_id = reader.extract(str(config_id), files=folder / "a.txt")
    assert by_id[0].data == {"total": 1.5}
    with pytest.raises(ConfigurationError, match="settings of its own"):
        reader.extract(str(config_id), {"tier": "agentic"}, folder)


def test_more_files_than_a_batch_takes(folder: Path, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure files beyond the limit get batches of their own, in one order, and progress counts all."""
    monkeypatch.setattr(runner, "MOST_FILES", 2)
    seen: list[Progress] = []
    reader = LlamaBatchReader(base_url=base_url, show_progress=seen.append)
    handle = reader.submit(folder)
    assert [len(batch.files) for batch in handle.batches] == [2, 1]
    assert [result.source.name for result in reader.parse(folder)] == ["a.txt", "b.md", "c.txt"]
    assert (seen[-1].done, seen[-1].total, seen[-1].failed) == (3, 3, 0)


def test_failures_are_kept_to_their_files(folder: Path, base_url: str) -> None:
    """Ensure an empty file and a broken one are records in their places, strictly or leniently."""
    (folder / "empty.txt").write_text("")
    (folder / "z.pdf").write_bytes(b"%PDF-1.7 broken")
    reader = LlamaBatchReader(base_url=base_url, on_error="skip")
    outcomes = reader.parse(folder)
    assert [type(one).__name__ for one in outcomes] == [
        "ParseResult", "ParseResult", "ParseResult", "FailedItem", "FailedItem",
    ]  # fmt: skip
    empty, broken = outcomes[3:]
    assert (empty.index, broken.index) == (3, 4)
    assert isinstance(empty.error, SourceError)
    assert isinstance(broken.error, JobFailedError)
    assert broken.job_id
    assert broken.job_id.startswith("pjb-")
    assert reader.failures == [empty, broken]
    # Nothing more will come of these files.
    assert left_directories(reader) == []
    with pytest.raises(PartialFailureError) as raised:
        LlamaBatchReader(base_url=base_url).load_data(folder)
    assert len(raised.value.failures) == 2
    assert isinstance(raised.value.results[0], ParseResult)


def test_batches_are_resumed_from_json_and_from_ids(folder: Path, base_url: str) -> None:
    """Ensure a handle gives the same results elsewhere, and ids do where the files are at hand."""
    reader = LlamaBatchReader(base_url=base_url)
    handle = reader.submit(folder, extra_info={"team": "a"})
    elsewhere = pickle.loads(pickle.dumps(reader))
    results = elsewhere.resume(BatchHandle.from_json(handle.to_json()))
    assert [result.source for result in results] == [file.source for file in handle.batches[0].files]
    assert left_directories(reader) == []
    # Its directory is gone, yet the batch still knows its jobs.
    unnamed = reader.resume(handle.batch_ids)
    assert {result.text for result in unnamed} == {result.text for result in results}
    second = reader.submit(folder, extra_info={"team": "a"})
    named = _without_clearing(reader, second.batch_ids)
    assert sorted(result.source.name for result in named) == ["a.txt", "b.md", "c.txt"]
    assert (named[0].source.extra_info, named[0].source.path) == ({"team": "a"}, None)
    known = reader.resume(second.batch_ids, folder, extra_info={"team": "a"})
    assert [result.source for result in known] == [result.source for result in results]
    with pytest.raises(NotFoundError):
        reader.resume("bat-none")


def _without_clearing(reader: LlamaBatchReader, batch_ids: list[str]) -> list[Any]:
    """Resume, and leave the directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llama_cloud_ext.batch.collecting.delete_directory", _leave)
        return reader.resume(batch_ids)


async def _leave(*_: Any) -> None:
    """Do nothing."""


def test_batches_of_both_products_are_not_mixed(folder: Path, base_url: str) -> None:
    """Ensure data are resumed into a model, and not together with pages."""
    reader = LlamaBatchReader(base_url=base_url)
    parsing, extraction = reader.submit(folder / "a.txt"), reader.submit(folder / "a.txt", data_schema=Invoice)
    with pytest.raises(ConfigurationError, match="others extract"):
        reader.resume([*parsing.batch_ids, *extraction.batch_ids])
    (result,) = reader.resume(extraction.batch_ids, data_schema=Invoice)
    assert isinstance(result, ExtractResult)
    assert result.data == Invoice(total=1.5)


def test_options_are_checked(base_url: str) -> None:
    """Ensure an unknown option or tier raises before anything is sent, and a reader copies and serialises."""
    with pytest.raises(ConfigurationError):
        LlamaBatchReader(base_url=base_url, tier="best")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(ConfigurationError):
        LlamaBatchReader(base_url=base_url, num_worker=3)  # type: ignore[call-arg]  # that is the test
    reader = LlamaBatchReader(base_url=base_url, num_workers=3)
    with pytest.raises(ConfigurationError):
        reader.num_workers = 0
    assert LlamaBatchReader.from_dict(reader.to_dict()).num_workers == 3
    assert "num_workers=3" in repr(reader)
    with pytest.raises(ConfigurationError, match="handle"):
        BatchHandle.from_json("{}")
