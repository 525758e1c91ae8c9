"""Notebooks run as they stand, and show what they say."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.docs.python_examples import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def _outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def _pictures(notebook: NotebookNode) -> int:
    return sum(1 for output in _outputs(notebook) for kind in output.get("data", {}) if kind.startswith("image/"))


@pytest.mark.timeout(400)  # starts a kernel and draws: minutes where the machine is busy
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_as_many_pictures_as_are_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure a notebook runs without an account, without errors or warnings, and draws all of its pictures."""
    for name in ("LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY", "LLAMA_CLOUD_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    committed = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert not [output.text for output in _outputs(notebook) if output.get("name") == "stderr"]
    assert _pictures(notebook) == _pictures(committed)
    assert _pictures(committed) >= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_complete_small_and_clean(path: Path) -> None:
    """Ensure every code cell was run in order, and that no path of the author's machine was kept."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    runs = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert runs == list(range(1, len(runs) + 1))
    assert len(text) < 1_000_000
    assert not re.search(r"[\"' ](/(home|root|Users|tmp)/|[A-Z]:\\\\)", text)
    nbformat.validate(notebook)
