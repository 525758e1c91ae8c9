"""The ledger: what was begun, what runs and what is done, so that nothing is paid for twice.

Each entry stands for one content with one configuration. It holds an intent before a job is created, the job once the
service has accepted it, and the result once it was fetched. A process that is killed and started again resumes what
runs and re-uses what is done; several processes and machines can share one ledger. Records are JSON, results are
compressed; one that was half written counts as none.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import (
    ConfigurationError,
    JobCancelledError,
    JobFailedError,
    LlamaCloudError,
    NotFoundError,
    ServerError,
    TransportError,
)
from llama_cloud_ext.jobs.ledger_leases import Leases
from llama_cloud_ext.jobs.ledger_store import LedgerStore, ledger_store
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.recovery import new_tag

logger = logging.getLogger(__name__)

# Looks at what another process is doing come further and further apart.
_FIRST_LOOK_SECONDS = 0.2
_LAST_LOOK_SECONDS = 5.0

_INTENT, _JOB, _RESULT = "intent.json", "job.json", "result.json.gz"


@dataclass(frozen=True)
class Intent:
    """What is written down before a job is created.

    Attributes:
        tag: What the create carries, by which its job can be found.
        begun: When, seconds since 1970.
        file_id: The upload that the job works on, where there is one already.
    """

    tag: str
    begun: float
    file_id: str | None = None


@dataclass(frozen=True)
class LedgerWork:
    """How one entry is worked on.

    Attributes:
        about: What a person should know of the entry: file, product, configuration.
        create: Creates the job of an intent; is given a function that writes the intent down anew.
        recover: Looks for the job of an intent whose process is gone; None where there is none.
        collect: Waits for a job and fetches its result.
    """

    about: Mapping[str, Any]
    create: Callable[[Intent, Callable[[Intent], Awaitable[None]]], Awaitable[CreatedJob]]
    recover: Callable[[Intent], Awaitable[CreatedJob | None]]
    collect: Callable[[CreatedJob], Awaitable[dict[str, Any]]]


def entry_key(**facts: Any) -> str:
    """The name of an entry: a hash of what decides its result.

    Args:
        **facts: Product, content, host, project and configuration.

    Example:
        >>> entry_key(product="parse", content="abc")[:8]
        'c4ae7ad2'
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Ledger:
    """Works on entries, each once: within this process at one time, across processes by leases.

    Args:
        store: Where the records are.
        lease_seconds: How long another process may go on without a sign before its entry is taken over.
    """

    def __init__(self, store: LedgerStore, *, lease_seconds: float | None = None) -> None:
        self._store = store
        self._leases = Leases(store) if lease_seconds is None else Leases(store, lease_seconds)
        self._running: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def result(self, key: str, work: LedgerWork) -> dict[str, Any]:
        """The result of an entry: as it is kept, or of the job that runs already, or of a new one.

        Args:
            key: The entry, as `entry_key` names it.
            work: How it is worked on, where it is not done.

        Returns:
            The service's answer.

        Raises:
            LlamaCloudError: What creating or collecting the job raised. A job that failed is forgotten, so that the
                next call tries anew.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._settled(_place(key), work))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # A caller that gives up must not take it from another one.
        return await asyncio.shield(task)

    async def job(self, key: str, work: LedgerWork) -> CreatedJob:
        """The job of an entry, without waiting for its end: the one that there is, or a new one.

        Args:
            key: The entry, as `entry_key` names it.
            work: How it is worked on.

        Raises:
            LlamaCloudError: What creating the job raised.
        """
        entry = _place(key)
        kept = await self._read(entry, _RESULT)
        done = (kept or {}).get("about", {}).get("job_id")
        return CreatedJob(str(done)) if done else await self._begun(entry, work)

    async def _settled(self, entry: str, work: LedgerWork) -> dict[str, Any]:
        while True:
            kept = await self._kept(entry)
            if kept is not None:
                return kept
            response = await self._collected(entry, await self._begun(entry, work), work)
            if response is not None:
                return response

    async def _begun(self, entry: str, work: LedgerWork) -> CreatedJob:
        """The job of an entry: that of another process, which is waited for until it is known, or a new one."""
        pause = _FIRST_LOOK_SECONDS
        while True:
            job = await self._job(entry)
            if job is None:
                async with self._leases.held(entry) as held:
                    # Between the look and the lease another process may have created it.
                    if held and (job := await self._job(entry)) is None:
                        job = await self._created(entry, work)
            if job is not None:
                return job
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK_SECONDS)

    async def _created(self, entry: str, work: LedgerWork) -> CreatedJob:
        """The job of the entry, held by this process: one that a lost process has created, or a new one."""
        job: CreatedJob | None = None
        if (left := await self._intent(entry)) is not None:
            job = await work.recover(left)
            if job is not None:
                logger.info("the ledger has found job %s, created by a process that is gone", job.job_id)
        if job is None:
            intent = Intent(new_tag(), time.time())
            await self._write_intent(entry, intent)
            try:
                job = await work.create(intent, lambda known: self._write_intent(entry, known))
            except (TransportError, ServerError):
                raise  # the service may have accepted it: the next process looks
            except LlamaCloudError:
                await in_thread(self._store.delete, f"{entry}/{_INTENT}")
                raise
        record = {**work.about, "job_id": job.job_id, "file_id": job.file_id, "created": time.time()}
        await in_thread(self._store.put, f"{entry}/{_JOB}", json.dumps(record).encode())
        return job

    async def _collected(self, entry: str, job: CreatedJob, work: LedgerWork) -> dict[str, Any] | None:
        """The result of a job, which is kept; None where the service has forgotten the job."""
        try:
            response = await work.collect(job)
        except NotFoundError:
            logger.info("job %s of the ledger is gone from the service: it is created anew", job.job_id)
            await self._forget(entry)
            return None
        except (JobFailedError, JobCancelledError):
            await self._forget(entry)
            raise
        about = {**work.about, "job_id": job.job_id, "finished": time.time()}
        await in_thread(self._put_result, entry, {"about": about, "response": response})
        return response

    async def _forget(self, entry: str) -> None:
        for name in (_JOB, _INTENT):
            await in_thread(self._store.delete, f"{entry}/{name}")

    async def _kept(self, entry: str) -> dict[str, Any] | None:
        kept = await self._read(entry, _RESULT)
        response = kept.get("response") if kept is not None else None
        return response if isinstance(response, dict) else None

    async def _job(self, entry: str) -> CreatedJob | None:
        record = await self._read(entry, _JOB)
        if record is None or not isinstance(record.get("job_id"), str):
            return None
        return CreatedJob(record["job_id"], file_id=record.get("file_id"))

    async def _intent(self, entry: str) -> Intent | None:
        record = await self._read(entry, _INTENT)
        try:
            return None if record is None else Intent(record["tag"], float(record["begun"]), record.get("file_id"))
        except (KeyError, TypeError, ValueError):
            return None

    async def _write_intent(self, entry: str, intent: Intent) -> None:
        record = {"tag": intent.tag, "begun": intent.begun, "file_id": intent.file_id}
        await in_thread(self._store.put, f"{entry}/{_INTENT}", json.dumps(record).encode())

    async def _read(self, entry: str, name: str) -> dict[str, Any] | None:
        return await in_thread(read_record, self._store, f"{entry}/{name}")

    def _put_result(self, entry: str, record: Mapping[str, Any]) -> None:
        data = gzip.compress(json.dumps(record, ensure_ascii=True).encode(), compresslevel=5, mtime=0)
        self._store.put(f"{entry}/{_RESULT}", data)


def _place(key: str) -> str:
    # Folders of a million files are slow in some places.
    return f"{key[:2]}/{key}"


def read_record(store: LedgerStore, name: str) -> dict[str, Any] | None:
    """A record of a ledger; None where there is none, or one that was half written. Blocking.

    Args:
        store: The ledger's store.
        name: The record.
    """
    data = store.read(name)
    if data is None:
        return None
    try:
        record = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    except (ValueError, OSError, EOFError) as error:
        logger.warning("the ledger's record %s cannot be read and counts as none: %s", name, error)
        return None
    return record if isinstance(record, dict) else None


_ledgers: dict[tuple[int, str], Ledger] = {}


def ledger_at(location: str | os.PathLike[str]) -> Ledger:
    """The ledger at a location: one for the whole process, so that its callers share what is under way.

    Args:
        location: A folder, or a URL of fsspec such as "s3://bucket/ledger" or "memory://ledger".

    Raises:
        ConfigurationError: There is no such kind of location.
    """
    place = os.fspath(location)
    if not place.strip():
        raise ConfigurationError("the ledger has no location", option="ledger", hint='Name one: ledger="./.ledger".')
    if "://" not in place:
        place = os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 - a path of another system may come as a str
    key = (os.getpid(), place)
    if key not in _ledgers:
        _ledgers[key] = Ledger(ledger_store(place))
    return _ledgers[key]
