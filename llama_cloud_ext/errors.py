"""Everything that this package raises on purpose.

    LlamaCloudError                  the root: catch it to catch all of them
    ├── ConfigurationError           wrong options or settings, found before any request (also a ValueError)
    │   └── SourceError              a file that is missing, empty, a directory, or that nothing names
    ├── TransportError               no answer came back: ``.sent`` says whether the service may have acted
    │   └── RequestTimeoutError      … because it took longer than ``timeout``
    ├── ApiError                     the service answered with an error: ``.status``, ``.detail``, ``.correlation_id``
    │   ├── BadRequestError          400
    │   ├── AuthenticationError      401
    │   ├── QuotaError               402  out of credits, or over the plan
    │   ├── PermissionDeniedError    403
    │   ├── NotFoundError            404
    │   ├── ConflictError            409
    │   ├── PayloadTooLargeError     413
    │   ├── UnprocessableError       422
    │   ├── RateLimitError           429  too fast; retried before you see it
    │   │   └── PlanLimitError       429  a limit of the plan, which waiting does not lift
    │   └── ServerError              5xx
    ├── JobError                     a job ended without a usable result: ``.job_id``, ``.code``, ``.reason``, ``.file``
    │   ├── JobFailedError
    │   │   └── IngestionError       documents or files of an index failed: ``.failures`` has each with its reason
    │   ├── JobCancelledError
    │   ├── JobDeadlineError         still running at the deadline; it can be resumed by its id
    │   ├── EmptyResultError         it succeeded, but no page holds anything
    │   └── ExtractValidationError   it succeeded, but what it found does not fit the model: ``.data``, ``.problems``
    ├── DownloadError                an image, table or PDF of a result could not be fetched whole
    ├── LedgerError                  the ledger could not be read or written: ``.location``
    └── PartialFailureError          some inputs of a call failed: ``.results`` and ``.failures``

``str(error)`` is never blank; where the next step is known it stands on a line of its own, after an arrow.
Every class survives pickling, so that errors cross process pools. None of them ever holds an API key.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self, Unpack


class Context(TypedDict, total=False):
    hint: str | None
    file: str | None
    job_id: str | None


class LlamaCloudError(Exception):
    """The root of the tree in this module's docstring.

    Args:
        message: What happened. A class that knows its own facts writes the message itself when this is empty.
        hint: The next step for whoever reads this, or None.
        file: The input this is about, as the caller knows it.
        job_id: The job this is about.

    Example:
        >>> print(LlamaCloudError("The page is gone.", hint="Fetch it again.", file="report.pdf"))
        report.pdf: The page is gone.
        → Fetch it again.
    """

    def __init__(
        self, message: str = "", *, hint: str | None = None, file: str | None = None, job_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.job_id = job_id

    def with_context(self, *, file: str | None = None, job_id: str | None = None) -> Self:
        """Fill in the file and the job where a lower layer could not know them, and return the error to raise on."""
        self.file = self.file or file
        self.job_id = self.job_id or job_id
        return self

    def __str__(self) -> str:
        text = self._describe()
        about = {self.file: self.file, self.job_id: f"job {self.job_id}"}
        missing = [name for known, name in about.items() if known and name and known not in text]
        text = f"{', '.join(missing)}: {text}" if missing else text
        return f"{text}\n→ {self.hint}" if self.hint else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _describe(self) -> str:
        """The message without its context and hint; never blank."""
        text = self.message.strip() or self._compose() or type(self).__name__
        subject = self._subject()
        # As a word of its own: the misspelled "filter" is in "filters", and yet not said.
        said = not subject or re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", text)
        return text if said else f"{subject}: {text}"

    def _subject(self) -> str | None:
        """What the message is about, where it does not say so itself."""
        return None

    def _compose(self) -> str:
        """A message made of the error's own facts, for when none was given."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default protocol would call the class with `args` alone and drop both keywords and cause.
        cause = None if self.__cause__ is None else _portable(self.__cause__)
        return _rebuild, (type(self), self.args, self.__dict__.copy(), cause)


