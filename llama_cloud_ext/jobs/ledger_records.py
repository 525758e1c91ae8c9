"""The records of a ledger's entries: what each says, and how it is read and written.

An entry is a folder named after its key, with up to three records: an intent before a job is created, the job once the
service has accepted it, and the result once it was fetched. Records are JSON, results are compressed; one that was half
written counts as none.
"""

from __future__ import annotations

import gzip
import json
import logging
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.jobs.ledger_store import LedgerStore
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.wire.io_loop import in_thread

logger = logging.getLogger(__name__)

BATCHES = "batches"
"""Where the records of batches are that are under way."""

INTENT, JOB, RESULT = "intent.json", "job.json", "result.json.gz"


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


class EntryRecords:
    """The records of one entry, read and written in threads.

    Args:
        store: The ledger's store.
        key: The entry.
        about: What a person should know of it: file, product, host.
    """

    def __init__(self, store: LedgerStore, key: str, about: Mapping[str, Any]) -> None:
        self._store = store
        self.place = place_of(key)
        self._about = dict(about)

    async def kept(self) -> dict[str, Any] | None:
        """The service's answer, where it is kept."""
        record = await self._read(RESULT)
        response = record.get("response") if record is not None else None
        return response if isinstance(response, dict) else None

    async def keep(self, job_id: str, response: Mapping[str, Any]) -> None:
        """Keep the service's answer."""
        about = {**self._about, "job_id": job_id, "finished": time.time()}
        await in_thread(self._put_compressed, RESULT, {"about": about, "response": response})

    async def finished_job(self) -> CreatedJob | None:
        """The job whose result is kept."""
        job_id = ((await self._read(RESULT)) or {}).get("about", {}).get("job_id")
        return CreatedJob(job_id) if isinstance(job_id, str) else None

    async def job(self) -> CreatedJob | None:
        """The job, where there is one."""
        record = await self._read(JOB)
        if record is None or not isinstance(record.get("job_id"), str):
            return None
        return CreatedJob(record["job_id"], file_id=record.get("file_id"))

    async def note_job(self, job: CreatedJob) -> None:
        """Write down the job, after which its intent is of no use."""
        record = {**self._about, "job_id": job.job_id, "file_id": job.file_id, "created": time.time()}
        await self._put(JOB, record)
        await self.drop_intent()

    async def intent(self) -> Intent | None:
        """What a process meant to create, and did not live to note."""
        record = await self._read(INTENT)
        try:
            return None if record is None else Intent(record["tag"], float(record["begun"]), record.get("file_id"))
        except (KeyError, TypeError, ValueError):
            return None

    async def note_intent(self, intent: Intent) -> None:
        """Write down what is about to be created."""
        record = {**self._about, "tag": intent.tag, "begun": intent.begun, "file_id": intent.file_id}
        await self._put(INTENT, record)

    async def drop_intent(self) -> None:
        """Forget what was about to be created."""
        await in_thread(self._store.delete, f"{self.place}/{INTENT}")

    async def forget(self, job_id: str) -> None:
        """Forget a job that has no result, unless another one has taken its place meanwhile."""
        job = await self.job()
        if job is not None and job.job_id == job_id:
            # The job last: whoever finds none looks for that of an intent.
            for name in (INTENT, JOB):
                await in_thread(self._store.delete, f"{self.place}/{name}")

    async def _read(self, name: str) -> dict[str, Any] | None:
        return await in_thread(read_record, self._store, f"{self.place}/{name}")

    async def _put(self, name: str, record: Mapping[str, Any]) -> None:
        await in_thread(self._store.put, f"{self.place}/{name}", json.dumps(record).encode())

    def _put_compressed(self, name: str, record: Mapping[str, Any]) -> None:
        data = gzip.compress(json.dumps(record, ensure_ascii=True).encode(), compresslevel=5, mtime=0)
        self._store.put(f"{self.place}/{name}", data)


def place_of(key: str) -> str:
    """Where the records of an entry are: a folder of a million others would be slow in some places."""
    return f"{key[:2]}/{key}"


def read_record(store: LedgerStore, name: str) -> dict[str, Any] | None:
    """A record of a ledger; None where there is none, or one that was half written. Blocking.

    Args:
        store: The ledger's store.
        name: The record.

    Raises:
        LedgerError: The store cannot be read.
    """
    data = store.read(name)
    try:
        return None if data is None else decoded(name, data)
    except ValueError as error:
        logger.warning("the ledger's record %s cannot be read and counts as none: %s", name, error)
        return None


def decoded(name: str, data: bytes) -> dict[str, Any]:
    """What a record says.

    Args:
        name: Its name, which tells whether it is compressed.
        data: Its bytes.

    Raises:
        ValueError: It was half written, or is no record.
    """
    try:
        record = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - the content is at fault, not the caller
    return record
