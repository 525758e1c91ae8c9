"""Damaged documents through the local engine: they parse, or they end in a code of the error reference."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llama_cloud_ext.local.engine import EngineError
from tests.local.engine_calls import parse

CODES = {"UNSUPPORTED_FILE_TYPE", "PDF_IS_PROTECTED", "PDF_IS_BROKEN", "NO_DATA_FOUND_IN_FILE"}

NAMES = [
    *["table-and-pictures.pdf", "latex-lorem.pdf", "headings-lists-table.docx", "slides-with-tables.pptx"],
    *["two-sheets.xlsx", "libtiff-contrib.html", "multipart-mail.eml", "mtcars.csv", "pdfminer-readme.md"],
]


@pytest.mark.parametrize("name", NAMES)
def test_damage_never_ends_in_another_error(data_dir: Path, tmp_path: Path, name: str) -> None:
    """Ensure files with bytes changed or cut off give pages or an engine error, and nothing else escapes."""
    chance = random.Random(name)
    original = (data_dir / name).read_bytes()
    path = tmp_path / "damaged"
    for _ in range(12):
        content = bytearray(original)
        if chance.random() < 0.4:
            content = content[: chance.randrange(1, len(content))]
        for _ in range(chance.choice([1, 5, 50, 500])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        failure = _outcome(path, name)
        if failure is not None:
            assert failure.code in CODES
            assert name in failure.message


def _outcome(path: Path, name: str) -> EngineError | None:
    try:
        pages = parse(path, name, output_options={"tables_as_spreadsheet": {"enable": True}}).pages
    except EngineError as error:
        return error
    assert pages
    return None
