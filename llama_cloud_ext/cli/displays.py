"""What a command over many files shows on standard error while it works: lines, or a live table on a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

import typer

from llama_cloud_ext.progress import Progress, Tally, duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MOST_SHOWN = 8
"""Rows for files under way, and for what ended last: a table that is taller than the terminal flickers."""


class Display(Protocol):
    """Is told what happens to the files of a command."""

    def started(self, label: str) -> None:
        """A file is being worked on."""

    def finished(self, label: str, note: str, *, credits_used: float | None = None) -> None:
        """A file is done."""

    def failed(self, label: str, error: str) -> None:
        """A file failed."""

    def held_up(self, seconds: float) -> None:
        """Requests wait for a rate limit; 0 when they do no longer."""

    def close(self) -> None:
        """All is done."""


class Lines:
    """A line for each file that is done, unless nobody wants it, and for each that failed.

    Args:
        total: How many files there are.
        quiet: Whether only failures are shown.
    """

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._quiet = quiet
        self._done = 0
        self._waiting = False

    def started(self, label: str) -> None:
        """Nothing is shown of it."""

    def finished(self, label: str, note: str, *, credits_used: float | None = None) -> None:
        """Print a line."""
        self._done += 1
        if not self._quiet:
            typer.echo(f"[{self._done}/{self._total}] {label}: {note}", err=True)

    def failed(self, label: str, error: str) -> None:
        """Print a line."""
        self._done += 1
        typer.echo(f"error: {error}", err=True)

    def held_up(self, seconds: float) -> None:
        """Print a line when the waiting begins."""
        if seconds and not self._waiting and not self._quiet:
            typer.echo(f"waiting for the rate limit ({duration(seconds)})", err=True)
        self._waiting = bool(seconds)

    def close(self) -> None:
        """Nothing is left to show."""


class LiveTable:
    """A table on the terminal: counts, rate, estimate and credits; files under way; what ended last and how.

    Args:
        total: How many files there are.
        console: Where to draw; standard error if None.
    """

    def __init__(self, total: int, *, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = Tally(total)
        self._running: dict[str, float] = {}
        self._ended: deque[tuple[str, str, bool]] = deque(maxlen=_MOST_SHOWN)
        self._held_up = 0.0
        self._live = Live(
            console=console or Console(stderr=True),
            get_renderable=self._render,
            refresh_per_second=4,
            # Where standard output is a file or a pipe, what is printed belongs there.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._live.start()

    def started(self, label: str) -> None:
        """Show it among the files under way."""
        self._running[label] = time.monotonic()

    def finished(self, label: str, note: str, *, credits_used: float | None = None) -> None:
        """Show how it ended."""
        self._tally.add(label, credits_used=credits_used)
        self._end(label, note, failed=False)

    def failed(self, label: str, error: str) -> None:
        """Show how it ended, and leave the whole message above the table."""
        self._tally.add(label, failed=True)
        self._end(label, "failed", failed=True)
        self._live.console.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)

    def held_up(self, seconds: float) -> None:
        """Show it in the first line."""
        self._held_up = seconds

    def close(self) -> None:
        """Leave the last state on the terminal."""
        self._live.stop()

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._tally.progress(held_up=self._held_up)

    def _end(self, label: str, note: str, *, failed: bool) -> None:
        began = self._running.pop(label, None)
        seconds = "" if began is None else f", {duration(time.monotonic() - began)}"
        self._ended.append((label, f"{note}{seconds}", failed))

    def _render(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        table.add_row(Text(str(self.progress), style="bold"))
        rows = Table.grid(padding=(0, 2))
        for label, note, failed in list(self._ended):
            mark = Text("failed", style="red") if failed else Text("done", style="green")
            rows.add_row(mark, Text(label, overflow="ellipsis", no_wrap=True), Text(note))
        now = time.monotonic()
        running = list(self._running.items())
        for label, began in running[:_MOST_SHOWN]:
            rows.add_row(Text("running", style="yellow"), Text(label), Text(duration(now - began)))
        if len(running) > _MOST_SHOWN:
            rows.add_row("", Text(f"and {len(running) - _MOST_SHOWN} more"), "")
        table.add_row(rows)
        return table


def display_for(total: int, *, quiet: bool, prints_results: bool) -> Display:
    """The display that suits where the command runs.

    Args:
        total: How many files there are.
        quiet: Whether only failures are shown.
        prints_results: Whether results are printed on standard output, rather than written into files.
    """
    clear = not (prints_results and sys.stdout.isatty())
    if total > 1 and not quiet and clear and sys.stderr.isatty():
        return LiveTable(total)
    return Lines(total, quiet=quiet)
