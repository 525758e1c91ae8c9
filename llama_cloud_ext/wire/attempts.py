"""Carries out what `retry` decides: sends, waits, looks up what a lost answer may have created, and sends again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from llama_cloud_ext.errors import ApiError, LlamaCloudError, PlanLimitError, RateLimitError
from llama_cloud_ext.wire.rate_limit import RateLimiter
from llama_cloud_ext.wire.retry import RetryPolicy, decide

__all__ = ["persist"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Retries from this one on are worth a warning; before it they are part of a normal day.
_WARN_FROM = 3


async def persist(
    send: Callable[[int, float], Awaitable[T]],
    *,
    what: str,
    policy: RetryPolicy,
    idempotent: bool,
    recover: Callable[[], Awaitable[T | None]] | None = None,
    permit: Callable[[], Awaitable[None]] | None = None,
    limiter: RateLimiter | None = None,
) -> T:
    """Send until it succeeds, cannot succeed, or the policy's budget is used up.

    Args:
        send: Makes one attempt; gets its number, from 1, and the seconds left of the budget.
        what: The request, for the log.
        policy: The patience and its clock.
        idempotent: Whether sending twice does no more than sending once.
        recover: Looks up what an attempt without an answer may have created; None if there is nothing to look up.
        permit: Asked right before each attempt, once its turn has come: what it raises ends the request unsent.
        limiter: Grants each attempt its turn. Waiting for it does not use up the budget: under a low rate many
            requests wait for minutes before their first send.

    Returns:
        What `send` or `recover` returned.

    Raises:
        LlamaCloudError: The last attempt's error.
    """
    started = policy.clock()
    queued = 0.0
    for attempt in count(1):
        turn = None
        if limiter is not None:
            asked = policy.clock()
            turn = await limiter.acquire()
            queued += policy.clock() - asked
        if permit is not None:
            await permit()
        try:
            result = await send(attempt, policy.budget - (policy.clock() - started - queued))
        except LlamaCloudError as error:
            if limiter is not None:
                _tell(limiter, error, turn)
            decision = decide(
                error,
                attempt=attempt,
                elapsed=policy.clock() - started - queued,
                policy=policy,
                idempotent=idempotent,
                recoverable=recover is not None,
            )
            if not (decision.retry or decision.recover):
                raise
            logger.log(
                logging.WARNING if attempt >= _WARN_FROM else logging.INFO,
                "%s failed (send %d): %s; %s in %.1f s",
                what,
                attempt,
                str(error).partition("\n")[0],
                "looking it up" if decision.recover else "sending again",
                decision.delay,
            )
            await policy.sleep(decision.delay)
            if decision.recover and recover is not None:
                found = await _look_up(recover, error)
                if found is not None:
                    return found
            if not decision.retry:
                raise
        else:
            if limiter is not None:
                limiter.speed_up(turn)
            return result
    raise AssertionError("count() does not end")


async def _look_up(recover: Callable[[], Awaitable[T | None]], error: LlamaCloudError) -> T | None:
    try:
        return await recover()
    except LlamaCloudError as lookup_error:
        # Nobody knows whether it was created: repeating it could create, and bill, it twice.
        raise error from lookup_error


def _tell(limiter: RateLimiter, error: LlamaCloudError, turn: float | None) -> None:
    """Only an answer says something about the rate; a request that got none does not."""
    if isinstance(error, RateLimitError) and not isinstance(error, PlanLimitError):
        limiter.slow_down(turn)
    elif isinstance(error, ApiError):
        limiter.speed_up(turn)
