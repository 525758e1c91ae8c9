"""What commands over many files show while they work."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from llama_cloud_ext.cli.displays import Lines, LiveTable, display_for


def _drawn(width: int = 100) -> tuple[LiveTable, Console]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    return LiveTable(20, console=console), console


def test_the_table_shows_what_runs_and_what_ended() -> None:
    """Ensure counts, credits, files under way, the last ends, and whole messages of failures are to be seen."""
    table, console = _drawn()
    for number in range(12):
        table.started(f"{number}.pdf")
    table.finished("0.pdf", "3 page(s)", credits_used=9)
    table.failed("1.pdf", "1.pdf: it is [broken]")
    table.held_up(41.0)
    table.close()
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO of above
    assert "2 of 20, 1 failed" in shown
    assert "9 credits, waiting for the rate limit (41 s)" in shown
    assert "3 page(s)" in shown
    assert "error: 1.pdf: it is [broken]" in shown
    assert "9.pdf" in shown
    assert "and 2 more" in shown


def test_lines_say_when_the_waiting_begins(capsys: pytest.CaptureFixture[str]) -> None:
    """Ensure a wait for the rate limit is one line, however long it is looked at."""
    lines = Lines(2, quiet=False)
    for seconds in (0.0, 30.0, 29.0, 0.0):
        lines.held_up(seconds)
    lines.finished("a.pdf", "1 page(s)")
    lines.failed("b.pdf", "b.pdf: broken")
    assert capsys.readouterr().err.splitlines() == [
        "waiting for the rate limit (30 s)",
        "[1/2] a.pdf: 1 page(s)",
        "error: b.pdf: broken",
    ]


def test_a_table_needs_a_terminal_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure pipes get lines, and results that are printed on the same terminal keep their place."""
    assert isinstance(display_for(2, quiet=False, prints_results=False), Lines)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert isinstance(display_for(2, quiet=False, prints_results=True), Lines)
    assert isinstance(display_for(1, quiet=False, prints_results=False), Lines)
    assert isinstance(display_for(2, quiet=True, prints_results=False), Lines)
    table = display_for(2, quiet=False, prints_results=False)
    table.close()
    assert isinstance(table, LiveTable)
