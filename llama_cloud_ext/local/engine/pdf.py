"""PDF files and pictures, with liteparse: text, markdown, items, images. Nothing here reaches the network.

Large documents are read in portions, which bounds the memory and lets a job be stopped. liteparse releases the
interpreter lock for most of its work, so callers run one parse per thread.
"""

from __future__ import annotations

import base64
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from llama_cloud_ext.local.engine.items import items_of_blocks, joined
from llama_cloud_ext.local.engine.links import add_links
from llama_cloud_ext.local.engine.merged_tables import merge_continued_tables
from llama_cloud_ext.local.engine.named_file import with_suffix
from llama_cloud_ext.local.engine.ocr import NEEDS_TESSDATA, ocr_settings
from llama_cloud_ext.local.engine.options import EngineOptions, Watch
from llama_cloud_ext.local.engine.page_selection import as_ranges, selected_pages
from llama_cloud_ext.local.engine.result import EngineError, EngineImage, EnginePage, EngineResult
from llama_cloud_ext.local.engine.running_heads import find_printed_numbers, mark_running_heads
from llama_cloud_ext.local.engine.screenshots import DPI, content_type, figure_crops, figure_pictures, screenshot

if TYPE_CHECKING:
    from liteparse import LiteParse, ParsedPage
    from liteparse import ParseResult as Parsed

PORTION = 500
"""Pages in one pass: heading levels are judged over a whole pass, so it holds nearly every document."""

OCR_PORTION = 25
"""Pages in one pass with OCR, which takes seconds a page and cannot be interrupted."""

MOST_PAGES = 20_000
"""More pages than this would fill the memory; page_ranges selects a part of such a document."""


def parse_pdf(
    path: Path,
    file_name: str,
    options: EngineOptions,
    *,
    suffix: str = ".pdf",
    tessdata: Path | None = None,
    should_stop: Callable[[], bool],
) -> EngineResult:
    """Parse a PDF, or a picture as a page of its own.

    Args:
        path: The file, under any name.
        file_name: As the user knows it, for messages.
        options: What is wanted.
        suffix: What the content is: ".pdf", or that of a picture.
        tessdata: Folder of OCR data; without it, pictures of text give no text.
        should_stop: Asked between portions of a large document.

    Returns:
        The selected pages with all that was asked for.

    Raises:
        EngineError: The document is protected, broken or empty, has too many pages, or takes too long.
    """
    watch = Watch(options, should_stop)
    reading = _Reading(options)
    with with_suffix(path, suffix) as named:
        for parsed in _portions(named, file_name, options, tessdata, watch):
            reading.add(parsed)
        pages = sorted(reading.pages, key=lambda page: page.number)
        if not options.fast:
            _complete(named, pages, reading, options)
    watch.check(len(pages))
    kind = "pdf" if suffix == ".pdf" else "image"
    if all(page.is_blank for page in pages if page.error is None) and not reading.images:
        _raise_empty(file_name, pages, tessdata)
    ocr = frozenset({"processing_options.ocr_parameters"} if tessdata else ())
    return EngineResult(
        pages=pages,
        total_pages=reading.total,
        engine=f"liteparse {importlib.metadata.version('liteparse')}",
        images=sorted(reading.images, key=lambda image: image.page_number),
        notes={"options_not_applied": options.unapplied(kind, applied=ocr), "ocr": tessdata is not None},
        output_pdf=path.read_bytes() if options.save_pdf and kind == "pdf" else None,
        words=reading.words if options.words else None,
    )


