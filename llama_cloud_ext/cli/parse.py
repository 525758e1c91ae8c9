"""``llama-cloud-ext parse``: files in, Markdown, text, JSON, tables and images out."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_cloud_ext.cli.displays import display_for
from llama_cloud_ext.cli.inputs import Input, expand
from llama_cloud_ext.cli.many_files import hand_on, worked_on
from llama_cloud_ext.cli.outputs import Format, parse_sink
from llama_cloud_ext.cli.service import LedgerLocation, LocalFolder, exit_codes, ledger_of, reader
from llama_cloud_ext.errors import FailedItem

if TYPE_CHECKING:
    from llama_cloud_ext.parse.result import ParseResult


def parse(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Files, folders (all files below them), quoted patterns ('**/*.pdf'), URLs, or - for standard input.",
        ),
    ],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Markdown, text, or the whole result.  [default: md; text for --tier fast]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write each file's outputs into DIR and print their paths, instead of printing the results.",
        ),
    ] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Write each table as CSV too. Needs --out.")] = False,
    images: Annotated[
        bool, typer.Option("--images", help="Download page screenshots and embedded images too. Needs --out.")
    ] = False,
    local: LocalFolder = None,
    ledger: LedgerLocation = None,
    tier: Annotated[
        str | None,
        typer.Option("--tier", help="fast (text only), cost_effective, agentic or agentic_plus.  [default: agentic]"),
    ] = None,
    target_pages: Annotated[
        str | None, typer.Option("--target-pages", metavar="PAGES", help="Only these pages, from 1: '1,3,5-8'.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Parse FILES and print their content.

    Results are printed in the order of FILES, JSON as one line a file. Exit code 1 when any file failed; the others'
    results are there all the same. With --out, the same command given again goes on where it was ended.
    """
    with exit_codes():
        from llama_cloud_ext.wire.io_loop import run_async
        from llama_cloud_ext.wire.source_locations import is_web_url
        from llama_cloud_ext.wire.transport import held_up

        form = form or (Format.TEXT if tier == "fast" else Format.MARKDOWN)
        options = {
            "tier": tier,
            "target_pages": target_pages,
            "images": ["screenshot", "embedded"] if images else None,
            "on_error": "skip",
            "result_type": {Format.MARKDOWN: "markdown", Format.TEXT: "text"}.get(form),
        }
        parser = reader(local, ledger=ledger_of(ledger, out), **options)
        # A ledger knows files by their content, which is not at hand for what the service fetches by itself.
        fetching = parser if ledger or parser.ledger is None else reader(local, **options)
        inputs = expand(files, leave_out=[folder for folder in (out, local) if folder is not None])
        sink = parse_sink(inputs, form, out, tables=tables, images=images)

        async def work(given: Input) -> ParseResult | FailedItem:
            by = fetching if isinstance(given.file, str) and is_web_url(given.file) else parser
            result: ParseResult | FailedItem = await by.aparse(given.file)
            return result

        display = display_for(len(inputs), quiet=quiet, prints_results=out is None)
        failed = asyncio.run(
            hand_on(
                inputs,
                worked_on(inputs, work, display),
                sink,
                pages_found,
                display=display,
                held_up=partial(run_async, held_up, parser.settings()),
            )
        )
    if failed:
        raise typer.Exit(1)


def pages_found(result: ParseResult) -> str:
    """What the progress says of a result.

    Args:
        result: The result.
    """
    return f"{len(result.pages)} page(s)"
