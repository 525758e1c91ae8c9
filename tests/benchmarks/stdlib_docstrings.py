"""Text that nobody here wrote: the docstrings of Python's standard library, for measuring retrieval.

A known item is a docstring cut in two: its first sentence is the query, the rest is the document to find.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from itertools import islice
from pathlib import Path

_FIRST_SENTENCE = re.compile(r"(.+?[.!?])(?=\s)|(.+?)(?=\n\s*\n)", re.DOTALL)
_SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__", "turtledemo"}
_FEWEST_WORDS = 4
"""In a query and in a document: shorter ones ask for nothing, or say nothing."""


@dataclass(frozen=True)
class KnownItem:
    """A query and the one document that answers it.

    Args:
        name: Dotted name of what the docstring describes.
        query: The docstring's first sentence.
        document: The rest of it.
    """

    name: str
    query: str
    document: str

    @property
    def tuned_on(self) -> bool:
        """Whether it belongs to half A, which parameters may be tuned on; half B is for judging only."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 0


@cache
def known_items() -> tuple[KnownItem, ...]:
    """The known items of this Python's standard library, in a stable order: a few thousand."""
    items: list[KnownItem] = []
    queries: set[str] = set()
    documents: set[str] = set()
    for name, docstring in docstrings():
        match = _FIRST_SENTENCE.match(docstring)
        if match is None:
            continue
        query, document = " ".join(match.group().split()), docstring[match.end() :].strip()
        if min(len(query.split()), len(document.split())) < _FEWEST_WORDS or query in queries or document in documents:
            continue
        queries.add(query)
        documents.add(document)
        items.append(KnownItem(name, query, document))
    return tuple(items)


@cache
def docstrings() -> tuple[tuple[str, str], ...]:
    """Name and docstring of every module, class and function of the standard library that is written in Python.

    Reading them takes seconds, and so happens once.
    """
    return tuple(_docstrings())


def _docstrings() -> Iterator[tuple[str, str]]:
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if _SKIPPED.isdisjoint(parts):
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
            yield from _docstrings_of(tree, ".".join(parts))


def _docstrings_of(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node, clean=False)
    if docstring and docstring.strip():
        yield name, cleandoc(docstring).strip()
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings_of(child, f"{name}.{child.name}")


def passages(count: int, *, seed: int = 7) -> Iterator[tuple[str, str]]:
    """As many passages of 80 to 150 words as wanted: sentences of the docstrings, combined anew in each.

    Args:
        count: How many.
        seed: Another one gives other passages.

    Yields:
        An id and the text.
    """
    sentences = [
        sentence
        for _, docstring in docstrings()
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", docstring)
        if sentence
    ]
    drawn = random.Random(seed)

    def words() -> Iterator[str]:
        while True:
            # Neighbours stay together, as in real text: five sentences from one place, then the next place.
            start = drawn.randrange(len(sentences))
            for sentence in sentences[start : start + 5]:
                yield from sentence.split(" ")

    stream = words()
    for number in range(count):
        yield f"passage-{number:06d}", " ".join(islice(stream, drawn.randint(80, 150)))
