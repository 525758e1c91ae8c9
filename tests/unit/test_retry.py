"""Which failures are retried, when, and which are looked up first."""

from __future__ import annotations

from typing import Any

import pytest

from llama_cloud_ext.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    DownloadError,
    LlamaCloudError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    PlanLimitError,
    QuotaError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    SourceError,
    TransportError,
    UnprocessableError,
)
from llama_cloud_ext.wire.retry import Decision, RetryPolicy, backoff, decide, is_idempotent, maybe_accepted

POLICY = RetryPolicy(budget=100, first_delay=1, max_delay=8, random=lambda: 1.0)

NEVER = [
    BadRequestError(status=400),
    AuthenticationError(status=401),
    QuotaError(status=402),
    PermissionDeniedError(status=403),
    NotFoundError(status=404),
    ConflictError(status=409),
    PayloadTooLargeError(status=413),
    UnprocessableError(status=422),
    PlanLimitError(status=429),
    ApiError(status=418),
    TransportError("untrusted certificate", transient=False),
    DownloadError(status=403, transient=False),
    ConfigurationError("no"),
    SourceError("file shrank"),
    LlamaCloudError("anything else"),
    ServerError(status=501),
]
TURNED_AWAY = [
    TransportError("refused", sent=False),
    RequestTimeoutError("connecting", sent=False),
    ApiError(status=408),
    RateLimitError(status=429),
]
AMBIGUOUS = [
    TransportError("reset", sent=True),
    RequestTimeoutError("no answer", sent=True),
    *(ServerError(status=status) for status in (500, 502, 503, 504, 599)),
]


def name(error: LlamaCloudError) -> str:
    return f"{type(error).__name__}-{getattr(error, 'status', '')}"


@pytest.mark.parametrize("error", NEVER, ids=name)
@pytest.mark.parametrize("idempotent", [True, False])
def test_never_retried(error: LlamaCloudError, idempotent: bool) -> None:
    """Ensure errors that waiting does not mend are raised at once, and looked up neither."""
    decision = decide(error, attempt=1, elapsed=0, policy=POLICY, idempotent=idempotent, recoverable=True)
    assert decision == Decision(retry=False)


@pytest.mark.parametrize("error", TURNED_AWAY, ids=name)
@pytest.mark.parametrize("idempotent", [True, False])
def test_turned_away_is_always_retried(error: LlamaCloudError, idempotent: bool) -> None:
    """Ensure what the service has not acted on is repeated, a create included, without a look-up."""
    decision = decide(error, attempt=1, elapsed=0, policy=POLICY, idempotent=idempotent, recoverable=True)
    assert decision == Decision(retry=True, delay=1.0)
    assert not maybe_accepted(error)


@pytest.mark.parametrize("error", AMBIGUOUS, ids=name)
@pytest.mark.parametrize(
    ("idempotent", "recoverable", "meant"),
    [
        (True, False, Decision(retry=True, delay=1.0)),
        (False, True, Decision(retry=True, delay=1.0, recover=True)),
        (False, False, Decision(retry=False)),
    ],
)
def test_lost_answers(error: LlamaCloudError, idempotent: bool, recoverable: bool, meant: Decision) -> None:
    """Ensure a request that may have been acted on is repeated, looked up or raised, by what it may do twice."""
    found = decide(error, attempt=1, elapsed=0, policy=POLICY, idempotent=idempotent, recoverable=recoverable)
    assert found == meant
    assert maybe_accepted(error)


@pytest.mark.parametrize(
    ("attempt", "delay"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (1_000, 8.0), (10_000_000, 8.0)]
)
def test_backoff_bounds(attempt: int, delay: float) -> None:
    """Ensure the bound doubles up to its maximum and never overflows."""
    assert backoff(attempt, POLICY) == delay


@pytest.mark.parametrize(
    ("asked", "elapsed", "meant"),
    [
        (5.0, 0.0, Decision(retry=True, delay=5.1)),
        (0.0, 0.0, Decision(retry=True, delay=0.1)),
        (99.9, 0.0, Decision(retry=True, delay=100.0)),
        (100.0, 0.0, Decision(retry=False)),
        (5.0, 96.0, Decision(retry=False)),
        (None, 99.5, Decision(retry=True, delay=0.5)),
        (None, 100.0, Decision(retry=False)),
    ],
)
def test_retry_after_and_budget(asked: float | None, elapsed: float, meant: Decision) -> None:
    """Ensure a wait that was asked for is kept or not begun, and one of our own ends with the budget."""
    error = ServerError(status=503, retry_after=asked)
    found = decide(error, attempt=1, elapsed=elapsed, policy=POLICY, idempotent=True)
    assert (found.retry, found.recover) == (meant.retry, meant.recover)
    assert found.delay == pytest.approx(meant.delay)


def test_attempts_bound_as_well() -> None:
    """Ensure the number of sends ends the retries where it is set."""
    policy = RetryPolicy(budget=100, attempts=3)
    error = DownloadError(status=500)
    kept = [decide(error, attempt=n, elapsed=0, policy=policy, idempotent=True).retry for n in (1, 2, 3)]
    assert kept == [True, True, False]


def test_lost_create_is_looked_up_even_when_time_is_up() -> None:
    """Ensure a paid job is looked for once more at the end of the budget, though not created again."""
    found = decide(AMBIGUOUS[0], attempt=9, elapsed=500, policy=POLICY, idempotent=False, recoverable=True)
    assert found == Decision(retry=False, recover=True)


def test_no_budget_no_retry() -> None:
    """Ensure a budget of nothing sends once."""
    assert not decide(TURNED_AWAY[0], attempt=1, elapsed=0, policy=RetryPolicy(budget=0), idempotent=True).retry


@pytest.mark.parametrize(
    ("method", "has_body", "recoverable", "declared", "meant"),
    [
        ("GET", False, False, None, True),
        ("get", False, False, None, True),
        ("DELETE", False, False, None, True),
        ("PUT", True, False, None, True),
        ("POST", False, False, None, True),
        ("POST", True, False, None, False),
        ("POST", True, True, None, False),
        ("POST", False, True, None, False),
        ("PATCH", True, False, None, False),
        ("POST", True, False, True, True),
        ("PUT", True, False, False, False),
    ],
)
def test_idempotence(method: str, has_body: bool, recoverable: bool, declared: bool | None, meant: bool) -> None:
    """Ensure what may be sent twice follows method, body and recovery, unless the caller knows better."""
    assert is_idempotent(method, has_body=has_body, recoverable=recoverable, declared=declared) is meant


def test_patience_with_rates_outlasts_the_budget() -> None:
    """Ensure a rate 429 is retried for twelve budgets, while other failures and a budget of 0 end as before."""
    policy = RetryPolicy(budget=100, random=lambda: 0.5)
    late: dict[str, Any] = {"attempt": 9, "elapsed": 1100.0, "policy": policy, "idempotent": True}
    assert decide(RateLimitError(status=429), **late).retry
    assert not decide(RateLimitError(status=429), **{**late, "elapsed": 1201.0}).retry
    assert not decide(ServerError(status=503), **late).retry
    never = {**late, "policy": RetryPolicy(budget=0), "elapsed": 0.0}
    assert not decide(RateLimitError(status=429), **never).retry
