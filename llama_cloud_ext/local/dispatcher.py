"""The dispatcher of a queue: takes what waits in it and has it worked on, a thread each.

One thread claims and renews leases; each claimed task has a thread of its own, and as many of them as there are cores
work at a time (more, where the work is waiting). Several processes may run on one folder: leases keep them from doing
anything twice, and what a killed process leaves is taken up by another or by its own restart.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from llama_cloud_ext.local.job_ends import JobEnds
from llama_cloud_ext.local.leases import LEASE_SECONDS, RENEWAL_SECONDS, Owner

if TYPE_CHECKING:
    from llama_cloud_ext.local.simulation import Simulation

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 0.5
"""How soon a process notices what another one accepted or left behind; its own wakes it at once."""

LONGEST_GOODBYE = 2.0
"""Seconds that closing waits for work under way; it resumes at the next start."""

MOST_ATTEMPTS = 5
"""Starts of one task. What kills its process each time must not do so for ever."""

MOST_WAITING = 1000
"""Tasks that may sit out a simulated latency at the same time."""


class WorkQueue(Protocol[T]):
    """A queue as one owner sees it."""

    def other_owners(self) -> Future[list[str]]:
        """Everyone else who holds a lease."""

    def claim(self, lease: float, *, gone: Sequence[str], alive: Sequence[str]) -> Future[T | None]:
        """Take what is next; None when there is nothing to do.

        Args:
            lease: Seconds until the claim expires unless it is renewed.
            gone: Owners known to have ended; their leases count as expired.
            alive: Owners known to live; their leases count for `STALLED_SECONDS` longer.
        """

    def renew(self, lease: float, running: Collection[T]) -> Future[list[T]]:
        """Renew every lease of this owner.

        Args:
            lease: Seconds until they expire.
            running: What is being worked on.

        Returns:
            What of it is this owner's no more, and need not be finished.
        """

    def give_back(self, task: T) -> Future[None]:
        """Put what was not finished back in the queue. It counts as an attempt."""

    def release(self) -> Future[None]:
        """Put everything of this owner back in the queue, as if never started."""


@dataclass(eq=False)
class _Running(Generic[T]):
    task: T
    stop: threading.Event = field(default_factory=threading.Event)


class Dispatcher(Generic[T]):
    """Has the tasks of a queue worked on in this process.

    Args:
        owner: Who takes them, which ends with this.
        queue: Where they come from.
        work: Does one task and says in the queue how it ended. It is called in a thread of its own with the task and
            with an event that is set once nobody wants the outcome any more: it was cancelled or taken over, or this
            closes.
        name: Of the threads.
        slots: Tasks to take at the same time; None for as many as work at a time.
        workers: Tasks that work at the same time; None for one a core.
        delay: Seconds that a task waits, without keeping others from work, before it is worked on.

    Attributes:
        ends: Tells when tasks end here.

    Example:
        >>> import pathlib, tempfile
        >>> from llama_cloud_ext.local.database import Database
        >>> from llama_cloud_ext.local.job_table import JobTable
        >>> from llama_cloud_ext.local.jobs import ParseJobRecord
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> jobs = JobTable(Database(root / "test.sqlite3"), "jobs", ParseJobRecord)
        >>> owner, ended = Owner(root), threading.Event()
        >>> dispatcher = Dispatcher(owner, jobs.queue(owner.id), lambda job, stop: ended.set(), name="example")
        >>> _ = jobs.add("pjb-1", "report.pdf", {}).result()
        >>> dispatcher.wake()
        >>> ended.wait(5)
        True
        >>> dispatcher.close()
    """

    def __init__(
        self,
        owner: Owner,
        queue: WorkQueue[T],
        work: Callable[[T, threading.Event], None],
        *,
        name: str,
        slots: int | None = None,
        workers: int | None = None,
        delay: Callable[[T], float] | None = None,
    ) -> None:
        self._owner = owner
        self._queue = queue
        self._work = work
        self._name = name
        self._delay = delay
        workers = workers or available_cores()
        self._workers = threading.BoundedSemaphore(workers)
        self._slots = slots or workers
        self._lock = threading.Lock()
        self._running: list[_Running[T]] = []
        self.ends = JobEnds()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._dispatch, name=f"llama-cloud-local-{name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that something was accepted."""
        self._wake.set()

    def stop(self, unwanted: Callable[[T], bool]) -> None:
        """Stop what nobody wants any more, if it runs here (elsewhere its lease tells)."""
        with self._lock:
            for running in self._running:
                if unwanted(running.task):
                    running.stop.set()
        self.ends.tell()

    def close(self) -> None:
        """Stop, and put unfinished work back in the queue."""
        self._closing = True
        self._wake.set()
        self._thread.join(LONGEST_GOODBYE)
        with self._lock:
            for running in self._running:
                running.stop.set()
        deadline = time.monotonic() + LONGEST_GOODBYE
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
        self._queue.release().result()
        self._owner.close()

    # -- the dispatcher's thread --------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        renewed = time.monotonic()
        while not self._closing:
            try:
                # First, or a process that was suspended would take its own work for somebody's who has gone.
                if self._running and time.monotonic() - renewed >= RENEWAL_SECONDS:
                    renewed = time.monotonic()
                    self._renew()
                while self._claim():
                    pass
            except Exception:
                logger.exception("the %s queue of the local LlamaCloud could not be read; trying again", self._name)
                time.sleep(POLL_SECONDS)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _claim(self) -> bool:
        if self._closing or len(self._running) >= self._slots:
            return False
        gone, alive = self._owner.fates_of(self._queue.other_owners().result())
        task = self._queue.claim(LEASE_SECONDS, gone=gone, alive=alive).result()
        if task is None:
            return False
        running = _Running(task)
        with self._lock:
            self._running.append(running)
        name = f"llama-cloud-local-{self._name}-work"
        threading.Thread(target=self._run, args=(running,), name=name, daemon=True).start()
        return True

    def _renew(self) -> None:
        with self._lock:
            running = list(self._running)
        lost = self._queue.renew(LEASE_SECONDS, [one.task for one in running]).result()
        for one in running:
            if one.task in lost:
                one.stop.set()

    # -- a task's thread ----------------------------------------------------------------------------------------

    def _run(self, running: _Running[T]) -> None:
        try:
            if self._delay is not None and (seconds := self._delay(running.task)):
                running.stop.wait(seconds)
            with self._workers:
                if not running.stop.is_set():
                    self._work(running.task, running.stop)
        except Exception:
            # Only the database can fail here. If it does so again, the lease expires when there is no other work.
            if not self._closing:
                logger.exception("work of the local LlamaCloud (%s) was interrupted", self._name)
                time.sleep(POLL_SECONDS)
                with suppress(Exception):
                    self._queue.give_back(running.task).result()
        finally:
            with self._lock:
                self._running.remove(running)
            self.ends.tell()
            self._wake.set()


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def slots_of(simulation: Simulation | None) -> int | None:
    """How many jobs a simulated service has running at the same time; None for one a core."""
    if simulation is None:
        return None
    return simulation.max_concurrent_jobs or (MOST_WAITING if simulation.delays_jobs else None)
