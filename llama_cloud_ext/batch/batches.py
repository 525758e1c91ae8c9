"""LlamaCloudBatches: the batches of Batches v2, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from llama_cloud_ext.batch.access import ServiceAccess
from llama_cloud_ext.batch.collecting import ended_batch
from llama_cloud_ext.jobs.pipeline import check_outcome, id_in
from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.batch_jobs import BATCH_JOBS
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.batch import Batch, BatchOptions, BatchProduct
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.recovery import BatchCreateRecovery

BatchStatus = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


class LlamaCloudBatches(ServiceAccess):
    """Batches of LlamaCloud: one job on every file of a directory.

    `LlamaBatchReader` does all of it for files of one's own, results included. This class is for directories that are
    there already, and for looking at what runs.

    Example:
        ```python
        from llama_cloud_ext import LlamaBatchReader, LlamaCloudBatches, LlamaCloudDirectories

        directories = LlamaCloudDirectories()
        directory = directories.create("reports", type="ephemeral")
        directories.upload_files(directory.id, "./data/*.pdf")

        batches = LlamaCloudBatches()
        batch = batches.create(directory.id, "parse_v2", "cfg-PARSE_COST_EFFECTIVE")
        print(batches.wait_for_completion(batch.id).results)
        results = LlamaBatchReader().resume(batch.id)
        ```
    """

    batch_timeout: float | None = Field(
        default=86_400.0, gt=0, description="Seconds to wait for a batch; None waits for ever. It goes on by itself."
    )

    def create(
        self,
        source_directory_id: str,
        product: BatchProduct,
        configuration_id: str,
        *,
        webhook_configurations: Sequence[WebhookConfiguration] | None = None,
        webhook_configuration_ids: Sequence[str] | None = None,
    ) -> Batch:
        """Start a batch over all files of a directory.

        Args:
            source_directory_id: The directory, with 1,000 files at most.
            product: What is done with each file: "parse_v2" or "extract_v2".
            configuration_id: A saved configuration of that product, or for "parse_v2" a preset: cfg-PARSE_FAST,
                cfg-PARSE_COST_EFFECTIVE, cfg-PARSE_AGENTIC or cfg-PARSE_AGENTIC_PLUS.
            webhook_configurations: Whom the service tells about the batch.
            webhook_configuration_ids: Saved webhooks to call.

        Returns:
            The batch, which runs by itself. One whose answer was lost is looked for before it is created again.

        Raises:
            NotFoundError: There is no such directory or configuration.
            BadRequestError: The directory has too many files.
        """
        options = _options(
            source_directory_id, product, configuration_id, webhook_configurations, webhook_configuration_ids
        )
        return run(self._create, options)

    async def acreate(
        self,
        source_directory_id: str,
        product: BatchProduct,
        configuration_id: str,
        *,
        webhook_configurations: Sequence[WebhookConfiguration] | None = None,
        webhook_configuration_ids: Sequence[str] | None = None,
    ) -> Batch:
        """The asynchronous twin of `create`."""
        options = _options(
            source_directory_id, product, configuration_id, webhook_configurations, webhook_configuration_ids
        )
        return await run_async(self._create, options)

    def list_batches(
        self,
        *,
        status: BatchStatus | None = None,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | None = None,
        created_at_on_or_before: datetime | None = None,
        limit: int | None = 100,
    ) -> list[Batch]:
        """The project's batches, the newest first.

        Args:
            status: Only batches in this state.
            source_directory_id: Only batches over this directory.
            created_at_on_or_after: Only batches from this time on.
            created_at_on_or_before: Only batches up to this time.
            limit: The most batches; None for all.
        """
        return run(self._list, status, source_directory_id, created_at_on_or_after, created_at_on_or_before, limit)

    async def alist_batches(
        self,
        *,
        status: BatchStatus | None = None,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | None = None,
        created_at_on_or_before: datetime | None = None,
        limit: int | None = 100,
    ) -> list[Batch]:
        """The asynchronous twin of `list_batches`."""
        return await run_async(
            self._list, status, source_directory_id, created_at_on_or_after, created_at_on_or_before, limit
        )

    def get(self, batch_id: str, *, results: bool = False) -> Batch:
        """A batch as it stands now.

        Args:
            batch_id: The batch.
            results: Whether `results` says which job each file got.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._get, batch_id, results)

    async def aget(self, batch_id: str, *, results: bool = False) -> Batch:
        """The asynchronous twin of `get`."""
        return await run_async(self._get, batch_id, results)

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch. Jobs that it has made already go on.

        Args:
            batch_id: The batch.

        Raises:
            NotFoundError: There is none.
            ConflictError: It has ended already.
        """
        return run(self._cancel, batch_id)

    async def acancel(self, batch_id: str) -> Batch:
        """The asynchronous twin of `cancel`."""
        return await run_async(self._cancel, batch_id)

    def wait_for_completion(self, batch_id: str, timeout: float | None = None) -> Batch:
        """Wait until every file of a batch has its job. The jobs go on: `LlamaBatchReader.resume` waits for them.

        Args:
            batch_id: The batch.
            timeout: The most seconds; None for `batch_timeout`.

        Returns:
            The batch with its `results`.

        Raises:
            JobDeadlineError: The time is up. The batch goes on and can be waited for again.
            JobFailedError: The batch failed.
            JobCancelledError: It was cancelled.
        """
        return run(self._wait, batch_id, timeout)

    async def await_for_completion(self, batch_id: str, timeout: float | None = None) -> Batch:
        """The asynchronous twin of `wait_for_completion`."""
        return await run_async(self._wait, batch_id, timeout)

    # On the I/O loop

    async def _create(self, options: BatchOptions) -> Batch:
        connection = self._connection()
        recovery = BatchCreateRecovery(connection, options.to_body())
        record = await batches.create(connection, options, recover=recovery)
        recovery.answered(record)
        id_in(record, of="batch", after="creating a batch", file=options.source_directory_id)
        return Batch(record)

    async def _list(
        self,
        status: str | None,
        source_directory_id: str | None,
        created_at_on_or_after: datetime | None,
        created_at_on_or_before: datetime | None,
        limit: int | None,
    ) -> list[Batch]:
        records = batches.list_batches(
            self._connection(),
            status=status,
            source_directory_id=source_directory_id,
            created_at_on_or_after=created_at_on_or_after,
            created_at_on_or_before=created_at_on_or_before,
        )
        return [Batch(record) async for record in first(records, limit)]

    async def _get(self, batch_id: str, results: bool) -> Batch:
        return Batch(await batches.get(self._connection(), batch_id, expand=["results"] if results else []))

    async def _cancel(self, batch_id: str) -> Batch:
        return Batch(await batches.cancel(self._connection(), batch_id))

    async def _wait(self, batch_id: str, timeout: float | None) -> Batch:
        seconds = self.batch_timeout if timeout is None else timeout
        record = await ended_batch(self._connection(), batch_id, timeout=seconds)
        check_outcome(record, product=BATCH_JOBS.product)
        return Batch(record)


def _options(
    source_directory_id: str,
    product: BatchProduct,
    configuration_id: str,
    webhook_configurations: Sequence[WebhookConfiguration] | None,
    webhook_configuration_ids: Sequence[str] | None,
) -> BatchOptions:
    return BatchOptions(
        source_directory_id=source_directory_id,
        product=product,
        configuration_id=configuration_id,
        webhook_configurations=None if webhook_configurations is None else list(webhook_configurations),
        webhook_configuration_ids=None if webhook_configuration_ids is None else list(webhook_configuration_ids),
    )
