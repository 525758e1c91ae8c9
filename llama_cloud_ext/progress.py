"""Progress of a call over several files or documents: a tqdm bar, or whatever a callback makes of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.wire import io_loop

logger = logging.getLogger(__name__)

_WINDOW = 60.0
"""Seconds of the recent past that the rate is taken from: the first files, which all wait, say little of the others."""

_LEAST_WINDOW = 0.5
"""Seconds before a rate is named at all."""

_LOOK_EVERY = 1.0
_WORTH_SAYING = 2.0
"""A wait for the rate limit of so many seconds is shown."""


@dataclass(frozen=True)
class Progress:
    """How far a call has come; what a progress callback receives.

    It comes after every file, or every batch of documents, and when requests begin or end to wait for a rate limit.

    Attributes:
        done: Files or documents that are finished, failed ones included.
        total: Files or documents of the call; None where it is not known beforehand.
        failed: Those that failed so far.
        file: The file that was just finished; for documents, the id of the last one of the batch. Empty as long as
            none is.
        rate: Files or documents a second, over the last minute; None while nothing can be said of it.
        seconds_left: How long the others will take at this rate; None while unknown.
        credits: Credits of the jobs behind the finished files, as far as the service has counted them, also where they
            were billed before and came from a ledger; None where it told of none.
        held_up: Seconds until the next request may be sent, if requests wait for a rate limit; else 0.

    Example:
        >>> print(Progress(30, 100, 1, "a.pdf", rate=2.0, seconds_left=35.0, credits=90))
        30 of 100, 1 failed, 2.0/s, 35 s left, 90 credits
        >>> print(Progress(0, 100, 0, "", held_up=41.2))
        0 of 100, waiting for the rate limit (41 s)
    """

    done: int
    total: int | None
    failed: int
    file: str
    rate: float | None = None
    seconds_left: float | None = None
    credits: float | None = None
    held_up: float = 0.0

    def __str__(self) -> str:
        parts = [str(self.done) if self.total is None else f"{self.done} of {self.total}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.rate:
            parts.append(f"{self.rate:.1f}/s" if self.rate >= 1 else f"{self.rate * 60:.1f}/min")
        if self.seconds_left:
            parts.append(f"{duration(self.seconds_left)} left")
        if self.credits is not None:
            parts.append(f"{self.credits:g} credits")
        if self.held_up:
            parts.append(f"waiting for the rate limit ({duration(self.held_up)})")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Write a duration for people.

    Args:
        seconds: The duration.

    Example:
        >>> duration(35.2), duration(150), duration(7300)
        ('35 s', '2 min 30 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


ShowProgress = bool | Callable[[Progress], Any]


class Tally:
    """Counts what is finished, and says how fast it goes.

    Args:
        total: How many files or documents there are; None where it is not known beforehand.
        clock: Monotonic seconds.

    Example:
        >>> tally = Tally(2)
        >>> tally.add("a.pdf", credits_used=3.0)
        >>> str(tally.progress())
        '1 of 2, 3 credits'
    """

    def __init__(self, total: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._done = 0
        self._failed = 0
        self._credits: float | None = None
        self._file = ""
        self._counts = deque([(clock(), 0)])

    def expect(self, total: int) -> None:
        """Note how many there are, where that was not known beforehand."""
        self._total = total

    def add(self, file: str, *, failed: bool = False, count: int = 1, credits_used: float | None = None) -> None:
        """Note that one more, or `count` more, are finished.

        Args:
            file: What was finished.
            failed: Whether it failed.
            count: How many it stands for.
            credits_used: What it cost, where the service said so.
        """
        self._done += count
        self._failed += count if failed else 0
        self._file = file
        if credits_used is not None:
            self._credits = (self._credits or 0.0) + credits_used
        now = self._clock()
        self._counts.append((now, self._done))
        # The last count before the window stays: the window begins there.
        while len(self._counts) > 2 and self._counts[1][0] < now - _WINDOW:
            self._counts.popleft()

    def progress(self, *, held_up: float = 0.0) -> Progress:
        """How far it has come.

        Args:
            held_up: Seconds for which requests wait for a rate limit.
        """
        began, before = self._counts[0]
        elapsed = self._clock() - began
        rate = (self._done - before) / elapsed if elapsed >= _LEAST_WINDOW and self._done > before else None
        return Progress(
            self._done,
            self._total,
            self._failed,
            self._file,
            rate=rate,
            seconds_left=None if rate is None or self._total is None else (self._total - self._done) / rate,
            credits=self._credits,
            held_up=held_up if held_up >= _WORTH_SAYING else 0.0,
        )


class ProgressReport:
    """Counts what is finished and tells the user: with a bar, by the callback, or not at all.

    Args:
        show: True for a tqdm bar on stderr, a callable to receive each `Progress`, False for silence.
        total: How many files or documents the call has; None where it is not known beforehand.
        title: What stands before the bar.
        unit: What is counted.
        held_up: Seconds until the next request may be sent, where requests wait for a rate limit; else 0. None where
            the call does not know. With it, the report is made on the I/O loop.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        show: ShowProgress,
        total: int | None,
        title: str,
        *,
        unit: str = "file",
        held_up: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tally = Tally(total, clock=clock)
        self._callback = show if callable(show) else None
        self._bar = self._open_bar(title, total, unit) if show is True else None
        self._held_up = held_up
        self._watch: asyncio.Task[None] | None = None
        if held_up is not None and (self._bar is not None or self._callback is not None):
            self._watch = asyncio.get_running_loop().create_task(self._watch_the_limit(held_up))

    @staticmethod
    def _open_bar(title: str, total: int | None, unit: str) -> Any:
        from tqdm.auto import tqdm

        return tqdm(total=total, desc=title, unit=unit)

    def expect(self, total: int) -> None:
        """Note how many files or documents the call has, where that was not known beforehand."""
        self._tally.expect(total)
        if self._bar is not None:
            self._bar.total = total

    async def finished(
        self, file: str, *, failed: bool = False, count: int = 1, credits_used: float | None = None
    ) -> None:
        """Note what is finished, as `Tally.add` does, and tell. On the I/O loop; callbacks have their own threads."""
        self._tally.add(file, failed=failed, count=count, credits_used=credits_used)
        await self._tell(count)

    def close(self) -> None:
        """End the bar."""
        if self._watch is not None:
            self._watch.cancel()
        if self._bar is not None:
            self._bar.close()

    async def _tell(self, count: int) -> None:
        if self._bar is None and self._callback is None:
            return
        progress = self._tally.progress(held_up=0.0 if self._held_up is None else self._held_up())
        if self._bar is not None:
            await io_loop.call_user(_advance, self._bar, count, progress)
        if self._callback is not None:
            try:
                await io_loop.call_user(self._callback, progress)
            except Exception:
                # A mistake in showing progress must not cost anybody results that were paid for.
                logger.exception("the progress callback failed")

    async def _watch_the_limit(self, held_up: Callable[[], float]) -> None:
        """Say when requests begin or end to wait for a rate limit: until then nothing may finish for a minute."""
        waiting = False
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if (held_up() >= _WORTH_SAYING) != waiting:
                waiting = not waiting
                await self._tell(0)


def _advance(bar: Any, count: int, progress: Progress) -> None:
    """Move a bar on; it shows rate and estimate by itself."""
    notes: dict[str, Any] = {}
    if progress.failed:
        notes["failed"] = progress.failed
    if progress.credits is not None:
        notes["credits"] = f"{progress.credits:g}"
    if progress.held_up:
        notes["rate limit"] = f"waiting {duration(progress.held_up)}"
    bar.set_postfix(notes, refresh=count == 0)
    bar.update(count)
