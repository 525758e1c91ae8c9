"""What a reader's calls do on the I/O loop: files to batches, batches to results, each failure kept to its own file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from llama_cloud_ext.batch.collecting import BatchCollector, Deliver
from llama_cloud_ext.batch.configurations import BatchConfiguration
from llama_cloud_ext.batch.handle import BatchHandle, StartedBatch
from llama_cloud_ext.batch.ledgered import LedgeredBatches
from llama_cloud_ext.batch.product_work import ProductWork
from llama_cloud_ext.batch.starting import BatchStarter
from llama_cloud_ext.errors import BadRequestError, ConflictError, FailedItem, UnprocessableError
from llama_cloud_ext.jobs.files_runner import credits_of
from llama_cloud_ext.jobs.ledger import Ledger
from llama_cloud_ext.progress import ProgressReport, ShowProgress
from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.batch_jobs import BATCH_JOBS
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.inputs import Input
from llama_cloud_ext.wire.models.batch import MOST_FILES
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for

logger = logging.getLogger(__name__)


class BatchRunner:
    """One call of a reader, with the options that it had when the call began.

    Args:
        settings: The connection.
        num_workers: Uploads at the same time.
        job_timeout: The most seconds to wait for a batch, or None.
        directory_days: Days after which the service may clean up a directory that was left behind.
        webhooks: Whom the service tells when a batch changes.
        ledger: What was done before, here or elsewhere.
        show_progress: A bar, a callback, or nothing.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        num_workers: int,
        job_timeout: float | None,
        directory_days: float,
        webhooks: Mapping[str, Any],
        ledger: Ledger | None,
        show_progress: ShowProgress,
    ) -> None:
        self._settings = settings
        self._num_workers = num_workers
        self._job_timeout = job_timeout
        self._directory_days = directory_days
        self._webhooks = webhooks
        self._ledger = ledger
        self._show_progress = show_progress

    async def run(self, inputs: Sequence[Input], configuration: BatchConfiguration, work: ProductWork) -> list[Any]:
        """Do all of it: a result or a FailedItem for each input, in the order of the inputs."""
        async with aclosing(self.stream(inputs, configuration, work)) as stream:
            outcomes = {index: outcome async for index, outcome in stream}
        return [outcomes[item.index] for item in inputs]

    async def stream(
        self, inputs: Sequence[Input], configuration: BatchConfiguration, work: ProductWork
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Do all of it: each result or FailedItem as soon as it is there, with the place of its input.

        What nobody has taken yet is not more than the work lets be fetched at a time.
        """
        report = self._report(len(inputs), work)
        ready: asyncio.Queue[tuple[int, Any] | None] = asyncio.Queue()
        room = asyncio.Semaphore(1)

        async def deliver(index: int, label: str, outcome: Any) -> None:
            await _note(report, label, outcome)
            await room.acquire()
            ready.put_nowait((index, outcome))

        run = self._run if self._ledger is None else partial(self._run_ledgered, self._ledger)
        running = asyncio.create_task(run(inputs, configuration, work, deliver))
        running.add_done_callback(lambda _: ready.put_nowait(None))
        try:
            while (delivered := await ready.get()) is not None:
                room.release()
                yield delivered
            await running
        finally:
            await _ended([running])
            report.close()

    async def submit(
        self, inputs: Sequence[Input], configuration: BatchConfiguration, work: ProductWork
    ) -> tuple[BatchHandle, list[FailedItem]]:
        """Start all batches, without waiting for any; and what failed before its batch was created."""
        starter = await self._starter(configuration, work)
        started: list[StartedBatch] = []
        failed: list[FailedItem] = []
        for portion in _portions(inputs):
            batch, failures = await starter.start(portion)
            failed += failures
            if batch is not None:
                started.append(batch)
        return BatchHandle(tuple(started)), failed

    async def collect(self, handle: BatchHandle, work: ProductWork) -> list[Any]:
        """Wait for batches: a result or a FailedItem for each of their files, in their order."""
        report = self._report(sum(len(batch.files) for batch in handle.batches), work)
        collector = self._collector(work)

        async def outcomes_of(batch: StartedBatch) -> list[Any]:
            outcomes: dict[int, Any] = {}

            async def deliver(index: int, label: str, outcome: Any) -> None:
                outcomes[index] = outcome
                await _note(report, label, outcome)

            await collector.collect(batch, deliver)
            return [outcomes[file.index] for file in batch.files]

        try:
            collected = await concurrently(outcomes_of, handle.batches, at_once=max(1, len(handle.batches)))
            return [outcome for outcomes in collected for outcome in outcomes]
        finally:
            report.close()

    async def statuses(self, batch_ids: Sequence[str]) -> dict[str, str]:
        """The status of each batch."""
        connection = connection_for(self._settings)
        return {one: str((await batches.get(connection, one)).get("status") or "UNKNOWN") for one in batch_ids}

    async def cancel(self, batch_ids: Sequence[str]) -> None:
        """Stop batches; those that have ended are left as they are."""
        connection = connection_for(self._settings)
        for one in batch_ids:
            if not BATCH_JOBS.is_terminal(await batches.get(connection, one)):
                # It may end in between, which a service may take for a reason to refuse.
                with contextlib.suppress(BadRequestError, ConflictError, UnprocessableError):
                    await batches.cancel(connection, one)

    def _report(self, total: int, work: ProductWork) -> ProgressReport:
        limiter = connection_for(self._settings).limiter
        return ProgressReport(self._show_progress, total, work.title, held_up=lambda: limiter.delay)

    async def _run(
        self, inputs: Sequence[Input], configuration: BatchConfiguration, work: ProductWork, deliver: Deliver
    ) -> None:
        starter = await self._starter(configuration, work)
        collector = self._collector(work)
        collected: dict[asyncio.Task[None], StartedBatch] = {}
        try:
            # One batch after the other is filled, while those before are waited for.
            for portion in _portions(inputs):
                batch, failures = await starter.start(portion)
                if batch is not None:
                    collected[asyncio.create_task(collector.collect(batch, deliver))] = batch
                for failure in failures:
                    await deliver(failure.index, failure.source, failure)
            for task in collected:
                await task
        except asyncio.CancelledError:
            left = [batch.batch_id for task, batch in collected.items() if not task.done()]
            if left:
                logger.warning("the batches go on, and can be collected with resume(%s)", left)
            raise
        finally:
            await _ended(collected)

    async def _run_ledgered(
        self,
        ledger: Ledger,
        inputs: Sequence[Input],
        configuration: BatchConfiguration,
        work: ProductWork,
        deliver: Deliver,
    ) -> None:
        ledgered = await LedgeredBatches.of(
            ledger,
            connection_for(self._settings),
            configuration,
            work,
            starter=lambda: self._starter(configuration, work),
            collector=self._collector,
            deliver=deliver,
            at_once=self._num_workers,
        )
        await ledgered.run(inputs)

    async def _starter(self, configuration: BatchConfiguration, work: ProductWork) -> BatchStarter:
        connection = connection_for(self._settings)
        return BatchStarter(
            connection,
            work.product,
            await configuration.configuration_id(connection),
            at_once=self._num_workers,
            directory_days=self._directory_days,
            webhooks=self._webhooks,
        )

    def _collector(self, work: ProductWork) -> BatchCollector:
        return BatchCollector(connection_for(self._settings), work, batch_timeout=self._job_timeout)


def _portions(inputs: Sequence[Input]) -> Iterator[Sequence[Input]]:
    for start in range(0, len(inputs), MOST_FILES):
        yield inputs[start : start + MOST_FILES]


async def _note(report: ProgressReport, label: str, outcome: Any) -> None:
    await report.finished(label, failed=isinstance(outcome, FailedItem), credits_used=credits_of(outcome))


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Leave nothing running behind."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
