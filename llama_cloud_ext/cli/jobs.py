"""``llama-cloud-ext jobs``: look at parse jobs, fetch their results, cancel them."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Annotated

import typer

from llama_cloud_ext.cli.inputs import Input
from llama_cloud_ext.cli.outputs import Format, parse_sink
from llama_cloud_ext.cli.service import LocalFolder, exit_codes, reader

app = typer.Typer(help="Look at parse jobs, fetch their results, cancel them.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id, as `jobs list` or an error shows it.")]


@app.command("list")
def list_jobs(
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only PENDING, RUNNING, COMPLETED, FAILED or CANCELLED ones."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a line instead of columns.")] = False,
    local: LocalFolder = None,
) -> None:
    """List parse jobs."""
    with exit_codes():
        for record in reader(local).list_jobs(status=status.upper() if status else None, limit=limit):
            if as_json:
                typer.echo(json.dumps(record, ensure_ascii=False))
            else:
                columns = (record.get(name) or "-" for name in ("id", "status", "created_at", "name"))
                typer.echo("  ".join(str(column) for column in columns))


@app.command()
def show(job_id: JobId, local: LocalFolder = None) -> None:
    """Print a job's record as JSON: status, error message, and whatever else the service says of it."""
    with exit_codes():
        typer.echo(json.dumps(reader(local).job(job_id).record(), ensure_ascii=False, indent=2))


@app.command()
def result(
    job_id: JobId,
    form: Annotated[Format, typer.Option("--format", help="Markdown, text, or the whole result.")] = Format.MARKDOWN,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write into DIR instead of printing.")
    ] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Write each table as CSV too. Needs --out.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Download the job's images too. Needs --out.")] = False,
    local: LocalFolder = None,
) -> None:
    """Wait for a job and print its content."""
    with exit_codes():
        sink = parse_sink([Input(b"", job_id, PurePath(job_id))], form, out, tables=tables, images=images)
        outcome = reader(local, images=["screenshot", "embedded"] if images else None).get_result(job_id)
        sink.take(0, outcome)


@app.command()
def cancel(job_id: JobId, local: LocalFolder = None) -> None:
    """Cancel a job. One that has ended already is left as it is."""
    with exit_codes():
        job = reader(local).job(job_id)
        job.cancel()
        typer.echo(job.status())
