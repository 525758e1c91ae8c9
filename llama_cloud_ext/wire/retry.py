"""When a failed request is sent again, and after how long. Pure decisions; `transport` carries them out.

The failures are this package's own errors, so that a decision never depends on an HTTP library.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from llama_cloud_ext.errors import (
    ApiError,
    DownloadError,
    LlamaCloudError,
    PlanLimitError,
    RateLimitError,
    ServerError,
    TransportError,
)

__all__ = ["Decision", "RetryPolicy", "backoff", "decide", "is_idempotent", "maybe_accepted", "worth_retrying"]

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REQUEST_TIMEOUT = 408
_NOT_IMPLEMENTED = 501
# A rate lifts by itself and costs nothing but time, which a job has more of than a request: so many budgets.
PATIENCE_WITH_RATES = 12


@dataclass(frozen=True)
class RetryPolicy:
    """How patient requests are, and by which clock.

    Attributes:
        budget: Seconds from the first send after which a request is not sent again; twelve times that while the
            service answers that the rate is too high.
        attempts: The most sends of one request, or None for as many as the budget allows.
        first_delay: Upper bound in seconds of the first wait; each further bound is twice the one before.
        max_delay: Upper bound in seconds of any wait that the service did not ask for.
        clock: Monotonic seconds.
        sleep: Waits on the event loop.
        random: A float in [0, 1).

    Example:
        >>> RetryPolicy(budget=30).max_delay
        20.0
    """

    budget: float = 150.0
    attempts: int | None = None
    first_delay: float = 0.5
    max_delay: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class Decision:
    """What to do about a failure.

    Attributes:
        retry: Whether to send the request again (after `recover`, where that is set and finds nothing).
        delay: Seconds to wait before that.
        recover: Whether the service may have acted on the request, so that it must be looked up first.
    """

    retry: bool
    delay: float = 0.0
    recover: bool = False


def decide(
    error: LlamaCloudError,
    *,
    attempt: int,
    elapsed: float,
    policy: RetryPolicy,
    idempotent: bool,
    recoverable: bool = False,
) -> Decision:
    """Decide about a failed attempt.

    Args:
        error: Why it failed.
        attempt: How many times the request was sent, from 1.
        elapsed: Seconds since the first send.
        policy: The patience.
        idempotent: Whether sending it twice does no more than sending it once.
        recoverable: Whether a lost answer can be looked up.

    Returns:
        Whether to raise, to send again, or to look up first.

    Example:
        >>> decide(ServerError(status=502), attempt=1, elapsed=0, policy=RetryPolicy(), idempotent=False)
        Decision(retry=False, delay=0.0, recover=False)
    """
    if not worth_retrying(error):
        return Decision(retry=False)
    ambiguous = not idempotent and maybe_accepted(error)
    if ambiguous and not recoverable:
        return Decision(retry=False)
    patience = PATIENCE_WITH_RATES if isinstance(error, RateLimitError) else 1
    left = patience * policy.budget - elapsed
    jitter = backoff(attempt, policy)
    asked = getattr(error, "retry_after", None)
    # A little later than asked, and spread out, as everybody was told the same moment. A wait of our own choosing may
    # be cut short instead, so that the budget ends with an attempt and not with a wait.
    delay = min(jitter, left) if asked is None else asked + jitter * 0.1
    more = left > 0 and delay <= left and (policy.attempts is None or attempt < policy.attempts)
    # A paid job is looked for even when time is up: one look is all that stands between it and being lost.
    return Decision(retry=more, delay=delay if more else 0.0, recover=ambiguous)


def backoff(attempt: int, policy: RetryPolicy) -> float:
    """Exponential backoff with full jitter.

    Args:
        attempt: How many times the request was sent, from 1.
        policy: The bounds and the source of randomness.

    Returns:
        Seconds, uniform between 0 and the attempt's bound.

    Example:
        >>> backoff(3, RetryPolicy(random=lambda: 1.0))
        2.0
    """
    # 2**60 is beyond every bound; larger exponents would overflow a float.
    return policy.random() * min(policy.max_delay, policy.first_delay * 2.0 ** min(attempt - 1, 60))


def worth_retrying(error: LlamaCloudError) -> bool:
    """Whether the same request may succeed later.

    Connection failures, timeouts, 408, 429 for the rate, and 5xx but 501 may; a limit of the plan and every other 4xx
    may not.

    Args:
        error: Why the request failed.
    """
    if isinstance(error, (TransportError, DownloadError)):
        return error.transient
    if isinstance(error, PlanLimitError):
        return False
    if isinstance(error, ApiError):
        passing = isinstance(error, (RateLimitError, ServerError)) and error.status != _NOT_IMPLEMENTED
        return passing or error.status == _REQUEST_TIMEOUT
    return False


def maybe_accepted(error: LlamaCloudError) -> bool:
    """Whether the service may have acted on the request although it failed.

    A 5xx may come from a proxy in front of a service that did the work; 408 and 429 turn a request away unseen.

    Args:
        error: Why the request failed.
    """
    if isinstance(error, TransportError):
        return error.sent
    return isinstance(error, ServerError)


def is_idempotent(method: str, *, has_body: bool, recoverable: bool, declared: bool | None = None) -> bool:
    """Whether a request may be sent twice without harm.

    Args:
        method: HTTP method.
        has_body: Whether it carries JSON or an upload.
        recoverable: Whether it creates something whose lost answer can be looked up; then it is not.
        declared: The caller's own word, which decides.

    Returns:
        True for reading and deleting methods, and for a POST without a body (an action such as cancelling a job).

    Example:
        >>> is_idempotent("POST", has_body=True, recoverable=False)
        False
    """
    if declared is not None:
        return declared
    if method.upper() in _IDEMPOTENT_METHODS:
        return True
    return not has_body and not recoverable
