"""The command line against local LlamaCloud, on real files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_cloud_ext import ParseResult
from llama_cloud_ext.cli.app import app

_RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings, and a folder to work in."""
    for name in [name for name in os.environ if name.startswith(("LLAMA_CLOUD_", "LLAMA_PARSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> str:
    """The folder of a local LlamaCloud."""
    return str(tmp_path / "cloud")


def _run(*arguments: object) -> tuple[int, str, str]:
    result = _RUNNER.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_results_go_to_stdout_and_progress_to_stderr(data_dir: Path, local: str) -> None:
    """Ensure a parse prints the file's content and nothing else, so that it can be piped."""
    code, out, err = _run("parse", data_dir / "table-and-pictures.pdf", "--local", local)
    assert code == 0
    assert "Beautiful is better than ugly." in out
    assert "table-and-pictures.pdf" not in out
    assert "[1/1]" in err
    assert "1 page" in err


def test_quiet_is_quiet(data_dir: Path, local: str) -> None:
    """Ensure --quiet leaves standard error empty when all goes well."""
    assert _run("parse", data_dir / "latex-lorem.pdf", "--local", local, "--quiet")[2] == ""


def test_several_results_come_in_the_order_of_the_files(data_dir: Path, local: str) -> None:
    """Ensure outputs keep the order of the inputs, whichever is done first, and each says which file it is of."""
    names = ["reportlab-userguide.pdf", "latex-lorem.pdf", "census-crime-table.pdf"]
    code, out, _ = _run("parse", *(data_dir / name for name in names), "--format", "text", "--local", local)
    assert code == 0
    places = [out.index(f"==> {data_dir / name} <==") for name in names]
    assert places == sorted(places)


def test_json_is_one_result_a_line_that_reads_back(data_dir: Path, local: str) -> None:
    """Ensure JSON output is JSON Lines, and each line is a whole ParseResult."""
    code, out, _ = _run(
        "parse", data_dir / "latex-lorem.pdf", data_dir / "mtcars.csv", "--format", "json", "--local", local
    )
    assert code == 0
    lorem, cars = (ParseResult.from_json(line) for line in out.splitlines())
    assert len(lorem.pages) == 4
    assert cars.tables[0].rows


def test_page_choice_and_tier_reach_the_job(data_dir: Path, local: str) -> None:
    """Ensure --target-pages and --tier do what they say; the fast tier prints text without being asked."""
    code, out, _ = _run(
        "parse", data_dir / "latex-lorem.pdf", "--target-pages", "2,4", "--tier", "fast", "--local", local
    )
    assert code == 0
    assert "Contents" not in out
    listed = json.loads(_run("jobs", "list", "--json", "--local", local)[1])
    assert listed["tier"] == "fast"


def test_one_failed_file_fails_the_command_and_no_other_file(data_dir: Path, local: str) -> None:
    """Ensure exit code 1, the reason and the next step on stderr, and the other file's result on stdout."""
    code, out, err = _run(
        "parse",
        data_dir / "password-protected.pdf",
        data_dir / "table-and-pictures.pdf",
        "missing.pdf",
        "--local",
        local,
    )
    assert code == 1
    assert "Beautiful is better than ugly." in out
    assert "PDF_IS_PROTECTED" in err
    assert "→" in err
    assert "missing.pdf" in err
    assert "2 of 3 files failed" in err


def test_without_account_and_local_both_ways_are_named(data_dir: Path) -> None:
    """Ensure whoever has no account yet is told of the key and of local LlamaCloud."""
    code, out, err = _run("parse", data_dir / "latex-lorem.pdf")
    assert code == 2
    assert out == ""
    assert "LLAMA_CLOUD_API_KEY" in err
    assert "--local DIR" in err
    assert "local" in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--tables"], "--out"),
        (["--images"], "--out"),
        (["--tier", "agnetic"], "agentic"),
        (["--target-pages", "5-3"], "target_pages"),
        (["--tier", "fast", "--format", "md"], "fast"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], named: str, data_dir: Path, local: str) -> None:
    """Ensure contradictory or unknown options fail before anything is uploaded, naming the way out."""
    code, out, err = _run("parse", data_dir / "latex-lorem.pdf", "--local", local, *arguments)
    assert code == 2
    assert out == ""
    assert named in err
    assert not Path(local).exists()


def test_out_gives_each_file_its_own_outputs(data_dir: Path, local: str, tmp_path: Path) -> None:
    """Ensure Markdown, tables and images land in the folder, and exactly the printed paths are there."""
    out_dir = tmp_path / "out"
    code, out, _ = _run(
        "parse",
        data_dir / "r-datasets-tables.pdf",
        data_dir / "table-and-pictures.pdf",
        "--out",
        out_dir,
        "--tables",
        "--images",
        "--local",
        local,
    )
    assert code == 0
    printed = {Path(line) for line in out.splitlines()}
    files = {path for path in out_dir.rglob("*") if path.is_file() and ".llama-ledger" not in path.parts}
    assert printed == files
    assert out_dir / "r-datasets-tables.pdf.md" in printed
    tables = sorted((out_dir / "r-datasets-tables.pdf.tables").glob("*.csv"))
    assert any("Mazda RX4" in row for table in tables for row in csv.reader(table.open(encoding="utf-8")))
    images = list((out_dir / "table-and-pictures.pdf.images").iterdir())
    assert len(images) >= 2
    assert all(image.stat().st_size for image in images)


def test_a_folder_is_mirrored(data_dir: Path, local: str, tmp_path: Path) -> None:
    """Ensure the outputs of a folder keep its structure."""
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    for place in ("docs/cars.csv", "docs/deep/cars.csv"):
        (tmp_path / place).write_bytes((data_dir / "mtcars.csv").read_bytes())
    code, _, _ = _run("parse", "docs", "--out", "parsed", "--local", local)
    assert code == 0
    assert sorted(str(path) for path in Path("parsed").rglob("*.md")) == [
        "parsed/cars.csv.md",
        "parsed/deep/cars.csv.md",
    ]


def test_jobs_can_be_listed_shown_collected_and_cancelled(data_dir: Path, local: str) -> None:
    """Ensure the jobs commands find what parse has left, by id."""
    _run("parse", data_dir / "latex-lorem.pdf", data_dir / "truncated.pdf", "--local", local)
    code, out, _ = _run("jobs", "list", "--local", local)
    assert code == 0
    assert len(out.splitlines()) == 2
    (line,) = _run("jobs", "list", "--status", "completed", "--local", local)[1].splitlines()
    job_id = line.split()[0]
    assert json.loads(_run("jobs", "show", job_id, "--local", local)[1])["status"] == "COMPLETED"
    code, out, _ = _run("jobs", "result", job_id, "--format", "text", "--local", local)
    assert code == 0
    assert "Contents" in out
    code, out, _ = _run("jobs", "result", job_id, "--out", "collected", "--local", local)
    assert code == 0
    assert Path(out.strip()).read_text(encoding="utf-8")
    assert _run("jobs", "cancel", job_id, "--local", local)[1].strip() == "COMPLETED"


def test_an_unknown_job_is_exit_code_1(local: str) -> None:
    """Ensure asking for a job that is not there says so."""
    code, out, err = _run("jobs", "show", "pjb-00000000-0000-0000-0000-000000000000", "--local", local)
    assert code == 1
    assert out == ""
    assert "404" in err


def test_the_real_command_reads_a_pipe(data_dir: Path, local: str) -> None:
    """Ensure `python -m llama_cloud_ext.cli parse -` takes a PDF from standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "llama_cloud_ext.cli", "parse", "-", "--local", local],
        input=(data_dir / "table-and-pictures.pdf").read_bytes(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "Beautiful is better than ugly." in done.stdout.decode()


def test_without_typer_it_says_what_to_install() -> None:
    """Ensure the command of an installation without the cli extra names the extra."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['typer'] = None; from llama_cloud_ext.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'pip install "llama-cloud-ext[cli]"' in done.stderr


@pytest.fixture
def server(local: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`llama-cloud-ext serve` on a free port, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llama_cloud_ext.cli", "serve", "--data", local, "--port", "0", "--api-key-env", "KEY"],
        env={**os.environ, "KEY": "llx-of-the-test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_serve_answers_other_clients_and_stops_on_ctrl_c(
    server: tuple[subprocess.Popen[str], str], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure a served folder parses for any client with the key, for none without, and ends cleanly."""
    process, address = server
    assert address.startswith("http://127.0.0.1:")
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", address)
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-of-another")
    code, _, err = _run("parse", data_dir / "mtcars.csv")
    assert code == 1
    assert "401" in err
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-of-the-test")
    code, out, _ = _run("parse", data_dir / "mtcars.csv")
    assert code == 0
    assert "Mazda RX4" in out
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) in {0, 130, -signal.SIGINT}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--host", "0.0.0.0"], "API key"),  # noqa: S104  # refused  # refused
        (["--api-key-env", "NOT_SET"], "NOT_SET"),
        (["--simulate", "latency"], "NAME=VALUE"),
        (["--simulate", "latancy=1"], "latancy"),
    ],
)
def test_serve_refuses_what_is_unsafe_or_unclear(arguments: list[str], named: str, local: str) -> None:
    """Ensure an open address without a key, and wrong options, end with exit code 2 before anything listens."""
    code, out, err = _run("serve", "--data", local, *arguments)
    assert code == 2
    assert out == ""
    assert named in err
