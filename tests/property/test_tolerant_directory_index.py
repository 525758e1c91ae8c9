"""Whatever an index over a directory answers, reading it never raises anything but this package's own errors."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from hypothesis import given, settings

from llama_cloud_ext import LlamaCloudError
from llama_cloud_ext.wire.ingestion_jobs import synced_status
from llama_cloud_ext.wire.models.ingestion_status import FINAL
from tests.http.scripted import answer
from tests.http.scripted_directory import ScriptedDirectory, result
from tests.property.test_tolerant_retrieval import changes, look_at, mutated

LAST = {"content": "The last one.", "score": 0.25, "metadata": {"file_name": "b.pdf"}}
FULL = result("Words.", rerank_score=0.75, metadata={"year": 2024, "tags": ["a"], "none": None})
FULL["static_fields"] |= {
    "chunk_start_char": 0,
    "chunk_end_char": 6,
    "chunk_token_count": 2,
    "attachments": [{"attachment_name": "screenshots/page_2.jpg", "source_id": "dfl-9", "type": "screenshot"}],
}
ANSWER: dict[str, Any] = {"results": [FULL, LAST]}
FILE: dict[str, Any] = {"id": "dfl-9", "display_name": "a.pdf", "metadata": {"x": 1}}
RECORD: dict[str, Any] = {
    "id": "idx-1",
    "name": "reports",
    "project_id": "p-1",
    "source_directory_id": "dir-1",
    "output_directory_id": "dir-2",
    "sync_in_progress": False,
    "last_synced_at": "2026-01-01T00:00:00Z",
    "metadata": {
        "status": "ready",
        "error_message": None,
        "failed_files": [{"file_name": "a.txt", "error_message": "is broken"}],
    },
}


@settings(max_examples=150, deadline=None)
@given(changes(ANSWER), changes(FILE))
def test_any_answer_of_a_retrieval_reads(changed: list[Any], file: list[Any]) -> None:
    """Ensure any few mutations of an answer, and of the record of its file, leave nodes that LlamaIndex can use."""
    service = ScriptedDirectory(
        fault=lambda step, request: (
            answer(mutated(ANSWER, changed))
            if step == "retrieve"
            else answer(mutated(FILE, file))
            if step == "file"
            else None
        )
    )
    nodes = service.retriever(None, id="idx-1").retrieve("x")
    look_at(nodes)
    if mutated(ANSWER, changed) == ANSWER:
        assert [node.text for node in nodes] == ["Words.", "The last one."]


@settings(max_examples=150, deadline=None)
@given(changes(RECORD))
def test_any_record_of_an_index_tells_its_state(where: list[Any]) -> None:
    """Ensure any few mutations of a record read as a state, and never as done while a sync is said to be running."""
    record = mutated(RECORD, where)
    status = synced_status(record if isinstance(record, dict) else {})
    assert isinstance(status, str)
    running = {**copy.deepcopy(RECORD), "sync_in_progress": True}
    assert synced_status(running) not in FINAL


@settings(max_examples=50, deadline=None)
@given(changes(RECORD))
def test_any_record_that_ends_a_wait_reads(where: list[Any]) -> None:
    """Ensure a wait for an index ends with its record, or with one of this package's errors."""
    service = ScriptedDirectory(
        fault=lambda step, request: answer(mutated(RECORD, where)) if step == "index" else None, unindexed=["a"]
    )
    if synced_status(mutated(RECORD, where)) not in FINAL:
        return
    with suppress(LlamaCloudError):
        assert isinstance(service.index(None, id="idx-1").wait_for_completion(timeout=5), dict)
