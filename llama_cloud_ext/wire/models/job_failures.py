"""Why jobs fail, as the service says it: a code of its error reference inside the job's message."""

from __future__ import annotations

JOB_FAILURE_CODES = (
    "UNSUPPORTED_FILE_TYPE",
    "PDF_IS_PROTECTED",
    "PDF_IS_BROKEN",
    "NO_DATA_FOUND_IN_FILE",
    "DOCUMENT_TOO_LARGE",
    "TOO_MANY_PAGES",
    "TIMEOUT",
)
"""Reasons of failed jobs, from the service's error reference."""


def job_failure_code(error_message: str | None) -> str | None:
    """The first failure code of the service's error reference that stands in a job's error message.

    Example:
        >>> job_failure_code("PDF_IS_PROTECTED: a password is needed"), job_failure_code("it went wrong")
        ('PDF_IS_PROTECTED', None)
    """
    found = (
        {error_message.find(code): code for code in JOB_FAILURE_CODES if code in error_message} if error_message else {}
    )
    return found[min(found)] if found else None
