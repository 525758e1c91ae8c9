"""What every command shares: the way to the service, and exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.errors import ConfigurationError, LlamaCloudError

if TYPE_CHECKING:
    from llama_cloud_ext.parse.reader import LlamaParseReader

LocalFolder = Annotated[
    Path | None,
    typer.Option(
        "--local",
        metavar="DIR",
        help="Use local LlamaCloud, whose data lives in DIR: no account, no network. "
        "Without it, LLAMA_CLOUD_API_KEY and LLAMA_CLOUD_BASE_URL say where to go.",
    ),
]

LedgerLocation = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="LEDGER",
        help="Keep what is begun and done in this folder or fsspec URL: the same command, given again, pays for "
        "nothing twice and goes on where it was ended. 'none' for no ledger.  "
        "[default: DIR/.llama-ledger with --out DIR]",
    ),
]


def ledger_of(location: str | None, out: Path | None) -> str | None:
    """The ledger of a command.

    Args:
        location: What `--ledger` says.
        out: The folder of `--out`.

    Returns:
        Its folder or URL, or None for none.
    """
    if location is not None:
        return None if location == "none" else location
    return None if out is None else str(out / ".llama-ledger")


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what goes wrong into a message on standard error and an exit code: 2 for wrong use, 1 for the rest.

    Raises:
        typer.Exit: Something went wrong.
    """
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


def connection(local: Path | None) -> dict[str, Any]:
    """The connection arguments that a command's way to the service comes to.

    Args:
        local: Folder of local LlamaCloud; None for the service that the environment names.

    Raises:
        ConfigurationError: Nothing says where to go.
    """
    from llama_cloud_ext.wire.settings import Settings

    base_url = None if local is None else f"local:{local}"
    try:
        Settings.resolve(base_url=base_url)
    except ConfigurationError as error:
        raise _with_local_hint(error) from None
    return {} if base_url is None else {"base_url": base_url}


def attribute(place: str, option: str, *, hint: str) -> Any:
    """What a command line names.

    Args:
        place: "package.module:name". Modules of the current folder are found, too.
        option: The option that names it, for messages.
        hint: How to name such a thing.

    Raises:
        ConfigurationError: There is nothing of that name.
    """
    import sys
    from importlib import import_module

    # Last, so that no file of the folder hides a module that something else imports later.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # whatever somebody else's module does at its start
        raise _unusable(place, error, option, hint) from error


def component(place: str, option: str) -> Any:
    """A LlamaIndex component that a command line names.

    Args:
        place: "package.module:name"; a class or function is called without arguments.
        option: The option that names it, for messages.

    Returns:
        The component.

    Raises:
        ConfigurationError: There is nothing of that name, or making it failed.
    """
    hint = "Name a LlamaIndex component, or its class, as package.module:name."
    found = attribute(place, option, hint=hint)
    try:
        return found() if isinstance(found, type | FunctionType) else found
    except Exception as error:  # whatever somebody else's class does
        raise _unusable(place, error, option, hint) from error


def _unusable(place: str, error: Exception, option: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"{place} cannot be used: {type(error).__name__}: {error}", option=option, hint=hint)


def reader(local: Path | None, **options: Any) -> LlamaParseReader:
    """Build the reader that a command works with.

    Args:
        local: Folder of local LlamaCloud; None for the service that the environment names.
        options: Options of the reader; None means not given.

    Returns:
        The reader.

    Raises:
        ConfigurationError: The options contradict each other, or nothing says where to go.
    """
    from llama_cloud_ext.parse.reader import LlamaParseReader

    if local is not None:
        options["base_url"] = f"local:{local}"
    try:
        return LlamaParseReader(**{name: value for name, value in options.items() if value is not None})
    except ConfigurationError as error:
        raise _with_local_hint(error) from None


def _with_local_hint(error: ConfigurationError) -> ConfigurationError:
    if error.option == "api_key":
        error.hint = "Set LLAMA_CLOUD_API_KEY (keys start with llx-), or add --local DIR, which needs no account."
    return error
