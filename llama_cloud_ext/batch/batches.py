"""LlamaCloudBatches: batches created, listed, watched and stopped one by one. LlamaBatchReader does all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.batch.collecting import ended_batch
from llama_cloud_ext.batch.records import Batch
from llama_cloud_ext.directories.records import Directory, id_of
from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.connected import Connected
from llama_cloud_ext.wire.io_loop import iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.batch import BatchOptions, BatchProduct
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from llama_cloud_ext.wire.recovery import BatchCreateRecovery

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

BatchStatus = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
"""How a batch can stand."""

_RESULTS = ("results",)


class LlamaCloudBatches(Connected):
    """The batches of a project: each runs one product's job on every file of a directory.

    `LlamaBatchReader` goes the whole way from files to Documents. This is for directories that are there already, and
    for looking after batches that others have started. The service offers batches on its Pro and Enterprise plans.

    Args:
        **connection: Where LlamaCloud is: `api_key`, `base_url`, `region`, `project_id` and what else
            `LlamaParseReader` takes of it.

    Raises:
        ConfigurationError: An argument is unknown or cannot work, or no API key was found.

    Example:
        ```python
        from llama_cloud_ext import LlamaCloudBatches, LlamaCloudDirectories, LlamaParseReader

        directories, batches, reader = LlamaCloudDirectories(), LlamaCloudBatches(), LlamaParseReader()
        directory = directories.create("invoices", type="ephemeral")
        file = directories.upload_file(directory, "report.pdf")
        batch = batches.wait_for_completion(batches.create(directory, "cfg-PARSE_AGENTIC"))
        for result in batch.results:
            print(result.source_directory_file_id, result.error_message or reader.get_result(result.job_id))
        ```
    """

    def __init__(self, **connection: Unpack[ConnectionArguments]) -> None:
        """Settle the connection; nothing is sent yet."""
        super().__init__(**connection)

    def create(
        self,
        source_directory: Directory | str,
        configuration_id: str,
        *,
        product: BatchProduct = "parse_v2",
        webhook_configurations: Sequence[WebhookConfiguration | Mapping[str, Any]] | None = None,
        webhook_configuration_ids: Sequence[str] | None = None,
    ) -> Batch:
        """Start a batch over all files that a directory has, 1,000 at most.

        One whose answer was lost is looked up by its directory before it is sent again.

        Args:
            source_directory: The directory, by its record or its id.
            configuration_id: A saved configuration of the product, or for "parse_v2" a preset: "cfg-PARSE_FAST",
                "cfg-PARSE_COST_EFFECTIVE", "cfg-PARSE_AGENTIC" or "cfg-PARSE_AGENTIC_PLUS".
            product: "parse_v2" or "extract_v2".
            webhook_configurations: Whom the service tells when the batch changes, by events such as "batch.success".
            webhook_configuration_ids: Saved webhooks to call.

        Returns:
            The batch.

        Raises:
            ConfigurationError: An argument cannot work; nothing was sent.
            NotFoundError: There is no such directory or configuration.
        """
        options = _options(
            source_directory, configuration_id, product, webhook_configurations, webhook_configuration_ids
        )
        return run(self._create, options)

    async def acreate(
        self,
        source_directory: Directory | str,
        configuration_id: str,
        *,
        product: BatchProduct = "parse_v2",
        webhook_configurations: Sequence[WebhookConfiguration | Mapping[str, Any]] | None = None,
        webhook_configuration_ids: Sequence[str] | None = None,
    ) -> Batch:
        """The asynchronous twin of `create`."""
        options = _options(
            source_directory, configuration_id, product, webhook_configurations, webhook_configuration_ids
        )
        return await run_async(self._create, options)

    def list_batches(
        self,
        *,
        status: BatchStatus | None = None,
        source_directory: Directory | str | None = None,
        created_at_on_or_after: datetime | None = None,
        created_at_on_or_before: datetime | None = None,
        page_size: int | None = None,
    ) -> Iterator[Batch]:
        """The batches of the project, the newest first and without results; pages are asked for as they are needed.

        Args:
            status: Only batches that stand so.
            source_directory: Only batches over this directory.
            created_at_on_or_after: Only batches from this time on.
            created_at_on_or_before: Only batches up to this time.
            page_size: Batches in one answer; the service decides by default.

        Yields:
            One batch after the other.
        """
        filters = {
            "status": status,
            "source_directory_id": None if source_directory is None else id_of(source_directory),
            "created_at_on_or_after": created_at_on_or_after,
            "created_at_on_or_before": created_at_on_or_before,
            "page_size": page_size,
        }
        yield from iterate(self._list_batches, filters)

    async def alist_batches(
        self,
        *,
        status: BatchStatus | None = None,
        source_directory: Directory | str | None = None,
        created_at_on_or_after: datetime | None = None,
        created_at_on_or_before: datetime | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Batch]:
        """The asynchronous twin of `list_batches`."""
        filters = {
            "status": status,
            "source_directory_id": None if source_directory is None else id_of(source_directory),
            "created_at_on_or_after": created_at_on_or_after,
            "created_at_on_or_before": created_at_on_or_before,
            "page_size": page_size,
        }
        async with aclosing(iterate_async(self._list_batches, filters)) as found:
            async for batch in found:
                yield batch

    def get(self, batch: Batch | str, *, results: bool = True) -> Batch:
        """A batch as it is now.

        Args:
            batch: The batch, by its record or its id.
            results: Whether it comes with `results`, which are None while it is running.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._get, batch, results)

    async def aget(self, batch: Batch | str, *, results: bool = True) -> Batch:
        """The asynchronous twin of `get`."""
        return await run_async(self._get, batch, results)

    def wait_for_completion(self, batch: Batch | str, *, timeout: float | None = 86_400.0) -> Batch:
        """Wait until a batch has given each file its job. The jobs may be running then.

        Args:
            batch: The batch, by its record or its id.
            timeout: The most seconds to wait; None waits for ever. The batch itself goes on.

        Returns:
            The batch with its results, COMPLETED or CANCELLED.

        Raises:
            JobFailedError: The batch failed, so that there are no results to rely on.
            JobDeadlineError: It took longer.
            NotFoundError: There is no such batch.
        """
        return run(self._wait, batch, timeout)

    async def await_for_completion(self, batch: Batch | str, *, timeout: float | None = 86_400.0) -> Batch:
        """The asynchronous twin of `wait_for_completion`."""
        return await run_async(self._wait, batch, timeout)

    def cancel(self, batch: Batch | str) -> Batch:
        """Stop a batch. Jobs that it has made already go on.

        Args:
            batch: The batch, by its record or its id.

        Returns:
            The batch as it is then.

        Raises:
            ConflictError: It has ended already.
            NotFoundError: There is none.
        """
        return run(self._cancel, batch)

    async def acancel(self, batch: Batch | str) -> Batch:
        """The asynchronous twin of `cancel`."""
        return await run_async(self._cancel, batch)

    # On the I/O loop

    async def _create(self, options: BatchOptions) -> Batch:
        recovery = BatchCreateRecovery(self._connection(), options.to_body())
        record = await batches.create(self._connection(), options, recover=recovery)
        recovery.answered(record)
        return Batch(record)

    async def _list_batches(self, filters: Mapping[str, Any]) -> AsyncIterator[Batch]:
        async for record in batches.list_batches(self._connection(), **filters):
            yield Batch(record)

    async def _get(self, batch: Batch | str, results: bool) -> Batch:
        return Batch(await batches.get(self._connection(), _id_of(batch), expand=_RESULTS if results else ()))

    async def _wait(self, batch: Batch | str, timeout: float | None) -> Batch:
        return Batch(await ended_batch(self._connection(), _id_of(batch), timeout=timeout))

    async def _cancel(self, batch: Batch | str) -> Batch:
        return Batch(await batches.cancel(self._connection(), _id_of(batch)))


def _id_of(batch: Batch | str) -> str:
    return batch if isinstance(batch, str) else str(batch.id or "")


def _options(
    directory: Directory | str,
    configuration_id: str,
    product: BatchProduct,
    webhooks: Sequence[WebhookConfiguration | Mapping[str, Any]] | None,
    webhook_ids: Sequence[str] | None,
) -> BatchOptions:
    return BatchOptions(
        source_directory_id=id_of(directory),
        configuration_id=configuration_id,
        product=product,
        webhook_configurations=None
        if webhooks is None
        else [one if isinstance(one, WebhookConfiguration) else dict(one) for one in webhooks],
        webhook_configuration_ids=None if webhook_ids is None else [*webhook_ids],
    )
