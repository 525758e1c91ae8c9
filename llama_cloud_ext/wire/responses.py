"""From an error answer to the error that is raised. Pure, and never at a loss: bodies come from proxies too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from llama_cloud_ext.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    PlanLimitError,
    QuotaError,
    RateLimitError,
    ServerError,
    UnprocessableError,
)
from llama_cloud_ext.wire.hints import hint_for, is_plan_limit

__all__ = ["describe_detail", "error_from", "explain_content", "retry_after"]

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: UnprocessableError,
    429: RateLimitError,
}
_CORRELATION_KEYS = ("correlation_id", "correlationId", "correlation-id")
_CORRELATION_HEADERS = ("x-correlation-id", "correlation-id")
_REQUEST_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")
_LONGEST_DETAIL = 1_000
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
# A date that a mistaken clock put years ahead must not be waited for.
_LONGEST_WAIT = 3_600.0


def error_from(
    status: int, headers: Mapping[str, str], content: bytes, *, method: str, url: str, host: str | None = None
) -> ApiError:
    """Build the error for an answer that is not a success.

    Args:
        status: HTTP status.
        headers: The answer's headers; names in any case.
        content: The answer's body, whatever it is.
        method: The request's method.
        url: The request's address without its query.
        host: The host that was asked, for the hint.

    Returns:
        The class for the status, with the service's words, ids and the next step.

    Example:
        >>> error_from(404, {}, b'{"detail": "Parse job not found"}', method="GET", url="https://x/y").detail
        'Parse job not found'
    """
    found = {name.lower(): value for name, value in headers.items()}
    body = _decode(content)
    detail = describe_detail(body)
    kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
    if kind is RateLimitError and is_plan_limit(detail):
        kind = PlanLimitError
    return kind(
        status=status,
        detail=detail or _phrase(status),
        correlation_id=_correlation_id(body) or _first(found, _CORRELATION_HEADERS),
        request_id=_first(found, _REQUEST_HEADERS),
        method=method,
        url=url,
        retry_after=retry_after(found),
        body=body,
        hint=hint_for(status, detail, host=host),
    )


def explain_content(content: bytes) -> str:
    """The words in the body of an error answer of whatever kind, on one line; "" where there are none.

    Args:
        content: The body.

    Example:
        >>> explain_content(b"<html><body><h1>Forbidden</h1></body></html>")
        'Forbidden'
    """
    return describe_detail(_decode(content))


def describe_detail(body: Any) -> str:
    """The service's words in an error body, on one line and of bounded length; "" where there are none.

    Args:
        body: Decoded JSON (``detail`` a string, or a list of ``{type, loc, msg, input}``), or text, or anything.

    Example:
        >>> describe_detail({"detail": [{"type": "value_error", "loc": ["body", "tier"], "msg": "Unsupported tier"}]})
        'tier: Unsupported tier'
    """
    if isinstance(body, str):
        text = html.unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", body))) if "<" in body else body
    elif isinstance(body, list):
        text = "; ".join(filter(None, (_describe_problem(problem) for problem in body)))
    elif isinstance(body, dict):
        for key in ("detail", "message", "error", "error_message", "msg", "title"):
            if body.get(key):
                return describe_detail(body[key])
        text = json.dumps(body, ensure_ascii=False, default=str) if body else ""
    else:
        text = "" if body is None else str(body)
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"


def _describe_problem(problem: Any) -> str:
    """One entry of a validation error: where, and what. The rejected input is left out: it may be long or secret."""
    if not isinstance(problem, dict) or not problem.get("msg"):
        return describe_detail(problem)
    loc = problem.get("loc")
    places = loc if isinstance(loc, (list, tuple)) else [loc]
    where = ".".join(str(place) for place in places if place not in (None, "", "body"))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds that the answer asks to wait.

    Args:
        headers: The answer's headers; lower-case names.
        now: The present, timezone-aware; the system's if None.

    Returns:
        Seconds from 0 to an hour, or None where the header is missing or makes no sense.

    Example:
        >>> retry_after({"retry-after": "7"})
        7.0
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        seconds = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    if seconds != seconds:  # noqa: PLR0124 - NaN
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", errors="replace")


def _correlation_id(body: Any, depth: int = 0) -> str | None:
    """The id in the body itself or in its ``detail`` or ``error`` object."""
    if not isinstance(body, dict) or depth > 2:
        return None
    for key in _CORRELATION_KEYS:
        if isinstance(value := body.get(key), (str, int)) and str(value).strip():
            return str(value).strip()
    return next(filter(None, (_correlation_id(body.get(key), depth + 1) for key in ("detail", "error"))), None)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := headers.get(name, "").strip())), None)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
