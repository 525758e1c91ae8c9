"""The job watcher: one loop waits for all unfinished jobs of one product, account and project.

Its intervals grow with a job's age, so that what is lost between the end of a job and its notice stays near a tenth
of the job's own time, whether it takes half a second or an hour. Jobs in flight share their rounds: the list endpoints
take `job_ids`, so that a hundred jobs cost one request a round; where a deployment ignores that filter, each is asked
for.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter, ValidationError

from llama_cloud_ext.errors import (
    ApiError,
    AuthenticationError,
    JobDeadlineError,
    LlamaCloudError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TransportError,
)
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.retry import worth_retrying
from llama_cloud_ext.wire.transport import Connection

logger = logging.getLogger(__name__)

JobRecord = dict[str, Any]
ListJobs = Callable[[Connection, Sequence[str]], AsyncIterator[JobRecord]]

# A list that keeps failing is not worth a long wait: each job can be asked for by itself.
LIST_BUDGET_SECONDS = 8.0
# interval = U(JITTER, 1) x min(LONGEST, SHORTEST + GROWTH x age). A sixth of the age at each look means a twelfth lost
# on average; the constant part keeps jobs of a second from being asked for every few milliseconds.
_SHORTEST_SECONDS = 0.18
_GROWTH = 0.16
_LONGEST_SECONDS = 20.0
_JITTER = 0.9
# Jobs of many ages would otherwise fall due one by one: rounds for several jobs keep this distance.
_ROUND_GAP_SECONDS = 0.12
# As many jobs as one list request asks for, whatever number is due.
_ROUND_SIZE = 100
_SINGLE_REQUESTS_AT_ONCE = 8
# A request that hangs, or is sent again and again, must not keep other jobs from being looked at: one that is out for
# so long is no longer waited for. More than a few at a time would only queue up where the rate is limited.
_SLOW_ROUND_SECONDS = 2.0
_MOST_ROUNDS = 3
# Durations are foreseen from at least 4 of the last 16, when four fifths of them lie within a fifth of each other.
_REMEMBERED_DURATIONS = 16
_FEWEST_DURATIONS = 4
_ALIKE = 0.2
_SLIGHTLY_LATE = 1.05
# A look at the very moment of the end would often come just before it.
_AFTER_THE_END_SECONDS = 0.03
_MOMENT = TypeAdapter(datetime)
# A service that has not answered for this long is not coming back soon; the job can be resumed by its id.
_SILENCE_LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class JobKind:
    """What the watcher must know of a product: how its jobs are read and which states are final.

    Attributes:
        product: The product's name in messages ("parse").
        get: Reads one job's record, a dict with at least `id` and `status`.
        list_jobs: Iterates over the records of `job_ids`; None where no endpoint lists them, so that each job is asked
            for when its turn has come.
        terminal: The states in which a job stays. Any other one, known or new, counts as still running.
    """

    product: str
    get: Callable[[Connection, str], Awaitable[JobRecord]]
    list_jobs: ListJobs | None
    terminal: frozenset[str]

    def is_terminal(self, record: JobRecord) -> bool:
        """Whether the record's state is final."""
        return str(record.get("status") or "").upper() in self.terminal


def poll_interval(age: float, uniform: float) -> float:
    """Seconds from one look at a job of `age` seconds to the next; `uniform` is a random number in [0, 1)."""
    jitter = _JITTER + (1 - _JITTER) * uniform
    return jitter * min(_LONGEST_SECONDS, _SHORTEST_SECONDS + _GROWTH * max(0.0, age))


