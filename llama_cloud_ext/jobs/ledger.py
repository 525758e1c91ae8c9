"""The ledger: what was begun, what runs and what is done, so that nothing is paid for twice.

Each entry stands for one content with one configuration. It holds an intent before a job is created, the job once the
service has accepted it, and the result once it was fetched. A process that is killed and started again resumes what
runs and re-uses what is done; several processes and machines can share one ledger.

A lease is renewed while a create is under way, and is looked at right before the create is sent, so that a process that
was suspended does not send what another one has sent meanwhile. What remains:

- A process that is suspended in the middle of a send, for longer than its lease, may have its job created by another
  one, and its own send accepted when it wakes. The window is one request.
- After a kill a parse job is found by its tag. A deployment that does not return `user_metadata` shows none, and the
  job is paid for again: by name and time alone it could be somebody else's.
- An extract job is found by its input, which is an upload of its own; one on an input that others use, too, by input,
  configuration and time.
- Object stores whose puts and listings are not consistent at once, and fsspec filesystems that cannot create a record
  exclusively, leave a moment in which two processes may both hold an entry.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from llama_cloud_ext.errors import (
    ApiError,
    JobCancelledError,
    JobFailedError,
    LedgerError,
    LlamaCloudError,
    NotFoundError,
    ServerError,
    TransportError,
)
from llama_cloud_ext.jobs.ledger_leases import LEASE_SECONDS, Lease, Leases
from llama_cloud_ext.jobs.ledger_records import EntryRecords, Intent, read_record
from llama_cloud_ext.jobs.ledger_store import LedgerStore, ledger_store
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.job_slots import Slot
from llama_cloud_ext.wire.recovery import new_tag

logger = logging.getLogger(__name__)

_FIRST_LOOK_SECONDS = 0.2
_LAST_LOOK_SECONDS = 5.0

N = TypeVar("N")

Collect = Callable[[CreatedJob, Keep], Awaitable[dict[str, Any]]]
"""Waits for a job, fetches its result and has it kept."""


@dataclass(frozen=True)
class LedgerWork:
    """How one entry is worked on.

    Attributes:
        about: What a person should know of the entry: file, product, host.
        turn: Waits for a place among the unfinished jobs, before the entry is held: others can work on it meanwhile.
        create: Creates the job of an intent, in that place.
        recover: Looks for the job of an intent whose process is gone; None where there is none.
        collect: Waits for the job and fetches its result.
    """

    about: Mapping[str, Any]
    turn: Callable[[], Awaitable[Slot]]
    create: Callable[[Intent, Slot, Hold[Intent]], Awaitable[CreatedJob]]
    recover: Callable[[Intent], Awaitable[CreatedJob | None]]
    collect: Collect


def entry_key(**facts: Any) -> str:
    """The name of an entry: a hash of what decides its result.

    Args:
        **facts: Product, content, host, project and configuration.

    Example:
        >>> entry_key(product="parse", content="abc")[:8]
        'b97f0044'
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class LedgerPlace:
    """Where a job's entry is, as a handle takes it along into other processes.

    Attributes:
        location: The ledger's folder or URL.
        key: The entry.
        about: What a person should know of it.
    """

    location: str
    key: str
    about: Mapping[str, Any]


class Looks:
    """Looks at what another process is doing, further and further apart."""

    def __init__(self) -> None:
        self._pause = _FIRST_LOOK_SECONDS

    async def pause(self) -> None:
        """Wait for the time of the next look."""
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, _LAST_LOOK_SECONDS)


class LeaseLostError(Exception):
    """This process has stalled for so long that another one may have taken over what it was working on."""


