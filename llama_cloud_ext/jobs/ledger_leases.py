"""Leases: which of several processes works on a ledger's entry, without a lock that a crash could leave behind.

A lease is a record with a number and a time at which it ends. Whoever creates the next number holds it; it can be
created when there is none yet, or the last one has ended or belongs to a process of this machine that is no more. The
holder renews it by writing it again. One that has stalled for longer than its lease finds that out by `is_held`, which
is asked right before anything that cannot be undone. The clocks of machines that share a ledger may differ by less than
a lease lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from llama_cloud_ext.errors import LedgerError
from llama_cloud_ext.jobs.ledger_store import LedgerStore
from llama_cloud_ext.wire.io_loop import in_thread, spawn

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""How long a lease lasts unless it is renewed: a process killed on another machine keeps others waiting that long."""

_RENEWALS = 4
"""Renewals within the time of a lease: a slow store must not let one end."""


class Lease:
    """One entry, held by this process.

    Args:
        store: Where it is kept.
        name: Its record.
        seconds: How long it lasts.
        clock: Tells the time, seconds since 1970.
    """

    def __init__(self, store: LedgerStore, name: str, seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self.name = name
        self._seconds = seconds
        self._clock = clock
        self._token = uuid.uuid4().hex
        self._ends = 0.0

    def take(self) -> bool:
        """Create its record, unless somebody else has. Blocking."""
        return self._store.create(self.name, self._record())

    def renew(self) -> None:
        """Let it last longer, unless somebody has taken it over. Blocking."""
        if self._is_recorded():
            self._store.put(self.name, self._record())

    def give_back(self) -> None:
        """Remove its record. Blocking."""
        if self._is_recorded():
            self._store.delete(self.name)

    @property
    def lasts(self) -> bool:
        """Whether it has not ended by this process's clock, so that the process has not stalled. Asks no store."""
        return self._clock() < self._ends

    async def is_held(self) -> bool:
        """Whether nobody can have taken it over."""
        return self.lasts and await in_thread(self._is_recorded)

    def _is_recorded(self) -> bool:
        return (_read(self._store, self.name) or {}).get("token") == self._token

    def _record(self) -> bytes:
        self._ends = self._clock() + self._seconds
        owner = {"machine": _machine(), "pid": os.getpid()}
        return json.dumps({"token": self._token, "ends": self._ends, **owner}).encode()


class Leases:
    """The leases of one process on the entries of a ledger.

    Args:
        store: Where they are kept.
        seconds: How long each lasts.
        clock: Tells the time, seconds since 1970.
    """

    def __init__(
        self, store: LedgerStore, seconds: float = LEASE_SECONDS, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        # Of two tasks of one process one is first, even where the store cannot tell.
        self._held_here: set[str] = set()

    @contextlib.asynccontextmanager
    async def held(self, entry: str) -> AsyncIterator[Lease | None]:
        """Hold an entry, if nobody else does. It is kept until the block ends.

        Yields:
            The lease; None where somebody else has it.
        """
        if entry in self._held_here:
            yield None
            return
        self._held_here.add(entry)
        taking = spawn(in_thread(self._take, entry))
        try:
            lease = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The thread goes on, and what it takes must not stay behind.
            spawn(self._end(entry, taking))
            raise
        except BaseException:
            self._held_here.discard(entry)
            raise
        over = asyncio.Event()
        renewing = None if lease is None else spawn(self._renew(lease, over))
        try:
            yield lease
        finally:
            over.set()
            await asyncio.shield(spawn(self._end(entry, taking, renewing)))

    async def _renew(self, lease: Lease, over: asyncio.Event) -> None:
        """Renew a lease until it is over; never cut off while it writes, which could bring it back afterwards."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(over.wait(), self._seconds / _RENEWALS)
                return
            try:
                await in_thread(lease.renew)
            except LedgerError as error:
                logger.warning("the lease %s could not be renewed: %s", lease.name, error)

    async def _end(
        self, entry: str, taking: asyncio.Task[Lease | None], renewing: asyncio.Task[None] | None = None
    ) -> None:
        try:
            if renewing is not None:
                await renewing
            lease = await taking
            if lease is not None:
                await in_thread(lease.give_back)
        except LedgerError as error:
            logger.debug("a lease on %s ends by itself: %s", entry, error)
        finally:
            self._held_here.discard(entry)

    def _take(self, entry: str) -> Lease | None:
        names = sorted(name for name in self._store.names(entry) if "/lease-" in name)
        if names and self._is_alive(names[-1]):
            return None
        number = int(names[-1].rpartition("-")[2]) + 1 if names else 1
        lease = Lease(self._store, f"{entry}/lease-{number:06}", self._seconds, self._clock)
        if not lease.take():
            return None
        for name in names:
            # So that whoever held it before learns that it does no longer.
            self._store.delete(name)
        return lease

    def _is_alive(self, name: str) -> bool:
        record = _read(self._store, name)
        if record is None or _is_gone(record):
            return False
        try:
            # A clock that is wrong by hours must not lock an entry for hours.
            return self._clock() < float(record["ends"]) <= self._clock() + 2 * self._seconds
        except (KeyError, TypeError, ValueError):
            return False


def _read(store: LedgerStore, name: str) -> Mapping[str, Any] | None:
    """A lease's record; None where there is none, or one that was half written by a process that is no more."""
    data = store.read(name)
    try:
        record = None if data is None else json.loads(data)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _is_gone(record: Mapping[str, Any]) -> bool:
    """Whether the holder is known to have ended: it ran on this machine, where nothing runs under its number."""
    pid = record.get("pid")
    if _machine() is None or record.get("machine") != _machine() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@functools.cache
def _machine() -> str | None:
    """What the processes of one machine, or container, share, where the system tells: else one number is many's."""
    if sys.platform != "linux":
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None
