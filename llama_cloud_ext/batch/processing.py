"""LlamaBatchProcessing: the beta batch-processing API, for those whose account or deployment has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal

from llama_index.core.schema import Document
from pydantic import Field

from llama_cloud_ext.batch.access import ServiceAccess
from llama_cloud_ext.batch.handle import BatchFile
from llama_cloud_ext.batch.product_work import Parsing
from llama_cloud_ext.errors import FailedItem, JobFailedError, LlamaCloudError
from llama_cloud_ext.jobs.outcomes import Outcomes
from llama_cloud_ext.jobs.pipeline import check_outcome, id_in
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.events import parse_event
from llama_cloud_ext.parse.pipeline import Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.progress import ProgressReport
from llama_cloud_ext.wire import batch_processing
from llama_cloud_ext.wire.batch_jobs import BATCH_PROCESSING_JOBS
from llama_cloud_ext.wire.io_loop import in_thread, run, run_async
from llama_cloud_ext.wire.models.batch_processing import (
    BatchProcessingCancellation,
    BatchProcessingItem,
    BatchProcessingJob,
    BatchProcessingOptions,
    BatchProcessingResult,
)
from llama_cloud_ext.wire.models.tolerant import as_objects
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.recovery import BatchProcessingCreateRecovery
from llama_cloud_ext.wire.watcher import watcher_for

BatchStatus = Literal["pending", "running", "dispatched", "completed", "failed", "cancelled"]
ItemStatus = Literal["pending", "processing", "completed", "failed", "skipped", "cancelled"]
JobType = Literal["parse", "extract", "classify"]

_FIRST_LOOK, _LAST_LOOK = 0.5, 10.0
_WITH_RESULTS = ("completed", "skipped")


class LlamaBatchProcessing(ServiceAccess):
    """Batches of the beta batch-processing API: files of directories, parsed with one configuration.

    Newer SDKs of the service no longer have this API; `LlamaBatchReader` uses its successor, Batches v2, and uploads
    files as well. This class is for batches that exist, and for deployments that have nothing newer.

    Example:
        ```python
        from llama_cloud_ext import LlamaBatchProcessing, LlamaCloudDirectories

        directories = LlamaCloudDirectories()
        directory = directories.create("reports", type="ephemeral")
        directories.upload_files(directory.id, "./data/*.pdf")

        processing = LlamaBatchProcessing()
        batch = processing.create(directory.id, parameters={"tier": "agentic"})
        print(processing.wait_for_completion(batch.id).processed_items)
        documents = processing.load_data(batch.id)
        ```
    """

    num_workers: int = Field(default=16, ge=1, description="Results that are fetched at the same time.")
    job_timeout: float | None = Field(
        default=86_400.0, gt=0, description="Seconds to wait for a batch; None waits for ever. It goes on by itself."
    )

    # Batches

    def create(
        self,
        directory_id: str | None = None,
        *,
        item_ids: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        webhook_url: str | None = None,
        page_size: int | None = None,
        continue_as_new_threshold: int | None = None,
    ) -> BatchProcessingJob:
        """Start a batch of parse jobs.

        Args:
            directory_id: The directory whose files are parsed.
            item_ids: Instead of a directory: files, by their ids in their directories.
            parameters: How they are parsed, in the words of the older parse API, such as `tier` and `target_pages`
                (from 0); None for the service's defaults.
            webhook_url: Called by the service when a job ends.
            page_size: Files that the service fetches from the directory at a time.
            continue_as_new_threshold: Files after which the service starts its own bookkeeping anew.

        Returns:
            The batch, which runs by itself.

        Raises:
            ConfigurationError: Neither a directory nor files are given, or both are; or a parameter is none that the
                API has.
            NotFoundError: There is no such directory, or the deployment does not have this API.
            TransportError: The answer was lost. Over a directory the batch is looked for first; over single files the
                service has no way to, and the call is not repeated.
        """
        options = _options(directory_id, item_ids, parameters, webhook_url, page_size, continue_as_new_threshold)
        return run(self._create, options)

    async def acreate(
        self,
        directory_id: str | None = None,
        *,
        item_ids: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        webhook_url: str | None = None,
        page_size: int | None = None,
        continue_as_new_threshold: int | None = None,
    ) -> BatchProcessingJob:
        """The asynchronous twin of `create`."""
        options = _options(directory_id, item_ids, parameters, webhook_url, page_size, continue_as_new_threshold)
        return await run_async(self._create, options)

    def list_batches(
        self,
        *,
        directory_id: str | None = None,
        job_type: JobType | None = None,
        status: BatchStatus | None = None,
        limit: int | None = 100,
    ) -> list[BatchProcessingJob]:
        """The project's batches.

        Args:
            directory_id: Only batches over this directory.
            job_type: Only batches that do this.
            status: Only batches in this state.
            limit: The most batches; None for all.
        """
        return run(self._list, directory_id, job_type, status, limit)

    async def alist_batches(
        self,
        *,
        directory_id: str | None = None,
        job_type: JobType | None = None,
        status: BatchStatus | None = None,
        limit: int | None = 100,
    ) -> list[BatchProcessingJob]:
        """The asynchronous twin of `list_batches`."""
        return await run_async(self._list, directory_id, job_type, status, limit)

    def status(self, job_id: str) -> BatchProcessingJob:
        """How far a batch has come: its state, counts and percentage.

        Args:
            job_id: The batch.

        Raises:
            NotFoundError: There is no such batch.
        """
        return run(self._status, job_id)

    async def astatus(self, job_id: str) -> BatchProcessingJob:
        """The asynchronous twin of `status`."""
        return await run_async(self._status, job_id)

    def wait_for_completion(self, job_id: str, timeout: float | None = None) -> BatchProcessingJob:
        """Wait until a batch has ended, and show its progress meanwhile.

        Args:
            job_id: The batch.
            timeout: The most seconds; None for `job_timeout`.

        Returns:
            The batch, completed. Some of its items may have failed: `items(job_id, status="failed")` names them.

        Raises:
            JobDeadlineError: The time is up. The batch goes on and can be waited for again.
            JobFailedError: The batch failed as a whole.
            JobCancelledError: It was cancelled.
        """
        return run(self._wait, job_id, timeout)

    async def await_for_completion(self, job_id: str, timeout: float | None = None) -> BatchProcessingJob:
        """The asynchronous twin of `wait_for_completion`."""
        return await run_async(self._wait, job_id, timeout)

    def cancel(self, job_id: str, reason: str | None = None) -> BatchProcessingCancellation:
        """Stop a batch: what waits is not begun, what runs may still end.

        Args:
            job_id: The batch.
            reason: For those who look at it later.

        Returns:
            What the service says, with the number of files whose work was over before.

        Raises:
            ConflictError: It has ended already.
            NotFoundError: There is no such batch.
        """
        return run(self._cancel, job_id, reason)

    async def acancel(self, job_id: str, reason: str | None = None) -> BatchProcessingCancellation:
        """The asynchronous twin of `cancel`."""
        return await run_async(self._cancel, job_id, reason)

    # Items and results

    def items(
        self, job_id: str, *, status: ItemStatus | None = None, limit: int | None = None
    ) -> list[BatchProcessingItem]:
        """The files of a batch, with their states and jobs.

        Args:
            job_id: The batch.
            status: Only those in this state.
            limit: The most files; None for all.

        Raises:
            NotFoundError: There is no such batch.
        """
        return run(self._items, job_id, status, limit)

    async def aitems(
        self, job_id: str, *, status: ItemStatus | None = None, limit: int | None = None
    ) -> list[BatchProcessingItem]:
        """The asynchronous twin of `items`."""
        return await run_async(self._items, job_id, status, limit)

    def processing_results(self, item_id: str, *, job_type: JobType | None = None) -> list[BatchProcessingResult]:
        """What was done with a file, in whatever batches.

        Args:
            item_id: The file's id in its directory.
            job_type: Only this kind of work.

        Raises:
            NotFoundError: There is no such file.
        """
        return run(self._processing_results, item_id, job_type)

    async def aprocessing_results(
        self, item_id: str, *, job_type: JobType | None = None
    ) -> list[BatchProcessingResult]:
        """The asynchronous twin of `processing_results`."""
        return await run_async(self._processing_results, item_id, job_type)

    def results(self, job_id: str) -> list[ParseResult | FailedItem]:
        """Wait for a batch and fetch what was parsed.

        Args:
            job_id: The batch.

        Returns:
            A ParseResult for each file, in the order of the batch; a FailedItem in the place of one that failed.

        Raises:
            LlamaCloudError: As `wait_for_completion`; or every file failed.
        """
        return list(self._outcomes().take_all(run(self._results, job_id), single=False))

    async def aresults(self, job_id: str) -> list[ParseResult | FailedItem]:
        """The asynchronous twin of `results`."""
        return list(self._outcomes().take_all(await run_async(self._results, job_id), single=False))

    def load_data(self, job_id: str, *, split_by_page: bool = True) -> list[Document]:
        """Wait for a batch and turn what was parsed into Documents. Files that failed are logged.

        Args:
            job_id: The batch.
            split_by_page: One Document a page; else one a file.

        Raises:
            LlamaCloudError: As `results`.
        """
        return _documents(self.results(job_id), split_by_page=split_by_page)

    async def aload_data(self, job_id: str, *, split_by_page: bool = True) -> list[Document]:
        """The asynchronous twin of `load_data`."""
        found = await self.aresults(job_id)
        return await run_async(in_thread, _documents, found, split_by_page=split_by_page)

    # On the I/O loop

    async def _create(self, options: BatchProcessingOptions) -> BatchProcessingJob:
        connection, body = self._connection(), options.to_body()
        recovery = None if options.directory_id is None else BatchProcessingCreateRecovery(connection, body)
        record = await batch_processing.create(connection, options, recover=recovery)
        if recovery is not None:
            recovery.answered(record)
        id_in(record, of="batch", after="creating a batch", file=options.directory_id or "single files")
        return BatchProcessingJob(record)

    async def _list(
        self, directory_id: str | None, job_type: str | None, status: str | None, limit: int | None
    ) -> list[BatchProcessingJob]:
        records = batch_processing.list_batches(
            self._connection(), directory_id=directory_id, job_type=job_type, status=status
        )
        return [BatchProcessingJob(record) async for record in first(records, limit)]

    async def _status(self, job_id: str) -> BatchProcessingJob:
        return BatchProcessingJob(await batch_processing.get_status(self._connection(), job_id))

    async def _wait(self, job_id: str, timeout: float | None) -> BatchProcessingJob:
        shown = _ItemsShown(self._report(None, "Parsing"))
        looks = asyncio.create_task(self._show(job_id, shown)) if self.show_progress else None
        try:
            watcher = watcher_for(self._connection(), BATCH_PROCESSING_JOBS)
            record = await watcher.wait(job_id, timeout=self.job_timeout if timeout is None else timeout)
            if looks is not None:
                looks.cancel()
                await asyncio.wait([looks])
                await shown.see(BatchProcessingJob(record))
        finally:
            if looks is not None:
                looks.cancel()
            shown.report.close()
        check_outcome(record, product=BATCH_PROCESSING_JOBS.product)
        return BatchProcessingJob(record)

    async def _show(self, job_id: str, shown: _ItemsShown) -> None:
        """Show how many items are done, from looks that are taken for this alone."""
        pause = _FIRST_LOOK
        # What goes wrong, whoever waits hears of.
        with contextlib.suppress(LlamaCloudError):
            while True:
                await shown.see(await self._status(job_id))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LAST_LOOK)

    async def _cancel(self, job_id: str, reason: str | None) -> BatchProcessingCancellation:
        return BatchProcessingCancellation(await batch_processing.cancel(self._connection(), job_id, reason=reason))

    async def _items(self, job_id: str, status: str | None, limit: int | None) -> list[BatchProcessingItem]:
        records = batch_processing.list_items(self._connection(), job_id, status=status)
        return [BatchProcessingItem(record) async for record in first(records, limit)]

    async def _processing_results(self, item_id: str, job_type: str | None) -> list[BatchProcessingResult]:
        answer = await batch_processing.processing_results(self._connection(), item_id, job_type=job_type)
        return [BatchProcessingResult(record) for record in as_objects(answer.get("processing_results"))]

    async def _results(self, job_id: str) -> list[ParseResult | FailedItem]:
        await self._wait(job_id, None)
        work = Parsing(self.settings(), Wanted(), at_once=self.num_workers, job_timeout=self.job_timeout)

        async def result(item: BatchProcessingItem, index: int) -> ParseResult | FailedItem:
            source = SourceIdentity(name=PurePath(item.name).name, identity=f"batch-item:{item.id}")
            try:
                if item.status not in _WITH_RESULTS or not item.job_id:
                    raise JobFailedError(
                        job_id=item.job_id or job_id,
                        product=BATCH_PROCESSING_JOBS.product,
                        status=item.status,
                        reason=item.error_message or item.skip_reason,
                        file=item.name,
                    )
                async with contextlib.AsyncExitStack() as handing_on:
                    return await work.result(item.job_id, BatchFile(item.id, source, index), handing_on)
            except LlamaCloudError as error:
                return FailedItem(item.name, error.with_context(file=item.name), getattr(error, "job", None), index)

        items = await self._items(job_id, None, None)
        return list(await asyncio.gather(*(result(item, index) for index, item in enumerate(items))))

    def _outcomes(self) -> Outcomes:
        return Outcomes("skip", [], parse_event, log=True)


class _ItemsShown:
    """Counts of a batch, as progress."""

    def __init__(self, report: ProgressReport) -> None:
        self.report = report
        self._done = 0
        self._failed = 0

    async def see(self, batch: BatchProcessingJob) -> None:
        """Tell what has been added since the last look."""
        if batch.total_items is not None:
            self.report.expect(batch.total_items)
        failed = max(self._failed, batch.failed_items or 0)
        done = max(self._done, (batch.processed_items or 0) - failed)
        more_failed, more_done = failed - self._failed, done - self._done
        # First: whoever looks may be cancelled while the user is told.
        self._failed, self._done = failed, done
        if more_failed:
            await self.report.finished(batch.id, failed=True, count=more_failed)
        if more_done:
            await self.report.finished(batch.id, count=more_done)


def _options(
    directory_id: str | None,
    item_ids: Sequence[str] | None,
    parameters: Mapping[str, Any] | None,
    webhook_url: str | None,
    page_size: int | None,
    continue_as_new_threshold: int | None,
) -> BatchProcessingOptions:
    return BatchProcessingOptions(
        directory_id=directory_id,
        item_ids=None if item_ids is None else list(item_ids),
        parameters=dict(parameters or {}),
        webhook_url=webhook_url,
        page_size=page_size,
        continue_as_new_threshold=continue_as_new_threshold,
    )


def _documents(results: Sequence[ParseResult | FailedItem], *, split_by_page: bool) -> list[Document]:
    parsed = [result for result in results if isinstance(result, ParseResult)]
    return [document for result in parsed for document in result.documents(split_by_page=split_by_page)]
