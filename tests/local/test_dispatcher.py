"""The dispatcher that all queues of local LlamaCloud share, with a queue in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local import Simulation
from llama_cloud_ext.local.dispatcher import MOST_WAITING, Dispatcher, slots_of
from llama_cloud_ext.local.leases import Owner

Work = Callable[[str, threading.Event], None]


class MemoryQueue:
    """A queue of names. What is in `taken_over` is lost at the next renewal; in `failing`, looking for work fails."""

    def __init__(self, *waiting: str) -> None:
        self.waiting = list(waiting)
        self.taken_over: set[str] = set()
        self.failing: list[Exception] = []
        self.given_back: list[str] = []
        self.released = False

    def other_owners(self) -> Future[list[str]]:
        """Nobody else."""
        return done([])

    def claim(self, lease: float, *, gone: Sequence[str], alive: Sequence[str]) -> Future[str | None]:
        """The first name."""
        if self.failing:
            raise self.failing.pop()
        return done(self.waiting.pop(0) if self.waiting else None)

    def renew(self, lease: float, running: Collection[str]) -> Future[list[str]]:
        """What somebody else has taken."""
        return done([name for name in running if name in self.taken_over])

    def give_back(self, task: str) -> Future[None]:
        """Have it tried again."""
        self.given_back.append(task)
        self.waiting.append(task)
        return done(None)

    def release(self) -> Future[None]:
        """Note the end."""
        self.released = True
        return done(None)


def done(value: Any) -> Future[Any]:
    """A future that has its result."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future


@contextmanager
def dispatching(tmp_path: Path, queue: MemoryQueue, work: Work, **options: Any) -> Iterator[Dispatcher[str]]:
    """A dispatcher that closes with the block."""
    dispatcher: Dispatcher[str] = Dispatcher(Owner(tmp_path), queue, work, name="test", **options)
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that takes its time takes less."""
    for name, seconds in {"POLL_SECONDS": 0.02, "RENEWAL_SECONDS": 0.01, "LONGEST_GOODBYE": 0.2}.items():
        monkeypatch.setattr(f"llama_cloud_ext.local.dispatcher.{name}", seconds)


def test_as_many_work_as_there_are_workers(tmp_path: Path) -> None:
    """Ensure no more tasks work at a time than there are workers, though more may be taken and wait."""
    working, most, lock = set[str](), [0], threading.Lock()

    def work(task: str, stop: threading.Event) -> None:
        with lock:
            working.add(task)
            most[0] = max(most[0], len(working))
        time.sleep(0.02)
        with lock:
            working.discard(task)

    queue = MemoryQueue(*map(str, range(12)))
    with dispatching(tmp_path, queue, work, workers=3, slots=12):
        until(lambda: not queue.waiting)
        until(lambda: not working)
    assert most == [3]


def test_what_is_lost_is_stopped(tmp_path: Path) -> None:
    """Ensure work hears that its task was taken over, or that nobody wants it any more, and others go on."""
    stops: dict[str, threading.Event] = {}

    def work(task: str, stop: threading.Event) -> None:
        stops[task] = stop
        stop.wait(5)

    queue = MemoryQueue("lost", "unwanted", "kept")
    with dispatching(tmp_path, queue, work, workers=3) as dispatcher:
        until(lambda: len(stops) == 3)
        queue.taken_over.add("lost")
        until(stops["lost"].is_set)
        dispatcher.stop(lambda task: task == "unwanted")
        assert stops["unwanted"].is_set()
        assert not stops["kept"].is_set()
    assert stops["kept"].is_set(), "closing stops everything"
    assert queue.released


def test_what_is_interrupted_is_given_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a task whose end could not be written, and a queue that could not be read, are tried again."""
    failures, ended = [OSError("disk full")], list[str]()

    def work(task: str, stop: threading.Event) -> None:
        if failures:
            raise failures.pop()
        ended.append(task)

    queue = MemoryQueue("task")
    queue.failing.append(OSError("locked"))
    with dispatching(tmp_path, queue, work):
        until(lambda: ended)
    assert (queue.given_back, ended) == (["task"], ["task"])
    assert "the test queue of the local LlamaCloud could not be read" in caplog.text
    assert "work of the local LlamaCloud (test) was interrupted" in caplog.text


def test_delays_hold_up_nobody(tmp_path: Path) -> None:
    """Ensure a task that waits leaves its worker to others, and is not begun once it is unwanted."""
    ended: list[str] = []
    queue = MemoryQueue("slow", "quick")
    delays = {"slow": 5.0, "quick": 0.0}
    with dispatching(
        tmp_path, queue, lambda task, _: ended.append(task), workers=1, slots=2, delay=lambda task: delays[task]
    ) as dispatcher:
        until(lambda: ended == ["quick"])
        dispatcher.stop(lambda task: task == "slow")
    assert ended == ["quick"]


def test_followers_hear_of_every_end(tmp_path: Path) -> None:
    """Ensure who follows is called when a task ends, so that what waits for it can go on."""
    heard = threading.Event()
    queue = MemoryQueue()
    with dispatching(tmp_path, queue, lambda *_: None) as dispatcher:
        dispatcher.ends.call(heard.set)
        queue.waiting.append("task")
        dispatcher.wake()
        assert heard.wait(5)


def test_slots_of_simulations() -> None:
    """Ensure a simulated service takes as many jobs as it says, and any number where waiting is all they do."""
    assert slots_of(None) is None
    assert slots_of(Simulation()) is None
    assert slots_of(Simulation(latency=1.0)) == MOST_WAITING
    assert slots_of(Simulation(latency=1.0, max_concurrent_jobs=3)) == 3
