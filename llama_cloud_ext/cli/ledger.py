"""``llama-cloud-ext ledger``: look at what a ledger keeps, check it, clear the old away."""

from __future__ import annotations

import json
import re
import time
from typing import Annotated

import typer

from llama_cloud_ext.cli.service import exit_codes
from llama_cloud_ext.errors import ConfigurationError

app = typer.Typer(help="Look at what a ledger keeps, check it, clear the old away.", no_args_is_help=True)

Location = Annotated[
    str, typer.Argument(metavar="LEDGER", help="The ledger: a folder, or a URL such as s3://bucket/ledger.")
]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@app.command("list")
def list_entries(
    location: Location,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a line instead of columns.")] = False,
) -> None:
    """List the entries: key, state, age, bytes, job, file."""
    with exit_codes():
        from llama_cloud_ext.jobs.ledger_entries import LedgerEntries

        now = time.time()
        for entry in LedgerEntries(location):
            if as_json:
                typer.echo(json.dumps(entry.to_dict(), ensure_ascii=False))
                continue
            age = _age(now - entry.time) if entry.time else "-"
            columns = (entry.key[:12], f"{entry.state:7}", f"{age:>4}", f"{entry.size:>9}", entry.job_id or "-")
            typer.echo("  ".join((*columns, entry.file or "-")))


@app.command()
def show(
    location: Location,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The start of an entry's key, or a job's id.")],
) -> None:
    """Print an entry and all that its records say, the result included, as JSON."""
    with exit_codes():
        from llama_cloud_ext.jobs.ledger_entries import LedgerEntries

        found, records = LedgerEntries(location).find(entry)
        typer.echo(json.dumps({**found.to_dict(), "records": records}, ensure_ascii=False, indent=2))


@app.command()
def verify(location: Location) -> None:
    """Read every record and name those that are broken. Exit code 1 when there are any.

    A broken record costs nothing but its work: it counts as none, and `prune` removes it once nothing else of its entry
    can be read.
    """
    with exit_codes():
        from llama_cloud_ext.jobs.ledger_entries import LedgerEntries

        entries = broken = 0
        for entry in LedgerEntries(location):
            entries += 1
            for name, reason in entry.broken.items():
                broken += 1
                typer.echo(f"{entry.key[:2]}/{entry.key}/{name}: {reason}")
        typer.echo(f"{entries} entries, {broken} broken records", err=True)
    if broken:
        raise typer.Exit(1)


@app.command()
def prune(
    location: Location,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="AGE", help="Since when nothing has happened: 30d, 12h, 2w, 90m, 45s."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
) -> None:
    """Remove entries in which nothing has happened for some time, and print them.

    What they kept is paid for anew when it is asked for again. Jobs on the service are left alone.
    """
    with exit_codes():
        from llama_cloud_ext.jobs.ledger_entries import LedgerEntries

        removed = LedgerEntries(location).prune(older_than=_seconds(older_than), dry_run=dry_run)
        for entry in removed:
            typer.echo("  ".join((entry.key[:12], entry.state, entry.file or "-")))
        verb = "would be removed" if dry_run else "removed"
        typer.echo(f"{len(removed)} entries {verb}, {sum(entry.size for entry in removed)} bytes", err=True)


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", age.strip(), re.ASCII)
    if found is None:
        raise ConfigurationError(
            f"{age!r} is no age", option="older-than", hint="Write it as 30d, 12h, 2w, 90m or 45s."
        )
    return float(found[1]) * _UNITS[found[2]]


def _age(seconds: float) -> str:
    """The age in its largest unit, as `prune` takes it."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit]:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return f"{max(0, int(seconds))}s"