class RecentDurations:
    """How long the last jobs of a kind took by the service's own clock: where they are alike, the next end is foreseen.

    A foreseen end only ever brings a look forward, so that a wrong guess costs one request and no time.
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED_DURATIONS)

    def note(self, record: JobRecord) -> None:
        """Learn from a record in a final state; one without usable times teaches nothing."""
        try:
            created = _MOMENT.validate_python(record.get("created_at"))
            updated = _MOMENT.validate_python(record.get("updated_at"))
            self._seconds.append((updated - created).total_seconds())
        except (ValidationError, TypeError):
            return

    def foreseen(self, age: float) -> float | None:
        """The next age at which a job of this age is likely to have ended; None where there is no telling."""
        if len(self._seconds) < _FEWEST_DURATIONS:
            return None
        ordered = sorted(self._seconds)
        early, late, latest = ordered[len(ordered) // 5], ordered[len(ordered) * 4 // 5], ordered[-1]
        if not 0 < late - early + _AFTER_THE_END_SECONDS <= _ALIKE * late:
            return None
        # Most end by the first of these, nearly all by the second; the third is for the one that is a little late.
        guesses = (guess + _AFTER_THE_END_SECONDS for guess in (late, latest, _SLIGHTLY_LATE * latest))
        return next((guess for guess in guesses if guess > age), None)


@dataclass
class _Watch:
    """A job that somebody waits for."""

    job_id: str
    born: float
    due: float
    answer: asyncio.Future[JobRecord]
    waiters: int = 0
    looked_at: bool = False
    last: JobRecord = field(default_factory=dict)

    def settle(self, outcome: JobRecord | BaseException) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class JobWatcher:
    """Waits for the jobs of one kind on one connection. Lives on the I/O loop.

    Args:
        connection: The connection whose account and project the jobs belong to.
        kind: The product's way of reading jobs.
        clock: Monotonic seconds, for tests.
        uniform: Random numbers in [0, 1), for tests.
    """

    def __init__(
        self,
        connection: Connection,
        kind: JobKind,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._kind = kind
        self._clock = clock
        self._uniform = uniform
        self._watches: dict[str, _Watch] = {}
        self._wake = asyncio.Event()
        self._single_requests = asyncio.Semaphore(_SINGLE_REQUESTS_AT_ONCE)
        self._rounds: dict[asyncio.Task[None], list[_Watch]] = {}
        self._task: asyncio.Task[None] | None = None
        self._durations = RecentDurations()
        self._multiplex = kind.list_jobs is not None
        self._last_round = float("-inf")
        self._last_heard = clock()

    async def wait(
        self, job_id: str, *, known: JobRecord | None = None, born: float | None = None, timeout: float | None = None
    ) -> JobRecord:
        """Wait until the job is in a final state and return its record.

        Args:
            job_id: The job.
            known: Its record as the create request answered it, which counts as the first look. Without it the first
                look is taken at once.
            born: The monotonic time of its creation; now when left out.
            timeout: The most seconds to wait; with 0 the job is looked at once, and not waited for.

        Raises:
            JobDeadlineError: When the time is up. The job goes on and can be waited for again.
            ApiError: When the service refuses to tell (401, 403, 404), at once.
            TransportError: When the service has not answered for ten minutes.
        """
        if known is None and timeout is not None and timeout <= 0:
            known = await self._kind.get(self._connection, job_id)
        if known is not None and self._kind.is_terminal(known):
            return known
        watch = self._watch(job_id, known, born)
        watch.waiters += 1
        self._start()
        try:
            await asyncio.wait([watch.answer], timeout=timeout)
            if watch.answer.done():
                return watch.answer.result()
            raise JobDeadlineError(
                f"{self._kind.product} job {job_id} was still {watch.last.get('status') or 'unfinished'} "
                f"after {timeout:g} s",
                job_id=job_id,
                product=self._kind.product,
                status=watch.last.get("status"),
                job=dict(watch.last),
                hint="The job goes on: collect it later by its job id, or allow more time with job_timeout=…",
            )
        finally:
            watch.waiters -= 1
            if watch.waiters == 0:
                self._drop(watch)
                self._call_off()

    def _watch(self, job_id: str, known: JobRecord | None, born: float | None) -> _Watch:
        watch = self._watches.get(job_id)
        if watch is None:
            now = self._clock()
            born = now if born is None else born
            # The record that the create request answered is a look taken at the job's birth.
            due = now if known is None else self._next_look(born, born)
            answer: asyncio.Future[JobRecord] = asyncio.get_running_loop().create_future()
            # A waiter that gave up leaves the future unread, which is no error.
            answer.add_done_callback(lambda future: future.cancelled() or future.exception())
            watch = self._watches[job_id] = _Watch(job_id, born, due, answer, last=known or {})
        return watch

    def _start(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done():
            self._last_heard = self._clock()
            self._task = io_loop.spawn(self._main())

    async def _main(self) -> None:
        try:
            while self._watches:
                now = self._clock()
                start = self._next_round()
                if start <= now:
                    self._round(now)
                else:
                    await self._sleep(start - now)
        except BaseException as error:
            for watch in list(self._watches.values()):
                watch.settle(error if isinstance(error, Exception) else asyncio.CancelledError())
            raise

    def _next_round(self) -> float:
        """The time of the next round; infinite while there is nothing to do before something ends."""
        start = min((watch.due for watch in self._watches.values() if not watch.looked_at), default=float("inf"))
        if len(self._watches) > 1:
            start = max(start, self._last_round + _ROUND_GAP_SECONDS)
        if self._rounds and self._multiplex:
            over = len(self._rounds) >= _MOST_ROUNDS
            start = max(start, float("inf") if over else self._last_round + _SLOW_ROUND_SECONDS)
        return start

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), None if seconds == float("inf") else seconds)
        except asyncio.TimeoutError:
            return

    def _round(self, now: float) -> None:
        """Look at what is due, and at others as far as the same request can carry them."""
        self._last_round = now
        by_age = sorted((watch for watch in self._watches.values() if not watch.looked_at), key=lambda watch: watch.due)
        batch = [watch for watch in by_age if watch.due <= now]
        if self._multiplex:
            batch = by_age[: max(len(batch), _ROUND_SIZE)]
        for watch in batch:
            watch.due = self._next_look(now, watch.born)
            watch.looked_at = True
        list_jobs = self._kind.list_jobs if self._multiplex and len(batch) > 1 else None
        task = io_loop.spawn(self._look_at_each(batch) if list_jobs is None else self._look_at_all(batch, list_jobs))
        self._rounds[task] = batch
        task.add_done_callback(self._ended)

    def _call_off(self) -> None:
        """End the requests whose answers nobody waits for any more."""
        for task, batch in self._rounds.items():
            if all(watch.waiters == 0 for watch in batch):
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._rounds[task]
        self._wake.set()

    def _next_look(self, now: float, born: float) -> float:
        planned = now + poll_interval(now - born, self._uniform())
        foreseen = self._durations.foreseen(now - born)
        return planned if foreseen is None else min(planned, born + foreseen)

    async def _look_at_all(self, batch: list[_Watch], list_jobs: ListJobs) -> None:
        wanted = {watch.job_id: watch for watch in batch}
        try:
            async for record in list_jobs(self._connection, list(wanted)):
                watch = wanted.pop(str(record.get("id")), None)
                if watch is not None:
                    self._saw(watch, record)
                    self._looked_at(watch)
                elif str(record.get("id")) not in self._watches:
                    # A job that nobody asked for: this deployment does not know the filter.
                    self._multiplex = False
                    break
        except (AuthenticationError, PermissionDeniedError, RateLimitError, TransportError) as error:
            self._note_failure(list(wanted.values()), error)
            return
        except ApiError as error:
            logger.info("%s jobs cannot be listed by id (%s); asking for each", self._kind.product, error.status)
            # A server that fails at the list may answer for each job, and may list them the next time.
            self._multiplex = isinstance(error, ServerError) and worth_retrying(error)
        except Exception as error:
            self._give_up(list(wanted.values()), error)
            return
        await self._look_at_each(wanted.values())

    async def _look_at_each(self, batch: Iterable[_Watch]) -> None:
        await asyncio.gather(*(self._look_at(watch) for watch in batch))

    async def _look_at(self, watch: _Watch) -> None:
        try:
            async with self._single_requests:
                self._saw(watch, await self._kind.get(self._connection, watch.job_id))
            self._looked_at(watch)
        except LlamaCloudError as error:
            self._note_failure([watch], error)
        except Exception as error:
            self._give_up([watch], error)

    def _looked_at(self, watch: _Watch) -> None:
        watch.looked_at = False
        self._wake.set()

    def _saw(self, watch: _Watch, record: JobRecord) -> None:
        self._last_heard = self._clock()
        watch.last = record
        if self._kind.is_terminal(record):
            self._durations.note(record)
            watch.settle(record)
            self._drop(watch)

    def _note_failure(self, batch: list[_Watch], error: LlamaCloudError) -> None:
        """A fault on the way says nothing about the jobs: look again. A refusal is final for those it concerns."""
        passing = isinstance(error, (TransportError, ServerError, RateLimitError))
        silent_for = self._clock() - self._last_heard
        if passing and silent_for < _SILENCE_LIMIT_SECONDS:
            logger.warning("%s jobs could not be looked at, trying again: %s", self._kind.product, error)
            for watch in batch:
                self._looked_at(watch)
        else:
            self._give_up(batch, error)

    def _give_up(self, batch: list[_Watch], error: Exception) -> None:
        for watch in batch:
            # A copy each, as every waiter adds its own file and job to it.
            watch.settle(copy(error))
            self._drop(watch)

    def _drop(self, watch: _Watch) -> None:
        # Somebody may wait for the same job anew while a look of an earlier watch is still out.
        if self._watches.get(watch.job_id) is watch:
            del self._watches[watch.job_id]
        self._wake.set()


_watchers: WeakKeyDictionary[Any, dict[tuple[Any, ...], JobWatcher]] = WeakKeyDictionary()


def watcher_for(connection: Connection, kind: JobKind) -> JobWatcher:
    """The one watcher of this kind for the connection's account and project. Only on the I/O loop."""
    settings = connection.settings
    of_pool = _watchers.setdefault(connection.pool, {})
    key = (kind.product, settings.project_id, settings.organization_id)
    watcher = of_pool.get(key)
    if watcher is None:
        watcher = of_pool[key] = JobWatcher(connection, kind)
    return watcher
