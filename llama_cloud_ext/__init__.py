"""The LlamaIndex integration for LlamaCloud: readers, and a LlamaCloud that runs on your own machine.

Names are imported on first use, so that importing the package itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_cloud_ext.errors import (
        ApiError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        DownloadError,
        EmptyResultError,
        FailedItem,
        JobCancelledError,
        JobDeadlineError,
        JobError,
        JobFailedError,
        LlamaCloudError,
        NotFoundError,
        PartialFailureError,
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
    from llama_cloud_ext.parse.job import ParseJob
    from llama_cloud_ext.parse.progress import Progress
    from llama_cloud_ext.parse.reader import LlamaParseReader
    from llama_cloud_ext.parse.result import ParseResult

__version__ = "0.1.0"

_HOME = {
    "LlamaParseReader": "parse.reader",
    "ParseJob": "parse.job",
    "ParseResult": "parse.result",
    "Progress": "parse.progress",
}

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "DownloadError",
    "EmptyResultError",
    "FailedItem",
    "JobCancelledError",
    "JobDeadlineError",
    "JobError",
    "JobFailedError",
    "LlamaCloudError",
    "LlamaParseReader",
    "NotFoundError",
    "ParseJob",
    "ParseResult",
    "PartialFailureError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PlanLimitError",
    "Progress",
    "QuotaError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "SourceError",
    "TransportError",
    "UnprocessableError",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
