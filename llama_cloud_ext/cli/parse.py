"""``llama-cloud-ext parse``: files in, Markdown, text, JSON, tables and images out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_cloud_ext.cli.inputs import Input, expand
from llama_cloud_ext.cli.outputs import Format, OutputFolder, Sink, StandardOutput
from llama_cloud_ext.cli.service import LocalFolder, exit_codes, reader
from llama_cloud_ext.errors import ConfigurationError, FailedItem, LlamaCloudError

if TYPE_CHECKING:
    from llama_cloud_ext.parse.reader import LlamaParseReader
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
    results are there all the same.
    """
    with exit_codes():
        if (tables or images) and out is None:
            raise ConfigurationError(f"--{'tables' if tables else 'images'} writes files", hint="Add --out DIR.")
        form = form or (Format.TEXT if tier == "fast" else Format.MARKDOWN)
        parser = reader(
            local,
            tier=tier,
            target_pages=target_pages,
            images=["screenshot", "embedded"] if images else None,
            on_error="skip",
            result_type={Format.MARKDOWN: "markdown", Format.TEXT: "text"}.get(form),
        )
        inputs = expand(files, leave_out=[folder for folder in (out, local) if folder is not None])
        sink: Sink = (
            StandardOutput(inputs, form)
            if out is None
            else OutputFolder(out, inputs, form, tables=tables, images=images)
        )
        failed = asyncio.run(_parse_all(parser, inputs, sink, quiet=quiet))
    if failed:
        raise typer.Exit(1)


async def _parse_all(parser: LlamaParseReader, inputs: Sequence[Input], sink: Sink, *, quiet: bool) -> int:
    """Parse all inputs at once, hand each result on as soon as it is there; the number of those that failed."""
    failed = done = 0
    async for index, outcome in _outcomes(parser, inputs):
        done += 1
        label = inputs[index].label
        if isinstance(outcome, FailedItem):
            problem: Exception | None = outcome.error
        else:
            problem = _hand_over(outcome, index, sink)
            if problem is None and not quiet:
                typer.echo(f"[{done}/{len(inputs)}] {label}: {len(outcome.pages)} page(s)", err=True)
        if problem is not None:
            failed += 1
            sink.skip(index)
            typer.echo(f"error: {FailedItem(label, problem)}", err=True)
    if failed and len(inputs) > 1:
        typer.echo(f"{failed} of {len(inputs)} files failed", err=True)
    return failed


def _hand_over(result: ParseResult, index: int, sink: Sink) -> Exception | None:
    """Print or write one result; what was in the way, as a full disk or a lost download, fails this file only."""
    try:
        sink.take(index, result)
    except BrokenPipeError:
        raise  # whoever reads the output has enough: nothing more is wanted
    except (LlamaCloudError, OSError) as error:
        return error
    return None


async def _outcomes(
    parser: LlamaParseReader, inputs: Sequence[Input]
) -> AsyncIterator[tuple[int, ParseResult | FailedItem]]:
    async def parse_one(index: int) -> tuple[int, ParseResult | FailedItem]:
        return index, await parser.aparse(inputs[index].file)

    tasks = [asyncio.create_task(parse_one(index)) for index in range(len(inputs))]
    try:
        for next_one in asyncio.as_completed(tasks):
            yield await next_one
    finally:
        for task in tasks:
            task.cancel()
