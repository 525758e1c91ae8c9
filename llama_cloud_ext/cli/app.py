"""The ``llama-cloud-ext`` command: its subcommands, put together."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from llama_cloud_ext.cli import index, jobs, ledger
from llama_cloud_ext.cli.ask import ask
from llama_cloud_ext.cli.batch import batch
from llama_cloud_ext.cli.extract import extract
from llama_cloud_ext.cli.parse import parse
from llama_cloud_ext.cli.serve import serve

app = typer.Typer(
    help="Parse files, extract from them, index them and ask them, with LlamaCloud or on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(ask)
app.command()(parse)
app.command()(extract)
app.command()(batch)
app.command()(index.retrieve)
app.command()(serve)
app.add_typer(index.app, name="index")
app.add_typer(jobs.app, name="jobs")
app.add_typer(ledger.app, name="ledger")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llama-cloud-ext {version('llama-cloud-ext')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Parse files, extract from them, index them and ask them, with LlamaCloud or on this machine."""
