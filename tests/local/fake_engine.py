"""A deterministic stand-in for the parsing engine, so that tests of the server take milliseconds.

The document is text, its pages are parted by form feeds. The first page may command: `FAIL CODE`, `CRASH`,
`SLEEP seconds`, `BAD PAGE`, `IMAGE`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine import EngineError, EngineImage, EnginePage, EngineResult, EngineStopped

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def parse(
    path: Path,
    file_name: str,
    configuration: dict[str, Any],
    *,
    tessdata: Path | None = None,
    should_stop: Callable[[], bool],
) -> EngineResult:
    """Parse as the real engine's `parse_document` would."""
    with path.open("rb") as stream:
        text = stream.read(2**20).decode(errors="replace")
    command, _, argument = text.partition("\f")[0].partition(" ")
    if command == "FAIL":
        raise EngineError(argument, f"{file_name} was meant to fail")
    if command == "CRASH":
        raise ZeroDivisionError("a bug of the engine")
    if command == "SLEEP":
        deadline = time.monotonic() + float(argument)
        while time.monotonic() < deadline:
            if should_stop():
                raise EngineStopped
            time.sleep(0.005)
    pages = [
        EnginePage(
            number=number,
            text=content,
            markdown=f"# {content}",
            items=[{"type": "heading", "level": 1, "value": content, "md": f"# {content}", "bbox": None}],
            width=612.0,
            height=792.0,
        )
        for number, content in enumerate(text.split("\f"), 1)
    ]
    if command == "BAD":
        pages[-1] = EnginePage(number=len(pages), error="this page is damaged")
    images = [EngineImage("figure 1.png", 1, "embedded", PNG, "image/png", {"x": 1.2, "y": 2, "w": 3, "h": 4})]
    return EngineResult(
        pages,
        total_pages=len(pages),
        engine="fake 1.0",
        images=images * (command == "IMAGE"),
        notes={"tessdata": str(tessdata)},
        output_pdf=b"%PDF-1.4" if "save_output_pdf" in str(configuration) else None,
        spreadsheet=None,
        words=[{"page_number": 1, "text": "word", "x": 0, "y": 0, "w": 1, "h": 1}]
        if "word_bbox" in str(configuration)
        else None,
    )
