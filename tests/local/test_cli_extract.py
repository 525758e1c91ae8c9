"""`llama-cloud-ext extract` against local LlamaCloud, on real files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_cloud_ext.cli.app import app

_RUNNER = CliRunner()
_LETTER = "Invoice number: 4711\nDate: 2026-03-04\nTotal: 120.50 EUR\n"
_MODULE = '''
from pydantic import BaseModel, Field


class Invoice(BaseModel):
    """What a supplier asks to be paid."""

    invoice_number: str | None = Field(description="Number of the invoice")
    total: float | None = Field(description="Amount due, with tax", ge=0)
    account: str = "purchases"


class Ledger(BaseModel):
    """Something that cannot be extracted."""

    entries: dict[str, object]
'''
_JSON_SCHEMA = {
    "type": "object",
    "properties": {"invoice_number": {"type": "string"}, "total": {"type": "number"}, "iban": {"type": "string"}},
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, with schemas and documents, and nothing of the machine's own settings."""
    for name in [name for name in os.environ if name.startswith(("LLAMA_CLOUD_", "LLAMA_PARSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "papers_of_mine", raising=False)
    (tmp_path / "papers_of_mine.py").write_text(_MODULE)
    (tmp_path / "schema.json").write_text(json.dumps(_JSON_SCHEMA))
    (tmp_path / "letter.txt").write_text(_LETTER)
    return tmp_path


def _run(*arguments: object, stdin: str | bytes | None = None) -> tuple[int, str, str]:
    words = [str(argument) for argument in arguments]
    result = _RUNNER.invoke(app, ["extract", *words, "--local", "cloud"], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_class_of_the_current_folder_is_the_schema() -> None:
    """Ensure a Pydantic class is found beside the files, and its defaults stand in the data."""
    code, out, err = _run("letter.txt", "--schema", "papers_of_mine:Invoice")
    (line,) = _lines(out)
    assert code == 0
    assert line["file"] == "letter.txt"
    assert line["job_id"]
    assert line["data"] == {"invoice_number": "4711", "total": 120.5, "account": "purchases"}
    assert line.keys() == {"file", "job_id", "data"}
    assert err == "[1/1] letter.txt: 2 field(s)\n"


def test_a_json_file_is_the_schema() -> None:
    """Ensure a JSON schema works as well, what was not found being null."""
    code, out, _ = _run("letter.txt", "--schema", "schema.json")
    assert code == 0
    assert _lines(out)[0]["data"] == {"invoice_number": "4711", "total": 120.5, "iban": None}


def test_lines_come_in_the_order_of_the_files(data_dir: Path) -> None:
    """Ensure output is JSON Lines in the order of the command line, whichever file is done first."""
    names = ["invoice-translation-en.pdf", "receipt-bar.txt", "invoice-analytics-en.pdf"]
    files = [data_dir / "extract" / name for name in names]
    code, out, _ = _run(*files, "letter.txt", "--schema", "schema.json")
    assert code == 0
    assert [line["file"] for line in _lines(out)] == [*map(str, files), "letter.txt"]
    assert [line["data"]["total"] for line in _lines(out)] == [2237.9, 185.8, 6012.0, 120.5]


def test_out_writes_a_file_for_each(folder: Path) -> None:
    """Ensure --out prints the paths it wrote, keeps files of one name apart, and is never an input itself."""
    (folder / "more").mkdir()
    (folder / "more" / "letter.txt").write_text(_LETTER.replace("4711", "4712"))
    for _ in range(2):
        code, out, _ = _run("letter.txt", "more", "--schema", "schema.json", "--out", "more/found")
        assert code == 0
        paths = sorted(map(Path, out.splitlines()), reverse=True)  # printed as they are written
        assert paths == [Path("more/found/letter.txt.json"), Path("more/found/letter-2.txt.json")]
        records = [json.loads(path.read_text()) for path in paths]
        assert [record["data"]["invoice_number"] for record in records] == ["4711", "4712"]


def test_citations_and_confidence_come_when_asked_for(data_dir: Path) -> None:
    """Ensure --cite gives the page, words and boxes of each field, and --confidence its score."""
    invoice = data_dir / "extract" / "invoice-translation-en.pdf"
    code, out, _ = _run(invoice, "--schema", "schema.json", "--cite", "--confidence")
    (line,) = _lines(out)
    assert code == 0
    (place,) = line["citations"]["invoice_number"]
    assert (place["page"], place["text"]) == (1, "BLT-0921")
    assert place["boxes"][0].keys() == {"x", "y", "w", "h"}
    assert place["page_width"] > place["boxes"][0]["x"]
    assert "iban" not in line["citations"]
    assert 0 < line["confidence"]["invoice_number"] <= 1


def test_a_failed_file_fails_no_other(data_dir: Path) -> None:
    """Ensure exit code 1 with the reason and next step of each failure, and the results of the others in order."""
    locked = data_dir / "password-protected.pdf"
    code, out, err = _run("missing.txt", "letter.txt", locked, "--schema", "schema.json")
    assert code == 1
    assert [line["file"] for line in _lines(out)] == ["letter.txt"]
    assert "missing.txt" in err
    assert "PDF_IS_PROTECTED" in err
    assert "→" in err
    assert "2 of 3 files failed" in err


def test_data_that_do_not_fit_fail_the_file(folder: Path) -> None:
    """Ensure data that break a constraint of the class are an error of their file, with the field and exit code 1."""
    (folder / "credit.txt").write_text("Invoice number: 4713\nTotal: -5.00 EUR\n")
    code, out, err = _run("credit.txt", "letter.txt", "--schema", "papers_of_mine:Invoice", "-q")
    assert code == 1
    assert [line["file"] for line in _lines(out)] == ["letter.txt"]
    assert "total" in err
    assert "greater than or equal to 0" in err


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("papers_of_mine:Ledger", "entries"),
        ("papers_of_mine:Missing", "Missing"),
        ("no_such_module:Invoice", "no_such_module"),
        ("papers_of_mine", "package.module:Class"),
        ("missing.json", "package.module:Class"),
        ("broken.json", "broken.json cannot be read as JSON"),
        ("list.json", "schema"),
        ("deep.json", "lines[].when"),
    ],
)
def test_a_bad_schema_is_refused_before_anything_is_sent(folder: Path, schema: str, named: str) -> None:
    """Ensure a schema that cannot work is exit code 2, naming the field or how to name a schema; nothing is sent."""
    (folder / "broken.json").write_text("{")
    (folder / "list.json").write_text("[1]")
    line = {"type": "object", "properties": {"when": {"type": "moment"}}}
    deep = {"type": "object", "properties": {"lines": {"type": "array", "items": line}}}
    (folder / "deep.json").write_text(json.dumps(deep))
    code, out, err = _run("letter.txt", "--schema", schema)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert named in err
    assert err.count("error: ") == 1
    assert not (folder / "cloud").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--tier", "agnetic"], "agentic"), (["--target-pages", "0"], "target_pages"), (["--tier", "fast"], "tier")],
)
def test_wrong_settings_are_refused_before_anything_is_sent(folder: Path, arguments: list[str], named: str) -> None:
    """Ensure an option with a value that cannot work is exit code 2, said once however many files there are."""
    (folder / "second.txt").write_text(_LETTER)
    code, out, err = _run("letter.txt", "second.txt", "--schema", "schema.json", *arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert err.count("error: ") == 1
    assert not (folder / "cloud").exists()


def test_standard_input_is_a_file() -> None:
    """Ensure - reads standard input, as text or PDF, and quiet leaves standard error empty."""
    code, out, err = _run("-", "--schema", "schema.json", "-q", stdin=_LETTER)
    assert (code, err) == (0, "")
    (line,) = _lines(out)
    assert line["file"] == "standard input"
    assert line["data"]["invoice_number"] == "4711"


def test_standard_input_may_be_a_pdf(data_dir: Path) -> None:
    """Ensure the kind of what comes in is told from its content."""
    content = (data_dir / "extract" / "invoice-translation-en.pdf").read_bytes()
    code, out, _ = _run("-", "--schema", "schema.json", stdin=content)
    assert code == 0
    assert _lines(out)[0]["data"]["invoice_number"] == "BLT-0921"


def test_without_account_and_local_both_ways_are_named() -> None:
    """Ensure whoever has no account yet is told of the key and of local LlamaCloud."""
    result = _RUNNER.invoke(app, ["extract", "letter.txt", "--schema", "schema.json"])
    assert result.exit_code == 2
    assert "LLAMA_CLOUD_API_KEY" in result.stderr
    assert "--local DIR" in result.stderr
