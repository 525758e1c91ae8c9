"""Office documents, web pages, mail and books, with kreuzberg (the `office` extra). Nothing reaches the network."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.engine.items import heading_item, joined
from llama_cloud_ext.local.engine.markdown_items import items_of_markdown, plain_text
from llama_cloud_ext.local.engine.named_file import with_suffix
from llama_cloud_ext.local.engine.ooxml import hidden_sheets_of, media_names_of, slides_of
from llama_cloud_ext.local.engine.options import EngineOptions, Watch
from llama_cloud_ext.local.engine.page_selection import selected_pages
from llama_cloud_ext.local.engine.result import EngineError, EngineImage, EnginePage, EngineResult
from llama_cloud_ext.local.engine.screenshots import content_type
from llama_cloud_ext.local.engine.tables import table_item

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_PAGE_MARK = "@@page-{page_num}-of-this-document@@"
_MARKED = re.compile(r"^@@page-(\d+)-of-this-document@@$", re.MULTILINE)

_FRONT_MATTER = re.compile(r"\A---\n(?:\S+: .*\n)*\s*(?:## [\w-]+: .*\n)?")
"""What the parser makes of a web page's meta elements; none of it stands on the page."""

_PERMALINK = re.compile(r"\[[¶#]\]\([^()]*\)")
_ESCAPED_IMAGE = re.compile(r"\\!(?=\[[^\]\n]*\]\()")
_IMAGE_PATH = re.compile(r"(!\[[^\]\n]*\]\()(?:\.\./)*(?:\w+/)*media/")
_SLIDE_END = re.compile(r"^-----$", re.MULTILINE)

_SHEETS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_SLIDES = frozenset({".pptx", ".pptm", ".ppt", ".odp"})


def parse_office(
    path: Path, file_name: str, options: EngineOptions, *, suffix: str, should_stop: Callable[[], bool]
) -> EngineResult:
    """Parse a document of an office format.

    A slide or a sheet is a page; the flowing formats (Word, HTML, mail, …) have one page, as their page breaks depend
    on who prints them.

    Args:
        path: The file, under any name.
        file_name: As the user knows it, for messages.
        options: What is wanted.
        suffix: What the content is.
        should_stop: Asked before and after the parser's work.

    Returns:
        The selected pages. Pages have no size and items no boxes.

    Raises:
        EngineError: The file is broken or empty, or the `office` extra is missing.
    """
    watch = Watch(options, should_stop)
    watch.check()
    with with_suffix(path, suffix) as named:
        extracted = _extract(named, file_name, options)
    watch.check()
    if suffix in _SHEETS:
        pages = _sheets(extracted, path, options)
    elif suffix in _SLIDES:
        pages = _slides(extracted, path, options)
    else:
        pages = [_page(1, _tidy(extracted.content, suffix), options)]
    total = max((page.number for page in pages), default=0)
    wanted = set(selected_pages(total, target_pages=options.target_pages, max_pages=options.max_pages))
    pages = [page for page in pages if page.number in wanted]
    if all(page.is_blank for page in pages):
        raise EngineError("NO_DATA_FOUND_IN_FILE", f"{file_name} has no text on the pages that were asked for.")
    return EngineResult(
        pages=pages,
        total_pages=total,
        engine=f"kreuzberg {importlib.metadata.version('kreuzberg')}",
        images=[image for image in _images(extracted, path, options) if image.page_number in wanted],
        notes={"options_not_applied": options.unapplied("office")},
    )


