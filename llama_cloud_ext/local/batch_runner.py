"""The runner of batches: gives every file of a batch a job of its own, in the background."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from llama_cloud_ext.local.batch_store import PARSE, FileFate
from llama_cloud_ext.local.batch_tables import BETA_API
from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS, Dispatcher
from llama_cloud_ext.local.leases import Owner
from llama_cloud_ext.local.request_errors import RequestError

if TYPE_CHECKING:
    from llama_cloud_ext.local.batch_store import BatchFile, BatchRecord
    from llama_cloud_ext.local.cloud import LocalCloud

logger = logging.getLogger(__name__)


class BatchRunner:
    """Maps the files of a data folder's batches to jobs. A batch has completed once that is done.

    Args:
        cloud: The data folder, open but for this.

    Attributes:
        ends: Tells when batches end here.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        owner = Owner(cloud.root)
        self._queue = cloud.batches.queue(owner.id)
        self._dispatcher = Dispatcher(owner, self._queue, self._work, name="batches")
        self.ends = self._dispatcher.ends

    def wake(self) -> None:
        """Say that a batch was accepted."""
        self._dispatcher.wake()

    def stop_batch(self, batch_id: str) -> None:
        """Stop mapping a batch that was cancelled, if that happens here (elsewhere its lease tells)."""
        self._dispatcher.stop(lambda batch: batch.id == batch_id)

    def close(self) -> None:
        """Stop, and put unfinished batches back in the queue."""
        self._dispatcher.close()

    def _work(self, batch: BatchRecord, stop: threading.Event) -> None:
        failure: str | None = None
        try:
            if batch.attempts > MOST_ATTEMPTS:
                failure = f"mapping files to jobs was interrupted {MOST_ATTEMPTS} times"
            else:
                asyncio.run(self._map(batch, stop))
        except Exception as error:
            if not stop.is_set():
                logger.exception("batch %s of the local LlamaCloud failed unexpectedly", batch.id)
            failure = f"Internal error of the local batches: {type(error).__name__}: {error}"
        if not stop.is_set():  # else cancelled, taken over, or closing
            self._queue.finish(batch.id, error_message=failure).result()

    async def _map(self, batch: BatchRecord, stop: threading.Event) -> None:
        mapped: dict[str, FileFate] = {}
        try:
            for file in self._cloud.batches.files(batch.id).result():
                if stop.is_set():
                    return
                mapped[file.directory_file_id] = await self._job_of(batch, file)
        finally:
            # All at once: what is lost by a crash is found by the jobs' ids.
            self._cloud.batches.note(batch.id, mapped).result()

    async def _job_of(self, batch: BatchRecord, file: BatchFile) -> FileFate:
        """The file's job, made unless it is there already; or why there is none."""
        # They need the data folder, which needs this module.
        from llama_cloud_ext.local.extract_routes import accept_extraction
        from llama_cloud_ext.local.parse_routes import accept_parsing

        cloud, job_id = self._cloud, batch.job_id(file.directory_file_id)
        parsing = batch.product == PARSE
        if (cloud.parse_jobs.get(job_id) if parsing else cloud.extract_jobs.get(job_id)).result() is not None:
            return FileFate(job_id)
        if batch.api == BETA_API and (done := cloud.batch_items.processed_before(batch, file).result()) is not None:
            return FileFate(done, skip_reason="already_processed")
        job = batch.configuration["job"]
        configured = job.get("configuration") or {"configuration_id": job["configuration_id"]}
        try:
            if parsing:
                await accept_parsing(cloud, {**configured, "file_id": file.file_id}, job_id)
            else:
                await accept_extraction(cloud, {**configured, "file_input": file.file_id}, job_id)
        except RequestError as error:
            return FileFate(error_message=_said(error))
        return FileFate(job_id)


def _said(error: RequestError) -> str:
    if isinstance(error.detail, str):
        return error.detail
    return "; ".join(str(problem["msg"]) for problem in error.detail)
