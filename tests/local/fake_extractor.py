"""A deterministic stand-in for what extracts, so that tests of the server take milliseconds.

It finds the texts and numbers of the pages. The first page may command: `REFUSE CODE`, `BREAK`, `LINGER seconds`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from llama_cloud_ext.local.extraction import Extraction, ExtractionFailed, ExtractionRequest, SourcePage


def extract(pages: Sequence[SourcePage], request: ExtractionRequest, *, llm: Any) -> Extraction:
    """Extract as the real `extract` would."""
    command, _, argument = pages[0].text.partition(" ")
    if command == "REFUSE":
        raise ExtractionFailed(argument, "it was meant to fail")
    if command == "BREAK":
        raise ZeroDivisionError("a bug of the extraction")
    if command == "LINGER":
        time.sleep(float(argument))
    found = [{"text": page.text, "page": page.page_number} for page in pages]
    cited = {"text": {"citation": [{"page": pages[0].page_number, "matching_text": pages[0].text}]}}
    notes = {"extractor": "fake", "seen": vars(request) | {"schema": None}, "llm": str(llm)}
    if request.target == "per_page":
        return Extraction(found, {"page_metadata": [cited] * len(pages)}, len(pages), notes)
    return Extraction({"pages": found}, {"document_metadata": cited}, len(pages), notes)
