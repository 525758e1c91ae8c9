"""The ends of jobs, told to the coroutines that wait for one: jobs run in threads, requests in event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class JobEnds:
    """Tells coroutines, in whatever event loops, when a job has ended in a thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._followers: list[Callable[[], None]] = []

    def call(self, follower: Callable[[], None]) -> None:
        """Have a function called at every end, in the thread where it happens. It must be quick."""
        self._followers.append(follower)

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event of the running loop, for the length of a block: set when any job ends in this process.

        Enter before looking at a job's state, so that no end falls between the look and the wait.
        """
        listener = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def tell(self) -> None:
        """Set the events of all who listen, and call those who follow."""
        for follower in self._followers:
            follower()
        with self._lock:
            listeners = list(self._listeners)
        for loop, event in listeners:
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(event.set)