def _rebuild(
    kind: type[LlamaCloudError], args: tuple[Any, ...], state: dict[str, Any], cause: BaseException | None
) -> LlamaCloudError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


def _portable(error: BaseException) -> BaseException:
    """The error itself where it survives pickling, else a plain one that says the same."""
    if isinstance(error, LlamaCloudError):
        return error
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - bytes made one line above
    except Exception:
        return LlamaCloudError(f"{type(error).__name__}: {error}")
    return error


class ConfigurationError(LlamaCloudError, ValueError):
    """Options or settings that cannot work; raised before any request is sent.

    Args:
        message: What is wrong.
        option: The name of the option at fault, where there is one.
        **context: `hint`, `file` and `job_id`.
    """

    def __init__(self, message: str = "", *, option: str | None = None, **context: Unpack[Context]) -> None:
        super().__init__(message, **context)
        self.option = option

    def _subject(self) -> str | None:
        return self.option


class SourceError(ConfigurationError):
    """An input that cannot be sent: missing, empty, a directory, unreadable, or without a name."""


class TransportError(LlamaCloudError):
    """No usable answer came back from the service.

    Args:
        message: What went wrong on the way.
        request: ``"POST https://host/path"``, without the query.
        sent: True where the service may have received the request and acted on it.
        transient: False where trying again cannot help (a certificate that is not trusted, say).
        **context: `hint`, `file` and `job_id`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        request: str = "",
        sent: bool = False,
        transient: bool = True,
        **context: Unpack[Context],
    ) -> None:
        super().__init__(message, **context)
        self.request = request
        self.sent = sent
        self.transient = transient

    def _subject(self) -> str | None:
        return self.request

    def _compose(self) -> str:
        return "no answer (the service may have received the request)" if self.sent else "could not reach the service"


class RequestTimeoutError(TransportError):
    """The connection, the sending or the answer took longer than ``timeout`` seconds."""


class ApiError(LlamaCloudError):
    """The service answered with an error status.

    Args:
        message: Overrides the text that is otherwise made from the other arguments.
        status: HTTP status, e.g. 404.
        detail: The service's own words, on one line.
        correlation_id: The id to quote to support, from the body or the headers.
        request_id: The id of the request in a header, where one came.
        method: ``"GET"``, ``"POST"``, …
        url: The address without its query.
        retry_after: Seconds the service asked to wait, or None.
        body: The decoded body, or its text where it is not JSON.
        **context: `hint`, `file` and `job_id`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        detail: str = "",
        correlation_id: str | None = None,
        request_id: str | None = None,
        method: str = "",
        url: str = "",
        retry_after: float | None = None,
        body: Any = None,
        **context: Unpack[Context],
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.detail = detail
        self.correlation_id = correlation_id
        self.request_id = request_id
        self.method = method
        self.url = url
        self.retry_after = retry_after
        self.body = body

    def _compose(self) -> str:
        try:
            status = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            status = str(self.status)
        text = f"{self.method} {self.url} answered {status}".strip()
        text += f": {self.detail.strip()}" if self.detail.strip() else ""
        ids = {"correlation id": self.correlation_id, "request id": self.request_id}
        known = ", ".join(f"{label} {value}" for label, value in ids.items() if value)
        return f"{text} ({known})" if known else text


class BadRequestError(ApiError):
    """400: the request is malformed, or an input of it does not fit."""


class AuthenticationError(ApiError):
    """401: the API key is missing, wrong, revoked, or of another region."""


class QuotaError(ApiError):
    """402: credits or a quota of the plan are used up."""


class PermissionDeniedError(ApiError):
    """403: the key may not touch this resource."""


class NotFoundError(ApiError):
    """404: there is no such resource, or no longer."""


