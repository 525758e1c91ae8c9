"""The command line explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from llama_cloud_ext.cli.app import app


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{name} {word}")


COMMANDS = dict(_commands(typer.main.get_command(app), "llama-cloud-ext"))


def test_all_commands_are_there() -> None:
    """Ensure the commands of the README exist, and no others that it does not speak of."""
    leaves = {name for name, command in COMMANDS.items() if not getattr(command, "commands", None)}
    words = {"ask", "batch", "extract", "parse", "retrieve", "serve"}
    words |= {f"jobs {word}" for word in ("list", "show", "result", "cancel")}
    words |= {f"ledger {word}" for word in ("list", "show", "verify", "prune")}
    words |= {f"index {word}" for word in ("create", "add", "list", "status", "delete")}
    assert leaves == {f"llama-cloud-ext {word}" for word in words}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    """Ensure `--help` says what each command is for and what each of its arguments and options does."""
    command = COMMANDS[name]
    assert command.help
    assert [param.name for param in command.params if not getattr(param, "help", None)] == []
