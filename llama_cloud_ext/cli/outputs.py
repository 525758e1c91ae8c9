"""What a parse result looks like on standard output and in the folder of ``--out``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_cloud_ext.parse.result import ParseResult


class Format(str, Enum):
    """The forms that a result can be printed in; the values are file suffixes too."""

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


class OutputFolder:
    """The folder of ``--out``: every input gets files of its own in it, whatever their names.

    Args:
        folder: Where outputs go; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken: set[str] = set()

    def place(self, output: PurePath) -> Path:
        """Reserve a name that no other input has, upper and lower case being the same.

        Args:
            output: The name wished for, relative to the folder.

        Returns:
            The path to put suffixes to.
        """
        candidate, number = output, 1
        while str(candidate).casefold() in self._taken:
            number += 1
            candidate = output.with_name(f"{output.stem}-{number}{output.suffix}")
        self._taken.add(str(candidate).casefold())
        return self.folder / candidate

    def write(self, result: ParseResult, place: Path, form: Format, *, tables: bool, images: bool) -> list[Path]:
        """Write one result.

        Args:
            result: A finished parse.
            place: From `place`: `report.pdf` gives `report.pdf.md`, `report.pdf.tables/…`, `report.pdf.images/…`.
            form: The form of the main file.
            tables: Write each table as CSV too.
            images: Download the images too.

        Returns:
            The files written.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        main = place.with_name(place.name + _SUFFIX[form])
        main.write_text(render(result, form) + "\n", encoding="utf-8")
        written = [main]
        if tables:
            folder = place.with_name(f"{place.name}.tables")
            for number, table in enumerate(result.tables, start=1):
                folder.mkdir(exist_ok=True)
                written.append(table.save_csv(folder / f"table-{number}-page-{table.page_number}.csv"))
        if images:
            written += result.save_images(place.with_name(f"{place.name}.images"))
        return written
