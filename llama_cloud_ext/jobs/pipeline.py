"""The way of one job: a place among the unfinished ones, the create, the wait, the result, the clearing away.

Everything here runs on the I/O loop. A product adds how its jobs are created and fetched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from llama_cloud_ext.errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    JobCancelledError,
    JobDeadlineError,
    JobError,
    JobFailedError,
    LlamaCloudError,
    NotFoundError,
    UnprocessableError,
)
from llama_cloud_ext.wire import files
from llama_cloud_ext.wire.hints import hint_for_job
from llama_cloud_ext.wire.job_slots import JobSlots, Slot
from llama_cloud_ext.wire.models.job_failures import job_failure_code
from llama_cloud_ext.wire.product_jobs import ProductJobs
from llama_cloud_ext.wire.recovery import new_tag, recover_upload
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import watcher_for

logger = logging.getLogger(__name__)

T = TypeVar("T")

Keep = Callable[[dict[str, Any]], Awaitable[None]]
"""Keeps an answer of the service, before anything of the job is cleared away."""

OnUpload = Callable[[str], Awaitable[None]]
"""Is told the id of what was uploaded for one job alone, before the job is created."""


@dataclass
class CreatedJob:
    """A job that exists on the service.

    Attributes:
        record: The job's record as last seen; None for a job known by its id only.
        born: Monotonic time of its creation here; None where it is unknown.
        file_id: The upload to delete along with it, where there is one of its own.
        slot: Its place among the unfinished jobs, freed when it has ended.
    """

    job_id: str
    record: dict[str, Any] | None = None
    born: float | None = None
    file_id: str | None = None
    slot: Slot | None = field(default=None, repr=False)


class JobPipeline:
    """Waits for, collects and clears away the jobs of one product on one connection.

    Args:
        connection: Where to.
        slots: The bound on unfinished jobs.
        job_timeout: The most seconds to wait for one job, or None.
        delete_after: Whether uploads and jobs are deleted when their result has been fetched, or has failed to be.
    """

    kind: ClassVar[ProductJobs]
    """The product's jobs."""

    def __init__(
        self, connection: Connection, *, slots: JobSlots, job_timeout: float | None, delete_after: bool
    ) -> None:
        self.connection = connection
        self.slots = slots
        self._job_timeout = job_timeout
        self.delete_after = delete_after

    async def placed(
        self, create: Callable[[], Awaitable[CreatedJob]], *, file: str, slot: Slot | None = None
    ) -> CreatedJob:
        """Create a job in a place among the unfinished ones, taking one unless it is given."""
        slot = slot or await self.slots.acquire()
        created: CreatedJob | None = None
        try:
            created = await create()
            created.slot = slot
            return created
        except LlamaCloudError as error:
            raise error.with_context(file=file) from error.__cause__
        finally:
            if created is None:
                slot.release()

    def created(self, record: dict[str, Any], *, file: str) -> CreatedJob:
        """The job in the answer to a create."""
        job_id = id_in(record, of="job", after=f"creating a job of {self.kind.product}", file=file)
        logger.info("created %s job %s for %s", self.kind.product, job_id, file)
        # A job is as old as the answer to its create: before that its file was still on the way.
        return CreatedJob(job_id=job_id, record=record, born=time.monotonic())

    async def upload(self, source: Source) -> str:
        """Upload a file without starting a job on it; its id."""
        tag = new_tag()
        record = await files.upload(
            self.connection,
            source,
            purpose=self.kind.product,
            external_file_id=tag,
            recover=recover_upload(self.connection, tag),
        )
        return id_in(record, of="file", after="uploading a file", file=source.label)

    async def wait(self, created: CreatedJob) -> dict[str, Any]:
        """Wait for a job's end and free its place; the final record, whatever the outcome."""
        watcher = watcher_for(self.connection, self.kind)
        record = await watcher.wait(created.job_id, known=created.record, born=created.born, timeout=self._job_timeout)
        created.record = record
        if created.slot is not None:
            created.slot.release()
        return record

    async def collected(
        self, created: CreatedJob, fetch: Callable[[dict[str, Any]], Awaitable[T]], *, file: str | None = None
    ) -> T:
        """Wait for a job and fetch its result, given its final record.

        Raises:
            JobFailedError: The job failed; its code and reason are in the error.
            JobCancelledError: Somebody cancelled it.
            JobDeadlineError: It was still running after `job_timeout`.
        """
        try:
            async with self._cleaned_up(created):
                record = await self.wait(created)
                check_outcome(record, product=self.kind.product, file=file)
                return await fetch(record)
        except LlamaCloudError as error:
            if isinstance(error, JobError) and error.job is None:
                error.job = created.record
            if isinstance(error, JobDeadlineError) and self.delete_after:
                error.hint = "The job was cancelled, as delete_after asks for: allow more time with job_timeout=…"
            raise error.with_context(file=file, job_id=created.job_id) from error.__cause__
        finally:
            self.leave(created)

    def leave(self, created: CreatedJob) -> None:
        """Stop caring for a job: its place is free once it has ended, and watched until then if somebody needs it."""
        if created.slot is None:
            return
        if self._has_ended(created):
            created.slot.release()
        else:
            created.slot.park(lambda: self.wait(created))

    @contextlib.asynccontextmanager
    async def _cleaned_up(self, created: CreatedJob) -> AsyncIterator[None]:
        """With `delete_after`: job and upload are removed at the end, after an error or a cancellation too."""
        try:
            yield
        finally:
            if self.delete_after:
                await asyncio.shield(self.delete(created))

    async def delete(self, created: CreatedJob) -> None:
        """Delete a job, cancelling it first where it still runs, and its upload. Failures are logged, not raised."""
        product = self.kind.product
        try:
            if not self._has_ended(created):
                await cancel(self.connection, self.kind, created.job_id)
            if created.slot is not None:
                created.slot.release()
            await self.kind.delete(self.connection, created.job_id)
        except NotFoundError:
            logger.debug("%s job %s was deleted already", product, created.job_id)
        except LlamaCloudError as error:
            logger.warning("%s job %s could not be deleted and stays there: %s", product, created.job_id, error)
        if created.file_id is not None:
            await self.delete_upload(created.file_id)

    async def delete_upload(self, file_id: str) -> None:
        """Delete an uploaded file. A failure is logged, not raised."""
        try:
            await files.delete(self.connection, file_id)
        except NotFoundError:
            logger.debug("upload %s was deleted already", file_id)
        except LlamaCloudError as error:
            logger.warning("upload %s could not be deleted and stays on the service: %s", file_id, error)

    def _has_ended(self, created: CreatedJob) -> bool:
        return created.record is not None and self.kind.is_terminal(created.record)


