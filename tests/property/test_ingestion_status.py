"""Whatever the service says of an ingestion, reading it never raises, and only a known end is an end."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from llama_cloud_ext.wire.ingestion_jobs import counted_status
from llama_cloud_ext.wire.models.ingestion_status import FINAL, ManagedIngestionStatus
from tests.property.test_tolerant_responses import junk

STATUS: dict[str, Any] = {
    "status": "PARTIAL_SUCCESS",
    "job_id": "j-1",
    "error": [{"job_id": "j-2", "message": "The file is broken.", "step": "PARSE"}],
    "effective_at": "2026-11-01T08:00:00Z",
    "deployment_date": "2026-11-01T08:00:05.25+00:00",
}


def read(status: ManagedIngestionStatus) -> list[Any]:
    """Every attribute of a status."""
    failures = [(failure.job_id, failure.message, failure.step) for failure in status.errors]
    moments = [status.effective_at, status.deployment_date]
    return [status.status, status.job_id, failures, moments, status.finished, status.failed, repr(status)]


def test_a_status() -> None:
    """Ensure all fields of a usual answer are there."""
    assert read(ManagedIngestionStatus(STATUS)) == [
        "PARTIAL_SUCCESS",
        "j-1",
        [("j-2", "The file is broken.", "PARSE")],
        [datetime(2026, 11, 1, 8, tzinfo=timezone.utc), datetime(2026, 11, 1, 8, 0, 5, 250000, tzinfo=timezone.utc)],
        True,
        True,
        "ManagedIngestionStatus(status='PARTIAL_SUCCESS', errors=1)",
    ]


@given(field=st.sampled_from(sorted(STATUS)), value=junk)
@example(field="status", value="success")
@example(field="error", value=[None, {"message": 7}])
def test_any_value_in_any_field(field: str, value: Any) -> None:
    """Ensure one bad field leaves the others readable, and survives JSON and pickling."""
    status = ManagedIngestionStatus({**STATUS, field: value})
    found = read(status)
    for name, position in (("status", 0), ("job_id", 1), ("error", 2)):
        if name != field:
            assert found[position] == read(ManagedIngestionStatus(STATUS))[position]
    assert read(pickle.loads(pickle.dumps(status))) == found


@given(raw=junk)
def test_anything_at_all(raw: Any) -> None:
    """Ensure anything that JSON can hold reads as a status, which is running unless it says otherwise."""
    status = ManagedIngestionStatus(raw)
    read(status)
    assert status.finished == (status.status in FINAL)
    assert not status.failed or status.finished


@given(text=st.text())
def test_only_a_known_end_is_one(text: str) -> None:
    """Ensure a state that is not known yet counts as running."""
    status = ManagedIngestionStatus({"status": text})
    assert status.finished == (text.upper() in FINAL)


@given(counts=st.dictionaries(st.text() | st.sampled_from(sorted(FINAL)), junk))
def test_any_counts(counts: dict[str, Any]) -> None:
    """Ensure counts of any kind add up to a state, and to no end while something unknown is counted."""
    status = counted_status(counts)
    unknown = {name for name, count in counts.items() if type(count) is int and count and name.upper() not in FINAL}
    assert status == "IN_PROGRESS" or (status in FINAL and not unknown)
    assert json.loads(json.dumps(status)) == status
