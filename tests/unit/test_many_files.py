"""Commands over thousands of files."""

from __future__ import annotations

import asyncio
from pathlib import PurePath

from llama_cloud_ext.cli.inputs import Input
from llama_cloud_ext.cli.many_files import hand_on, worked_on
from llama_cloud_ext.errors import FailedItem, SourceError

_FILES = 5_000


class _Counts:
    """A display that counts the files under way."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.ends: list[str] = []

    def started(self, label: str) -> None:
        self.running += 1
        self.most = max(self.most, self.running)

    def finished(self, label: str, note: str, *, credits_used: float | None = None) -> None:
        self.running -= 1
        self.ends.append(note)

    def failed(self, label: str, error: str) -> None:
        self.running -= 1
        self.ends.append("failed")

    def held_up(self, seconds: float) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.ends.append("closed")


class _Taken:
    """A sink that remembers what it was given."""

    def __init__(self) -> None:
        self.results: dict[int, str] = {}
        self.skipped: list[int] = []

    def take(self, index: int, result: str) -> None:
        if index == 7:
            raise OSError("no space left on device")
        self.results[index] = result

    def skip(self, index: int) -> None:
        self.skipped.append(index)


async def _no_wait() -> float:
    return 0.0


def test_thousands_of_files_are_never_all_under_way() -> None:
    """Ensure so many run as are bounded, each is handed on once, and failures of work or of writing are one file's."""
    inputs = [Input(b"", str(number), PurePath(str(number))) for number in range(_FILES)]

    async def work(given: Input) -> str | FailedItem:
        await asyncio.sleep(0)
        return FailedItem(given.label, SourceError("broken")) if given.label == "4" else given.label

    display, sink = _Counts(), _Taken()
    failed = asyncio.run(
        hand_on(inputs, worked_on(inputs, work, display), sink, str, display=display, held_up=_no_wait)
    )
    assert failed == 2
    assert sorted(sink.skipped) == [4, 7]
    assert sink.results == {number: str(number) for number in range(_FILES) if number not in {4, 7}}
    assert display.most <= 64
    assert display.ends[-1] == "closed"
    assert len(display.ends) == _FILES + 1
