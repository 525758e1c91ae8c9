"""From answers to errors: classes, words, ids, and bodies that no API sends."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from llama_cloud_ext import errors
from llama_cloud_ext.errors import ApiError, PlanLimitError, RateLimitError
from llama_cloud_ext.wire.responses import describe_detail, error_from, explain_content, retry_after


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> ApiError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from(status, headers or {}, content, method="POST", url="https://host/api/v2/parse", host="host")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.QuotaError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.PayloadTooLargeError),
        (422, errors.UnprocessableError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
        (504, errors.ServerError),
        (599, errors.ServerError),
        (408, errors.ApiError),
        (418, errors.ApiError),
        (304, errors.ApiError),
    ],
)
def test_class_for_each_status(status: int, kind: type[ApiError]) -> None:
    """Ensure each status has its class, and every error says what was asked and what was answered."""
    error = answer(status, {"detail": "because"})
    assert type(error) is kind
    assert (error.status, error.detail, error.method, error.body) == (status, "because", "POST", {"detail": "because"})
    assert str(error).startswith(f"POST https://host/api/v2/parse answered {status}")


@pytest.mark.parametrize(
    "detail",
    [
        "You've already reached the maximum number of projects (1) for your plan.",
        "You\u2019ve already reached the maximum number of indexes.",
        "YOU HAVE ALREADY REACHED  THE MAXIMUM NUMBER OF users",
    ],
)
def test_plan_limits_are_told_from_rates(detail: str) -> None:
    """Ensure a 429 for a limit of the plan has a class of its own, whatever the apostrophe."""
    assert type(answer(429, {"detail": detail})) is PlanLimitError


@pytest.mark.parametrize(
    "detail",
    [
        "Rate limit exceeded. The file upload limit is 50 requests per second.",
        "Rate limit exceeded. Maximum 30 classify job creations per minute.",
        "Resources exhausted. Please wait for existing jobs to complete.",
        "",
    ],
)
def test_rates_are_rates(detail: str) -> None:
    """Ensure every other 429 counts as a rate."""
    assert type(answer(429, {"detail": detail})) is RateLimitError


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "Parse job not found"}, "Parse job not found"),
        ({"detail": " two\n lines "}, "two lines"),
        (
            {
                "detail": [
                    {"type": "value_error", "loc": ["body", "tier"], "msg": "Unsupported tier", "input": {"a": 1}}
                ]
            },
            "tier: Unsupported tier",
        ),
        (
            {"detail": [{"loc": ["query", "page", 0], "msg": "bad"}, {"loc": None, "msg": "worse"}, {"msg": "worst"}]},
            "query.page.0: bad; worse; worst",
        ),
        ({"detail": [{"loc": "tier", "msg": "bad"}, "plain", 3, None]}, "tier: bad; plain; 3"),
        ({"detail": {"message": "nested"}}, "nested"),
        ({"detail": {"error": {"msg": "deep"}}}, "deep"),
        ({"detail": None, "message": "elsewhere"}, "elsewhere"),
        ({"error": "plain error"}, "plain error"),
        ({"code": 7}, '{"code": 7}'),
        ([{"msg": "bare list"}], "bare list"),
        ("a string", "a string"),
        (12, "12"),
    ],
)
def test_words_of_json_bodies(body: object, words: str) -> None:
    """Ensure the service's words are found in every shape in which they come."""
    assert answer(400, body).detail == words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Bad Gateway"),
        (b"   \n", "Bad Gateway"),
        (b"{}", "Bad Gateway"),
        (b"null", "Bad Gateway"),
        (b'{"detail": ""}', '{"detail": ""}'),
        (
            b"<html><head><style>p {}</style><title>502</title></head><body><h1>Bad&nbsp;gateway</h1></body></html>",
            "502 Bad gateway",
        ),
        (b"upstream\x00 \xff failed", "upstream\x00 \ufffd failed"),
        (b"upstream connect error", "upstream connect error"),
        (b"[" * 100_000, "[" * 1_000 + "\u2026"),
        (b"x" * 5_000, "x" * 1_000 + "\u2026"),
    ],
)
def test_bodies_of_proxies(content: bytes, words: str) -> None:
    """Ensure HTML, junk, emptiness and endlessness give words of bounded length, never a crash."""
    assert answer(502, content).detail == words


def test_unknown_status_without_words() -> None:
    """Ensure even a status without a name says something."""
    assert answer(599, b"").detail == "status 599"


@pytest.mark.parametrize(
    ("body", "headers", "meant"),
    [
        ({"detail": "x", "correlation_id": "c-1"}, {}, "c-1"),
        ({"detail": {"correlationId": "c-2"}}, {}, "c-2"),
        ({"error": {"correlation_id": 3}}, {}, "3"),
        ({"detail": "x"}, {"X-Correlation-ID": "c-4"}, "c-4"),
        ({"correlation_id": "body"}, {"x-correlation-id": "header"}, "body"),
        ({"detail": "x"}, {}, None),
        ([], {}, None),
    ],
)
def test_correlation_id(body: object, headers: dict[str, str], meant: str | None) -> None:
    """Ensure the id for support is found in the body, else in the headers."""
    assert answer(500, body, headers).correlation_id == meant


def test_request_id() -> None:
    """Ensure the request's own id is kept and shown."""
    error = answer(500, {"detail": "x"}, {"X-Request-Id": "r-1"})
    assert error.request_id == "r-1"
    assert "request id r-1" in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("999999", 3_600.0),
        ("inf", 3_600.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("Sat, 31 Jan 2026 12:00:30 -0000", 30.0),
        ("Sat, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Ensure seconds and HTTP dates are understood, and nonsense is ignored."""
    now = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    assert retry_after({"retry-after": value}, now=now) == seconds


def test_retry_after_reaches_the_error() -> None:
    """Ensure the wait that was asked for is on the error, whatever the header's case."""
    assert answer(503, {}, {"Retry-After": "4"}).retry_after == 4.0


def test_hints_come_along() -> None:
    """Ensure an error carries the next step for its message."""
    assert "48 hours" in (answer(404, {"detail": "Source file not found in storage"}).hint or "")
    assert "host" in (answer(401, {"detail": "Invalid API key"}).hint or "")


def test_explained_content() -> None:
    """Ensure the XML of an object store reads as words."""
    content = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    assert explain_content(content) == "AccessDenied Request has expired"
    assert describe_detail(None) == ""
