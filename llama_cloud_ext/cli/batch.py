"""``llama-cloud-ext batch``: whole folders by way of Batches, taken up where an earlier run was ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.cli.extract import json_line, named_schema
from llama_cloud_ext.cli.inputs import Input, expand, named
from llama_cloud_ext.cli.outputs import FileWriter, Format, Sink, StandardOutput, parse_sink
from llama_cloud_ext.cli.service import LocalFolder, connection, exit_codes
from llama_cloud_ext.errors import ConfigurationError, FailedItem, LlamaCloudError, SourceError

if TYPE_CHECKING:
    from llama_cloud_ext.batch.handle import BatchHandle
    from llama_cloud_ext.batch.reader import LlamaBatchReader

_KEPT = ".llama-batches.json"


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
            help="Write each file's output into DIR, and keep there which batches were started: the same command, "
            "given again, collects them instead of starting new ones.",
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Parse FILES, or extract from them, in batches of a thousand, and print or write what becomes of each.

    Exit code 1 when any file failed; the others' results are there all the same.
    """
    with exit_codes():
        from llama_cloud_ext.batch.reader import LlamaBatchReader

        options: dict[str, Any] = {"tier": tier, "configuration_id": configuration}
        reader = LlamaBatchReader(
            **connection(local),
            on_error="skip",
            show_progress=not quiet and sys.stderr.isatty(),
            **{name: value for name, value in options.items() if value is not None},
        )
        if schema is not None and (tier or configuration):
            raise ConfigurationError("--schema extracts, and --tier and --configuration say how to parse")
        if bool(files) == bool(resume):
            raise ConfigurationError("a batch is started over FILES, or collected with --resume: give one of the two")
        if resume and (tier or configuration):
            raise ConfigurationError("--tier and --configuration say how to parse, which --resume is too late for")
        wanted = None if schema is None else named_schema(schema)
        form = form or (Format.TEXT if tier == "fast" else Format.MARKDOWN)
        if resume:
            failed = _collect(reader, resume, wanted, form, out)
        else:
            inputs = _inputs(files or [], leave_out=[folder for folder in (out, local) if folder is not None])
            asked = {"schema": schema, "tier": tier, "configuration": configuration, "service": reader.settings().host}
            run = _Run(reader, inputs, wanted, None if out is None else _Kept(out / _KEPT, inputs, asked))
            failed = run.to(_sink(inputs, form, out, extracting=schema is not None))
    if failed:
        raise typer.Exit(1)


class _Kept:
    """Which batches were started, in a file of the output folder.

    Args:
        path: The file.
        inputs: The files of the command line.
        asked: What is to become of them: batches that were started for something else are none of this run's.
    """

    def __init__(self, path: Path, inputs: Sequence[Input], asked: dict[str, Any]) -> None:
        self._path = path
        text = json.dumps([asked, [_fingerprint(given) for given in inputs]], sort_keys=True)
        self._of = hashlib.sha256(text.encode()).hexdigest()
        self.handles: dict[int, BatchHandle | None] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, AttributeError, ConfigurationError):
            self._read()

    def _read(self) -> None:
        from llama_cloud_ext.batch.handle import BatchHandle

        kept = json.loads(self._path.read_text(encoding="utf-8"))
        if kept["of"] == self._of:
            self.handles = {
                int(start): None if text is None else BatchHandle.from_json(text)
                for start, text in kept["batches"].items()
            }

    def note(self, start: int, handle: BatchHandle | None) -> None:
        """Keep what was started for the files from one on. Whole or not at all, however this process ends."""
        self.handles[start] = handle
        self._path.parent.mkdir(parents=True, exist_ok=True)
        started = {str(at): None if one is None else one.to_json() for at, one in self.handles.items()}
        written = self._path.with_suffix(f".{os.getpid()}.tmp")
        written.write_text(json.dumps({"of": self._of, "batches": started}), encoding="utf-8")
        written.replace(self._path)

    def forget(self) -> None:
        """Everything is collected: the same command given again starts anew."""
        self._path.unlink(missing_ok=True)