class ConflictError(ApiError):
    """409: it exists already, or somebody else changed it at the same time."""


class PayloadTooLargeError(ApiError):
    """413: the file is larger than the product takes."""


class UnprocessableError(ApiError):
    """422: well-formed, but its values are not acceptable."""


class RateLimitError(ApiError):
    """429: too many requests, and the time for retries is used up."""


class PlanLimitError(RateLimitError):
    """429 for a limit of the plan (projects, indexes, users …); waiting does not help, so it is not retried."""


class ServerError(ApiError):
    """5xx: the service failed; retried for as long as the request's time budget allowed."""


class JobError(LlamaCloudError):
    """A job that ended without a usable result.

    Args:
        message: Overrides the text that is otherwise made from the other arguments.
        product: ``"parse"``, ``"extract"``, …
        status: The job's last known status as the service spells it.
        code: The failure code, e.g. ``"PDF_IS_PROTECTED"``, where the reason names one.
        reason: The service's own words.
        job: The job's record as the service sent it.
        hint: The next step from the service's error reference.
    """

    _outcome = "ended without a result"

    def __init__(
        self,
        message: str = "",
        *,
        product: str = "",
        status: str | None = None,
        code: str | None = None,
        reason: str | None = None,
        job: dict[str, Any] | None = None,
        **context: Unpack[Context],
    ) -> None:
        super().__init__(message, **context)
        self.product = product
        self.status = status
        self.code = code
        self.reason = reason
        self.job = job

    def _compose(self) -> str:
        text = " ".join(part for part in (self.product, "job", self.job_id, self._outcome) if part)
        if self.status and self.status.lower() not in self._outcome:
            text += f" (status {self.status})"
        reason = (self.reason or "").strip()
        code = self.code if self.code and self.code not in reason else ""
        return ": ".join(part for part in (self.file, text, code, reason) if part)


class JobFailedError(JobError):
    """The job ended as failed; ``.code`` and ``.reason`` say why."""

    _outcome = "failed"


class JobCancelledError(JobError):
    """The job was cancelled before it finished."""

    _outcome = "was cancelled"


class JobDeadlineError(JobError):
    """The job was still running at the deadline. It is not lost: ask for its result by ``.job_id`` later."""

    _outcome = "did not finish before the deadline"


class EmptyResultError(JobError):
    """The job succeeded, yet not one page of its result holds anything."""

    _outcome = "succeeded without a single page that holds anything"


class ExtractValidationError(JobError):
    """The job succeeded, but the extracted data do not fit the model. Nothing is lost: they are in ``.data``.

    Args:
        message: Overrides the text that is otherwise made from the problems.
        data: What the service extracted, as it came.
        problems: What does not fit, by the field's path, such as "lines[0].amount"; "" for the whole.
        **facts: As for `JobError`.

    Example:
        >>> print(ExtractValidationError(data={"total": "a lot"}, problems={"total": "is no number"}, job_id="job-1"))
        extract job job-1 found data that do not fit the model
          total: is no number
    """

    _outcome = "found data that do not fit the model"

    def __init__(
        self, message: str = "", *, data: Any = None, problems: Mapping[str, str] | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **{"product": "extract", **facts})
        self.data = data
        self.problems = dict(problems or {})

    def _compose(self) -> str:
        lines = [f"{path}: {text}" if path else text for path, text in self.problems.items()]
        return _listed(super()._compose(), lines, more=".problems")