def _extract(named: Path, file_name: str, options: EngineOptions) -> ExtractionResult:
    try:
        import kreuzberg
    except ImportError as error:
        raise EngineError(
            "UNSUPPORTED_FILE_TYPE",
            f"{file_name}: parsing {named.suffix} files on this machine needs an extra: "
            'pip install "llama-cloud-ext[office]"',
        ) from error
    config = kreuzberg.ExtractionConfig(  # type: ignore[call-arg] # its stubs do not know disable_ocr
        output_format="markdown",
        use_cache=False,
        disable_ocr=True,
        pages=kreuzberg.PageConfig(extract_pages=True, insert_page_markers=True, marker_format=f"\n\n{_PAGE_MARK}\n\n"),
        images=kreuzberg.ImageExtractionConfig(extract_images=options.saves("embedded")),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        return kreuzberg.extract_file_sync(named, config=config)
    except kreuzberg.MissingDependencyError as error:
        raise EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} cannot be parsed here: {error}") from error
    except kreuzberg.KreuzbergError as error:
        reason = str(error)
        if "password" in reason.lower() or "encrypt" in reason.lower():
            raise EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} is protected by a password.") from error
        raise EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} cannot be read ({reason}).") from error
    except OSError as error:  # a damaged archive inside the file
        raise EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} is damaged ({error}).") from error


def _page(number: int, content: str, options: EngineOptions) -> EnginePage:
    page = EnginePage(number, plain_text(content))
    if not options.fast:
        page.items = items_of_markdown(content, options.tables, annotate_links=options.annotate_links)
        page.markdown = joined(page.items)
    return page


def _sheets(extracted: ExtractionResult, path: Path, options: EngineOptions) -> list[EnginePage]:
    names = extracted.metadata.get("sheet_names") or []
    hidden = frozenset() if options.include_hidden else hidden_sheets_of(path)
    tables: dict[int, list[list[list[str]]]] = {}
    for table in extracted.tables:
        tables.setdefault(table.page_number, []).append(table.cells)
    pages = []
    for number, name in enumerate(names, start=1):
        if name in hidden:
            continue
        cells = tables.get(number, [])
        page = EnginePage(number, "\n\n".join("\n".join("\t".join(row) for row in rows) for rows in cells))
        if cells and not options.fast:
            page.items = [heading_item(2, name), *(table_item(rows, options.tables) for rows in cells)]
            page.markdown = joined(page.items)
        pages.append(page)
    return pages


def _slides(extracted: ExtractionResult, path: Path, options: EngineOptions) -> list[EnginePage]:
    slides = slides_of(path)
    parts = _MARKED.split(extracted.content)
    contents = {int(number): content for number, content in zip(parts[1::2], parts[2::2], strict=True)}
    if not contents:
        contents = {1: extracted.content}
    pages = []
    for number in range(1, max([*contents, len(slides)]) + 1):
        slide = slides[number - 1] if number <= len(slides) else None
        if slide is not None and slide.hidden and not options.include_hidden:
            continue
        page = _page(number, _tidy(_SLIDE_END.sub("", contents.get(number, "")), ".pptx"), options)
        page.speaker_notes = slide.notes if slide is not None else None
        pages.append(page)
    return pages


def _tidy(content: str, suffix: str) -> str:
    content = _MARKED.sub("", content)
    if suffix in {".html", ".htm", ".xhtml"}:
        content = _PERMALINK.sub("", _FRONT_MATTER.sub("", content))
    content = _ESCAPED_IMAGE.sub("!", content)
    return _IMAGE_PATH.sub(r"\1", content).strip()


def _images(extracted: ExtractionResult, path: Path, options: EngineOptions) -> list[EngineImage]:
    if not options.saves("embedded"):
        return []
    images: list[Any] = extracted.images or []
    names = media_names_of(path)
    found: dict[str, EngineImage] = {}
    for index, image in enumerate(images):
        kind = str(image.get("format") or "png").lower()
        page = image.get("page_number") or 1
        content = bytes(image["data"])
        name = f"image_{index}.{kind}"
        if name not in extracted.content:  # the text of slides refers to pictures by their names in the file
            name = names.get(sha256(content).digest(), name)
        found.setdefault(name, EngineImage(name, page, "embedded", content, content_type(kind)))
    return list(found.values())
