"""A moment's patience for who polls: the answer about something unfinished waits a little for an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from llama_cloud_ext.local.job_ends import JobEnds

T = TypeVar("T")

LONGEST_LOOK = 0.5
"""Seconds that the answer about something unfinished waits at most for anything to end."""

LOOK_PER_AGE = 5.0
"""The same as a multiple of its age: who asks just after creating it hears at once."""


async def settled(
    look: Callable[[], Awaitable[T]], ends: JobEnds, is_final: Callable[[T], bool], born: Callable[[T], str]
) -> T:
    """What a look shows, after a moment in which it may change: whoever polls hears of an end at once.

    Args:
        look: Reads the state.
        ends: Tells of ends in this process.
        is_final: Whether a state is final.
        born: When what has the state was created, as records write it.

    Returns:
        The state.
    """
    with ends.listen() as ended:
        state = await look()
        if is_final(state):
            return state
        age = time.time() - datetime.fromisoformat(born(state).replace("Z", "+00:00")).timestamp()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ended.wait(), min(LONGEST_LOOK, LOOK_PER_AGE * max(age, 0.0)))
    return await look()
