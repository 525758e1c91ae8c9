"""Suffixes told by content."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from llama_cloud_ext.wire.content_sniffing import sniff_suffix

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def archive(*names: str, mimetype: str = "", padding: int = 0) -> bytes:
    """A zip file with these entries, the first `padding` bytes of which are one more entry."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        if mimetype:
            file.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        if padding:
            file.writestr("docProps/thumbnail.jpeg", hashlib.shake_128(b"").digest(padding), zipfile.ZIP_STORED)
        for name in names:
            file.writestr(name, f"<{name}/>")
    return buffer.getvalue()


def ole(stream: str) -> bytes:
    """The start of a compound file with this stream in its directory."""
    entry = "Root Entry".encode("utf-16-le").ljust(128, b"\0") + stream.encode("utf-16-le").ljust(128, b"\0")
    return OLE.ljust(512, b"\1") + entry


OFFICE = ["[Content_Types].xml", "_rels/.rels"]

BINARY = {
    ".pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    ".png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ".jpg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    ".gif": b"GIF89a\x01\0",
    ".webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    ".wav": b"RIFF\x24\0\0\0WAVEfmt ",
    ".tiff": b"II*\0\x08\0\0\0",
    ".bmp": b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(8),
    ".mp3": b"ID3\x04\0",
    ".m4a": b"\0\0\0\x20ftypM4A \0",
    ".mp4": b"\0\0\0\x20ftypisom\0",
    ".webm": b"\x1a\x45\xdf\xa3\x01",
    ".docx": archive(*OFFICE, "word/document.xml"),
    ".docm": archive(*OFFICE, "word/document.xml", "word/vbaProject.bin"),
    ".xlsx": archive(*OFFICE, "xl/workbook.xml"),
    ".xlsb": archive(*OFFICE, "xl/workbook.bin"),
    ".pptx": archive(*OFFICE, "ppt/presentation.xml"),
    ".epub": archive("META-INF/container.xml", mimetype="application/epub+zip"),
    ".odt": archive("content.xml", mimetype="application/vnd.oasis.opendocument.text"),
    ".ods": archive("content.xml", mimetype="application/vnd.oasis.opendocument.spreadsheet"),
    ".odp": archive("content.xml", mimetype="application/vnd.oasis.opendocument.presentation"),
    ".doc": ole("WordDocument"),
    ".xls": ole("Workbook"),
    ".ppt": ole("PowerPoint Document"),
    ".msg": ole("__properties_version1.0"),
}

TEXT = [
    (".rtf", "{\\rtf1\\ansi hello}"),
    (".html", "<!DOCTYPE html><title>x</title>"),
    (".html", "\n\n<HTML><body>"),
    (".html", "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>"),
    (".html", "<!-- saved page --><html>"),
    (".xml", "<?xml version='1.0'?><note/>"),
    (".svg", "<svg xmlns='http://www.w3.org/2000/svg'>"),
    (".json", '{"a": 1}'),
    (".json", '[{"a": 1}, 2]'),
    (".json", "[]"),
    (".csv", "name,age\nAnna,31\nBert,25\n"),
    (".csv", 'name;town\n"Anna";"Köln"\n'),
    (".tsv", "a\tb\n1\t2\n"),
    (".tex", "\\documentclass{article}"),
    (".md", "# Title\n\nSome words."),
    (".md", "See [the guide](https://example.com)."),
    (".txt", "Dear all, this is prose, with commas.\nAnd, of course, a second line.\n"),
    (".txt", "[1] A reference"),
    (".txt", "one line"),
    (".txt", "Grüße aus Köln"),
]


@pytest.mark.parametrize("suffix", BINARY)
def test_binary_formats_are_told_apart(suffix: str) -> None:
    """Ensure that every binary format is known by its content, formats inside one container included."""
    assert sniff_suffix(BINARY[suffix]) == suffix


@pytest.mark.parametrize(("suffix", "text"), TEXT)
def test_text_formats_are_told_apart(suffix: str, text: str) -> None:
    """Ensure that text is told from markup, tables and data, in each Unicode encoding with or without a mark."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert sniff_suffix(text.encode(encoding)) == suffix


def test_a_container_is_known_by_its_table_of_contents() -> None:
    """Ensure that an office file is recognised whose parts lie beyond the first 64 KiB."""
    data = archive("xl/workbook.xml", padding=200_000)
    assert sniff_suffix(data[:65536]) is None
    assert sniff_suffix(data[:65536], data[-65536:]) == ".xlsx"


@pytest.mark.parametrize("padding", [0, 60_000, 200_000])
def test_a_file_inside_an_office_file_does_not_name_it(padding: int) -> None:
    """Ensure that slides with a workbook stored uncompressed inside are slides, wherever it lies."""
    buffer = io.BytesIO(archive(*OFFICE, "ppt/presentation.xml", padding=padding))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as file:
        file.writestr("ppt/embeddings/Microsoft_Excel_Sheet1.xlsx", archive(*OFFICE, "xl/workbook.xml"))
        file.writestr("ppt/embeddings/Microsoft_Word_Document1.docx", archive(*OFFICE, "word/document.xml"))
    data = buffer.getvalue()
    assert sniff_suffix(data[:65536], data[65536:][-65536:]) == ".pptx"


def test_a_book_without_a_declared_type_is_a_book() -> None:
    """Ensure that an EPUB is recognised that was packed without the `mimetype` entry, as ordinary zip programs do."""
    assert sniff_suffix(archive("META-INF/container.xml", "OEBPS/content.opf")) == ".epub"


def test_a_pdf_may_start_late() -> None:
    """Ensure that bytes before the PDF header, which readers accept, do not hide it."""
    assert sniff_suffix(b"\0junk\r\n" * 50 + b"%PDF-1.4") == ".pdf"
    assert sniff_suffix(b"\0" * 2000 + b"%PDF-1.4") is None


def test_a_character_cut_in_two_is_still_text() -> None:
    """Ensure that a head that ends inside a multi-byte character is text."""
    assert sniff_suffix("naïve – 報告".encode()[:-1], b"...") == ".txt"


def test_old_one_byte_text_is_text() -> None:
    """Ensure that mostly plain text in an old encoding passes, and noise does not."""
    assert sniff_suffix("Die Straße führt über den Fluß.".encode("cp1252")) == ".txt"
    assert sniff_suffix(bytes(range(160, 256)) * 4) is None


@pytest.mark.parametrize("data", [b"\0", b"\0\1\2\3", OLE, archive("a.txt"), b"PK\3\4", b"RIFF....AVI ", b"\x7fELF\2"])
def test_what_is_not_known_is_not_guessed(data: bytes) -> None:
    """Ensure that unknown content gets no name, truncated containers included."""
    assert sniff_suffix(data) is None


def test_real_files_are_recognised(data_dir: Path) -> None:
    """Ensure that the real binary files of the test data are recognised by content as what their names say."""
    kinds = {".pdf", ".docx", ".xlsx", ".pptx", ".png", ".jpg", ".doc", ".xls", ".ppt", ".odt", ".epub", ".rtf"}
    for path in (each for each in data_dir.rglob("*") if each.suffix in kinds and each.stat().st_size > 100):
        data = path.read_bytes()
        if not data.startswith((b"%PDF", b"PK", b"\x89PNG", b"\xff\xd8", OLE, b"{\\rtf")):
            continue  # deliberately corrupt
        assert sniff_suffix(data[:65536], data[-65536:] if len(data) > 65536 else b"") == path.suffix, path.name
