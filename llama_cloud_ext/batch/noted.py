"""What a ledger has noted of batches that are under way: which files each is for, and how far it has come.

A note is one record, so that a thousand files are claimed in one step, or not at all.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_cloud_ext.jobs.ledger import entry_key
from llama_cloud_ext.jobs.ledger_records import BATCHES, INTENT, JOB, read_record
from llama_cloud_ext.jobs.ledger_store import LedgerStore
from llama_cloud_ext.wire.io_loop import in_thread


@dataclass(frozen=True)
class NotedBatch:
    """One batch, from before its directory is made until all its results are kept.

    Attributes:
        key: Its name in the ledger.
        unique_ids: Its files: the unique id of each in the directory, by its entry in the ledger.
        directory_id: The directory, once it is made.
        file_ids: The uploads: the id of each in the directory, by its entry; once all of them are there.
        is_sent: Whether the create of the batch may have been sent.
        batch_id: The batch, once the service has accepted it.
    """

    key: str
    unique_ids: Mapping[str, str]
    directory_id: str | None = None
    file_ids: Mapping[str, str] = field(default_factory=dict)
    is_sent: bool = False
    batch_id: str | None = None

    @classmethod
    def new(cls, unique_ids: Mapping[str, str]) -> NotedBatch:
        """Name a batch of which there is nothing yet."""
        return cls(entry_key(batch=uuid.uuid4().hex), unique_ids)

    @property
    def place(self) -> str:
        """Where its records are."""
        return f"{BATCHES}/{self.key}"

    @property
    def claimed(self) -> set[str]:
        """The entries whose results come from it: those that got into the directory, once that is settled."""
        return set(self.unique_ids if self.batch_id is None else self.file_ids)


class NotedBatches:
    """The notes of batches that do the same with their files.

    Args:
        store: The ledger's store.
        group: What they do: a hash of service, project, product and configuration.
        host: The service.
    """

    def __init__(self, store: LedgerStore, group: str, host: str) -> None:
        self._store = store
        self._group = group
        self._host = host

    async def all(self) -> list[NotedBatch]:
        """The batches that are under way, in a fixed order."""
        return await in_thread(self._all)

    async def read(self, key: str) -> NotedBatch | None:
        """One of them as it stands now; None where it is over."""
        return await in_thread(self._read, key)

    async def write(self, batch: NotedBatch) -> None:
        """Note how far a batch has come."""
        await in_thread(self._write, batch)

    async def drop(self, batch: NotedBatch) -> None:
        """Forget a batch from which nothing is to come any more."""
        await in_thread(self._drop, batch)

    def _all(self) -> list[NotedBatch]:
        keys = {name.split("/")[1] for name in self._store.names(BATCHES) if name.count("/") > 1}
        found = (self._read(key) for key in sorted(keys))
        return [batch for batch in found if batch is not None]

    def _read(self, key: str) -> NotedBatch | None:
        for name in (JOB, INTENT):
            record = read_record(self._store, f"{BATCHES}/{key}/{name}")
            if record is not None and record.get("group") == self._group:
                return NotedBatch(
                    key=key,
                    unique_ids=record["unique_ids"],
                    directory_id=record["directory_id"],
                    file_ids=record["file_ids"],
                    is_sent=record["is_sent"],
                    batch_id=record.get("job_id"),
                )
        return None

    def _write(self, batch: NotedBatch) -> None:
        now = time.time()
        record: dict[str, Any] = {
            "product": "batch",
            "file": f"{len(batch.claimed)} files",
            "host": self._host,
            "group": self._group,
            "unique_ids": dict(batch.unique_ids),
            "directory_id": batch.directory_id,
            "file_ids": dict(batch.file_ids),
            "is_sent": batch.is_sent,
        }
        if batch.batch_id is None:
            self._put(batch, INTENT, {**record, "begun": now})
        else:
            self._put(batch, JOB, {**record, "job_id": batch.batch_id, "created": now})
            self._store.delete(f"{batch.place}/{INTENT}")

    def _put(self, batch: NotedBatch, name: str, record: Mapping[str, Any]) -> None:
        self._store.put(f"{batch.place}/{name}", json.dumps(record).encode())

    def _drop(self, batch: NotedBatch) -> None:
        # The batch last: whoever finds none creates one.
        for name in (INTENT, JOB):
            self._store.delete(f"{batch.place}/{name}")
