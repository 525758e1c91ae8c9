"""The bound on unfinished jobs: `num_workers` is the most of them that the service ever sees from one reader."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

from llama_cloud_ext.wire import io_loop

logger = logging.getLogger(__name__)


class JobSlots:
    """Places for unfinished jobs, handed out first come, first served. Lives on the I/O loop.

    A place is taken before a job is created and freed when the job is seen to have ended, before its result is fetched.
    A job that was submitted for later collection keeps its place without being watched: only when somebody needs the
    place are such jobs looked at.

    Args:
        limit: The most unfinished jobs at a time, 1 or more.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = limit
        self._queue: deque[asyncio.Future[None]] = deque()
        self._parked: dict[Slot, Callable[[], Awaitable[object]]] = {}

    async def acquire(self) -> Slot:
        """Take a place, waiting for one if none is free."""
        if self._free > 0 and not self._queue:
            self._free -= 1
            return Slot(self)
        self._watch_parked()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back()
            elif turn in self._queue:  # unless a place that came free just now has passed it over
                self._queue.remove(turn)
            raise
        return Slot(self)

    def _give_back(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _watch_parked(self) -> None:
        parked, self._parked = self._parked, {}
        for slot, wait in parked.items():
            io_loop.spawn(self._release_after(slot, wait))

    async def _release_after(self, slot: Slot, wait: Callable[[], Awaitable[object]]) -> None:
        try:
            await wait()
        except Exception as error:
            logger.debug("a submitted job could not be waited for: %s", error)
        finally:
            slot.release()

    def _park(self, slot: Slot, wait: Callable[[], Awaitable[object]]) -> None:
        self._parked[slot] = wait
        if self._queue:
            self._watch_parked()

    def _release(self, slot: Slot) -> None:
        self._parked.pop(slot, None)
        self._give_back()


class Slot:
    """One place; `release` may be called more than once. A context manager that releases at its end."""

    def __init__(self, slots: JobSlots) -> None:
        self._slots: JobSlots | None = slots

    def release(self) -> None:
        """Free the place for the next job."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots._release(self)

    def park(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Keep the place without watching the job; `wait` is called once somebody needs the place."""
        if self._slots is not None:
            self._slots._park(self, wait)

    async def __aenter__(self) -> Slot:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
