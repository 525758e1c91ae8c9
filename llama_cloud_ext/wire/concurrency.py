"""Several awaitables at a time, that end together: the first failure stops the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def concurrently(function: Callable[[S], Awaitable[T]], values: Iterable[S], *, at_once: int) -> list[T]:
    """Await a function for all values, and leave nothing running behind.

    Args:
        function: What to await for each value.
        values: The values.
        at_once: How many run at the same time.

    Returns:
        The results, in the order of the values.

    Raises:
        Exception: The first failure, once the rest has been stopped; `asyncio.gather` would let it run on.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(value: S) -> T:
        async with gate:
            return await function(value)

    tasks = [asyncio.ensure_future(one(value)) for value in values]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
