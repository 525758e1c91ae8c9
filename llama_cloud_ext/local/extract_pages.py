"""The pages that an extraction reads: what a parse job left on disk, and which of it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine.page_selection import selected_pages
from llama_cloud_ext.local.extraction import SourcePage
from llama_cloud_ext.local.jobs import JobFailure


def read_pages(folder: Path) -> list[SourcePage]:
    """The pages of a parse job's results. Blocking.

    Args:
        folder: The folder of the results.

    Raises:
        JobFailure: The results are gone.
    """
    try:
        text, markdown, items = (
            {page["page_number"]: page for page in json.loads((folder / f"{kind}.json").read_bytes())["pages"]}
            for kind in ("text", "markdown", "items")
        )
    except OSError as error:
        raise JobFailure("NO_DATA_FOUND_IN_FILE", "the result of the parse job is gone") from error
    # Where a page has failed, there are an empty text and an error instead of markdown and items.
    return [
        SourcePage(
            page_number=number,
            text=page["text"],
            markdown=markdown[number].get("markdown") or "",
            items=items[number].get("items") or [],
            width=items[number].get("page_width") or None,
            height=items[number].get("page_height") or None,
        )
        for number, page in text.items()
    ]


def chosen_pages(pages: Sequence[SourcePage], configuration: Mapping[str, Any]) -> list[SourcePage]:
    """Those pages that a configuration asks for: by `sheet_names`, else by `target_pages`; `max_pages` at most.

    Args:
        pages: All that were parsed.
        configuration: The extract configuration.

    Raises:
        JobFailure: There is no such page or sheet.
    """
    if not pages:
        raise JobFailure("NO_DATA_FOUND_IN_FILE", "the document has no pages")
    target, names = configuration.get("target_pages"), configuration.get("sheet_names")
    if names:
        sheets = {_sheet_name(page): page for page in pages}
        if missing := [name for name in names if name not in sheets]:
            known = ", ".join(repr(name) for name in sheets if name)
            raise JobFailure(
                "NO_DATA_FOUND_IN_FILE", f"sheet_names: no sheet {missing[0]!r}; the workbook has {known or 'none'}"
            )
        chosen = [page for name, page in sheets.items() if name in names]
    else:
        wanted = set(selected_pages(max(page.page_number for page in pages), target_pages=target))
        chosen = [page for page in pages if page.page_number in wanted]
    if not chosen:
        raise JobFailure("NO_DATA_FOUND_IN_FILE", f"target_pages: none of the pages {target} is there")
    return chosen[: configuration.get("max_pages")]


def _sheet_name(page: SourcePage) -> str | None:
    # The engine heads each sheet by its name.
    first = page.items[0] if page.items else {}
    return first.get("value") if first.get("type") == "heading" else None
