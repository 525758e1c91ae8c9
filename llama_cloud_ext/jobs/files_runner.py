"""One call with many inputs, on the I/O loop: several at a time, each failure kept to its own input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from llama_cloud_ext.errors import FailedItem, LlamaCloudError
from llama_cloud_ext.progress import ProgressReport, ShowProgress

logger = logging.getLogger(__name__)

# A stream works on as many files as there are job slots, and on as many again whose results wait to be read.
_STREAM_AHEAD = 2


class Labelled(Protocol):
    """What messages can speak of."""

    @property
    def label(self) -> str:
        """The name for messages."""
        ...


S_co = TypeVar("S_co", bound=Labelled, covariant=True)
S = TypeVar("S", bound=Labelled)
T = TypeVar("T")


class Item(Labelled, Protocol[S_co]):
    """One input of a call, not looked at yet."""

    @property
    def index(self) -> int:
        """Its place in the call, from 0."""
        ...

    async def resolve(self) -> S_co:
        """Look at it."""
        ...


class FilesRunner(Generic[S]):
    """Works on the inputs of one call.

    Args:
        num_workers: The most unfinished jobs.
        show_progress: A bar, a callback, or nothing.
        title: What stands before the bar, such as "Parsing".
        held_up: Seconds for which requests wait for a rate limit; None where nobody knows.
    """

    def __init__(
        self,
        *,
        num_workers: int,
        show_progress: ShowProgress,
        title: str,
        held_up: Callable[[], float] | None = None,
    ) -> None:
        self._num_workers = num_workers
        self._show_progress = show_progress
        self._title = title
        self._held_up = held_up

    async def all(self, items: Sequence[Item[S]], work: Callable[[S], Awaitable[T]]) -> list[T | FailedItem]:
        """Work on all inputs; their outcomes in the order of the inputs."""
        progress = self._progress(items)
        try:
            return await asyncio.gather(*(self._outcome(item, work, progress) for item in items))
        finally:
            progress.close()

    async def stream(
        self, items: Sequence[Item[S]], work: Callable[[S], Awaitable[T]], *, in_order: bool = False
    ) -> AsyncIterator[T | FailedItem]:
        """Work on all inputs; each outcome as soon as it is there, or in the order of the inputs."""
        progress = self._progress(items)
        waiting = iter(items)
        running: dict[asyncio.Task[T | FailedItem], None] = {}
        try:
            while True:
                while len(running) < self._num_workers * _STREAM_AHEAD and (item := next(waiting, None)) is not None:
                    running[asyncio.create_task(self._outcome(item, work, progress))] = None
                if not running:
                    return
                awaited = [next(iter(running))] if in_order else list(running)
                finished, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    del running[task]
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            if running:
                # Their jobs may have to be deleted, and whoever leaves the stream may end the process next.
                await asyncio.wait(running)
            progress.close()

    async def start(self, items: Sequence[Item[S]], work: Callable[[S], Awaitable[T]]) -> list[T | FailedItem]:
        """Start something for each input, without waiting for its end and so without progress to show."""
        return await asyncio.gather(*(self._guarded(item, work) for item in items))

    async def _outcome(
        self, item: Item[S], work: Callable[[S], Awaitable[T]], progress: ProgressReport
    ) -> T | FailedItem:
        outcome = await self._guarded(item, work)
        if isinstance(outcome, FailedItem):
            await progress.finished(outcome.source, failed=True)
        else:
            await progress.finished(item.label, credits_used=credits_of(outcome))
        return outcome

    async def _guarded(self, item: Item[S], work: Callable[[S], Awaitable[T]]) -> T | FailedItem:
        """What the work on one input gives, or the record of its failure: a bad one never takes the others along."""
        name = item.label
        try:
            source = await item.resolve()
            name = source.label
            return await work(source)
        except LlamaCloudError as error:
            return FailedItem(name, error.with_context(file=name), getattr(error, "job", None), item.index)
        except Exception as error:
            logger.exception("unexpected failure at %s", name)
            return FailedItem(name, error, None, item.index)

    def _progress(self, items: Sequence[Item[S]]) -> ProgressReport:
        return ProgressReport(self._show_progress, len(items), self._title, held_up=self._held_up)


def credits_of(outcome: Any) -> float | None:
    """What the job behind a result cost, where the service has counted and told."""
    credits_used: float | None = getattr(getattr(outcome, "job", None), "credits", None)
    return credits_used
