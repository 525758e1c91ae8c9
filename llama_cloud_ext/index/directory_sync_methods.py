"""Having an index follow its directory: with waiting, without, and no longer."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.index.directory_sync import sync_and_wait, wait_for_sync
from llama_cloud_ext.index.named_index import NamedIndex
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import indexes
from llama_cloud_ext.wire.io_loop import run, run_async


class DirectorySyncMethods(NamedIndex):
    """How an index over a directory follows it."""

    @span
    def resync(self, *, raise_on_error: bool = True, timeout: float | None = None) -> dict[str, Any]:
        """Have the index follow its directory, and wait until it has.

        What is new or changed in the directory is parsed, what is gone is forgotten, what failed is tried again.

        Args:
            raise_on_error: Whether files that failed raise; else they are logged.
            timeout: The most seconds to wait; the index's `ingestion_timeout` by default.

        Returns:
            The index's record.

        Raises:
            IngestionError: Files could not be parsed; each is named with its reason.
            JobFailedError: The sync itself failed.
            JobDeadlineError: The time is up; the sync goes on, and can be waited for again.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            index = LlamaCloudDirectoryIndex("reports")
            index.upload_file("report.pdf", wait_for_ingestion=False)
            print(index.resync(timeout=600)["last_synced_at"])
            ```
        """
        return run(self._resync, raise_on_error, timeout)

    @span
    async def aresync(self, *, raise_on_error: bool = True, timeout: float | None = None) -> dict[str, Any]:
        """The asynchronous twin of `resync`."""
        return await run_async(self._resync, raise_on_error, timeout)

    def start_sync(self) -> None:
        """Have the index follow its directory, without waiting; `wait_for_completion` waits."""
        run(self._start_sync)

    async def astart_sync(self) -> None:
        """The asynchronous twin of `start_sync`."""
        await run_async(self._start_sync)

    def cancel_sync(self) -> None:
        """Stop a sync that is running.

        Raises:
            ConflictError: None is running.
        """
        run(self._cancel_sync)

    async def acancel_sync(self) -> None:
        """The asynchronous twin of `cancel_sync`."""
        await run_async(self._cancel_sync)

    @span
    def wait_for_completion(self, *, raise_on_error: bool = True, timeout: float | None = None) -> dict[str, Any]:
        """Wait until no sync is running.

        Args:
            raise_on_error: Whether files that failed raise; else they are logged.
            timeout: The most seconds to wait; the index's `ingestion_timeout` by default.

        Returns:
            The index's record.

        Raises:
            IngestionError: Files could not be parsed; each is named with its reason.
            JobFailedError: The sync itself failed.
            JobCancelledError: It was cancelled.
            JobDeadlineError: The time is up; the sync goes on, and can be waited for again.
        """
        return run(self._wait, raise_on_error, timeout)

    @span
    async def await_for_completion(
        self, *, raise_on_error: bool = True, timeout: float | None = None
    ) -> dict[str, Any]:
        """The asynchronous twin of `wait_for_completion`, as the existing class spells it."""
        return await run_async(self._wait, raise_on_error, timeout)

    def status(self) -> dict[str, Any]:
        """The index's record as it is now: `metadata` with its state, `sync_in_progress`, `last_synced_at`."""
        return run(self._status)

    async def astatus(self) -> dict[str, Any]:
        """The asynchronous twin of `status`."""
        return await run_async(self._status)

    # On the I/O loop

    async def _resync(self, raise_on_error: bool, timeout: float | None) -> dict[str, Any]:
        patience = self._ingestion_timeout if timeout is None else timeout
        return await sync_and_wait(await self.reference.find(), timeout=patience, raise_on_error=raise_on_error)

    async def _wait(self, raise_on_error: bool, timeout: float | None) -> dict[str, Any]:
        patience = self._ingestion_timeout if timeout is None else timeout
        return await wait_for_sync(await self.reference.find(), timeout=patience, raise_on_error=raise_on_error)

    async def _start_sync(self) -> None:
        found = await self.reference.find()
        await indexes.sync(found.connection, found.index_id)

    async def _cancel_sync(self) -> None:
        found = await self.reference.find()
        await indexes.cancel_sync(found.connection, found.index_id)

    async def _status(self) -> dict[str, Any]:
        found = await self.reference.find()
        return await indexes.get(found.connection, found.index_id, sync_in_progress=True)
