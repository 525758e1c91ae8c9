"""The README says only what works."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_cloud_ext.cli.app import app
from llama_cloud_ext.parse.reader import LlamaParseReader
from tests.docs.python_examples import REPOSITORY, fenced_blocks, run_block

README = REPOSITORY / "README.md"
TEXT = README.read_text(encoding="utf-8")


@pytest.mark.usefixtures("reader_of_the_docs")
def test_every_python_block_runs() -> None:
    """Ensure the Python blocks of the README run as written, from top to bottom, without an account."""
    names: dict[str, Any] = {"__name__": "__main__"}
    blocks = fenced_blocks(TEXT, "python")
    assert len(blocks) >= 8
    for block in blocks:
        run_block(block, README, names)


def test_the_first_two_commands_stand_alone() -> None:
    """Ensure each of the README's two commands is one line that installs what it needs itself."""
    first, second = (block.code.strip() for block in fenced_blocks(TEXT, "bash")[:2])
    assert "\n" not in first
    assert "\n" not in second
    assert first.startswith("pip install -q '.[all]' && ")
    assert second.split(" && ") == [
        "pip install -q '.[dev]'",
        "python -m pytest -n 4 --ignore tests/benchmarks --ignore tests/figures",
        "python -m pytest tests/benchmarks tests/figures",
    ]


def test_ci_runs_both_commands() -> None:
    """Ensure CI runs the very commands that the README shows."""
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    for block in fenced_blocks(TEXT, "bash")[:2]:
        assert block.code.strip() in script


@pytest.mark.usefixtures("reader_of_the_docs")
def test_the_first_command_answers_from_a_folder() -> None:
    """Ensure the README's first command indexes a folder of real documents and prints passages that answer."""
    command = shlex.split(fenced_blocks(TEXT, "bash")[0].code.split(" && ", 1)[1])
    assert command[:2] == ["llama-cloud-ext", "ask"]
    outcome = CliRunner().invoke(app, command[1:])
    assert outcome.exit_code == 0, outcome.output
    assert "scanned-memoir.pdf, page" in outcome.stdout
    assert "score" in outcome.stdout
    assert "truncated.pdf" in outcome.stderr


def test_the_options_table_is_complete() -> None:
    """Ensure the table lists every option of the reader, none that does not exist, and the defaults it really has."""
    table = TEXT.partition("<!-- options -->")[2].partition("<!-- /options -->")[0]
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.strip().splitlines()[2:]]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    fields = LlamaParseReader.model_fields
    assert sorted(listed) == sorted(set(fields) - {"is_remote"})
    for row in rows:
        numbers = re.findall(r"\d+", row[1])
        for name, number in zip(re.findall(r"`(\w+)`", row[0]), numbers, strict=False):
            assert fields[name].default == int(number), name


def test_the_benchmark_table_is_the_one_that_was_measured() -> None:
    """Ensure the README shows the results as the benchmark wrote them, line by line."""
    results = (REPOSITORY / "tests" / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    shown = TEXT.partition("<!-- benchmark -->")[2].partition("<!-- /benchmark -->")[0]
    assert shown.strip() == results.partition("\n")[2].strip()


@pytest.mark.parametrize("link", sorted({part.split(")")[0] for part in TEXT.split("](")[1:]}))
def test_links_into_the_repository_lead_somewhere(link: str) -> None:
    """Ensure every relative link of the README names a file that is there, every anchor a heading that is there."""
    if link.startswith("#"):
        headings = {
            "".join(c for c in line.lstrip("# ").lower().replace(" ", "-") if c.isalnum() or c in "-_")
            for line in TEXT.splitlines()
            if line.startswith("#")
        }
        assert link[1:] in headings
    elif "://" not in link:
        assert (REPOSITORY / link.split("#", maxsplit=1)[0]).exists()
