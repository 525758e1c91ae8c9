"""What becomes of all files of a command line: results handed on as they come, failures counted and named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import typer

from llama_cloud_ext.cli.displays import Display
from llama_cloud_ext.cli.inputs import Input
from llama_cloud_ext.cli.outputs import Sink
from llama_cloud_ext.errors import FailedItem, LlamaCloudError
from llama_cloud_ext.jobs.files_runner import credits_of

R = TypeVar("R")

_AT_ONCE = 64
"""Files under way: more than jobs may run, so that none waits for a file to be read, and few enough for any memory."""

_LOOK_EVERY = 1.0


async def hand_on(
    inputs: Sequence[Input],
    outcomes: AsyncIterator[tuple[int, R | FailedItem]],
    sink: Sink[R],
    summary: Callable[[R], str],
    *,
    display: Display,
    held_up: Callable[[], Awaitable[float]],
) -> int:
    """Hand each result on as soon as it is there, and name what failed.

    Args:
        inputs: The files.
        outcomes: What became of each, with its place among the inputs.
        sink: Where results go.
        summary: What the progress on standard error says of a result.
        display: The progress.
        held_up: Tells for how many seconds requests wait for a rate limit.

    Returns:
        The number of files that failed.
    """

    async def watch_the_limit() -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            display.held_up(await held_up())

    failed = 0
    watch = asyncio.create_task(watch_the_limit())
    try:
        async for index, outcome in outcomes:
            label = inputs[index].label
            problem = outcome.error if isinstance(outcome, FailedItem) else _hand_over(outcome, index, sink)
            if problem is not None:
                failed += 1
                sink.skip(index)
                display.failed(label, str(FailedItem(label, problem)))
            elif not isinstance(outcome, FailedItem):
                display.finished(label, summary(outcome), credits_used=credits_of(outcome))
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        display.close()
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


async def worked_on(
    inputs: Sequence[Input], work: Callable[[Input], Awaitable[R | FailedItem]], display: Display
) -> AsyncIterator[tuple[int, R | FailedItem]]:
    """Work on all inputs, several at once.

    Args:
        inputs: The files.
        work: What is done with one; its failure is a FailedItem.
        display: Told when the work on one begins.

    Yields:
        Each outcome as soon as it is there, with the index of its input.
    """

    async def shown(given: Input) -> R | FailedItem:
        display.started(given.label)
        return await work(given)

    waiting = iter(range(len(inputs)))
    running: dict[asyncio.Task[R | FailedItem], int] = {}
    try:
        while True:
            while len(running) < _AT_ONCE and (index := next(waiting, None)) is not None:
                running[asyncio.ensure_future(shown(inputs[index]))] = index
            if not running:
                return
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(finished, key=running.__getitem__):
                yield running.pop(task), task.result()
    finally:
        for task in running:
            task.cancel()
