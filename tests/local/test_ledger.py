"""The ledger on real files and local LlamaCloud: the ways in which users load files, each of which pays once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from llama_index.core import SimpleDirectoryReader
from typer.testing import CliRunner

from llama_cloud_ext import LedgerEntries, LlamaExtract, LlamaParseReader
from llama_cloud_ext.cli.app import app

LATEX, TABLES = "latex-lorem.pdf", "table-and-pictures.pdf"
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """Two documents, one of them twice."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, copy in ((LATEX, "a.pdf"), (TABLES, "b.pdf"), (LATEX, "c.pdf")):
        shutil.copy(data_dir / name, folder / copy)
    return folder


@pytest.fixture
def reader(tmp_path: Path) -> LlamaParseReader:
    """A reader with a ledger, and a local LlamaCloud of the test's own."""
    return LlamaParseReader(base_url=f"local:{tmp_path / 'cloud'}", ledger=tmp_path / "ledger")


def test_every_way_of_loading(reader: LlamaParseReader, folder: Path) -> None:
    """Ensure a prefetch, a SimpleDirectoryReader, streams, handles and lists come to one job for each content."""
    files = sorted(folder.iterdir())
    reader.prefetch(files)
    loaded = SimpleDirectoryReader(folder, file_extractor={".pdf": reader}).load_data()
    assert {document.metadata["file_name"] for document in loaded} == {"a.pdf", "b.pdf", "c.pdf"}
    results = list(reader.stream(files))
    handles = [handle.result() for handle in reader.submit(files)]
    again = reader.parse(files)
    assert sorted(result.text for result in results) == sorted(result.text for result in again)
    assert handles == again
    assert again[0].text == again[2].text != again[1].text
    assert [document.id_ for document in reader.load_data(files)] == [
        document.id_ for result in again for document in result.documents()
    ]
    assert len(reader.list_jobs()) == 2


def test_extraction_alike(reader: LlamaParseReader, folder: Path, tmp_path: Path) -> None:
    """Ensure files and what was parsed of them are extracted from once each, beside the parses of the same ledger."""
    extractor = LlamaExtract(base_url=reader.base_url, ledger=reader.ledger)
    first = extractor.extract(SCHEMA, files=[str(folder / name) for name in ("a.pdf", "c.pdf")])
    parsed = extractor.extract(SCHEMA, files=reader.parse(folder / "a.pdf"))
    again = extractor.extract(SCHEMA, files=[str(folder / "c.pdf"), reader.parse(folder / "a.pdf")])
    assert [result.data for result in again] == [first[1].data, parsed.data]
    assert len(extractor.list_jobs()) == 2
    products = sorted(entry.product or "" for entry in LedgerEntries(tmp_path / "ledger"))
    assert products == ["extract", "extract", "parse"]


def test_the_command_lists_it(reader: LlamaParseReader, folder: Path, tmp_path: Path) -> None:
    """Ensure the command shows the entries that a reader has made."""
    reader.load_data(sorted(folder.iterdir()))
    outcome = CliRunner().invoke(app, ["ledger", "list", str(tmp_path / "ledger"), "--json"])
    entries = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [entry["state"] for entry in entries] == ["done", "done"]
    assert {Path(entry["file"]).parent for entry in entries} == {folder}
