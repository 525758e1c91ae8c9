"""Work on all files of a command line at once: results handed on as they come, failures counted and named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import typer

from llama_cloud_ext.cli.inputs import Input
from llama_cloud_ext.cli.outputs import Sink
from llama_cloud_ext.errors import FailedItem, LlamaCloudError

R = TypeVar("R")


async def work_on_all(
    inputs: Sequence[Input],
    work: Callable[[Input], Awaitable[R | FailedItem]],
    sink: Sink[R],
    summary: Callable[[R], str],
    *,
    quiet: bool,
) -> int:
    """Work on all inputs at once and hand each result on as soon as it is there.

    Args:
        inputs: The files.
        work: What is done with one; its failure is a FailedItem.
        sink: Where results go.
        summary: What the progress on standard error says of a result.
        quiet: Whether there is no progress.

    Returns:
        The number of files that failed.
    """
    failed = done = 0
    async for index, outcome in _outcomes(inputs, work):
        done += 1
        label = inputs[index].label
        if isinstance(outcome, FailedItem):
            problem: Exception | None = outcome.error
        else:
            problem = _hand_over(outcome, index, sink)
            if problem is None and not quiet:
                typer.echo(f"[{done}/{len(inputs)}] {label}: {summary(outcome)}", err=True)
        if problem is not None:
            failed += 1
            sink.skip(index)
            typer.echo(f"error: {FailedItem(label, problem)}", err=True)
    if failed and len(inputs) > 1:
        typer.echo(f"{failed} of {len(inputs)} files failed", err=True)
    return failed


def _hand_over(result: Any, index: int, sink: Sink[Any]) -> Exception | None:
    """Print or write one result; what was in the way, as a full disk or a lost download, fails this file only."""
    try:
        sink.take(index, result)
    except BrokenPipeError:
        raise  # whoever reads the output has enough: nothing more is wanted
    except (LlamaCloudError, OSError) as error:
        return error
    return None


async def _outcomes(
    inputs: Sequence[Input], work: Callable[[Input], Awaitable[R | FailedItem]]
) -> AsyncIterator[tuple[int, R | FailedItem]]:
    async def one(index: int) -> tuple[int, R | FailedItem]:
        return index, await work(inputs[index])

    tasks = [asyncio.create_task(one(index)) for index in range(len(inputs))]
    try:
        for next_one in asyncio.as_completed(tasks):
            yield await next_one
    finally:
        for task in tasks:
            task.cancel()
