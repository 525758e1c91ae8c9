"""Finding and running the Python examples of Markdown files."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).parent.parent.parent

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: where it starts, and what is in it."""

    line: int
    code: str


def fenced_blocks(text: str, language: str) -> list[Block]:
    """Find the fenced blocks of one language."""
    return [
        Block(text.count("\n", 0, match.start()) + 2, match[2])
        for match in _FENCE.finditer(text)
        if match[1] == language
    ]


def run_block(block: Block, file: Path, names: dict[str, Any]) -> None:
    """Run a block as a notebook cell would: `await` works at its top level, and it sees the names of earlier ones."""
    source = "\n" * (block.line - 1) + block.code
    code = compile(source, str(file), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)  # noqa: S307  # our own documentation
    if inspect.isawaitable(outcome):
        asyncio.run(_finish(outcome))


async def _finish(awaitable: Any) -> None:
    await awaitable
