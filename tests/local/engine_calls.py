"""Short calls of the engine for the tests of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.engine import EngineError, EngineResult, parse_document


def parse(path: Path, file_name: str | None = None, *, tier: str = "agentic", **options: Any) -> EngineResult:
    """Parse with the given groups of the create body."""
    configuration = {"tier": tier, "version": "latest", **options}
    return parse_document(path, file_name or path.name, configuration, should_stop=lambda: False)


def failure(path: Path, file_name: str | None = None, *, tier: str = "agentic", **options: Any) -> EngineError:
    """The error that parsing ends in."""
    with pytest.raises(EngineError) as caught:
        parse(path, file_name, tier=tier, **options)
    return caught.value


def types_of(result: EngineResult) -> list[str]:
    """The types of all items, page by page."""
    return [item["type"] for page in result.pages for item in page.items]
