"""What documentation examples find around them: a data folder, and local LlamaCloud instead of an account."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from llama_index.core import Document

from llama_cloud_ext import LlamaCloudDirectoryIndex, LlamaCloudIndex
from tests.docs.python_examples import REPOSITORY

_SHOWN = ("table-and-pictures.pdf", "r-datasets-tables.pdf", "latex-lorem.pdf")


@pytest.fixture
def reader_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder for whoever tries the examples without an account.

    It has ./report.pdf and ./invoice.pdf, both in ./data, too, ./data/letter.pdf, ./data/resume.pdf and others for the
    examples of users, ./tests/data for those of developers.
    """
    data = tmp_path / "data"
    data.mkdir()
    for name in _SHOWN:
        shutil.copy(REPOSITORY / "tests" / "data" / name, data)
    for copy in (tmp_path / "report.pdf", data / "report.pdf"):
        shutil.copy(data / "table-and-pictures.pdf", copy)
    shutil.copy(data / "latex-lorem.pdf", data / "letter.pdf")
    for copy in (tmp_path / "invoice.pdf", data / "invoice.pdf"):
        shutil.copy(REPOSITORY / "tests" / "data" / "extract" / "invoice-translation-en.pdf", copy)
    shutil.copy(data / "latex-lorem.pdf", data / "resume.pdf")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "data").symlink_to(REPOSITORY / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    for name in ("LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY", "LLAMA_CLOUD_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", f"local:{tmp_path / 'llamacloud'}")
    return tmp_path


@pytest.fixture
def indexes_of_the_docs(reader_of_the_docs: Path) -> Path:
    """The same folder, with the indexes that examples name as if they had been made before."""
    texts = {
        "handbook": "Employees have thirty days of leave a year.",
        "contracts": "The notice period is three months.",
        "animals": "Cats sleep for sixteen hours a day.",
    }
    for name, text in texts.items():
        LlamaCloudIndex.from_documents([Document(text=text, id_=f"{name}-1")], name)
    LlamaCloudDirectoryIndex.from_documents([Document(text="The table shows three countries.")], "reports")
    return reader_of_the_docs
