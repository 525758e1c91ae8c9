"""What a plain installation says when it is asked for more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llama_cloud_ext import ConfigurationError, JobFailedError, LlamaParseReader


def test_local_without_its_packages_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that a local address in an installation without the `local` extra says how to get it."""
    monkeypatch.setitem(sys.modules, "llama_cloud_ext.local.app", None)
    with pytest.raises(ConfigurationError, match=r'pip install "llama-cloud-ext\[local\]"'):
        LlamaParseReader(base_url=f"local:{tmp_path}").load_data(b"one line")


def test_a_pdf_without_its_parser_names_the_extra(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure that an installation that has local's web packages by chance, but no PDF parser, says how to get it."""
    monkeypatch.setitem(sys.modules, "liteparse", None)
    with pytest.raises(JobFailedError, match=r'pip install "llama-cloud-ext\[local\]"'):
        LlamaParseReader(base_url="local::memory:").load_data(data_dir / "latex-lorem.pdf")
