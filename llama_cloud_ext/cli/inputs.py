"""What the FILES… of a command line stand for: files, folders, patterns, URLs and standard input."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from llama_cloud_ext.errors import SourceError


@dataclass(frozen=True)
class Input:
    """One thing to parse.

    Attributes:
        file: What the reader is given: a path, a URL, or the bytes of standard input.
        label: What messages call it; never the query of a URL, which may hold a signature.
        output: Where its outputs go, below the folder of ``--out``: relative, and without ``..``.
    """

    file: Path | str | bytes
    label: str
    output: PurePath


def expand(arguments: Iterable[str], *, leave_out: Sequence[Path] = ()) -> list[Input]:
    """Turn command-line arguments into the files they stand for, each once, in their order.

    A folder stands for all files below it, hidden ones left out; a pattern that the shell left alone (``'*.pdf'``,
    ``'**/*.pdf'``) for what it matches; ``-`` for standard input; anything with ``://`` for itself.

    Args:
        arguments: The words of the command line.
        leave_out: Folders whose files never count as inputs: the command's own outputs.

    Returns:
        The inputs. A path where nothing is stays in, so that it fails with its reason beside the others.

    Raises:
        SourceError: A folder or a pattern stands for no file at all.
    """
    inputs: dict[object, Input] = {}
    excluded = [folder.resolve() for folder in leave_out]
    for argument in arguments:
        for found in _expand_one(argument):
            if isinstance(found.file, Path):
                place = found.file.resolve()
                if not any(place.is_relative_to(folder) for folder in excluded):
                    inputs.setdefault(place, found)
            else:
                inputs.setdefault(found.file, found)
    return list(inputs.values())


def named(name: str) -> Input:
    """An input of which no more is known than what it was called when it was sent.

    Args:
        name: A name or path from elsewhere, of which the last part counts.
    """
    return Input(name, name, PurePath(_safe_name(PurePath(name).name)))


def _expand_one(argument: str) -> Iterator[Input]:
    if argument == "-":
        yield Input(sys.stdin.buffer.read(), "standard input", PurePath("stdin"))
    elif "://" in argument:
        address = urlsplit(argument)
        label = f"{address.scheme}://{address.hostname or address.netloc}{address.path}"
        yield Input(argument, label, PurePath(_safe_name(PurePath(address.path).name)))
    elif Path(argument).is_dir():
        yield from _files_below(Path(argument))
    elif not Path(argument).exists() and glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute patterns
        if not matches:
            raise SourceError(f"{argument}: no file matches this pattern")
        for match in map(Path, matches):
            if match.is_dir():
                continue
            yield Input(match, str(match), PurePath(match.name))
    else:
        path = Path(argument)
        yield Input(path, argument, PurePath(_safe_name(path.name)))


def _files_below(folder: Path) -> Iterator[Input]:
    empty = True
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            empty = False
            yield Input(path, str(path), relative)
    if empty:
        raise SourceError(f"{folder}: there are no files in this folder")


def _safe_name(name: str) -> str:
    return re.sub(r"[^\w.\- ]", "_", name).lstrip(".") or "document"