class _Run:
    """One run of the command."""

    def __init__(self, reader: LlamaBatchReader, inputs: Sequence[Input], schema: Any, kept: _Kept | None) -> None:
        self._reader = reader
        self._inputs = inputs
        self._schema = schema
        self._kept = kept

    def to(self, sink: Sink[Any]) -> int:
        """Start or find the batches, and hand their results to a sink; the number of files that failed."""
        from llama_cloud_ext.wire.models.batch import MOST_FILES

        failed = 0
        started: list[tuple[int, BatchHandle | None]] = []
        for start in range(0, len(self._inputs), MOST_FILES):
            # Each is kept before the next one is started: what a kill costs is never more than an upload.
            handle, failures = self._started(start, self._inputs[start : start + MOST_FILES])
            started.append((start, handle))
            failed += self._fail(start, failures, sink)
        is_over = True
        for start, handle in started:
            if handle is None:
                continue
            for index, outcome in self._collected(start, handle):
                if isinstance(outcome, FailedItem):
                    failed += self._fail(start, [outcome], sink)
                    is_over = is_over and not _goes_on(outcome.error)
                else:
                    sink.take(index, outcome)
        if self._kept is not None and is_over:
            self._kept.forget()
        if failed and len(self._inputs) > 1:
            typer.echo(f"{failed} of {len(self._inputs)} files failed", err=True)
        return failed

    def _started(self, start: int, inputs: Sequence[Input]) -> tuple[BatchHandle | None, list[FailedItem]]:
        from llama_cloud_ext.errors import PartialFailureError

        if self._kept is not None and start in self._kept.handles:
            handle = self._kept.handles[start]
            there = set() if handle is None else {file.index for one in handle.batches for file in one.files}
            lost = [place for place in range(len(inputs)) if place not in there]
            error = SourceError("it could not be uploaded when the batch was started", hint="Parse it by itself.")
            return handle, [FailedItem(inputs[place].label, error, None, place) for place in lost]
        before = len(self._reader.failures)
        try:
            handle = self._reader.submit([given.file for given in inputs], data_schema=self._schema)
            failures = self._reader.failures[before:]
        except PartialFailureError as error:
            handle, failures = None, error.failures
        if self._kept is not None and handle is not None:
            self._kept.note(start, handle)
        return handle, failures

    def _collected(self, start: int, handle: BatchHandle) -> Iterator[tuple[int, Any]]:
        from llama_cloud_ext.errors import PartialFailureError

        schema = None if isinstance(self._schema, str) else self._schema
        files = [file for one in handle.batches for file in one.files]
        try:
            outcomes: Sequence[Any] = self._reader.resume(handle, data_schema=schema)
        except PartialFailureError as error:
            outcomes = error.failures
        for file, outcome in zip(files, outcomes, strict=True):
            yield start + file.index, outcome

    def _fail(self, start: int, failures: Sequence[FailedItem], sink: Sink[Any]) -> int:
        for failure in failures:
            sink.skip(start + (failure.index or 0))
            typer.echo(f"error: {failure}", err=True)
        return len(failures)


def _collect(reader: LlamaBatchReader, ids: Sequence[str], schema: Any, form: Format, out: Path | None) -> int:
    """Hand out what batches of elsewhere have come to; the number of files that failed."""
    from llama_cloud_ext.errors import PartialFailureError
    from llama_cloud_ext.parse.result import ParseResult

    try:
        outcomes: Sequence[Any] = reader.resume(ids, data_schema=None if isinstance(schema, str) else schema)
    except PartialFailureError as error:
        outcomes = error.failures
    failures = [outcome for outcome in outcomes if isinstance(outcome, FailedItem)]
    names = [one.source if isinstance(one, FailedItem) else one.source.name for one in outcomes]
    extracting = not all(isinstance(one, FailedItem | ParseResult) for one in outcomes)
    sink = _sink([named(name) for name in names], form, out, extracting=extracting)
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, FailedItem):
            sink.skip(index)
            typer.echo(f"error: {outcome}", err=True)
        else:
            sink.take(index, outcome)
    if failures and len(outcomes) > 1:
        typer.echo(f"{len(failures)} of {len(outcomes)} files failed", err=True)
    return len(failures)


def _goes_on(error: Exception) -> bool:
    """Whether the file's job may end well yet, so that it is worth collecting later."""
    from llama_cloud_ext.batch.collecting import is_final

    return isinstance(error, LlamaCloudError) and not is_final(error)


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


def _fingerprint(given: Input) -> Any:
    """What tells a file from a later state of it."""
    if isinstance(given.file, Path) and given.file.exists():
        status = given.file.stat()
        return [str(given.file.resolve()), status.st_size, status.st_mtime_ns]
    if isinstance(given.file, bytes):
        return hashlib.sha256(given.file).hexdigest()
    return str(given.file)


def _sink(inputs: Sequence[Input], form: Format, out: Path | None, *, extracting: bool) -> Sink[Any]:
    if not extracting:
        return parse_sink(inputs, form, out, tables=False, images=False)
    line = json_line(inputs)
    return StandardOutput(line) if out is None else FileWriter(out, inputs, ".json", line)
