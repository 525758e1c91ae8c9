"""Bringing a noted batch as far as the service's acceptance, from wherever a process has left it. On the I/O loop."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from llama_cloud_ext.batch.handle import BatchFile
from llama_cloud_ext.batch.noted import NotedBatch, NotedBatches
from llama_cloud_ext.batch.starting import BatchStarter, Upload, delete_directory, may_have_started
from llama_cloud_ext.errors import ConflictError, LlamaCloudError, NotFoundError
from llama_cloud_ext.jobs.ledger import Hold, harmless
from llama_cloud_ext.wire import directory_files
from llama_cloud_ext.wire.concurrency import concurrently

logger = logging.getLogger(__name__)

_PAGE_SIZE = 1000


@dataclass(frozen=True)
class BatchFiller:
    """Fills directories and creates batches, each step noted before the next.

    Attributes:
        notes: The ledger's notes.
        starter: Sends what has to be sent.
    """

    notes: NotedBatches
    starter: BatchStarter

    async def fill(
        self, batch: NotedBatch, hold: Hold[NotedBatch], uploads: Mapping[str, Upload]
    ) -> tuple[NotedBatch | None, dict[str, LlamaCloudError]]:
        """Upload what is missing and create the batch, unless it was created.

        Args:
            batch: The batch as it stands.
            hold: This process's hold on it, which notes each step.
            uploads: The files of this call that are in it, by their entries.

        Returns:
            The batch with its id, or None where there is none; and why files could not be uploaded, by their entries.

        Raises:
            LeaseLostError: Somebody else goes on with it.
            LlamaCloudError: The batch could not be created. Where it may have been all the same, it is still noted.
        """
        if batch.is_sent:
            found = await self.starter.find(str(batch.directory_id))
            if found is not None:
                logger.info("the ledger has found batch %s, created by a process that is gone", found)
                return await self._accepted(batch, found), {}
        present = await self._present(batch)
        if present is None:
            batch, present = replace(batch, directory_id=await self.starter.directory(), is_sent=False), {}
            await hold.note(batch)
        file_ids, failures = await self._uploaded(batch, present, uploads)
        if not file_ids:
            await self._given_up(batch)
            return None, failures
        batch = replace(batch, file_ids=file_ids, is_sent=True)
        await hold.note(batch)
        try:
            batch_id = await self.starter.create(str(batch.directory_id), hold.permit)
        except LlamaCloudError as error:
            if not may_have_started(error):
                await self._given_up(batch)
            raise
        return await self._accepted(batch, batch_id), failures

    async def _present(self, batch: NotedBatch) -> dict[str, str] | None:
        """What the directory holds already: ids by unique ids; None where there is no directory, or none any longer."""
        if batch.directory_id is None:
            return None
        listed = directory_files.list_files(self.starter.connection, batch.directory_id, page_size=_PAGE_SIZE)
        try:
            return {str(record.get("unique_id")): str(record.get("id")) async for record in listed}
        except NotFoundError:
            logger.info("directory %s of the ledger is gone: its files are uploaded anew", batch.directory_id)
            return None

    async def _uploaded(
        self, batch: NotedBatch, present: Mapping[str, str], uploads: Mapping[str, Upload]
    ) -> tuple[dict[str, str], dict[str, LlamaCloudError]]:
        """Have the directory hold the files of this call, and nothing else that would be paid for."""
        directory_id = str(batch.directory_id)
        wanted = {upload.unique_id for upload in uploads.values()}
        for unique_id, file_id in present.items():
            if unique_id not in wanted:
                await directory_files.delete(self.starter.connection, directory_id, file_id)

        async def one(entry: str) -> str | LlamaCloudError:
            upload = uploads[entry]
            try:
                return present.get(upload.unique_id) or (await self._put(directory_id, upload)).directory_file_id
            except LlamaCloudError as error:
                return error

        outcomes = dict(zip(uploads, await concurrently(one, uploads, at_once=self.starter.at_once), strict=True))
        return (
            {entry: one for entry, one in outcomes.items() if isinstance(one, str)},
            {entry: one for entry, one in outcomes.items() if isinstance(one, LlamaCloudError)},
        )

    async def _put(self, directory_id: str, upload: Upload) -> BatchFile:
        try:
            return await self.starter.upload(directory_id, upload)
        except ConflictError:
            # Sent by the process before this one, and arrived after the look.
            listed = directory_files.list_files(self.starter.connection, directory_id, unique_id=upload.unique_id)
            async for record in listed:
                if record.get("unique_id") == upload.unique_id:
                    return upload.file(str(record.get("id")))
            raise

    async def _accepted(self, batch: NotedBatch, batch_id: str) -> NotedBatch:
        accepted = replace(batch, batch_id=batch_id)
        # Paid for already: from here on the ledger's own failures only cost the next process a look-up.
        await harmless(self.notes.write(accepted))
        return accepted

    async def _given_up(self, batch: NotedBatch) -> None:
        await delete_directory(self.starter.connection, str(batch.directory_id))
        await harmless(self.notes.drop(batch))
