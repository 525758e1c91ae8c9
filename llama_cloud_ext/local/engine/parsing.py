"""`parse_document`: which parser gets a file, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.file_kinds import FileKind, detect
from llama_cloud_ext.local.engine.options import EngineOptions
from llama_cloud_ext.local.engine.result import EngineError, EngineResult
from llama_cloud_ext.local.engine.spreadsheet import can_write, tables_as_xlsx

MOST_BYTES = 2 * 1024**3
"""Larger files are refused: the parsers hold a whole document in memory."""


def parse_document(
    path: Path,
    file_name: str,
    configuration: dict[str, Any],
    *,
    tessdata: Path | None = None,
    should_stop: Callable[[], bool],
) -> EngineResult:
    """Parse one file. Blocks; thread-safe; reaches no network.

    Args:
        path: The content, under any name.
        file_name: The name it was uploaded with; its suffix counts only where the content does not tell.
        configuration: The create body of the job, as the API takes it.
        tessdata: Folder of OCR language data; None for no OCR.
        should_stop: Asked now and then; once true, parsing ends as soon as possible.

    Returns:
        Pages, images and side files.

    Raises:
        EngineError: The file cannot be parsed; its code is one of the service's error reference.
        EngineStopped: `should_stop` said so.

    Example:
        >>> result = parse_document(
        ...     Path("tests/data/latex-lorem.pdf"),
        ...     "lorem.pdf",
        ...     {"tier": "agentic", "page_ranges": {"target_pages": "2"}},
        ...     should_stop=lambda: False,
        ... )
        >>> [page.number for page in result.pages], result.total_pages
        ([2], 4)
    """
    size = path.stat().st_size
    if size == 0:
        raise EngineError("NO_DATA_FOUND_IN_FILE", f"{file_name} is empty.")
    if size > MOST_BYTES:
        raise EngineError("DOCUMENT_TOO_LARGE", f"{file_name} has {size} bytes; the limit is {MOST_BYTES}.")
    options = EngineOptions.of(configuration)
    kind = detect(path, file_name)
    try:
        result = _parse(path, file_name, options, kind, tessdata, should_stop)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        # A native parser gave up. Its exception is no Exception, and would end the thread.
        code = "PDF_IS_BROKEN" if kind.parser == "pdf" else "UNSUPPORTED_FILE_TYPE"
        raise EngineError(code, f"{file_name} made its parser fail ({error}).") from error
    if options.spreadsheet:
        _add_spreadsheet(result, options)
    return result


def _parse(
    path: Path,
    file_name: str,
    options: EngineOptions,
    kind: FileKind,
    tessdata: Path | None,
    should_stop: Callable[[], bool],
) -> EngineResult:
    # The parsers' libraries are loaded when they are needed first: they are large, and office files need an extra.
    if kind.parser in {"pdf", "image"}:
        from llama_cloud_ext.local.engine.pdf import parse_pdf

        return parse_pdf(path, file_name, options, suffix=kind.suffix, tessdata=tessdata, should_stop=should_stop)
    if kind.parser == "office":
        from llama_cloud_ext.local.engine.office import parse_office

        return parse_office(path, file_name, options, suffix=kind.suffix, should_stop=should_stop)
    if kind.parser == "text":
        from llama_cloud_ext.local.engine.plain_text import parse_plain_text

        return parse_plain_text(path, file_name, options, suffix=kind.suffix, should_stop=should_stop)
    raise EngineError(
        "UNSUPPORTED_FILE_TYPE",
        f"{file_name} is neither a PDF, a picture, an office document nor text"
        f"{f' ({kind.suffix})' if kind.suffix else ''}; nothing on this machine parses it.",
    )


def _add_spreadsheet(result: EngineResult, options: EngineOptions) -> None:
    not_applied: list[str] = result.notes["options_not_applied"]
    if options.fast or not can_write():
        return
    result.spreadsheet = tables_as_xlsx(result.pages, guess_names=options.guess_sheet_names)
    applied = "output_options.tables_as_spreadsheet."
    result.notes["options_not_applied"] = [name for name in not_applied if not name.startswith(applied)]
