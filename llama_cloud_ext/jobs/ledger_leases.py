"""Leases: which of several processes works on a ledger's entry, without a lock that a crash could leave behind.

A lease is a record with a number and a time at which it ends. Whoever creates the next number holds it; it can be
created when there is none yet, or the last one has ended. The holder renews it by writing it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from llama_cloud_ext.jobs.ledger_store import LedgerStore
from llama_cloud_ext.wire.io_loop import in_thread

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""How long a lease lasts without being renewed: what a killed process keeps others waiting at most."""

_RENEWALS = 4
"""Renewals within the time of a lease: a slow store must not let one end."""


class Leases:
    """The leases of one process on the entries of a ledger.

    Args:
        store: Where they are kept.
        seconds: How long each lasts.
    """

    def __init__(self, store: LedgerStore, seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._owner = uuid.uuid4().hex

    @contextlib.asynccontextmanager
    async def held(self, entry: str) -> AsyncIterator[bool]:
        """Hold an entry, if nobody else does.

        Yields:
            Whether it is held. It is kept until the block ends.
        """
        name = await in_thread(self._take, entry)
        if name is None:
            yield False
            return
        renewing = asyncio.create_task(self._renew(name))
        try:
            yield True
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            await asyncio.shield(in_thread(self._give_back, entry))

    def _take(self, entry: str) -> str | None:
        names = sorted(self._names(entry))
        if names and self._is_alive(names[-1]):
            return None
        number = int(names[-1].rpartition("-")[2]) + 1 if names else 1
        name = f"{entry}/lease-{number:06}"
        return name if self._store.create(name, self._record()) else None

    def _give_back(self, entry: str) -> None:
        for name in self._names(entry):
            self._store.delete(name)

    async def _renew(self, name: str) -> None:
        while True:
            await asyncio.sleep(self._seconds / _RENEWALS)
            try:
                await in_thread(self._store.put, name, self._record())
            except OSError as error:
                logger.warning("the ledger's lease %s could not be renewed: %s", name, error)

    def _names(self, entry: str) -> list[str]:
        return [name for name in self._store.names(entry) if "/lease-" in name]

    def _is_alive(self, name: str) -> bool:
        data = self._store.read(name)
        try:
            ends: Any = json.loads(data)["ends"] if data is not None else 0
            # A clock that is wrong by hours must not lock an entry for hours.
            return time.time() < float(ends) <= time.time() + 2 * self._seconds
        except (ValueError, KeyError, TypeError):
            return False  # half written, by a process that is no more

    def _record(self) -> bytes:
        return json.dumps({"owner": self._owner, "ends": time.time() + self._seconds}).encode()
