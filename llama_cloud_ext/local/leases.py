"""Who owns a running job, and whether that owner still lives.

A lease has two ends: it expires unless renewed, and its owner holds a lock on a file for as long as it lives. The
kernel drops the lock however the process dies, so that nobody waits for the expiry; and while the lock is held, a lease
that was renewed too late is honoured a good while longer. Where locks are not to be had, the expiry decides alone.
"""

from __future__ import annotations

import contextlib
import os
import uuid
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

try:
    import fcntl
except ImportError:  # Windows: leases end by expiry alone
    fcntl = None  # type: ignore[assignment]  # no such module on Windows

LEASE_SECONDS = 5.0
"""How long a claim lasts without renewal."""

STALLED_SECONDS = 60.0
"""How long after the expiry a living owner is still trusted to come back: a suspended machine, a very busy one."""

Fate = Literal["gone", "alive", "unknown"]

RENEWAL_SECONDS = 1.0
"""How often owners renew: a process that hangs for less than four renewals loses nothing."""


class Owner:
    """This process (or rather this open data folder) as the owner of jobs.

    Args:
        root: The data folder.

    Example:
        >>> import tempfile
        >>> owner = Owner(Path(tempfile.mkdtemp()))
        >>> owner.fate_of("somebody-else")
        'gone'
        >>> owner.close()
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "owners"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.id = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._descriptor = os.open(self._folder / self.id, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        _owners.add(self)

    def fate_of(self, owner: str) -> Fate:
        """What has become of another owner.

        Args:
            owner: The other's id.

        Returns:
            "gone" when its lock is free, "alive" when it is held, "unknown" where there are no locks.
        """
        if fcntl is None:
            return "unknown"
        if owner == self.id:
            return "alive"
        path = self._folder / owner
        try:
            descriptor = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return "gone"
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "alive"
        except OSError:  # a filesystem without locks
            return "unknown"
        else:
            path.unlink(missing_ok=True)
            return "gone"
        finally:
            os.close(descriptor)

    def fates_of(self, owners: Iterable[str]) -> tuple[list[str], list[str]]:
        """Which of some other owners are gone, and which live; of the rest nothing is known."""
        fates = {owner: self.fate_of(owner) for owner in owners}
        gone = [owner for owner, fate in fates.items() if fate == "gone"]
        return gone, [owner for owner, fate in fates.items() if fate == "alive"]

    def close(self) -> None:
        """Stop being an owner; leases must have been released before."""
        _owners.discard(self)
        (self._folder / self.id).unlink(missing_ok=True)
        os.close(self._descriptor)

    def forget(self) -> None:
        """Let go of the lock in a forked child, or it would outlive the parent that it stands for."""
        os.close(self._descriptor)


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def _forget_owners() -> None:
    for owner in list(_owners):
        owner.forget()
    _owners.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_owners)