async def cancel(connection: Connection, kind: ProductJobs, job_id: str) -> None:
    """Stop a job, unless it has ended meanwhile, which a service may take for a reason to refuse."""
    with contextlib.suppress(BadRequestError, ConflictError, UnprocessableError):
        await kind.cancel(connection, job_id)


def id_in(record: dict[str, Any], *, of: str, after: str, file: str) -> str:
    """The id in the answer to a create."""
    if found := record.get("id"):
        return str(found)
    raise ApiError(
        f"the answer to {after} names no {of}: {str(record)[:200]}",
        status=200,
        body=record,
        hint="Check that base_url is a LlamaCloud endpoint; a proxy may have answered in its place.",
        file=file,
    )


def check_outcome(record: dict[str, Any], *, product: str, file: str | None = None) -> None:
    """Raise what a final job record says, unless the job completed."""
    status = str(record.get("status") or "").upper()
    if status == "COMPLETED":
        return
    reason = record.get("error_message")
    reason = str(reason) if reason else None
    code = job_failure_code(reason)
    raise (JobCancelledError if status == "CANCELLED" else JobFailedError)(
        job_id=str(record.get("id")),
        product=product,
        status=status,
        code=code,
        reason=reason,
        file=file,
        job=record,
        hint=hint_for_job(code) if code else None,
    )