@dataclass(frozen=True)
class Hold(Generic[N]):
    """What a create does with the hold that this process has on an entry, or on a batch of them.

    Attributes:
        lease: The hold.
        write: Writes down how far it has come.
    """

    lease: Lease
    write: Callable[[N], Awaitable[None]]

    async def note(self, known: N) -> None:
        """Write down how far it has come, anew once more of it is known.

        Raises:
            LeaseLostError: Somebody else may work on it.
        """
        if await self.lease.is_held():
            await self.write(known)
        # Asked after the write as well, which may have taken long: what follows cannot be undone.
        if not await self.lease.is_held():
            raise LeaseLostError

    async def permit(self) -> None:
        """Allow a create to be sent, which may have waited for its turn since the intent was noted.

        Raises:
            LeaseLostError: The process has stalled for longer than its lease meanwhile.
        """
        if not self.lease.lasts:
            raise LeaseLostError


@dataclass
class _Shared:
    """One entry that is worked on here, and how many wait for it."""

    task: asyncio.Task[dict[str, Any]]
    waiting: int = field(default=0)


class Ledger:
    """Works on entries, each once: within this process at one time, across processes by leases.

    Args:
        store: Where the records are.
        location: The folder or URL by which other processes find it.
        lease_seconds: How long another process may go on without a sign before its entry is taken over.

    Attributes:
        store: Where the records are.
        location: The folder or URL by which other processes find it.
        leases: Holds of this process on entries.
    """

    def __init__(self, store: LedgerStore, location: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.store = store
        self.location = location
        self.leases = Leases(store, lease_seconds)
        self._running: dict[str, _Shared] = {}

    async def result(self, key: str, work: LedgerWork) -> dict[str, Any]:
        """The result of an entry: as it is kept, or of the job that runs already, or of a new one.

        Args:
            key: The entry, as `entry_key` names it.
            work: How it is worked on, where it is not done.

        Returns:
            The service's answer.

        Raises:
            LedgerError: The ledger cannot be read, or not be written before the job is created.
            LlamaCloudError: What creating or collecting the job raised. A job that failed is forgotten, so that the
                next call tries anew.
        """
        records = EntryRecords(self.store, key, work.about)
        shared = self._running.get(key)
        if shared is None:
            shared = self._running[key] = _Shared(asyncio.create_task(self._settled(records, work)))
            shared.task.add_done_callback(lambda task: self._ended(key, task))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                # Nobody wants it any longer: the next call resumes what runs, and what waits for its turn is not begun.
                del self._running[key]
                shared.task.cancel()
                await asyncio.wait([shared.task])

    def _ended(self, key: str, task: asyncio.Task[dict[str, Any]]) -> None:
        if key in self._running and self._running[key].task is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody does any longer, it is no fault of the program's

    async def job(self, key: str, work: LedgerWork) -> CreatedJob:
        """The job of an entry, without waiting for its end: the one that there is, or a new one.

        Args:
            key: The entry, as `entry_key` names it.
            work: How it is worked on.

        Raises:
            LlamaCloudError: As `result`, as far as creating the job goes.
        """
        records = EntryRecords(self.store, key, work.about)
        done = await records.finished_job()
        return done or (await self._begun(records, work))[0]

    async def collected(self, place: LedgerPlace, job: CreatedJob, collect: Collect) -> dict[str, Any]:
        """The result of a job that `job` gave: as it is kept, or else of the service, and kept.

        Args:
            place: The entry.
            job: The job.
            collect: Waits for the job and fetches its result.

        Raises:
            LlamaCloudError: What collecting the job raised.
        """
        records = EntryRecords(self.store, place.key, place.about)
        kept = await records.kept()
        return kept if kept is not None else await self._collected(records, job, collect)

    async def remembered(
        self, name: str, ask: Callable[[], Awaitable[dict[str, Any]]], *, seconds: float
    ) -> dict[str, Any]:
        """An answer of the service that is good for some time, so that kept results take no request at all.

        Args:
            name: What it is the answer to.
            ask: Asks for it; an older answer does where the service cannot be reached.
            seconds: How long it is good for.
        """
        place = f"answers/{name}.json"
        record = await in_thread(read_record, self.store, place) or {}
        known, asked = record.get("answer"), record.get("asked")
        if isinstance(known, dict) and isinstance(asked, float) and 0 <= time.time() - asked < seconds:
            return known
        try:
            answer = await ask()
        except (TransportError, ServerError) as error:
            if not isinstance(known, dict):
                raise
            logger.info("the service could not be asked, and its last answer is taken: %s", error)
            return known
        said = json.dumps({"asked": time.time(), "answer": answer}).encode()
        await harmless(in_thread(self.store.put, place, said))
        return answer

    async def _settled(self, records: EntryRecords, work: LedgerWork) -> dict[str, Any]:
        while True:
            kept = await records.kept()
            if kept is not None:
                return kept
            job, is_new = await self._begun(records, work)
            try:
                return await self._collected(records, job, work.collect)
            except NotFoundError:
                if is_new:
                    raise  # creating another one would end the same way, and cost again
                logger.info("job %s of the ledger is gone from the service: it is created anew", job.job_id)

    async def _begun(self, records: EntryRecords, work: LedgerWork) -> tuple[CreatedJob, bool]:
        """The job of an entry, and whether it is new here; that of another process is waited for until it is known."""
        looks = Looks()
        while True:
            if (job := await records.job()) is not None:
                return job, False
            slot = await work.turn()
            new: CreatedJob | None = None
            is_used = False
            try:
                async with self.leases.held(records.place) as lease:
                    # Between the look and the lease another process may have created it.
                    if lease is not None and (job := await records.job()) is None:
                        new = await self._created(records, work, slot, lease)
                if new is not None:
                    is_used = True
                    return new, True
            finally:
                if not is_used:
                    slot.release()
            if job is None:
                await looks.pause()

    async def _created(self, records: EntryRecords, work: LedgerWork, slot: Slot, lease: Lease) -> CreatedJob | None:
        """The job of an entry held here, of a lost process or new; None where the hold was lost meanwhile."""
        left = await records.intent()
        job = await work.recover(left) if left is not None else None
        if job is not None:
            logger.info("the ledger has found job %s, created by a process that is gone", job.job_id)
            job.slot = slot
        else:
            # With the tag of the lost process: should it live after all, it finds this job instead of creating another.
            intent = Intent(new_tag(), time.time()) if left is None else Intent(left.tag, time.time())

            hold = Hold(lease, records.note_intent)
            try:
                await hold.note(intent)
                job = await work.create(intent, slot, hold)
            except LeaseLostError:
                return None
            except LlamaCloudError as error:
                if _nothing_was_created(error):
                    await harmless(records.drop_intent())
                raise
        # Paid for already: from here on the ledger's own failures only cost the next process a look-up.
        await harmless(records.note_job(job))
        return job

    @staticmethod
    async def _collected(records: EntryRecords, job: CreatedJob, collect: Collect) -> dict[str, Any]:
        """The result of a job, which is kept."""
        try:
            return await collect(job, lambda response: harmless(records.keep(job.job_id, response)))
        except (NotFoundError, JobFailedError, JobCancelledError):
            await harmless(records.forget(job.job_id))
            raise


def _nothing_was_created(error: LlamaCloudError) -> bool:
    """Whether a create that raised this was refused, rather than lost on its way or answered by something else."""
    if isinstance(error, ApiError):
        return not isinstance(error, ServerError) and error.status >= 400
    return not isinstance(error, TransportError)


async def harmless(writing: Awaitable[None]) -> None:
    """Write what is only for the next process: where that fails, this one goes on with what it has.

    Args:
        writing: Writes it.
    """
    try:
        await writing
    except LedgerError as error:
        logger.warning("what was just done is not kept: %s", error)


_ledgers: dict[tuple[int, str], Ledger] = {}


def ledger_at(location: str | os.PathLike[str]) -> Ledger:
    """The ledger at a location: one for the whole process, so that its callers share what is under way.

    Args:
        location: A folder, or a URL of fsspec such as "s3://bucket/ledger" or "memory://ledger".

    Raises:
        ConfigurationError: There is no such kind of location.
    """
    place = os.fspath(location)
    if "://" not in place and place.strip():
        place = os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 - a path of another system may come as a str
    key = (os.getpid(), place)
    if key not in _ledgers:
        _ledgers[key] = Ledger(ledger_store(place), place)
    return _ledgers[key]
