"""Where results go: to standard output, or into the folder of ``--out``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol

import typer

from llama_cloud_ext.cli.inputs import Input

if TYPE_CHECKING:
    from llama_cloud_ext.parse.result import ParseResult


class Format(str, Enum):
    """The forms that a result can be printed in."""

    MARKDOWN = "md"
    TEXT = "text"
    JSON = "json"


_SUFFIX = {Format.MARKDOWN: ".md", Format.TEXT: ".txt", Format.JSON: ".json"}


def render(result: ParseResult, form: Format) -> str:
    """Give the whole result as one text.

    Args:
        result: A finished parse.
        form: Markdown, plain text, or the result's own JSON on one line, which `ParseResult.from_json` reads back.

    Returns:
        The text, without a line break at its end.
    """
    if form is Format.JSON:
        return result.to_json()
    return (result.markdown if form is Format.MARKDOWN else result.text).rstrip("\n")


class Sink(Protocol):
    """Somewhere for results; told about every input once, in any order."""

    def take(self, index: int, result: ParseResult) -> None:
        """Keep the result of the input with this index."""

    def skip(self, index: int) -> None:
        """Expect no result of the input with this index: it failed."""


class StandardOutput:
    """Prints results in the order of the inputs; those that come early wait for their turn.

    Args:
        inputs: What is parsed. Of several, each is announced by its name, but for JSON, which is one line a file.
        form: What to print.
    """

    def __init__(self, inputs: Sequence[Input], form: Format) -> None:
        self._inputs = inputs
        self._form = form
        self._ready: dict[int, str | None] = {}
        self._next = 0

    def take(self, index: int, result: ParseResult) -> None:
        """Print the result, or keep it until those before it are there."""
        self._ready[index] = self._heading(index) + render(result, self._form)
        self._print()

    def skip(self, index: int) -> None:
        """Let those after it go on."""
        self._ready[index] = None
        self._print()

    def _heading(self, index: int) -> str:
        if len(self._inputs) == 1 or self._form is Format.JSON:
            return ""
        label = self._inputs[index].label
        return f"<!-- {label} -->\n\n" if self._form is Format.MARKDOWN else f"==> {label} <==\n"

    def _print(self) -> None:
        while self._next in self._ready:
            text = self._ready.pop(self._next)
            if text is not None:
                typer.echo(text)
            self._next += 1


class OutputFolder:
    """Writes results below a folder and prints the paths it wrote.

    `report.pdf` gives `report.pdf.md`, `report.pdf.tables/…` and `report.pdf.images/…`. Names are given out in the
    order of the inputs, before anything runs, so that they are the same in every run.

    Args:
        folder: Where to write; made when the first result comes.
        inputs: What is parsed.
        form: The form of the main file.
        tables: Whether each table is written as CSV.
        images: Whether the images are downloaded.
    """

    def __init__(self, folder: Path, inputs: Sequence[Input], form: Format, *, tables: bool, images: bool) -> None:
        self._places = [folder / output for output in distinct(given.output for given in inputs)]
        self._form = form
        self._tables = tables
        self._images = images

    def take(self, index: int, result: ParseResult) -> None:
        """Write the result and print the paths of its files."""
        place = self._places[index]
        place.parent.mkdir(parents=True, exist_ok=True)
        main = place.with_name(place.name + _SUFFIX[self._form])
        main.write_text(render(result, self._form) + "\n", encoding="utf-8")
        typer.echo(main)
        if self._tables and result.tables:
            folder = place.with_name(f"{place.name}.tables")
            folder.mkdir(exist_ok=True)
            for number, table in enumerate(result.tables, start=1):
                typer.echo(table.save_csv(folder / f"table-{number}-page-{table.page_number}.csv"))
        if self._images:
            for path in result.save_images(place.with_name(f"{place.name}.images")):
                typer.echo(path)

    def skip(self, index: int) -> None:
        """Leave nothing behind for it."""


def distinct(outputs: Iterable[PurePath]) -> list[PurePath]:
    """Number names that occur more than once, upper and lower case being the same: `a.pdf`, `a-2.pdf`, `a-3.pdf`.

    Args:
        outputs: Names, relative to one folder.

    Returns:
        The names in their order, all different.

    Example:
        >>> [str(name) for name in distinct(map(PurePath, ["a.pdf", "A.pdf", "a-2.pdf"]))]
        ['a.pdf', 'A-2.pdf', 'a-2-2.pdf']
    """
    taken: set[str] = set()
    names = []
    for output in outputs:
        candidate, number = output, 1
        while str(candidate).casefold() in taken:
            number += 1
            candidate = output.with_name(f"{output.stem}-{number}{output.suffix}")
        taken.add(str(candidate).casefold())
        names.append(candidate)
    return names
