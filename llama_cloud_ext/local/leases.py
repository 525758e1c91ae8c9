"""Who owns a running job, and whether that owner still lives.

A lease has two ends: it expires unless renewed, and its owner holds a lock on a file for as long as it lives. The
kernel drops the lock however the process dies, so that on one machine nobody waits for the expiry. Where locks are not
to be had, or a forked child holds on to its parent's, the expiry decides.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leases end by expiry alone
    fcntl = None  # type: ignore[assignment]

LEASE_SECONDS = 5.0
"""How long a claim lasts without renewal."""

RENEWAL_SECONDS = 1.0
"""How often owners renew: a process that hangs for less than four renewals loses nothing."""


class Owner:
    """This process (or rather this open data folder) as the owner of jobs.

    Args:
        root: The data folder.

    Example:
        >>> import tempfile
        >>> owner = Owner(Path(tempfile.mkdtemp()))
        >>> owner.is_gone(owner.id)
        False
        >>> owner.close()
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "owners"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.id = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._descriptor = os.open(self._folder / self.id, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def is_gone(self, owner: str) -> bool:
        """Whether another owner has certainly ended.

        Args:
            owner: The other's id.

        Returns:
            True when its lock is free; False when it lives or nobody can tell.
        """
        if fcntl is None or owner == self.id:
            return False
        path = self._folder / owner
        try:
            descriptor = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Stop being an owner; leases must have been released before."""
        (self._folder / self.id).unlink(missing_ok=True)
        os.close(self._descriptor)
