"""Rules that every retry decision keeps, whatever the numbers."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from llama_cloud_ext.errors import ApiError, LlamaCloudError, RateLimitError, ServerError, TransportError
from llama_cloud_ext.wire.responses import error_from, retry_after
from llama_cloud_ext.wire.retry import PATIENCE_WITH_RATES, RetryPolicy, backoff, decide

seconds = st.floats(min_value=0, max_value=1e6)
attempts = st.integers(min_value=1, max_value=10**9)
policies = st.builds(
    lambda budget, most, first, cap, chance: RetryPolicy(
        budget=budget, attempts=most, first_delay=first, max_delay=cap, random=lambda: chance
    ),
    seconds,
    st.none() | st.integers(min_value=1, max_value=100),
    st.floats(min_value=0, max_value=100),
    st.floats(min_value=0, max_value=1_000),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
failures: st.SearchStrategy[LlamaCloudError] = st.one_of(
    st.builds(lambda sent, transient: TransportError(sent=sent, transient=transient), st.booleans(), st.booleans()),
    st.builds(lambda status: ServerError(status=status), st.integers(min_value=500, max_value=599)),
    st.builds(lambda wait: RateLimitError(status=429, retry_after=wait), st.none() | seconds),
    st.builds(lambda status: ApiError(status=status), st.integers(min_value=400, max_value=499)),
)


@given(attempts, policies)
def test_backoff_stays_in_bounds(attempt: int, policy: RetryPolicy) -> None:
    """Ensure every wait is finite, not negative, and below both of its bounds."""
    delay = backoff(attempt, policy)
    assert math.isfinite(delay)
    assert 0 <= delay <= policy.max_delay


@given(failures, attempts, seconds, policies, st.booleans(), st.booleans())
def test_decisions_keep_the_rules(
    error: LlamaCloudError, attempt: int, elapsed: float, policy: RetryPolicy, idempotent: bool, recoverable: bool
) -> None:
    """Ensure no decision outlasts the budget, and nothing that may have been acted on is repeated blindly."""
    decision = decide(
        error, attempt=attempt, elapsed=elapsed, policy=policy, idempotent=idempotent, recoverable=recoverable
    )
    assert decision.delay >= 0
    if decision.retry:
        budget = policy.budget * (PATIENCE_WITH_RATES if isinstance(error, RateLimitError) else 1)
        assert elapsed < budget
        assert decision.delay <= budget - elapsed
        assert policy.attempts is None or attempt < policy.attempts
        asked = getattr(error, "retry_after", None)
        assert asked is None or decision.delay >= asked
    if decision.recover:
        assert recoverable
        assert not idempotent
    sent = isinstance(error, ServerError) or getattr(error, "sent", False)
    if decision.retry and sent and not idempotent:
        assert decision.recover


@given(st.integers(min_value=400, max_value=599), st.binary(max_size=300), st.dictionaries(st.text(), st.text()))
def test_any_answer_becomes_an_error_with_words(status: int, content: bytes, headers: dict[str, str]) -> None:
    """Ensure no body and no header, however odd, crashes the mapping or leaves the error without words."""
    error = error_from(status, headers, content, method="GET", url="https://host/path")
    assert error.status == status
    assert error.detail.strip()
    assert str(error).strip()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["detail", "msg", "loc", "error", "correlation_id", "type"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.integers(min_value=400, max_value=599), json_values)
def test_any_json_becomes_an_error_with_words(status: int, body: object) -> None:
    """Ensure any JSON in an error answer is survived and described on one line."""
    import json

    error = error_from(status, {}, json.dumps(body).encode(), method="GET", url="https://host/path")
    assert error.detail.strip()
    assert "\n" not in error.detail


@given(st.text(max_size=40))
def test_any_retry_after_is_survived(value: str) -> None:
    """Ensure a Retry-After header of any text is None or a bounded number of seconds."""
    wait = retry_after({"retry-after": value})
    assert wait is None or 0 <= wait <= 3_600


@given(st.integers(min_value=0, max_value=3_600))
def test_retry_after_dates(wait: int) -> None:
    """Ensure an HTTP date means the seconds until then."""
    now = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    then = datetime.fromtimestamp(now.timestamp() + wait, timezone.utc)
    assert retry_after({"retry-after": format_datetime(then, usegmt=True)}, now=now) == wait
