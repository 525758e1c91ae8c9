"""The exception tree: its shape, its texts, and its way through pickle."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from llama_cloud_ext import errors
from llama_cloud_ext.errors import (
    ApiError,
    ConfigurationError,
    DownloadError,
    ExtractValidationError,
    FailedItem,
    JobDeadlineError,
    JobError,
    JobFailedError,
    LedgerError,
    LlamaCloudError,
    NotFoundError,
    PartialFailureError,
    PlanLimitError,
    RateLimitError,
    RequestTimeoutError,
    SourceError,
    TransportError,
)

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, LlamaCloudError) and kind.__module__ == errors.__name__
]


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def facts_for(kind: type[LlamaCloudError]) -> dict[str, Any]:
    """Every keyword argument of a class, with a value of its own."""
    facts: dict[str, Any] = {"hint": "do this", "file": "a.pdf", "job_id": "job-1"}
    if issubclass(kind, ConfigurationError):
        facts["option"] = "tier"
    elif issubclass(kind, TransportError):
        facts |= {"request": "POST https://host/path", "sent": True, "transient": False}
    elif issubclass(kind, ApiError):
        facts |= {
            "status": 404,
            "detail": "gone",
            "correlation_id": "c-1",
            "request_id": "r-1",
            "method": "GET",
            "url": "https://host/path",
            "retry_after": 2.0,
            "body": {"detail": "gone"},
        }
    elif issubclass(kind, JobError):
        facts |= {"product": "parse", "status": "FAILED", "code": "TIMEOUT", "reason": "slow", "job": {"id": "job-1"}}
        if kind is ExtractValidationError:
            facts |= {"data": {"total": "a lot"}, "problems": {"total": "is no number"}}
    elif issubclass(kind, DownloadError):
        facts |= {"url": "https://host/a.png", "status": 500, "transient": False}
    elif issubclass(kind, LedgerError):
        facts |= {"location": "s3://bucket/ledger"}
    elif issubclass(kind, PartialFailureError):
        facts = {"hint": "do this", "results": ["ok", FailedItem("a.pdf", ValueError("x"), {"id": "job-1"}, 1)]}
    return facts


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_survives_pickle(kind: type[LlamaCloudError]) -> None:
    """Ensure each class keeps type, text, fields and cause on its way through pickle."""
    error = kind("it broke", **facts_for(kind))
    error.__cause__ = TransportError("refused", request="GET https://host/")
    copy = through_pickle(error)
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert isinstance(copy.__cause__, TransportError)
    assert copy.__cause__.request == "GET https://host/"
    for name, value in facts_for(kind).items():
        if name != "results":
            assert getattr(copy, name) == value


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_text_is_never_blank(kind: type[LlamaCloudError]) -> None:
    """Ensure an error made without a single argument, or with blanks, still says something."""
    assert str(kind()).strip()
    assert str(kind("  ")).strip()
    assert kind.__name__ in repr(kind())


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_hint_has_a_line_of_its_own(kind: type[LlamaCloudError]) -> None:
    """Ensure the next step stands on the last line, after an arrow."""
    assert str(kind(**facts_for(kind))).splitlines()[-1] == "→ do this"


def test_tree_in_the_docstring_is_complete() -> None:
    """Ensure the module's docstring names every class at the depth at which it stands."""
    tree = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ")
        name = words.split()[0] if words.split() else ""
        if name.endswith("Error"):
            tree[name] = (len(words) - len(words.lstrip()) - 4) // 4
    assert tree == {kind.__name__: kind.__mro__.index(LlamaCloudError) for kind in CLASSES}


def test_configuration_errors_are_value_errors() -> None:
    """Ensure code that expects a ValueError for a bad argument keeps working."""
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(SourceError, ConfigurationError)
    assert issubclass(PlanLimitError, RateLimitError)
    assert issubclass(RequestTimeoutError, TransportError)


def test_unpicklable_cause_is_replaced_by_its_words() -> None:
    """Ensure a foreign exception that does not pickle neither stops ours nor loses its message."""

    class AwkwardError(Exception):
        def __init__(self, *, needed: str) -> None:
            super().__init__(needed)

    error = LlamaCloudError("it broke")
    error.__cause__ = AwkwardError(needed="a socket")
    copy = through_pickle(error)
    assert str(copy.__cause__) == "AwkwardError: a socket"
    item = through_pickle(FailedItem("a.pdf", AwkwardError(needed="a socket")))
    assert str(item.error) == "AwkwardError: a socket"


def test_picklable_cause_is_kept() -> None:
    """Ensure an ordinary cause arrives as what it was."""
    error = LlamaCloudError("it broke")
    error.__cause__ = OSError(2, "no such file")
    cause = through_pickle(error).__cause__
    assert isinstance(cause, FileNotFoundError)
    assert cause.errno == 2


def test_api_error_text() -> None:
    """Ensure an API error says what was asked, what came, and which ids to quote."""
    error = NotFoundError(
        status=404,
        detail="Parse job not found",
        method="GET",
        url="https://host/api/v2/parse/x",
        correlation_id="c-1",
        request_id="r-1",
    )
    assert str(error) == (
        "GET https://host/api/v2/parse/x answered 404 Not Found: Parse job not found "
        "(correlation id c-1, request id r-1)"
    )
    assert str(ApiError(status=599)) == "answered 599"


def test_context_is_added_once() -> None:
    """Ensure file and job are named in the text, are not named twice, and never replace what is known."""
    error = ApiError(status=500).with_context(file="a.pdf", job_id="job-1")
    assert str(error) == "a.pdf, job job-1: answered 500 Internal Server Error"
    assert str(SourceError("a.pdf is empty").with_context(file="a.pdf")) == "a.pdf is empty"
    assert error.with_context(file="b.pdf").file == "a.pdf"


def test_job_error_text() -> None:
    """Ensure a job error names file, product, job, code and the service's words, each once."""
    failed = JobFailedError(
        job_id="job-1", product="parse", status="FAILED", code="PDF_IS_BROKEN", reason="xref lost", file="a.pdf"
    )
    assert str(failed) == "a.pdf: parse job job-1 failed: PDF_IS_BROKEN: xref lost"
    named = JobFailedError(job_id="job-1", product="parse", code="TIMEOUT", reason="TIMEOUT after 60 s")
    assert str(named) == "parse job job-1 failed: TIMEOUT after 60 s"
    late = JobDeadlineError(job_id="job-1", product="parse", status="RUNNING")
    assert str(late) == "parse job job-1 did not finish before the deadline (status RUNNING)"


def test_failed_item() -> None:
    """Ensure a failure record is truthy, immutable, and knows its job from wherever it is told."""
    item = FailedItem("a.pdf", JobFailedError(job_id="job-1"), index=3)
    assert item
    assert item.job_id == "job-1"
    assert FailedItem("a.pdf", ValueError("x"), {"id": "job-2"}).job_id == "job-2"
    assert FailedItem("a.pdf", ValueError()).job_id is None
    assert str(FailedItem("a.pdf", ValueError())) == "a.pdf: ValueError"
    with pytest.raises(AttributeError):
        item.index = 4  # type: ignore[misc]  # the assignment is what must fail


def test_partial_failure_counts_and_lists() -> None:
    """Ensure a partial failure holds results in order, finds its failures, and shows the first few."""
    items = [FailedItem(f"{number}.pdf", ValueError("broken"), index=number) for number in range(7)]
    error = PartialFailureError(results=["ok", *items])
    assert error.failures == items
    assert error.results[0] == "ok"
    text = str(error)
    assert text.startswith("7 of 8 inputs failed\n  0.pdf: broken")
    assert "and 2 more" in text
