"""What kind of file some bytes are, told by the bytes alone.

Used to name what nothing else names (bytes, streams) and to complete names without a suffix. It only ever adds a
name: a file that has one is sent as it is, whatever it contains.
"""

from __future__ import annotations

import codecs
import csv
import re
import struct

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"II*\x00", ".tiff"),
    (b"MM\x00*", ".tiff"),
    (b"II+\x00", ".tiff"),
    (b"MM\x00+", ".tiff"),
    (b"{\\rtf", ".rtf"),
    (b"ID3", ".mp3"),
    (b"\x1a\x45\xdf\xa3", ".webm"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("WordDocument", ".doc"),
    ("PowerPoint Document", ".ppt"),
    ("Workbook", ".xls"),
    ("Book", ".xls"),
    ("HwpSummaryInformation", ".hwp"),
    ("__properties_version1.0", ".msg"),
)
_ZIP_MIMETYPES = {
    "application/epub+zip": ".epub",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.graphics": ".odg",
}
_ZIP_ENTRIES = (
    ("word/vbaProject.bin", ".docm"),
    ("xl/vbaProject.bin", ".xlsm"),
    ("ppt/vbaProject.bin", ".pptm"),
    ("xl/workbook.bin", ".xlsb"),
    ("word/", ".docx"),
    ("xl/", ".xlsx"),
    ("ppt/", ".pptx"),
    ("visio/", ".vsdx"),
    ("META-INF/container.xml", ".epub"),  # many books are packed without the `mimetype` that should come first
)
_FTYP_BRANDS = {b"M4A ": ".m4a", b"heic": ".heic", b"heix": ".heic", b"mif1": ".heic", b"avif": ".avif"}
_PDF_HEADER_WITHIN = 1024  # readers accept the header anywhere in the first kilobyte
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MARKDOWN = re.compile(
    r"^(#{1,6} \S|```|\s*[-*+] \[[ xX]\] |\|?\s*:?-{3,}:?\s*\|)|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE
)
_JSON = re.compile(r'\{\s*("|\}\s*$)|\[\s*([\[{"]|\]\s*$)')
_HTML = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_LONGEST_CSV_CELL = 64
_CSV_LINES = 20


def sniff_suffix(head: bytes, tail: bytes = b"") -> str | None:  # noqa: PLR0911  # one return per family of formats
    """The file suffix that the content calls for, or None when the content does not tell.

    Args:
        head: The first bytes of the file; 64 KiB are plenty.
        tail: The last bytes of a longer file, where zip and OLE containers keep their tables of contents.

    Returns:
        A lower-case suffix with its dot, such as ".pdf".

    Example:
        >>> sniff_suffix(b"%PDF-1.7 ...")
        '.pdf'
        >>> sniff_suffix(b"\\x00\\x01\\x02\\x03") is None
        True
    """
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return ".pdf"
    for signature, suffix in _SIGNATURES:
        if head.startswith(signature):
            return suffix
    if head.startswith(b"PK\x03\x04"):
        return _zip_suffix(head, tail)
    if head.startswith(_OLE):
        return _ole_suffix(head, tail)
    if head.startswith(b"RIFF"):
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _FTYP_BRANDS.get(head[8:12], ".mp4")
    if (
        head.startswith(b"BM")
        and len(head) > 18
        and struct.unpack_from("<I", head, 14)[0] in (12, 40, 52, 56, 108, 124)
    ):
        return ".bmp"
    text = _decoded(head)
    return None if text is None else _text_suffix(text, complete=not tail)


def _zip_suffix(head: bytes, tail: bytes) -> str | None:
    if head[30:38] == b"mimetype":
        declared = head[38 : 38 + 100].decode("latin-1")
        for mimetype in sorted(_ZIP_MIMETYPES, key=len, reverse=True):
            if declared.startswith(mimetype):
                return _ZIP_MIMETYPES[mimetype]
    names = _entry_names(_table_of_contents(head, tail), b"PK\x01\x02", 28, 46)
    if not names:  # the end of the file is not here
        names = _entry_names(head, b"PK\x03\x04", 26, 30) | _entry_names(head + tail, b"PK\x01\x02", 28, 46)
    for prefix, suffix in _ZIP_ENTRIES:
        if any(name.startswith(prefix) for name in names):
            return suffix
    return None


def _table_of_contents(head: bytes, tail: bytes) -> bytes:
    """A zip file's own list of entries, as far as it is here; files inside, such as a chart's workbook, have others."""
    data = head + tail
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or end + 16 > len(data):
        return b""
    (size,) = struct.unpack_from("<I", data, end + 12)
    contents = data[max(end - size, 0) : end]
    # What does not begin with an entry reaches back over the bytes that are left out between head and tail.
    return contents if contents.startswith(b"PK\x01\x02") else data[min(max(end - size, len(head)), end) : end]


def _entry_names(data: bytes, signature: bytes, length_at: int, name_at: int) -> set[str]:
    """The names in the zip records that start with `signature` (local headers or the central directory)."""
    names = set()
    start = data.find(signature)
    while start >= 0:
        if start + name_at <= len(data):
            (length,) = struct.unpack_from("<H", data, start + length_at)
            names.add(data[start + name_at : start + name_at + length].decode("utf-8", "replace"))
        start = data.find(signature, start + 4)
    return names


def _ole_suffix(head: bytes, tail: bytes) -> str | None:
    data = head + tail
    for stream, suffix in _OLE_STREAMS:
        # A directory entry holds the whole name, padded with zeros; "Book" must not match inside another name.
        if b"\x00\x00" + stream.encode("utf-16-le") + b"\x00\x00" in data:
            return suffix
    return None


def _decoded(head: bytes) -> str | None:
    """The text that these bytes are, or None when they are not text. A character cut off at the end is no fault."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\x00" in head:
        return None
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        letters = sum(ord(character) < 128 for character in text)
        # One-byte encodings decode nearly anything: believe them only where most of it reads as ASCII.
        if not _TEXT_CONTROLS.search(text) and (encoding != "cp1252" or letters >= 0.7 * len(text)):
            return text
    return None


def _text_suffix(text: str, *, complete: bool) -> str:  # noqa: PLR0911  # one return per format
    start = text.lstrip()
    if start.startswith("{\\rtf"):
        return ".rtf"
    if start.startswith("<?xml"):
        return ".svg" if "<svg" in start[:4096] else ".html" if _HTML.search(start[:4096]) else ".xml"
    if start.startswith("<svg"):
        return ".svg"
    if start.startswith("<") and _HTML.search(start[:4096]):
        return ".html"
    if start.startswith("\\documentclass"):
        return ".tex"
    if _JSON.match(start):
        return ".json"
    for delimiter, suffix in (("\t", ".tsv"), (",", ".csv"), (";", ".csv")):
        if _is_table(text, delimiter, complete=complete):
            return suffix
    return ".md" if _MARKDOWN.search(text) else ".txt"


def _is_table(text: str, delimiter: str, *, complete: bool) -> bool:
    """Every line has the same number of short cells. Prose fails: its commas are followed by spaces."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not complete:
        lines = lines[:-1]
    lines = lines[:_CSV_LINES]
    if len(lines) < 2 or any(delimiter not in line for line in lines):
        return False
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return False
    same_width = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    return same_width and all(
        len(cell) <= _LONGEST_CSV_CELL and not cell.startswith(" ") for row in rows for cell in row
    )
