"""Progress of a call over several files."""

from __future__ import annotations

import logging

import pytest

from llama_cloud_ext.progress import Progress, ProgressReport
from llama_cloud_ext.wire.io_loop import run


def test_a_callback_that_fails_costs_no_results(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure an error in the user's callback is logged and does not end the call."""
    seen: list[int] = []

    def show(progress: Progress) -> None:
        seen.append(progress.done)
        raise ZeroDivisionError

    async def two_files() -> None:
        report = ProgressReport(show, 2, "Parsing")
        await report.finished("a.pdf", failed=False)
        await report.finished("b.pdf", failed=True)
        report.close()

    with caplog.at_level(logging.ERROR):
        run(two_files)
    assert seen == [1, 2]
    assert "progress callback" in caplog.text
