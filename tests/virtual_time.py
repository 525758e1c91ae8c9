"""An event loop whose clock jumps over every wait, so that hours of polling are tested in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time passes only by waiting, and waiting takes no time."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self._advance))
        self._now = 0.0

    def time(self) -> float:
        """Give the virtual seconds since the loop was made."""
        return self._now

    def _advance(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self._advance(timeout)
        return ready


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `await main()` in virtual time."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()
