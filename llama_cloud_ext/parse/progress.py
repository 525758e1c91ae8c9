"""Progress of a call over several files: a tqdm bar, or whatever a callback makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.wire import io_loop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a call has come; what a progress callback receives after every file.

    Attributes:
        done: Files that are finished, failed ones included.
        total: Files of the call.
        failed: Files that failed so far.
        file: The file that was just finished.
    """

    done: int
    total: int
    failed: int
    file: str


ShowProgress = bool | Callable[[Progress], Any]


class ProgressReport:
    """Counts finished files and tells the user: with a bar, by the callback, or not at all.

    Args:
        show: True for a tqdm bar on stderr, a callable to receive each `Progress`, False for silence.
        total: How many files the call has.
        title: What stands before the bar.
    """

    def __init__(self, show: ShowProgress, total: int, title: str) -> None:
        self._done = 0
        self._failed = 0
        self._total = total
        self._callback = show if callable(show) else None
        self._bar = self._open_bar(title) if show is True else None

    def _open_bar(self, title: str) -> Any:
        from tqdm.auto import tqdm

        return tqdm(total=self._total, desc=title, unit="file")

    async def finished(self, file: str, *, failed: bool) -> None:
        """Note that one more file is finished. On the I/O loop; the callback runs in a thread of its own."""
        self._done += 1
        self._failed += failed
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix(failed=self._failed, refresh=False)
            await io_loop.call_user(self._bar.update, 1)
        if self._callback is not None:
            try:
                await io_loop.call_user(self._callback, Progress(self._done, self._total, self._failed, file))
            except Exception:
                # A mistake in showing progress must not cost anybody results that were paid for.
                logger.exception("the progress callback failed")

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
