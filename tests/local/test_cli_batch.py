"""`llama-cloud-ext batch`, and `parse` taken up again, against local LlamaCloud."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_cloud_ext import LedgerEntries, LlamaBatchReader, LlamaParseReader
from llama_cloud_ext.cli.app import app
from tests.local.ledger_client import started_command

_RUNNER = CliRunner()
_SCHEMA = {"type": "object", "properties": {"total": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three files, one of them broken, in a working folder of its own, and nobody's account."""
    for name in [name for name in os.environ if name.startswith(("LLAMA_CLOUD_", "LLAMA_PARSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    files = tmp_path / "files"
    (files / "deep").mkdir(parents=True)
    shutil.copy(data_dir / "latex-lorem.pdf", files)
    shutil.copy(data_dir / "table-and-pictures.pdf", files / "deep")
    shutil.copy(data_dir / "truncated.pdf", files)
    return files


def _run(*arguments: object) -> tuple[int, str, str]:
    result = _RUNNER.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def _batches(tmp_path: Path) -> int:
    import sqlite3

    with sqlite3.connect(tmp_path / "cloud" / "llamacloud.sqlite3") as database:
        return int(database.execute("SELECT count(*) FROM batches").fetchone()[0])


def test_a_folder_becomes_files(folder: Path, tmp_path: Path) -> None:
    """Ensure each file gets its output below --out, a broken one is named, and the others are there all the same."""
    code, out, err = _run("batch", folder, "--out", "out", "--local", "cloud")
    assert code == 1
    assert sorted(out.split()) == ["out/deep/table-and-pictures.pdf.md", "out/latex-lorem.pdf.md"]
    assert "Beautiful is better than ugly." in (tmp_path / "out/deep/table-and-pictures.pdf.md").read_text()
    assert "truncated.pdf" in err
    assert "1 of 3 files failed" in err


def test_results_are_printed_in_order(folder: Path) -> None:
    """Ensure without --out everything is printed, in the order of the files."""
    code, out, _ = _run("batch", folder, "--format", "text", "--local", "cloud", "--tier", "fast")
    assert code == 1
    assert out.index("table-and-pictures.pdf <==") < out.index("latex-lorem.pdf <==")


def test_data_by_a_schema(folder: Path, data_dir: Path) -> None:
    """Ensure --schema extracts, one line of JSON a file."""
    Path("schema.json").write_text(json.dumps(_SCHEMA))
    invoice = data_dir / "extract" / "invoice-translation-en.pdf"
    code, out, _ = _run("batch", invoice, "--schema", "schema.json", "--local", "cloud")
    assert code == 0
    line = json.loads(out)
    assert line["file"] == str(invoice)
    assert isinstance(line["data"]["total"], float | int)
    assert _run("batch", invoice, "--schema", "schema.json", "--tier", "fast", "--local", "cloud")[0] == 2


def test_what_an_earlier_run_did_is_taken_from_the_ledger(folder: Path, tmp_path: Path) -> None:
    """Ensure the same command makes no batch for what is done; only what failed for good is tried anew."""
    (folder / "truncated.pdf").unlink()
    arguments = ("batch", folder, "--out", "out", "--local", "cloud")
    code, out, _ = _run(*arguments)
    assert (code, len(out.split()), _batches(tmp_path)) == (0, 2, 1)
    code, again, _ = _run(*arguments)
    assert (code, sorted(again.split())) == (0, sorted(out.split()))
    assert _batches(tmp_path) == 1
    (folder / "new.md").write_text("# New")
    code, out, _ = _run(*arguments)
    assert (code, len(out.split()), _batches(tmp_path)) == (0, 3, 2)
    assert {entry.state for entry in LedgerEntries(tmp_path / "out" / ".llama-ledger")} == {"done"}


def test_another_tier_is_another_batch(folder: Path, tmp_path: Path) -> None:
    """Ensure results are kept by what the files were parsed with, and not at all with --ledger none."""
    assert _run("batch", folder, "--out", "out", "--local", "cloud")[0] == 1
    assert _run("batch", folder, "--out", "out", "--local", "cloud", "--tier", "fast")[0] == 1
    assert _batches(tmp_path) == 2
    assert _run("batch", folder, "--out", "bare", "--local", "cloud", "--ledger", "none")[0] == 1
    assert _batches(tmp_path) == 3
    assert not (tmp_path / "bare" / ".llama-ledger").exists()


def test_a_batch_of_elsewhere_is_collected_by_its_id(folder: Path, tmp_path: Path) -> None:
    """Ensure --resume takes the id of a batch in the place of files, and nothing else beside it that starts one."""
    handle = LlamaBatchReader(base_url="local:cloud").submit(folder)
    code, out, err = _run("batch", "--resume", *handle.batch_ids, "--out", "out", "--local", "cloud")
    assert code == 1
    assert sorted(out.split()) == ["out/latex-lorem.pdf.md", "out/table-and-pictures.pdf.md"]
    assert "1 of 3 files failed" in err
    assert _batches(tmp_path) == 1
    late = ("--resume", "bat-1")
    for wrong in ((), (folder, *late), (*late, "--tier", "fast"), (*late, "--ledger", "kept")):
        assert _run("batch", *wrong, "--local", "cloud")[0] == 2
    assert _run("batch", "--resume", "bat-1", "--local", "cloud")[0] == 1


def test_a_file_that_is_not_there(folder: Path) -> None:
    """Ensure a missing file fails by itself, and is alone no batch."""
    code, out, err = _run("batch", folder / "latex-lorem.pdf", folder / "none.pdf", "--local", "cloud")
    assert code == 1
    assert "original language" in out
    assert "none.pdf" in err
    assert _run("batch", folder / "none.pdf", "--local", "cloud")[0] == 1


def test_parsing_a_folder_again_makes_no_job(folder: Path, tmp_path: Path) -> None:
    """Ensure `parse --out` keeps a ledger: given again, finished files cost no job, and give the same."""
    arguments = ("parse", folder, "--out", "out", "--local", "cloud", "--quiet")
    assert _run(*arguments)[0] == 1
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.md")}
    jobs = LlamaParseReader(base_url="local:cloud").list_jobs()
    assert _run(*arguments)[0] == 1
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.md")} == before
    again = LlamaParseReader(base_url="local:cloud").list_jobs()
    # The broken file is tried anew.
    assert len(again) == len(jobs) + 1
    assert {entry.state for entry in LedgerEntries(tmp_path / "out" / ".llama-ledger")} == {"done"}


def test_no_ledger_unless_wanted(folder: Path, tmp_path: Path) -> None:
    """Ensure --ledger none keeps nothing, and --ledger elsewhere keeps it there."""
    _run("parse", folder, "--out", "out", "--ledger", "none", "--local", "cloud")
    _run("parse", folder, "--ledger", "kept", "--local", "cloud")
    assert not (tmp_path / "out" / ".llama-ledger").exists()
    assert len(list(LedgerEntries(tmp_path / "kept"))) == 2


@pytest.mark.parametrize(
    ("command", "far_enough"), [("parse", ("*.md", 2)), ("batch", (".llama-ledger/batches/*/job.json", 1))]
)
def test_a_killed_run_is_taken_up(
    folder: Path,
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    far_enough: tuple[str, int],
) -> None:
    """Ensure a command that is killed in the middle goes on where it was, and creates no job twice."""
    (folder / "truncated.pdf").unlink()
    for number in range(6):
        text = (data_dir / "pdfminer-readme.md").read_text()
        (folder / f"{number}.md").write_text(f"{number}\n\n{text}")
    arguments = [command, str(folder), "--out", "out", "--quiet"]
    address = f"local:{tmp_path / 'cloud'}?latency=0.8&max_concurrent_jobs=3"
    first = started_command(arguments, tmp_path, address)
    pattern, count = far_enough
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob(f"out/{pattern}"))) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    first.kill()
    first.join()
    assert first.exitcode == -signal.SIGKILL
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", address)
    code, _, err = _run(*arguments)
    assert (code, err) == (0, "")
    assert len(list((tmp_path / "out").rglob("*.md"))) == 8
    assert len(LlamaParseReader(base_url="local:cloud").list_jobs()) == 8
    assert command == "parse" or _batches(tmp_path) == 1
