"""Text files: plain text, markdown, delimited tables, JSON, XML and source code."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.file_kinds import DELIMITED, MARKDOWN
from llama_cloud_ext.local.engine.items import code_item, joined, text_item
from llama_cloud_ext.local.engine.markdown_items import items_of_markdown
from llama_cloud_ext.local.engine.options import EngineOptions, Watch
from llama_cloud_ext.local.engine.page_selection import selected_pages
from llama_cloud_ext.local.engine.result import EngineError, EnginePage, EngineResult
from llama_cloud_ext.local.engine.tables import table_item

ENGINE = "plain text"

_CODE = {
    ".c": "c",
    ".cpp": "cpp",
    ".css": "css",
    ".go": "go",
    ".java": "java",
    ".js": "javascript",
    ".json": "json",
    ".jsonl": "json",
    ".py": "python",
    ".rs": "rust",
    ".sh": "bash",
    ".sql": "sql",
    ".svg": "xml",
    ".toml": "toml",
    ".ts": "typescript",
    ".xml": "xml",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def parse_plain_text(
    path: Path, file_name: str, options: EngineOptions, *, suffix: str, should_stop: Callable[[], bool]
) -> EngineResult:
    """Parse a text file. A form feed starts a new page; everything else is one page.

    Args:
        path: The file.
        file_name: As the user knows it, for messages.
        options: What is wanted.
        suffix: What kind of text it is.
        should_stop: Asked between pages.

    Returns:
        The selected pages.

    Raises:
        EngineError: The file is no text, or nothing but space.
    """
    watch = Watch(options, should_stop)
    text = decoded(path.read_bytes(), file_name)
    texts = text.split("\f") if "\f" in text and suffix not in DELIMITED else [text]
    while len(texts) > 1 and not texts[-1].strip():
        texts.pop()
    numbers = selected_pages(len(texts), target_pages=options.target_pages, max_pages=options.max_pages)
    if not numbers or not any(texts[number - 1].strip() for number in numbers):
        raise EngineError("NO_DATA_FOUND_IN_FILE", f"{file_name} has no text on the pages that were asked for.")
    pages: list[EnginePage] = []
    for number in numbers:
        watch.check(len(numbers))
        pages.append(_page(number, texts[number - 1], suffix, options))
    return EngineResult(
        pages=pages,
        total_pages=len(texts),
        engine=ENGINE,
        notes={"options_not_applied": options.unapplied("text")},
    )


def decoded(content: bytes, file_name: str) -> str:
    """Text of unknown encoding: UTF-8, UTF-16 with its mark, else latin-1 (as Windows extends it). Lines end in \\n.

    Example:
        >>> decoded("naïve".encode("latin-1"), "a.txt")
        'naïve'
    """
    encoding = "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16" or b"\x00" in content:
            raise EngineError(
                "UNSUPPORTED_FILE_TYPE", f"{file_name} is neither a known format nor readable text."
            ) from error
        text = _as_windows_1252(content)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _as_windows_1252(content: bytes) -> str:
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:  # a few of its bytes mean nothing; in latin-1 every byte means something
        return content.decode("latin-1")


def delimited_rows(text: str, suffix: str) -> list[list[str]]:
    """The rows of a CSV or TSV text, whatever separates its cells.

    Example:
        >>> delimited_rows("a;b\\n1;2", ".csv")
        [['a', 'b'], ['1', '2']]
    """
    if suffix == ".tsv":
        delimiter = "\t"
    else:
        try:
            delimiter = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|").delimiter
        except csv.Error:
            delimiter = ","
    rows = csv.reader(StringIO(text), delimiter=delimiter)
    return [row for row in rows if any(cell.strip() for cell in row)]


def _page(number: int, text: str, suffix: str, options: EngineOptions) -> EnginePage:
    page = EnginePage(number, text.strip("\n"))
    if options.fast:
        return page
    page.items = _items(text, suffix, options)
    page.markdown = joined(page.items)
    return page


def _items(text: str, suffix: str, options: EngineOptions) -> list[dict[str, Any]]:
    if suffix in MARKDOWN:
        return items_of_markdown(text, options.tables, annotate_links=options.annotate_links)
    if suffix in DELIMITED:
        rows = delimited_rows(text, suffix)
        return [table_item(rows, options.tables)] if rows else []
    if suffix in _CODE:
        return [code_item(text.strip("\n"), _CODE[suffix])] if text.strip() else []
    paragraphs = [paragraph.strip("\n") for paragraph in text.split("\n\n")]
    return [text_item(paragraph, value=paragraph) for paragraph in paragraphs if paragraph.strip()]
