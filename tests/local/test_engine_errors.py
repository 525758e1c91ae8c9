"""Files that cannot be parsed: each ends in the code that the service's error reference has for it."""

from __future__ import annotations

import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.engine import EngineError, EngineStopped, parse_document
from tests.local.engine_calls import failure, parse


def test_a_protected_pdf(data_dir: Path) -> None:
    """Ensure a PDF with a password says that it has one."""
    error = failure(data_dir / "password-protected.pdf")
    assert error.code == "PDF_IS_PROTECTED"
    assert "password-protected.pdf" in error.message


def test_a_truncated_pdf(data_dir: Path) -> None:
    """Ensure a PDF that breaks off is called broken."""
    assert failure(data_dir / "truncated.pdf").code == "PDF_IS_BROKEN"


def test_a_pdf_that_is_none(tmp_path: Path) -> None:
    """Ensure a file that only its name makes a PDF is called broken, not parsed as text."""
    path = tmp_path / "x.pdf"
    path.write_text("not a PDF at all")
    assert failure(path).code == "PDF_IS_BROKEN"


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a.docx"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    """Ensure an empty file of any kind has no data."""
    path = tmp_path / name
    path.touch()
    assert failure(path).code == "NO_DATA_FOUND_IN_FILE"


def test_a_scan_without_ocr(data_dir: Path) -> None:
    """Ensure pictures of text are not passed off as an empty success, and the message says what OCR needs."""
    error = failure(data_dir / "scanned-page.pdf")
    assert error.code == "NO_DATA_FOUND_IN_FILE"
    assert "tessdata" in error.message


def test_pages_that_do_not_exist(data_dir: Path) -> None:
    """Ensure target pages that all lie beyond the end say how many pages there are."""
    error = failure(data_dir / "latex-lorem.pdf", page_ranges={"target_pages": "9-12"})
    assert error.code == "NO_DATA_FOUND_IN_FILE"
    assert "4 pages" in error.message


def test_binary_rubbish(tmp_path: Path) -> None:
    """Ensure bytes of no known kind are refused whatever their name says."""
    for name in ("x.bin", "x.txt", "x.docx", "x.exe", "x"):
        path = tmp_path / name
        path.write_bytes(bytes(range(256)) * 40)
        assert failure(path).code == "UNSUPPORTED_FILE_TYPE"


def test_an_archive(tmp_path: Path) -> None:
    """Ensure a zip that is no document is refused."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    assert failure(tmp_path / "x.zip").code == "UNSUPPORTED_FILE_TYPE"


def test_a_broken_office_file(data_dir: Path, tmp_path: Path) -> None:
    """Ensure half a DOCX is refused with its name and the reason."""
    path = tmp_path / "half.docx"
    path.write_bytes((data_dir / "headings-lists-table.docx").read_bytes()[:30_000])
    error = failure(path)
    assert error.code == "UNSUPPORTED_FILE_TYPE"
    assert "half.docx" in error.message


def test_a_missing_office_extra(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure the message says what to install when the office parser is missing."""
    monkeypatch.setitem(sys.modules, "kreuzberg", None)
    error = failure(data_dir / "headings-lists-table.docx")
    assert error.code == "UNSUPPORTED_FILE_TYPE"
    assert 'pip install "llama-cloud-ext[office]"' in error.message


def test_too_large_a_file(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a file above the limit is refused before it is read."""
    monkeypatch.setattr("llama_cloud_ext.local.engine.parsing.MOST_BYTES", 1000)
    assert failure(data_dir / "latex-lorem.pdf").code == "DOCUMENT_TOO_LARGE"


def test_too_many_pages(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure the limit holds for the pages to parse, not for those of the document."""
    monkeypatch.setattr("llama_cloud_ext.local.engine.pdf.MOST_PAGES", 3)
    assert failure(data_dir / "latex-lorem.pdf").code == "TOO_MANY_PAGES"
    assert len(parse(data_dir / "latex-lorem.pdf", page_ranges={"target_pages": "2-4"}).pages) == 3


def test_a_time_limit(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure base seconds and extra seconds a page add up to the limit of a job."""
    start = time.monotonic()
    times = iter([start, start])
    monkeypatch.setattr("llama_cloud_ext.local.engine.options.time.monotonic", lambda: next(times, start + 11))
    limits: dict[str, Any] = {"base_in_seconds": 10, "extra_time_per_page_in_seconds": 0}
    assert failure(data_dir / "latex-lorem.pdf", processing_control={"timeouts": limits}).code == "TIMEOUT"
    times = iter([start, start])
    limits["extra_time_per_page_in_seconds"] = 1
    assert parse(data_dir / "latex-lorem.pdf", processing_control={"timeouts": limits}).pages


def test_a_stop_that_was_asked_for(data_dir: Path) -> None:
    """Ensure a stopped job ends with an error of its own kind."""
    stop = threading.Event()
    stop.set()
    for name in ("latex-lorem.pdf", "pdfminer-readme.md", "headings-lists-table.docx"):
        with pytest.raises(EngineStopped):
            parse_document(data_dir / name, name, {}, should_stop=stop.is_set)


def test_engine_errors_say_code_and_reason() -> None:
    """Ensure the text of an error starts with its code."""
    assert str(EngineError("TIMEOUT", "too slow")) == "TIMEOUT: too slow"
