"""The rate limiter that all callers of one account share. It lives on the I/O loop, hence has no thread locks.

Two rules hold at once. A rate asked for (`requests_per_minute`) is a promise: no minute ever sees more. And whenever
the service answers 429 the limiter slows down by itself, then speeds up again little by little.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["RateLimiter"]

_MINUTE = 60.0
# Requests travel for differing times: the service's minute may begin a little after ours.
_MARGIN = 0.5
# The recent past whose pace is halved at the first 429, and the least that it is taken for: a single 429 in quiet
# traffic says little.
_RECENT = 1.0
_LEAST_KNOWN = 4.0
# A limit that is reached refuses one request after the other; one refusal among many answers says nothing of it.
_JUDGED = 10
_TELLING = 3
# Never slower than this many requests a second: a service that bears less shows it by refusals, which end in probing.
_SLOWEST = 1.0
# After a refusal everybody waits, and one request at a time tries again, ever less often, until one is accepted.
_FIRST_PROBE = 0.1
_LAST_PROBE = 4.0
# Each accepted request gives back this share of the pace. About nine of them make up for one 429: where fewer than one
# answer in ten is a 429 the pace grows, so that stray ones cost nothing, and at a real limit it stays just there.
_RECOVERY = 0.08
# The brake comes off at this pace (or at twice the one that brought the last 429), or with no 429 for so many seconds.
_FAST = 30.0
_FORGIVEN = 120.0


class RateLimiter:
    """Lets requests pass in the order in which they came, no faster than asked for and than the service bears.

    Args:
        requests_per_minute: The most requests in any minute; None leaves the pace to the service's answers.
        clock: Monotonic seconds.
        sleep: Waits on the event loop.

    Example:
        >>> limiter = RateLimiter(60)
        >>> asyncio.run(limiter.acquire()) > 0
        True
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        if requests_per_minute is None:
            self._most, self._window = None, 0.0
        else:
            # Less than one a minute means one in a longer time.
            self._most = max(1, int(requests_per_minute))
            self._window = _MINUTE * self._most / requests_per_minute + _MARGIN
        self._sent: deque[float] = deque(maxlen=self._most)
        self._recent: deque[float] = deque()
        self._refused: deque[bool] = deque(maxlen=_JUDGED)
        self._probe_every: float | None = None
        self._probe_at = 0.0
        self._pace: float | None = None
        self._pace_at_brake = 0.0
        self._braked_at = float("-inf")
        self._next_at = float("-inf")
        self._turn = asyncio.Lock()  # first come, first served; a cancelled waiter just leaves the queue

    @property
    def pace(self) -> float | None:
        """Requests a second under the brake that 429s put on, or None without one."""
        return self._pace

    @property
    def delay(self) -> float:
        """Seconds until the next of those who wait for their turn may pass; 0 if nobody waits."""
        return max(0.0, self._next_at - self._clock())

    async def acquire(self) -> float:
        """Wait for this caller's turn.

        Returns:
            The moment at which it came, to be handed to `slow_down` if the answer is a 429.
        """
        async with self._turn:
            while (wait := self._wait()) > 0:
                self._next_at = self._clock() + wait
                await self._sleep(wait)
            # Nothing is awaited from here on: a turn is either not taken or taken for good.
            now = self._clock()
            if self._most is not None:
                self._sent.append(now)
            self._recent.append(now)
            _forget(self._recent, now - _RECENT)
            if self._probe_every is not None:
                self._probe_at = now + self._probe_every
            return now

    def slow_down(self, turn: float | None = None) -> None:
        """Take a 429 into account: halve the pace, and let single requests probe until one is accepted.

        Stray ones, fewer than three in the last ten answers, only cost the refused request its own wait.

        Args:
            turn: What `acquire` returned for the refused request. Refusals of requests that were sent before the last
                brake tell nothing new and change nothing; None always brakes.
        """
        now = self._clock()
        if turn is not None:
            if turn <= self._braked_at:
                return
            self._refused.append(True)
            if self._probe_every is None and sum(self._refused) < _TELLING:
                return
        self._refused.clear()
        self._braked_at = now
        if self._probe_every is not None:
            # Still refused: the window is not over, which says nothing about the pace.
            self._probe_every = min(2 * self._probe_every, _LAST_PROBE)
        else:
            _forget(self._recent, now - _RECENT)
            before = self._pace if self._pace is not None else max(_LEAST_KNOWN, len(self._recent) / _RECENT)
            self._pace_at_brake = before
            self._pace = max(before / 2, _SLOWEST)
            self._probe_every = _FIRST_PROBE
        self._probe_at = now + self._probe_every

    def speed_up(self, turn: float | None = None) -> None:
        """Take an accepted request into account: it ends the probing, and eases the brake a little.

        Args:
            turn: What `acquire` returned for it. What was sent before the last brake does not end the probing; None
                does.
        """
        self._refused.append(False)
        if turn is None or turn > self._braked_at:
            self._probe_every = None
        if self._pace is None:
            return
        self._pace *= 1 + _RECOVERY
        if self._pace > max(_FAST, 2 * self._pace_at_brake):
            self._pace = None

    def _wait(self) -> float:
        """Seconds until the next request may pass; 0 or less for now."""
        now = self._clock()
        if self._pace is not None and now - self._braked_at > _FORGIVEN:
            self._pace = self._probe_every = None
        wait = self._probe_at - now if self._probe_every is not None else 0.0
        if self._most is not None and len(self._sent) == self._most:
            wait = max(wait, self._sent[0] + self._window - now)
        if self._pace is not None and self._recent:
            wait = max(wait, self._recent[-1] + 1 / self._pace - now)
        return wait


def _forget(moments: deque[float], before: float) -> None:
    while moments and moments[0] < before:
        moments.popleft()
