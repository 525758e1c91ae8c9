"""Where results go: to standard output, or into the folder of ``--out``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import typer

from llama_cloud_ext.cli.inputs import Input
from llama_cloud_ext.errors import ConfigurationError

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


R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Sink(Protocol[R_contra]):
    """Somewhere for results; told about every input once, in any order."""

    def take(self, index: int, result: R_contra) -> None:
        """Keep the result of the input with this index."""

    def skip(self, index: int) -> None:
        """Expect no result of the input with this index: it failed."""


class StandardOutput(Generic[R]):
    """Prints results in the order of the inputs; those that come early wait for their turn.

    Args:
        write: Writes the result of the input with an index as text, without a line break at its end.
    """

    def __init__(self, write: Callable[[int, R], str]) -> None:
        self._write = write
        self._ready: dict[int, str | None] = {}
        self._next = 0

    def take(self, index: int, result: R) -> None:
        """Print the result, or keep it until those before it are there."""
        self._ready[index] = self._write(index, result)
        self._print()

    def skip(self, index: int) -> None:
        """Let those after it go on."""
        self._ready[index] = None
        self._print()

    def _print(self) -> None:
        while self._next in self._ready:
            text = self._ready.pop(self._next)
            if text is not None:
                typer.echo(text)
            self._next += 1


class FileWriter(Generic[R]):
    """Writes each result as one file below a folder and prints its path.

    Names are given out in the order of the inputs, before anything runs, so that they are the same in every run.

    Args:
        folder: Where to write; made when the first result comes.
        inputs: The files of the command line.
        suffix: What is put behind the name of an input.
        write: Writes the result of the input with an index as text, without a line break at its end.
    """

    def __init__(self, folder: Path, inputs: Sequence[Input], suffix: str, write: Callable[[int, R], str]) -> None:
        self._places = [folder / output for output in distinct(given.output for given in inputs)]
        self._suffix = suffix
        self._write = write

    def take(self, index: int, result: R) -> None:
        """Write the result and print the path of its file."""
        place = self.place(index)
        text = self._write(index, result)
        place.parent.mkdir(parents=True, exist_ok=True)
        main = place.with_name(place.name + self._suffix)
        main.write_text(text + "\n", encoding="utf-8")
        typer.echo(main)

    def skip(self, index: int) -> None:
        """Leave nothing behind for it."""

    def place(self, index: int) -> Path:
        """Where the files of an input go, without their suffix."""
        return self._places[index]


class ParseOutputFolder(FileWriter["ParseResult"]):
    """Writes parse results, and their tables and images where they are wanted.

    `report.pdf` gives `report.pdf.md`, `report.pdf.tables/…` and `report.pdf.images/…`.

    Args:
        folder: As for `FileWriter`.
        inputs: As for `FileWriter`.
        form: The form of the main file.
        tables: Whether each table is written as CSV.
        images: Whether the images are downloaded.
    """

    def __init__(self, folder: Path, inputs: Sequence[Input], form: Format, *, tables: bool, images: bool) -> None:
        super().__init__(folder, inputs, _SUFFIX[form], lambda _, result: render(result, form))
        self._tables = tables
        self._images = images

    def take(self, index: int, result: ParseResult) -> None:
        """Write the result and print the paths of its files."""
        super().take(index, result)
        place = self.place(index)
        if self._tables and result.tables:
            folder = place.with_name(f"{place.name}.tables")
            folder.mkdir(exist_ok=True)
            for number, table in enumerate(result.tables, start=1):
                typer.echo(table.save_csv(folder / f"table-{number}-page-{table.page_number}.csv"))
        if self._images:
            for path in result.save_images(place.with_name(f"{place.name}.images")):
                typer.echo(path)


def parse_sink(
    inputs: Sequence[Input], form: Format, out: Path | None, *, tables: bool, images: bool
) -> Sink[ParseResult]:
    """Where the results of a command that parses go.

    Args:
        inputs: The files of the command line. Of several, each is announced by its name, but for JSON, which is one
            line a file.
        form: What is printed or written.
        out: The folder to write into; None to print.
        tables: Whether each table is written as CSV.
        images: Whether the images are downloaded.

    Raises:
        ConfigurationError: There is no folder for tables or images.
    """
    if out is not None:
        return ParseOutputFolder(out, inputs, form, tables=tables, images=images)
    if tables or images:
        raise ConfigurationError(f"--{'tables' if tables else 'images'} writes files", hint="Add --out DIR.")

    def write(index: int, result: ParseResult) -> str:
        text = render(result, form)
        if len(inputs) == 1 or form is Format.JSON:
            return text
        label = inputs[index].label
        return f"<!-- {label} -->\n\n{text}" if form is Format.MARKDOWN else f"==> {label} <==\n{text}"

    return StandardOutput(write)


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
