"""The grammar of `target_pages`: "1,3,5-8", counted from 1, each page at most once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from llama_cloud_ext.errors import ConfigurationError

_PART = re.compile(r"\s*([0-9]+)\s*(?:-\s*([0-9]+)\s*)?", re.ASCII)

_LONGEST_NUMBER = 9
"""Digits; no document comes near, and longer ones are typing accidents."""


def parse_target_pages(text: str) -> list[range]:
    """The pages that `text` names, as ranges in the order given.

    Args:
        text: Page numbers and ranges, separated by commas; blanks do not matter.

    Returns:
        One range for each part, of length 1 for a single page.

    Raises:
        ConfigurationError: On anything else, on page 0, on a range that runs backwards and on a page named twice.

    Example:
        >>> parse_target_pages("1, 3, 5-8")
        [range(1, 2), range(3, 4), range(5, 9)]
    """
    ranges = [_part(part, text) for part in text.split(",")]
    ordered = sorted(ranges, key=lambda pages: pages.start)
    for before, after in pairwise(ordered):
        if after.start < before.stop:
            raise ConfigurationError(
                f"target_pages={text!r} names page {after.start} more than once", hint="Name each page once."
            )
    return ranges


def format_target_pages(pages: Iterable[int]) -> str:
    """Page numbers in the service's spelling, sorted, with runs as ranges.

    Args:
        pages: Numbers from 1 on, or a range; each at most once.

    Raises:
        ConfigurationError: On what is no page number, and on a page named twice.

    Example:
        >>> format_target_pages([8, 1, 3, 5, 6, 7])
        '1,3,5-8'
        >>> format_target_pages(range(1, 1_000_001))
        '1-1000000'
    """
    spelled = ",".join(f"{run.start}-{run[-1]}" if len(run) > 1 else str(run.start) for run in _runs(pages))
    parse_target_pages(spelled)
    return spelled


def normalize_target_pages(value: str | int | Iterable[int]) -> str:
    """`target_pages` as the service takes it, from whatever a caller may write.

    Args:
        value: "1,3,5-8", one page number, or numbers as a list, range, tuple or set.

    Raises:
        ConfigurationError: When this names no pages, or names them wrongly.

    Example:
        >>> normalize_target_pages(" 1, 3 ,5 - 8"), normalize_target_pages([2, 1]), normalize_target_pages(4)
        ('1,3,5-8', '1-2', '4')
    """
    if isinstance(value, str):
        ranges = parse_target_pages(value)
        return ",".join(f"{run.start}-{run[-1]}" if len(run) > 1 else str(run.start) for run in ranges)
    if isinstance(value, int):
        return format_target_pages([value])
    if isinstance(value, Iterable) and not isinstance(value, bytes | dict):
        return format_target_pages(value)
    raise ConfigurationError(
        f"target_pages={value!r} does not name pages",
        hint='Write it like "1,3,5-8", or as a list of numbers.',
    )


def count_target_pages(text: str) -> int:
    """How many pages `text` names.

    Example:
        >>> count_target_pages("1,3,5-8")
        6
    """
    return sum(len(pages) for pages in parse_target_pages(text))


def _part(part: str, whole: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or any(len(digits) > _LONGEST_NUMBER for digits in match.groups("")):
        problem = f"{part.strip()!r} is neither a page nor a range" if part.strip() else "a page is missing"
        raise ConfigurationError(
            f"target_pages={whole!r}: {problem}", hint='Write it like "1,3,5-8"; leave it out to read all pages.'
        )
    first = int(match[1])
    last = int(match[2] or match[1])
    if first == 0:
        raise ConfigurationError(
            f"target_pages={whole!r}: pages are counted from 1, there is no page 0",
            hint='In v1 they were counted from 0: what was "0,2" there is "1,3" here.',
        )
    if last < first:
        raise ConfigurationError(
            f"target_pages={whole!r}: the range {first}-{last} runs backwards", hint=f"Write {last}-{first}."
        )
    return range(first, last + 1)


def _runs(pages: Iterable[int]) -> Iterator[range]:
    if isinstance(pages, range) and pages.step == 1 and pages:
        # Taken whole: a range may be too long to walk through.
        yield pages
        return
    numbers = list(pages)
    if not numbers:
        raise ConfigurationError("target_pages names no page", hint="Leave it out to read all pages.")
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ConfigurationError(
                f"target_pages: {number!r} is not a page number", hint="Pages are whole numbers, counted from 1."
            )
    numbers.sort()
    start = previous = numbers[0]
    for number in numbers[1:]:
        if number != previous + 1:
            yield range(start, previous + 1)
            start = number
        previous = number
    yield range(start, previous + 1)
