"""Facts of PowerPoint and Excel files that the office parser leaves out: speaker notes, hidden slides and sheets."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

_LARGEST_PART = 64 * 1024 * 1024
"""A part that unpacks to more is not read: it would be an attack on the memory."""

_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)
"""What reading a damaged or protected archive raises."""

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SLIDES = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_SHEETS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True)
class Slide:
    """What belongs to a slide without standing on it."""

    notes: str | None = None
    hidden: bool = False


def slides_of(path: Path) -> list[Slide]:
    """The slides of a .pptx in their order; empty where the file is none.

    Example:
        >>> slides_of(Path("tests/data/speaker-notes.pptx"))
        [Slide(notes='Notes', hidden=False), Slide(notes=None, hidden=False)]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            presentation = _part(archive, "ppt/presentation.xml")
            targets = _relations(archive, "ppt/presentation.xml")
            ids = [] if presentation is None else presentation.iter(f"{_SLIDES}sldId")
            return [_slide(archive, targets.get(entry.get(_RELATION_ID, ""), "")) for entry in ids]
    except _BROKEN:
        return []


def hidden_sheets_of(path: Path) -> frozenset[str]:
    """The names of the hidden sheets of an .xlsx; empty where the file is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            workbook = _part(archive, "xl/workbook.xml")
    except _BROKEN:
        return frozenset()
    sheets = [] if workbook is None else workbook.iter(f"{_SHEETS}sheet")
    return frozenset(sheet.get("name", "") for sheet in sheets if sheet.get("state", "visible") != "visible")


def media_names_of(path: Path) -> dict[bytes, str]:
    """The SHA-256 of each embedded picture, and the name by which the text refers to it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                sha256(archive.read(part)).digest(): posixpath.basename(part.filename)
                for part in archive.infolist()
                if "/media/" in part.filename and part.file_size <= _LARGEST_PART
            }
    except _BROKEN:
        return {}


def _slide(archive: zipfile.ZipFile, name: str) -> Slide:
    root = _part(archive, name)
    hidden = root is not None and root.get("show") in {"0", "false"}
    notes = next((part for part in _relations(archive, name).values() if "/notesSlide" in part), None)
    page = None if notes is None else _part(archive, notes)
    if page is None:
        return Slide(hidden=hidden)
    lines: list[str] = []
    for shape in page.iter(f"{_SLIDES}sp"):
        holder = shape.find(f"{_SLIDES}nvSpPr/{_SLIDES}nvPr/{_SLIDES}ph")
        if holder is not None and holder.get("type") == "body":  # the others are the slide's picture and its number
            lines += [
                "".join(run.text or "" for run in paragraph.iter(f"{_DRAWING}t"))
                for paragraph in shape.iter(f"{_DRAWING}p")
            ]
    return Slide("\n".join(lines).strip() or None, hidden)


def _relations(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    folder, base = posixpath.split(name)
    root = _part(archive, f"{folder}/_rels/{base}.rels")
    found = {}
    for relation in () if root is None else root:
        target = relation.get("Target", "")
        absolute = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        found[relation.get("Id", "")] = absolute
    return found


def _part(archive: zipfile.ZipFile, name: str) -> ElementTree.Element | None:
    try:
        if archive.getinfo(name).file_size > _LARGEST_PART:
            return None
        return ElementTree.fromstring(archive.read(name))  # noqa: S314 - expat bounds entities, we bound the size
    except (KeyError, ElementTree.ParseError):
        return None
