"""Batches as the job watcher sees them. Their list takes no ids, so that each is asked for by itself."""

from __future__ import annotations

from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.watcher import JobKind

BATCH_JOBS = JobKind(
    product="batch",
    get=batches.get,
    list_jobs=None,
    # THROTTLED is not among them: such a batch waits for its turn.
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
)
