"""`parse_document`: which parser gets a file, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.file_kinds import detect
from llama_cloud_ext.local.engine.options import EngineOptions
from llama_cloud_ext.local.engine.result import EngineError, EngineResult

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
    if kind.parser in {"pdf", "image"}:
        from llama_cloud_ext.local.engine.pdf import parse_pdf

        return parse_pdf(path, file_name, options, suffix=kind.suffix, tessdata=tessdata, should_stop=should_stop)
    raise EngineError("UNSUPPORTED_FILE_TYPE", f"{file_name} is of a kind that cannot be parsed here.")
