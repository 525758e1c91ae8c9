"""``llama-cloud-ext batch``: whole folders by way of Batches, taken up where an earlier run was ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.cli.displays import Display, Lines, display_for
from llama_cloud_ext.cli.extract import fields_found, json_line, named_schema
from llama_cloud_ext.cli.inputs import Input, expand, named
from llama_cloud_ext.cli.many_files import hand_on
from llama_cloud_ext.cli.outputs import FileWriter, Format, Sink, StandardOutput, parse_sink
from llama_cloud_ext.cli.parse import pages_found
from llama_cloud_ext.cli.service import LedgerLocation, LocalFolder, connection, exit_codes, ledger_of
from llama_cloud_ext.errors import ConfigurationError, FailedItem, PartialFailureError

if TYPE_CHECKING:
    from llama_cloud_ext.batch.reader import LlamaBatchReader


def batch(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES...", help="Folders, quoted patterns ('**/*.pdf'), fsspec URLs of either, files."),
    ] = None,
    resume: Annotated[
        list[str] | None,
        typer.Option(
            "--resume", metavar="ID", help="Instead of FILES: collect this batch (bat-…). May be given several times."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write each file's output into DIR and print the paths. "
            "The same command given again goes on where it was ended.",
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="SCHEMA", help="Extract by this schema, as `extract` takes it, not parse."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Of parsed files: Markdown, text, or the whole result.  [default: md; text for --tier fast]",
        ),
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option("--tier", help="Parse by the preset of this tier: fast, cost_effective, agentic, agentic_plus."),
    ] = None,
    configuration: Annotated[
        str | None,
        typer.Option("--configuration", metavar="ID", help="Parse by a saved configuration (cfg-…), not a preset."),
    ] = None,
    local: LocalFolder = None,
    ledger: LedgerLocation = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Parse FILES, or extract from them, in batches of a thousand, and print or write what becomes of each.

    Results are printed in the order of FILES. Exit code 1 when any file failed; the others' results are there all the
    same.
    """
    with exit_codes():
        from llama_cloud_ext.batch.reader import LlamaBatchReader
        from llama_cloud_ext.parse.result import ParseResult
        from llama_cloud_ext.wire.io_loop import run_async
        from llama_cloud_ext.wire.transport import held_up

        if bool(files) == bool(resume):
            raise ConfigurationError("a batch is started over FILES, or collected with --resume: give one of the two")
        if resume and (tier or configuration or ledger):
            raise ConfigurationError("--tier, --configuration and --ledger say how FILES are parsed, not --resume")
        if schema is not None and (tier or configuration):
            raise ConfigurationError("--schema extracts, and --tier and --configuration say how to parse")
        options: dict[str, Any] = {
            "tier": tier,
            "configuration_id": configuration,
            "ledger": None if resume else ledger_of(ledger, out),
            # How many files there are, which a table begins with, is known at the end only.
            "show_progress": bool(resume) and not quiet and sys.stderr.isatty(),
        }
        reader = LlamaBatchReader(
            **connection(local),
            on_error="skip",
            **{name: value for name, value in options.items() if value is not None},
        )
        wanted = None if schema is None else named_schema(schema)
        form = form or (Format.TEXT if tier == "fast" else Format.MARKDOWN)

        async def work() -> int:
            if resume:
                collected = await _collected(reader, resume, wanted)
                inputs = [_named(outcome) for outcome in collected]
                outcomes = _pairs(collected)
                display: Display = Lines(len(inputs), quiet=True)
                extracting = not all(isinstance(outcome, FailedItem | ParseResult) for outcome in collected)
            else:
                inputs = _inputs(files or [], leave_out=[folder for folder in (out, local) if folder is not None])
                outcomes = reader.aenumerate([given.file for given in inputs], data_schema=wanted)
                display = display_for(len(inputs), quiet=quiet, prints_results=out is None)
                extracting = wanted is not None
            return await hand_on(
                inputs,
                _but_the_end(outcomes),
                _sink(inputs, form, out, extracting=extracting),
                fields_found if extracting else pages_found,
                display=display,
                held_up=partial(run_async, held_up, reader.settings()),
            )

        failed = asyncio.run(work())
    if failed:
        raise typer.Exit(1)


async def _collected(reader: LlamaBatchReader, ids: Sequence[str], schema: Any) -> Sequence[Any]:
    """What batches of elsewhere have come to."""
    try:
        return await reader.aresume(ids, data_schema=None if isinstance(schema, str) else schema)
    except PartialFailureError as error:
        return error.failures


def _named(outcome: Any) -> Input:
    """The input behind an outcome, by its name."""
    return named(outcome.source if isinstance(outcome, FailedItem) else outcome.source.name)


async def _pairs(outcomes: Sequence[Any]) -> AsyncIterator[tuple[int, Any]]:
    for pair in enumerate(outcomes):
        yield pair


async def _but_the_end(outcomes: AsyncIterator[tuple[int, Any]]) -> AsyncIterator[tuple[int, Any]]:
    """All outcomes, without the error that follows where every file failed: each is named already."""
    with contextlib.suppress(PartialFailureError):
        async for pair in outcomes:
            yield pair


def _inputs(files: Sequence[str], leave_out: Sequence[Path]) -> list[Input]:
    """As `expand`, and folders and patterns of other filesystems, too."""
    from llama_cloud_ext.wire.file_listing import list_inputs
    from llama_cloud_ext.wire.source_locations import is_web_url

    found: list[Input] = []
    for argument in files:
        if "://" in argument and not is_web_url(argument):
            found += [_remote(argument, item.file, item.fs) for item in list_inputs(argument)]
        else:
            found += expand([argument], leave_out=leave_out)
    return found


def _remote(argument: str, file: Any, fs: Any) -> Input:
    """A file of another filesystem, by a URL of its own."""
    url = file if fs is None else fs.unstrip_protocol(file)
    return expand([str(url) if "://" in str(url) else argument])[0]


def _sink(inputs: Sequence[Input], form: Format, out: Path | None, *, extracting: bool) -> Sink[Any]:
    if not extracting:
        return parse_sink(inputs, form, out, tables=False, images=False)
    line = json_line(inputs)
    return StandardOutput(line) if out is None else FileWriter(out, inputs, ".json", line)
