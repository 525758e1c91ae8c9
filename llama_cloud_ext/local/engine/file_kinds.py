"""What a file is: by its content first, by its name only where the content leaves it open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from llama_cloud_ext.wire.content_sniffing import sniff_suffix

_HEAD = 64 * 1024
_TAIL = 64 * 1024

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"})

OFFICE_BINARY = frozenset(
    {".doc", ".docm", ".docx", ".epub", ".msg", ".odp", ".ods", ".odt", ".ppt", ".pptm", ".pptx", ".rtf"}
    | {".xls", ".xlsb", ".xlsm", ".xlsx"}
)
"""Office formats that have marks of their own: a file without them is none, whatever its name says."""

OFFICE_TEXT = frozenset({".eml", ".htm", ".html", ".ipynb", ".org", ".rst", ".tex", ".xhtml"})
"""Formats written as text that the office parser understands better than the text parser."""

MARKDOWN = frozenset({".md", ".markdown"})

DELIMITED = frozenset({".csv", ".tsv"})


@dataclass(frozen=True)
class FileKind:
    """What a file is.

    Attributes:
        parser: "pdf", "image", "office", "text", or None where nothing here reads it.
        suffix: What its name should end in, with the dot.

    Example:
        >>> detect(Path("tests/data/latex-lorem.pdf"), "letter.docx")
        FileKind(parser='pdf', suffix='.pdf')
    """

    parser: str | None
    suffix: str


def detect(path: Path, file_name: str) -> FileKind:
    """What a file is, from its first and last bytes and, where they leave it open, from its name.

    Args:
        path: The content.
        file_name: As it was uploaded.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(path.stat().st_size - _TAIL, len(head)))
        tail = file.read()
    named = PurePath(file_name).suffix.lower()
    sniffed = sniff_suffix(head, tail)
    if sniffed in {".bmp", None} and head.startswith(b"BM") and not is_text(head):
        sniffed = ".bmp"
    if sniffed == ".pdf" or sniffed in PICTURES:
        return FileKind("pdf" if sniffed == ".pdf" else "image", sniffed)
    if sniffed in OFFICE_BINARY:
        return FileKind("office", named if named[:3] == sniffed[:3] and named in OFFICE_BINARY else sniffed)
    if named == ".pdf":  # its start is gone, or never was one: the PDF parser says so
        return FileKind("pdf", ".pdf")
    if not is_text(head):
        return FileKind(None, named or sniffed or "")
    if named in OFFICE_TEXT or (sniffed in OFFICE_TEXT and named not in MARKDOWN):
        return FileKind("office", named if named in OFFICE_TEXT else str(sniffed))
    return FileKind("text", named or sniffed or ".txt")


def is_text(head: bytes) -> bool:
    """Whether the start of a file is text: UTF-8, UTF-16 with its mark, or an older encoding without control bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\x00" in head:
        return False
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x08" for byte in head)
    return controls <= len(head) // 200
