"""Which pages of a document are read: `page_ranges` against the pages that exist. Pure."""

from __future__ import annotations

import re

_PART = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?\Z")


def selected_pages(total: int, *, target_pages: str | None = None, max_pages: int | None = None) -> list[int]:
    """The page numbers to read.

    Target pages beyond the document's end are left out, so the answer may be empty. `target_pages` beats `max_pages`,
    as in the service.

    Args:
        total: Pages of the document.
        target_pages: Pages and ranges from 1 on, such as "1,3,5-8"; None for all.
        max_pages: Read at most so many, from the first page on; None for all.

    Returns:
        Page numbers in ascending order, each once.

    Raises:
        ValueError: `target_pages` is not a list of pages and ranges.

    Example:
        >>> selected_pages(6, target_pages="5-9,2")
        [2, 5, 6]
        >>> selected_pages(6, max_pages=2)
        [1, 2]
    """
    if target_pages is None or not target_pages.strip():
        return list(range(1, min(total, max_pages or total) + 1))
    pages: set[int] = set()
    for part in target_pages.split(","):
        match = _PART.match(part)
        if match is None:
            raise ValueError(f"target_pages: {part!r} is neither a page nor a range of pages")
        first = int(match[1])
        last = int(match[2] or first)
        pages.update(range(max(first, 1), min(last, total) + 1))
    return sorted(pages)


def as_ranges(pages: list[int]) -> str:
    """Ascending page numbers as short as `target_pages` can say them.

    Example:
        >>> as_ranges([1, 2, 3, 7])
        '1-3,7'
    """
    parts: list[str] = []
    start = previous = None
    for page in [*pages, None]:
        if start is not None and previous is not None and page != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            start = None
        if start is None:
            start = page
        previous = page
    return ",".join(parts)
