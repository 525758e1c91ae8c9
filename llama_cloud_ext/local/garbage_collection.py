"""Garbage collection while documents are parsed: seldom, because it finds nothing there.

A parser makes a hundred thousand small objects for a document, all of them alive until its result is written, and none
in a cycle. At Python's usual pace the collector goes through them, and through everything else in the process, several
times, which takes a fifth of the time of parsing.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 100_000
"""Objects made, and not freed, between two collections. Few enough that the garbage of other threads stays small."""


class _Pace:
    """The process's pace of collection, shared by all that parse at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._usual: tuple[int, int, int] | None = None

    def slow_down(self) -> None:
        with self._lock:
            self._users += 1
            usual = gc.get_threshold()
            if self._users == 1 and 0 < usual[0] < SELDOM:  # 0 is off, and stays off
                self._usual = usual
                gc.set_threshold(SELDOM, *usual[1:])

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._usual is not None:
                if gc.get_threshold()[0] == SELDOM:  # else somebody has set another pace meanwhile
                    gc.set_threshold(*self._usual)
                self._usual = None


_pace = _Pace()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect garbage seldom while the block runs, in whatever number of threads at once.

    Example:
        >>> import gc
        >>> usual = gc.get_threshold()
        >>> with seldom_collected():
        ...     gc.get_threshold()[0] >= usual[0]
        True
        >>> gc.get_threshold() == usual
        True
    """
    _pace.slow_down()
    try:
        yield
    finally:
        _pace.restore()
