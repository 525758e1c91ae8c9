"""Retrieved passages on standard output: file, page, score and text, or one JSON record a line."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

_WIDTH = 100


def print_passages(nodes: Iterable[NodeWithScore], *, as_json: bool) -> None:
    """Print what a retriever found.

    Args:
        nodes: The nodes, best first.
        as_json: Whether each is printed as a JSON record on a line of its own.
    """
    empty = True
    for number, node in enumerate(nodes, start=1):
        empty = False
        typer.echo(_as_json(node) if as_json else _as_text(number, node))
    if empty and not as_json:
        typer.echo("nothing found", err=True)


def _as_json(node: NodeWithScore) -> str:
    metadata = node.node.metadata
    record = {
        "file": _file(node),
        "page": metadata.get("page_number"),
        "score": node.score,
        "id": node.node.node_id,
        "text": node.node.get_content(),
        "metadata": metadata,
    }
    return json.dumps(record, ensure_ascii=False, default=str)


def _as_text(number: int, node: NodeWithScore) -> str:
    page = node.node.metadata.get("page_number")
    place = f"{_file(node) or 'document'}{f', page {page}' if page is not None else ''}"
    score = "" if node.score is None else f"  (score {node.score:.3f})"
    lines = [
        wrapped
        for line in node.node.get_content().splitlines()
        if line.strip()
        for wrapped in textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
    ]
    return "\n".join([f"[{number}] {place}{score}", *(f"    {line}" for line in lines), ""])


def _file(node: NodeWithScore) -> str | None:
    metadata = node.node.metadata
    found = metadata.get("folder_path") or metadata.get("file_path") or metadata.get("file_name")
    return None if found is None else str(found)
