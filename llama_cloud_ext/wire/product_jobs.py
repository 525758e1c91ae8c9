"""The jobs of a product, as those who start, watch and clear them away see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import JobKind


@dataclass(frozen=True)
class ProductJobs(JobKind):
    """What the watcher must know of a product, and how its jobs are stopped and deleted.

    Attributes:
        cancel: Stops a job.
        delete: Deletes a job that has ended, with its result.
    """

    cancel: Callable[[Connection, str], Awaitable[Any]]
    delete: Callable[[Connection, str], Awaitable[Any]]