class _Reading:
    """What the portions of one document add up to; the parser's own objects are dropped page by page."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.total = 0
        self.pages: list[EnginePage] = []
        self.images: list[EngineImage] = []
        self.words: list[dict[str, Any]] = []
        self.shots: dict[int, bytes] = {}
        self.embedded: dict[str, EngineImage] = {}

    def add(self, parsed: Parsed) -> None:
        self.total = parsed.total_pages
        if self.options.fail_on_image_error and parsed.image_error_count:
            raise EngineError("PDF_IS_BROKEN", f"{parsed.image_error_count} embedded images cannot be extracted.")
        pages = parsed.pages
        for page in pages:
            self.pages.append(self._page(page))
            if self.options.words:
                self.words += _word_rows(page)
        self.pages += [EnginePage(error.page_num, error=error.message) for error in parsed.page_errors]
        for shot in parsed.screenshots:
            self.shots[shot.page_num] = shot.image_bytes
            self.images.append(screenshot(shot.page_num, shot.image_bytes))
        sizes = {page.page_num: (page.width, page.height) for page in pages}
        for image in parsed.images:
            if self._keeps(image.bbox, *sizes.get(image.page, (0.0, 0.0))):
                embedded = _embedded(image)
                self.embedded[embedded.filename] = embedded

    def _page(self, page: ParsedPage) -> EnginePage:
        items: list[dict[str, Any]] = []
        if not self.options.fast:
            # The parser crops text, but leaves figures where they are.
            blocks = [
                block
                for block in page.blocks or ()
                if block.kind != "figure" or self._keeps(block.bbox, page.width, page.height)
            ]
            items = items_of_blocks(blocks, self.options.tables)
            add_links(page, items, annotate=self.options.annotate_links)
        return EnginePage(page.page_num, page.text, items=items, width=page.width, height=page.height)

    def _keeps(self, rect: Any, width: float, height: float) -> bool:
        return self.options.crop is None or rect is None or self.options.crop.holds(rect, width, height)


def _portions(
    named: Path, file_name: str, options: EngineOptions, tessdata: Path | None, watch: Watch
) -> Iterator[Parsed]:
    watch.check()
    portion = PORTION if tessdata is None else OCR_PORTION
    # The number of pages is known only after a first pass.
    first = options.target_pages or f"1-{min(options.max_pages or portion, portion)}"
    parsed = _pass(named, file_name, options, tessdata, first)
    pages = selected_pages(parsed.total_pages, target_pages=options.target_pages, max_pages=options.max_pages)
    if not pages:
        raise EngineError("NO_DATA_FOUND_IN_FILE", _no_such_pages(file_name, options, parsed.total_pages))
    if len(pages) > MOST_PAGES:
        raise EngineError(
            "TOO_MANY_PAGES",
            f"{file_name} has {len(pages)} pages to parse, the limit is {MOST_PAGES}; use page_ranges.",
        )
    yield parsed
    del parsed
    for start in range(portion, len(pages), portion):
        watch.check(len(pages))
        yield _pass(named, file_name, options, tessdata, as_ranges(pages[start : start + portion]))


def _pass(named: Path, file_name: str, options: EngineOptions, tessdata: Path | None, target_pages: str) -> Parsed:
    try:
        from liteparse import LiteParse, ParseError
    except ImportError as error:  # the other packages of the extra may be there for another reason
        raise EngineError(
            "UNSUPPORTED_FILE_TYPE",
            f'{file_name}: parsing PDFs and pictures here needs an extra: pip install "llama-cloud-ext[local]"',
        ) from error

    rich = not options.fast
    parser = LiteParse(
        **ocr_settings(options, tessdata),
        quiet=True,
        output_format="json",
        dpi=DPI,
        target_pages=target_pages,
        max_pages=PORTION if tessdata is None else OCR_PORTION,
        continue_on_page_error=True,
        keep_headers_footers=True,
        extract_blocks=rich,
        extract_annotations=rich,
        extract_images=rich and _needs_embedded(options),
        extract_screenshots=options.saves("screenshot"),
        emit_word_boxes=options.words,
        preserve_very_small_text=options.very_small_text,
        skip_diagonal_text=options.ignore_diagonal_text,
        crop_box=None if options.crop is None else options.crop.margins(),
    )
    try:
        return _read(parser, named)
    except ParseError as error:
        raise _as_engine_error(file_name, named.suffix, str(error)) from error


def _read(parser: LiteParse, named: Path) -> Parsed:
    """What `parser.parse` gives, without its Python copies of every run of text.

    They take a fifth of the time, and only pages with links look at them. The parser's own result has the same
    attributes, which a test watches over; where a later version keeps it elsewhere, its public way is the one taken.
    """
    from liteparse import ParseError

    native: Any = getattr(parser, "_native", None)
    if not hasattr(native, "parse"):
        return parser.parse(named)
    try:
        return cast("Parsed", native.parse(str(named)))
    except Exception as error:  # as the parser itself has it: its core raises many kinds
        raise ParseError(str(error)) from error


def _complete(named: Path, pages: list[EnginePage], reading: _Reading, options: EngineOptions) -> None:
    """What needs the other pages, or pictures of them: running heads, crops of figures, then the markdown."""
    mark_running_heads(pages)
    if options.printed_page_numbers:
        find_printed_numbers(pages)
    if options.merge_tables:
        merge_continued_tables(pages, options.tables)
    if options.inline_images:
        _inline(pages, reading.embedded)
    elif options.images is None:
        reading.images += figure_pictures(pages, reading.embedded)
    elif options.saves("layout"):
        reading.images += figure_crops(named, pages, reading.shots)
    if options.saves("embedded"):
        reading.images += reading.embedded.values()
    for page in pages:
        page.markdown = joined([item for item in page.items if item["type"] not in {"header", "footer"}])


def _needs_embedded(options: EngineOptions) -> bool:
    return options.images is None or options.saves("embedded") or options.inline_images or options.fail_on_image_error


def _inline(pages: list[EnginePage], embedded: dict[str, EngineImage]) -> None:
    for page in pages:
        for item in page.items:
            picture = embedded.get(item["url"]) if item["type"] == "image" else None
            if picture is not None:
                data = base64.b64encode(picture.content).decode()
                item["md"] = f"![{item['caption']}](data:{picture.content_type};base64,{data})"


def _embedded(image: Any) -> EngineImage:
    place = {"x": image.bbox.x, "y": image.bbox.y, "w": image.bbox.width, "h": image.bbox.height}
    kind = image.format.lower()
    return EngineImage(
        f"img_{image.id}.{kind}",
        image.page,
        "embedded",
        image.bytes,
        content_type(kind),
        {name: round(value, 2) for name, value in place.items()},
    )


def _word_rows(page: ParsedPage) -> list[dict[str, Any]]:
    return [
        {
            "page_number": page.page_num,
            "text": word.text,
            "x": round(word.x, 2),
            "y": round(word.y, 2),
            "w": round(word.width, 2),
            "h": round(word.height, 2),
        }
        for item in page.text_items
        for word in item.words
    ]


def _as_engine_error(file_name: str, suffix: str, reason: str) -> EngineError:
    if "password" in reason.lower():
        return EngineError("PDF_IS_PROTECTED", f"{file_name} is protected by a password; remove it and upload again.")
    if suffix == ".pdf":
        return EngineError("PDF_IS_BROKEN", f"{file_name} cannot be read as a PDF ({reason}); export it again.")
    return EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} cannot be read as a picture ({reason}).")


def _no_such_pages(file_name: str, options: EngineOptions, total: int) -> str:
    if total and options.target_pages:
        return f"{file_name} has {total} pages; none of target_pages {options.target_pages!r} exists."
    return f"{file_name} has no pages."


def _raise_empty(file_name: str, pages: list[EnginePage], tessdata: Path | None) -> None:
    failed = next((page for page in pages if page.error is not None), None)
    if failed is not None:
        raise EngineError(
            "PDF_IS_BROKEN", f"No page of {file_name} can be read (page {failed.number}: {failed.error})."
        )
    advice = NEEDS_TESSDATA if tessdata is None else "OCR found no text either."
    raise EngineError("NO_DATA_FOUND_IN_FILE", f"{file_name} has no text on the pages that were read. {advice}")