class DownloadError(LlamaCloudError):
    """A file of a result could not be fetched whole; nothing was written.

    Args:
        message: What went wrong.
        url: The address without its query (which holds the signature).
        status: HTTP status of the last answer, or None where there was none.
        transient: Whether the same address may work later.
        **context: `hint`, `file` and `job_id`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        url: str = "",
        status: int | None = None,
        transient: bool = True,
        **context: Unpack[Context],
    ) -> None:
        super().__init__(message, **context)
        self.url = url
        self.status = status
        self.transient = transient

    def _subject(self) -> str | None:
        return self.url

    def _compose(self) -> str:
        return f"the download answered {self.status}" if self.status else "the download failed"


class LedgerError(LlamaCloudError):
    """A ledger could not be read, or could not be written before anything was sent.

    What is paid for already is never lost to it: a result that cannot be kept is logged and returned.

    Args:
        message: What went wrong.
        location: The ledger's folder or URL.
        **context: `hint`, `file` and `job_id`.
    """

    def __init__(self, message: str = "", *, location: str = "", **context: Unpack[Context]) -> None:
        super().__init__(message, **context)
        self.location = location

    def _subject(self) -> str | None:
        return f"ledger {self.location}" if self.location else None

    def _compose(self) -> str:
        return "the ledger cannot be used"


@dataclass(frozen=True)
class FailedItem:
    """One input that failed, in its place among the results of a lenient call.

    Attributes:
        source: The input as the caller knows it.
        error: Why it failed.
        job: The job's record as the service sent it, or None where no job was created.
        index: The input's place in the call, from 0.
    """

    source: str
    error: Exception
    job: dict[str, Any] | None = None
    index: int = 0

    @property
    def job_id(self) -> str | None:
        """The job's id, where a job was created."""
        known = getattr(self.error, "job_id", None) or (self.job or {}).get("id")
        return str(known) if known else None

    def __str__(self) -> str:
        text = str(self.error).strip() or type(self.error).__name__
        return text if self.source in text else f"{self.source}: {text}"

    def __reduce__(self) -> tuple[Any, ...]:
        return FailedItem, (self.source, _portable(self.error), self.job, self.index)


class IngestionError(JobFailedError):
    """Documents or files of an index could not be ingested; the others can be searched.

    Args:
        message: Overrides the text that is otherwise made from the failures.
        failures: One record for each document or file that failed; ``source`` is its id or name.
        **facts: As for `JobError`.
    """

    def __init__(self, message: str = "", *, failures: Sequence[FailedItem] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.failures = list(failures)

    def _compose(self) -> str:
        if not self.failures:
            return super()._compose()
        what = f"{len(self.failures)} documents or files could not be ingested"
        return _listed(f"{what} into index {self.job_id}" if self.job_id else what, self.failures)


class PartialFailureError(LlamaCloudError):
    """Some inputs of a call failed; what succeeded is in ``.results``.

    Args:
        message: Overrides the text that is otherwise made from the failures.
        results: One entry for each input, in the order of the inputs: its result, or its FailedItem.
        failures: The failed ones alone; taken from ``results`` where not given.
        total: How many inputs there were, where ``results`` does not hold them all (a stream has handed them out).
        hint: The next step.
    """

    def __init__(
        self,
        message: str = "",
        *,
        results: Sequence[Any] = (),
        failures: Sequence[FailedItem] | None = None,
        total: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.results = list(results)
        failed = [item for item in self.results if isinstance(item, FailedItem)]
        self.failures = failed if failures is None else list(failures)
        self.total = max(len(self.results), len(self.failures)) if total is None else total

    def _compose(self) -> str:
        return _listed(f"{len(self.failures)} of {self.total} inputs failed", self.failures)


def _listed(headline: str, items: Sequence[object], *, more: str = ".failures") -> str:
    shown = [f"  {item}".replace("\n", "\n    ") for item in items[:5]]
    rest = [f"  … and {len(items) - 5} more (see {more})"] if len(items) > 5 else []
    return "\n".join([headline, *shown, *rest])


# Every public name here is an error, or the record of one.
__all__ = sorted(  # noqa: PLE0605 - complete by construction, which a list by hand would not be
    name
    for name, value in globals().items()
    if isinstance(value, type) and issubclass(value, (LlamaCloudError, FailedItem))
)
