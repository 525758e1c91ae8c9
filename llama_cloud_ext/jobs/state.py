"""What an object that starts jobs keeps while it lives: failures, and places for unfinished jobs."""

from __future__ import annotations

import os
from typing import Any

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.wire.job_slots import JobSlots


class JobsState:
    """The failures and job slots of one object in one process. A copy or a pickle of it starts anew."""

    def __init__(self) -> None:
        self.failures: list[FailedItem] = []
        self._slots: tuple[int, int, JobSlots] | None = None

    def slots(self, limit: int) -> JobSlots:
        """The places for unfinished jobs; new ones after a fork and when the limit was changed."""
        pid = os.getpid()
        if self._slots is None or self._slots[:2] != (pid, limit):
            self._slots = (pid, limit, JobSlots(limit))
        return self._slots[2]

    def __eq__(self, other: object) -> bool:
        # Two objects are equal when their options are; what they happen to be doing is no part of it.
        return isinstance(other, JobsState)

    __hash__ = None  # type: ignore[assignment]  # nobody looks one up

    def __deepcopy__(self, memo: dict[int, Any]) -> JobsState:
        return type(self)()

    def __copy__(self) -> JobsState:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()
