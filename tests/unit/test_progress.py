"""Progress of a call over several files."""

from __future__ import annotations

import asyncio
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


def test_rate_estimate_and_credits() -> None:
    """Ensure the rate is that of the last minute, the estimate follows from it, and credits add up where told."""
    seen: list[Progress] = []
    now = 1000.0

    async def six_files() -> None:
        nonlocal now
        report = ProgressReport(seen.append, 6, "Parsing", clock=lambda: now)
        for seconds, credits_used in ((0.1, None), (100.0, 3.0), (50.0, 1.5), (50.0, None)):
            now += seconds
            await report.finished("a.pdf", credits_used=credits_used)
        report.close()

    run(six_files)
    assert [one.rate for one in seen] == [None, pytest.approx(1 / 100), pytest.approx(2 / 150), pytest.approx(2 / 100)]
    assert [one.credits for one in seen] == [None, 3.0, 4.5, 4.5]
    assert seen[-1].seconds_left == pytest.approx(100)
    assert str(seen[-1]) == "4 of 6, 1.2/min, 1 min 40 s left, 4.5 credits"


def test_waiting_for_a_rate_limit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a callback hears when requests begin and end to wait, though no file is finished meanwhile."""
    monkeypatch.setattr("llama_cloud_ext.progress._LOOK_EVERY", 0.01)
    seen: list[Progress] = []
    wait = 0.0

    async def one_file() -> None:
        nonlocal wait
        report = ProgressReport(seen.append, 1, "Parsing", held_up=lambda: wait)
        for seconds in (0.0, 41.0, 0.5):
            wait = seconds
            await asyncio.sleep(0.05)
        report.close()

    run(one_file)
    assert [(one.done, one.held_up) for one in seen] == [(0, 41.0), (0, 0.0)]
    assert str(seen[0]) == "0 of 1, waiting for the rate limit (41 s)"


def test_the_bar_shows_failures_credits_and_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure the bar is told what a callback would be told; how much of it fits is up to the terminal's width."""
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(
        "tqdm.auto.tqdm.set_postfix", lambda _bar, notes, **_: shown.append({k: str(v) for k, v in notes.items()})
    )

    async def two_files() -> None:
        report = ProgressReport(True, 2, "Parsing", held_up=lambda: 30.0)
        await report.finished("a.pdf", credits_used=3.0)
        await report.finished("b.pdf", failed=True)
        report.close()

    run(two_files)
    waiting = {"credits": "3", "rate limit": "waiting 30 s"}
    assert shown == [waiting, {"failed": "1", **waiting}]
