"""Progress of a call over several files or documents: a tqdm bar, or whatever a callback makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.wire import io_loop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a call has come; what a progress callback receives after every file, or every batch of documents.

    Attributes:
        done: Files or documents that are finished, failed ones included.
        total: Files or documents of the call; None where it is not known beforehand.
        failed: Those that failed so far.
        file: The file that was just finished; for documents, the id of the last one of the batch.
    """

    done: int
    total: int | None
    failed: int
    file: str


ShowProgress = bool | Callable[[Progress], Any]


class ProgressReport:
    """Counts what is finished and tells the user: with a bar, by the callback, or not at all.

    Args:
        show: True for a tqdm bar on stderr, a callable to receive each `Progress`, False for silence.
        total: How many files or documents the call has; None where it is not known beforehand.
        title: What stands before the bar.
        unit: What is counted.
    """

    def __init__(self, show: ShowProgress, total: int | None, title: str, *, unit: str = "file") -> None:
        self._done = 0
        self._failed = 0
        self._total = total
        self._callback = show if callable(show) else None
        self._bar = self._open_bar(title, unit) if show is True else None

    def _open_bar(self, title: str, unit: str) -> Any:
        from tqdm.auto import tqdm

        return tqdm(total=self._total, desc=title, unit=unit)

    async def finished(self, file: str, *, failed: bool = False, count: int = 1) -> None:
        """Note that one more, or `count` more, are finished. On the I/O loop; the callback runs in its own thread."""
        self._done += count
        self._failed += count if failed else 0
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix(failed=self._failed, refresh=False)
            await io_loop.call_user(self._bar.update, count)
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
