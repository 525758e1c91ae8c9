"""Batches as the job watcher sees them. Their list takes no ids, so that each is asked for by itself."""

from __future__ import annotations

from llama_cloud_ext.wire import batch_processing, batches
from llama_cloud_ext.wire.watcher import JobKind

BATCH_JOBS = JobKind(
    product="batch",
    get=batches.get,
    list_jobs=None,
    # THROTTLED is not among them: such a batch waits for its turn.
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
)

BATCH_PROCESSING_JOBS = JobKind(
    product="beta batch",
    get=batch_processing.get_status,
    list_jobs=None,
    # "dispatched" says that every file has its job, not that these have ended.
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
)
