"""``llama-cloud-ext extract``: a schema and files in, one JSON object a file out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.cli.displays import display_for
from llama_cloud_ext.cli.inputs import Input, expand
from llama_cloud_ext.cli.many_files import hand_on, worked_on
from llama_cloud_ext.cli.outputs import FileWriter, Sink, StandardOutput
from llama_cloud_ext.cli.service import LedgerLocation, LocalFolder, attribute, connection, exit_codes, ledger_of
from llama_cloud_ext.errors import ConfigurationError, FailedItem

if TYPE_CHECKING:
    from llama_cloud_ext.extract.result import ExtractResult


def extract(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Files, folders (all files below them), quoted patterns ('**/*.pdf'), URLs, or - for standard input.",
        ),
    ],
    schema: Annotated[
        str,
        typer.Option(
            "--schema",
            metavar="SCHEMA",
            help="A Pydantic class as package.module:Class (modules of the current folder are found, too), "
            "or a file.json with a JSON schema.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write FILE.json for each file into DIR and print the paths. "
            "The same command given again goes on where it was ended.",
        ),
    ] = None,
    local: LocalFolder = None,
    ledger: LedgerLocation = None,
    tier: Annotated[
        str | None,
        typer.Option("--tier", help="cost_effective, agentic, agentic_plus or turbo.  [default: the service's]"),
    ] = None,
    target_pages: Annotated[
        str | None, typer.Option("--target-pages", metavar="PAGES", help="Only these pages, from 1: '1,3,5-8'.")
    ] = None,
    cite: Annotated[
        bool, typer.Option("--cite", help="Say for each field on which page it was found, and the words there.")
    ] = False,
    confidence: Annotated[bool, typer.Option("--confidence", help="Say for each field how sure it is.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Extract data from FILES by a schema and print one line of JSON a file.

    A line has the `file`, the `job_id` and the `data`, and `citations` and `confidence` by field where they were asked
    for. Lines come in the order of FILES. Exit code 1 when any file failed; the others' results are there all the same.
    """
    with exit_codes():
        from llama_cloud_ext.extract.extractor import LlamaExtract
        from llama_cloud_ext.wire.io_loop import run_async
        from llama_cloud_ext.wire.transport import held_up

        config = {"tier": tier, "target_pages": target_pages, "cite_sources": cite or None}
        config["confidence_scores"] = confidence or None
        wanted = named_schema(schema)
        extractor = LlamaExtract(**connection(local), on_error="skip", ledger=ledger_of(ledger, out))
        inputs = expand(files, leave_out=[folder for folder in (out, local) if folder is not None])

        async def work(given: Input) -> ExtractResult[Any] | FailedItem:
            info = {"file_name": given.output.name} if isinstance(given.file, bytes) and given.output.suffix else None
            result: ExtractResult[Any] | FailedItem = await extractor.aextract(wanted, config, given.file, info)
            return result

        line = json_line(inputs)
        sink: Sink[ExtractResult[Any]] = StandardOutput(line) if out is None else FileWriter(out, inputs, ".json", line)
        display = display_for(len(inputs), quiet=quiet, prints_results=out is None)
        failed = asyncio.run(
            hand_on(
                inputs,
                worked_on(inputs, work, display),
                sink,
                fields_found,
                display=display,
                held_up=partial(run_async, held_up, extractor.settings()),
            )
        )
    if failed:
        raise typer.Exit(1)


def named_schema(place: str) -> Any:
    """The schema that a command line names.

    Args:
        place: "package.module:Class", or the path of a JSON file.

    Raises:
        ConfigurationError: There is no such class, or the file cannot be read.
    """
    hint = "Name a Pydantic class as package.module:Class, or a file.json."
    if not place.casefold().endswith(".json"):
        return attribute(place, "schema", hint=hint)
    try:
        return json.loads(Path(place).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{place} cannot be read as JSON: {error}", option="schema", hint=hint) from error


def json_line(inputs: Sequence[Input]) -> Callable[[int, ExtractResult[Any]], str]:
    """What writes the result of the input with an index as one line of JSON.

    Args:
        inputs: The files of the command line.
    """
    return lambda index, result: json.dumps(_record(inputs[index].label, result), ensure_ascii=False, default=str)


def _record(file: str, result: ExtractResult[Any]) -> dict[str, Any]:
    objects = [one.model_dump(mode="json") if hasattr(one, "model_dump") else one for one in result.objects]
    record: dict[str, Any] = {
        "file": file,
        "job_id": result.job_id,
        "data": objects if isinstance(result.data, list) else objects[0],
    }
    citations = {path: [one.to_dict() for one in field.citations] for path, field in result.fields.items()}
    if cited := {path: places for path, places in citations.items() if places}:
        record["citations"] = cited
    scores = {path: field.confidence for path, field in result.fields.items() if field.confidence is not None}
    if scores:
        record["confidence"] = scores
    return record


def fields_found(result: ExtractResult[Any]) -> str:
    """What the progress says of a result.

    Args:
        result: The result.
    """
    found = sum(1 for field in result.fields.values() if field.value not in (None, [], {}))
    return f"{found} field(s)"
