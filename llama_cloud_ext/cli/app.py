"""The command line's commands and what they share: the way to the service, exit codes, and the version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.errors import ConfigurationError, LlamaCloudError

if TYPE_CHECKING:
    from llama_cloud_ext.parse.reader import LlamaParseReader

app = typer.Typer(
    help="Parse files with LlamaCloud, or on this machine, from the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

LocalFolder = Annotated[
    Path | None,
    typer.Option(
        "--local",
        metavar="DIR",
        help="Use local LlamaCloud, whose data lives in DIR: no account and no network. "
        "Without it, LLAMA_CLOUD_API_KEY and LLAMA_CLOUD_BASE_URL say where to go.",
    ),
]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what went wrong into one message on standard error and the exit code: 2 for wrong use, else 1."""
    try:
        yield
    except ConfigurationError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except LlamaCloudError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None


def reader(local: Path | None, **options: Any) -> LlamaParseReader:
    """Build the reader that a command works with.

    Args:
        local: Folder of local LlamaCloud; None for the service that the environment names.
        options: Reader options; None means not given.

    Returns:
        The reader.
    """
    from llama_cloud_ext.parse.reader import LlamaParseReader

    if local is not None:
        options["base_url"] = f"local:{local}"
    return LlamaParseReader(**{name: value for name, value in options.items() if value is not None})


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llama-cloud-ext {version('llama-cloud-ext')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
