"""Finding and running the Python examples of Markdown files and docstrings."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).parent.parent.parent

# Indented, in the sections of docstrings; not indented, in Markdown.
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: where it starts, and what is in it."""

    line: int
    code: str


def fenced_blocks(text: str, language: str) -> list[Block]:
    """Find the fenced blocks of one language."""
    return [
        Block(text.count("\n", 0, match.start()) + 2, textwrap.dedent(match[3]))
        for match in _FENCE.finditer(text)
        if match[2] == language
    ]


def docstrings(file: Path) -> Iterator[tuple[str, str]]:
    """All docstrings of a module, each with what it belongs to.

    From the source: at run time, a decorated method is the decorator's, and its docstring is found by nobody.
    """
    yield from _docstrings(ast.parse(file.read_text(encoding="utf-8")), "")


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[Any]:
    if docstring := ast.get_docstring(node):
        yield name, docstring
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(inner, f"{name}.{inner.name}".lstrip("."))


def run_block(block: Block, file: Path, names: dict[str, Any]) -> None:
    """Run a block as a notebook cell would: `await` works at its top level, and it sees the names of earlier ones."""
    source = "\n" * (block.line - 1) + block.code
    code = compile(source, str(file), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)  # noqa: S307  # our own documentation
    if inspect.isawaitable(outcome):
        asyncio.run(_finish(outcome))


async def _finish(awaitable: Any) -> None:
    await awaitable
