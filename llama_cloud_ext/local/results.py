"""Results on disk: one document a kind, written once as the JSON that answers carry.

Fetching a result therefore copies bytes; nothing is decoded and encoded again. `expand` values and file names are
joined in the two tables below.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic_core import to_json

from llama_cloud_ext.local.request_errors import RequestError, invalid

if TYPE_CHECKING:
    from llama_cloud_ext.local.engine import EngineImage, EnginePage, EngineResult

PAGE_SEPARATOR = "\n\n---\n\n"
"""What the service puts between the pages of a full document."""

INLINE = {
    "text": "text.json",
    "markdown": "markdown.json",
    "items": "items.json",
    "metadata": "metadata.json",
    "job_metadata": "job_metadata.json",
    "forms": "forms.json",
}
"""`expand` value (and response field) to the JSON that answers it."""

FULL_TEXTS = {"text_full": "text.txt", "markdown_full": "markdown.md"}
"""`expand` value to the plain file whose content answers it as one string."""


@dataclass(frozen=True)
class DownloadKind:
    """A result file behind a presigned URL: its key in `result_content_metadata`, its blob, and its type."""

    key: str
    blob: str
    content_type: str

    @property
    def suffix(self) -> str:
        """The suffix of the offered file name."""
        return Path(self.blob).suffix


NOT_DELIVERED = ("webhook_configuration_ids", "webhook_configurations")
"""Options that this server itself, not its engine, accepts without applying."""

_JSON, _LINES = "application/json", "application/jsonl"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

DOWNLOADS = {
    "text_content_metadata": DownloadKind("text", "text.txt", "text/plain; charset=utf-8"),
    "markdown_content_metadata": DownloadKind("markdown", "markdown.md", "text/markdown; charset=utf-8"),
    "items_content_metadata": DownloadKind("items", "items.json", _JSON),
    "metadata_content_metadata": DownloadKind("metadata", "metadata.json", _JSON),
    "forms_content_metadata": DownloadKind("forms", "forms.json", _JSON),
    "raw_words_content_metadata": DownloadKind("raw_words", "raw_words.jsonl", _LINES),
    "xlsx_content_metadata": DownloadKind("xlsx", "tables.xlsx", _XLSX),
    "output_pdf_content_metadata": DownloadKind("outputPDF", "output.pdf", "application/pdf"),
    "text_full_content_metadata": DownloadKind("text_full", "text.txt", "text/plain; charset=utf-8"),
    "markdown_full_content_metadata": DownloadKind("markdown_full", "markdown.md", "text/markdown; charset=utf-8"),
    "stripped_markdown_content_metadata": DownloadKind("stripped_markdown", "stripped.json", _JSON),
    "concatenated_stripped_markdown_content_metadata": DownloadKind(
        "concatenated_stripped_markdown", "stripped.txt", "text/plain; charset=utf-8"
    ),
}
"""`expand` value to the file it offers."""

IMAGES = "images_content_metadata"

EXPAND_VALUES = (*INLINE, *FULL_TEXTS, "usage", *DOWNLOADS, IMAGES)

NOT_ON_FAST = tuple(value for value in EXPAND_VALUES if value.startswith(("markdown", "items")))


def check_expand(values: Sequence[str], tier: str) -> None:
    """Refuse what a job cannot be expanded by.

    Args:
        values: The `expand` values.
        tier: The job's tier.

    Raises:
        RequestError: 422 for an unknown value, 400 for markdown or items of the fast tier.

    Example:
        >>> check_expand(["text"], "fast")
    """
    for index, value in enumerate(values):
        if value not in EXPAND_VALUES:
            known = ", ".join(EXPAND_VALUES)
            message = f"Unsupported expand value: {value}. Must be one of: {known}"
            raise invalid(["query", "expand", index], message, value)
    if tier == "fast" and any(value in NOT_ON_FAST for value in values):
        raise RequestError(400, "Markdown expansion is not available for FAST tier jobs.")


# -- writing ----------------------------------------------------------------------------------------------------


def write_results(folder: Path, result: EngineResult, configuration: dict[str, Any], facts: dict[str, Any]) -> None:
    """Store everything an engine returned.

    Args:
        folder: A fresh folder.
        result: The engine's result.
        configuration: The job's request body.
        facts: Further entries of the job metadata.
    """
    folder.mkdir(mode=0o700)
    pages = result.pages
    _write_json(folder / "text.json", {"pages": [{"page_number": page.number, "text": page.text} for page in pages]})
    _write_json(folder / "markdown.json", {"pages": [_markdown_page(page) for page in pages]})
    _write_json(folder / "items.json", {"pages": [_items_page(page) for page in pages]})
    _write_json(folder / "metadata.json", {"pages": [_metadata_page(page) for page in pages], "document": None})
    _write_text(folder / "text.txt", PAGE_SEPARATOR.join(page.text for page in pages))
    _write_text(folder / "markdown.md", PAGE_SEPARATOR.join(page.markdown for page in pages))
    _write_json(folder / "job_metadata.json", _job_metadata(result, configuration, facts))
    _write_images(folder, result.images)
    if result.output_pdf is not None:
        (folder / "output.pdf").write_bytes(result.output_pdf)
    if result.spreadsheet is not None:
        (folder / "tables.xlsx").write_bytes(result.spreadsheet)
    if outputs := (configuration.get("output_options") or {}).get("additional_outputs"):
        _write_stripped(folder, pages, outputs)
    if result.words is not None:
        (folder / "raw_words.jsonl").write_bytes(b"".join(_json(word) + b"\n" for word in result.words))


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(_json(value))


def _json(value: Any) -> bytes:
    try:
        return to_json(
            value, inf_nan_mode="null"
        )  # several times as fast as the standard library, which shows on thousands of items
    except ValueError:  # lone surrogates, which broken PDFs produce
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "replace"))


def _failed_page(page: EnginePage) -> dict[str, Any]:
    return {"page_number": page.number, "success": False, "error": page.error}


def _markdown_page(page: EnginePage) -> dict[str, Any]:
    if page.error is not None:
        return _failed_page(page)
    return {
        "page_number": page.number,
        "success": True,
        "markdown": page.markdown,
        "header": page.header,
        "footer": page.footer,
    }


def _items_page(page: EnginePage) -> dict[str, Any]:
    if page.error is not None:
        return _failed_page(page)
    return {
        "page_number": page.number,
        "success": True,
        "page_width": page.width,
        "page_height": page.height,
        "items": page.items,
    }


def _metadata_page(page: EnginePage) -> dict[str, Any]:
    return {
        "page_number": page.number,
        "confidence": None,
        "cost_optimized": None,
        "original_orientation_angle": None,
        "printed_page_number": page.printed_page_number,
        "slide_section_name": None,
        "speaker_notes": page.speaker_notes,
        "triggered_auto_mode": None,
    }


def _job_metadata(result: EngineResult, configuration: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    notes = dict(result.notes)
    if ignored := [name for name in NOT_DELIVERED if configuration.get(name)]:
        notes["options_not_applied"] = sorted([*notes.get("options_not_applied", ()), *ignored])
    return {
        "engine": result.engine,
        "tier": configuration["tier"],
        "tier_applied": False,
        "version": configuration["version"],
        "version_applied": False,
        "total_pages": result.total_pages,
        "parsed_pages": len(result.pages),
        "cache_hit": False,
        "credits": 0.0,
        "notes": notes,
        **facts,
    }


def _write_stripped(folder: Path, pages: Sequence[EnginePage], outputs: Iterable[str]) -> None:
    # The fast tier has no markdown, and its text has nothing to strip.
    texts = [strip_markdown(page.markdown or page.text) for page in pages]
    if "stripped_md" in outputs:
        numbered = zip(pages, texts, strict=True)
        stripped = [{"page_number": page.number, "markdown": text} for page, text in numbered]
        _write_json(folder / "stripped.json", {"pages": stripped})
    if "concatenated_stripped_txt" in outputs:
        _write_text(folder / "stripped.txt", PAGE_SEPARATOR.join(texts))


_MARKUP = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # images leave their description
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),  # links leave their text
    (re.compile(r"</?[A-Za-z][^>]*>"), ""),
    (re.compile(r"(\*\*\*|\*\*|\*|___|__|_|~~|`)(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"^(#{1,6}|>|```\w*)[ \t]*", re.MULTILINE), ""),
)


def strip_markdown(text: str) -> str:
    """Markdown without its formatting.

    Example:
        >>> strip_markdown("# A **bold** [link](https://example.com)")
        'A bold link'
    """
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text


def _write_images(folder: Path, images: Iterable[EngineImage]) -> None:
    records = []
    for index, image in enumerate(images):
        blob = f"image-{index}"
        (folder / blob).write_bytes(image.content)
        records.append(
            {
                "filename": image.filename,
                "index": index,
                "bbox": None if image.bbox is None else {side: round(image.bbox[side]) for side in "xywh"},
                "category": image.category,
                "content_type": image.content_type,
                "size_bytes": len(image.content),
                "blob": blob,
            }
        )
    _write_json(folder / "images.json", records)


# -- reading ----------------------------------------------------------------------------------------------------


def open_inline(folder: Path, expand: Sequence[str]) -> list[bytes | IO[bytes]]:
    """Open the inline results that were asked for.

    Args:
        folder: The result's folder.
        expand: The `expand` values; those of downloads are left alone.

    Returns:
        Pieces of JSON, each field preceded by a comma, ready to follow the `job` field of an answer. Open files are
        the caller's to close; once open, they can be read even when the job is deleted meanwhile.

    Raises:
        RequestError: 404 when the result is gone.
    """
    pieces: list[bytes | IO[bytes]] = []
    try:
        for value in dict.fromkeys(expand):
            if value in INLINE:
                path = folder / INLINE[value]
                if value == "forms" and not path.exists():
                    continue
                pieces += [f',"{value}":'.encode(), path.open("rb")]
            elif value in FULL_TEXTS:
                text = (folder / FULL_TEXTS[value]).read_text("utf-8")
                pieces += [f',"{value}":'.encode(), json.dumps(text, ensure_ascii=False).encode()]
    except OSError as error:
        close_pieces(pieces)
        raise RequestError(404, "Result not found. Check job status to see if it has completed.") from error
    return pieces


def close_pieces(pieces: Iterable[bytes | IO[bytes]]) -> None:
    """Close the open files among pieces of an answer."""
    for piece in pieces:
        if not isinstance(piece, bytes):
            piece.close()


def size_of(piece: bytes | IO[bytes]) -> int:
    """Bytes that a piece adds to an answer."""
    return len(piece) if isinstance(piece, bytes) else os.fstat(piece.fileno()).st_size


def read_images(folder: Path) -> list[dict[str, Any]]:
    """The records of a result's images; `blob` names each one's file."""
    try:
        records: list[dict[str, Any]] = json.loads((folder / "images.json").read_bytes())
    except OSError as error:
        raise RequestError(404, "Result not found. Check job status to see if it has completed.") from error
    return records
