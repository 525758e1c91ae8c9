"""Searching a text with a client's regular expression, for as long as that is worth it.

Python's own `re` cannot be stopped: a pattern such as `(a|a)+$` would keep a thread busy for ever. The `regex` package,
which reads the same patterns, takes a time limit, and lets other threads work meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_PATTERN = 1000
"""Characters."""

MOST_SECONDS = 2.0
"""What one page of matches may take."""


class PatternError(Exception):
    """A pattern that cannot be read, or that takes too long on this text; the message says which."""


@dataclass(frozen=True)
class Match:
    """One place where a pattern stands.

    Attributes:
        content: The match, with what stands before and after it.
        start: Of the match itself, in characters from 0.
        end: Of the match itself.
    """

    content: str
    start: int
    end: int


def find_matches(text: str, pattern: str, *, start: int, limit: int, context: int) -> list[Match]:
    """The places where a pattern stands. Blocking.

    Args:
        text: The text.
        pattern: The regular expression; `^` and `$` mean lines.
        start: Where to begin, in characters from 0.
        limit: The most matches.
        context: Characters before and after each that its `content` has.

    Returns:
        The matches in their order; empty ones are passed over.

    Raises:
        PatternError: The pattern cannot be read, or takes too long.

    Example:
        >>> find_matches("one two", "t..", start=0, limit=9, context=2)
        [Match(content='e two', start=4, end=7)]
    """
    import regex

    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"Pattern exceeds {LONGEST_PATTERN} characters")
    try:
        compiled = regex.compile(pattern, regex.MULTILINE)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise PatternError(f"Invalid regex pattern: {error}") from error
    matches: list[Match] = []
    try:
        for found in compiled.finditer(text, pos=start, concurrent=True, timeout=MOST_SECONDS):
            first, end = found.span()
            if first == end:
                continue
            matches.append(Match(text[max(0, first - context) : end + context], first, end))
            if len(matches) >= limit:
                break
    except TimeoutError as error:
        raise PatternError(f"Pattern took more than {MOST_SECONDS:g} seconds on this file; make it simpler") from error
    return matches
