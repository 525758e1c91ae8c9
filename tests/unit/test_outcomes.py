"""What a call's outcomes come to."""

from __future__ import annotations

import pickle

import pytest

from llama_cloud_ext.errors import FailedItem, JobFailedError, PartialFailureError
from llama_cloud_ext.jobs.outcomes import Outcomes
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.events import parse_event
from llama_cloud_ext.parse.result import ParseResult


def test_a_stream_counts_the_results_that_it_has_handed_out() -> None:
    """Ensure the error at a stream's end says how many inputs there were, though it holds the failed ones alone."""
    outcomes = Outcomes("raise", [], parse_event)
    result = ParseResult({"job": {"id": "pjb-1"}}, source=SourceIdentity("a.pdf", "file:/a.pdf"))
    taken = [outcomes.take(outcome) for outcome in (result, FailedItem("b.pdf", JobFailedError("no"), None, 1), result)]
    assert taken == [True, False, True]
    with pytest.raises(PartialFailureError, match="1 of 3 inputs failed") as caught:
        outcomes.end(single=False)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
