"""A handle on a job that was submitted and is collected later, possibly by another process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakKeyDictionary

from llama_cloud_ext.jobs.ledger import LedgerPlace, ledger_at
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep, cancel
from llama_cloud_ext.wire import files
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.product_jobs import ProductJobs
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for

R = TypeVar("R")

# A job's place among its owner's unfinished jobs. Kept beside the handle, because a place cannot be pickled.
_created: WeakKeyDictionary[JobHandle[Any], CreatedJob] = WeakKeyDictionary()


class JobHandle(ABC, Generic[R]):
    """Asks for a job's status, collects its result, cancels or deletes it.

    Args:
        job_id: The job.
        settings: The connection to the service.
        file_id: The upload to delete with it.
        place: Its entry in a ledger, where it has one.
    """

    kind: ClassVar[ProductJobs]
    """The product's jobs."""

    def __init__(
        self, job_id: str, *, settings: Settings, file_id: str | None = None, place: LedgerPlace | None = None
    ) -> None:
        self.job_id = job_id
        self._settings = settings
        self._file_id = file_id
        self._place = place

    def record(self) -> dict[str, Any]:
        """The job's record as the service has it now: `id`, `status`, `error_message`, …

        Raises:
            NotFoundError: The job does not exist, or no longer.
        """
        return run(self._record)

    async def arecord(self) -> dict[str, Any]:
        """The asynchronous twin of `record`."""
        return await run_async(self._record)

    def status(self) -> str:
        """The job's status now: PENDING, RUNNING, COMPLETED, FAILED or CANCELLED, or one that a newer service has.

        Raises:
            NotFoundError: The job does not exist, or no longer.
        """
        return run(self._status)

    async def astatus(self) -> str:
        """The asynchronous twin of `status`."""
        return await run_async(self._status)

    def result(self) -> R:
        """Wait for the job and fetch its result.

        Returns:
            The result, as the call that waits would have given it.

        Raises:
            JobFailedError: The job failed; its code and reason are in the error.
            JobCancelledError: It was cancelled.
            JobDeadlineError: It was still running after `job_timeout` seconds; `result` can be called again.
        """
        return run(self._result)

    async def aresult(self) -> R:
        """The asynchronous twin of `result`."""
        return await run_async(self._result)

    def cancel(self) -> None:
        """Stop the job. One that has ended already is left as it is.

        Raises:
            NotFoundError: The job does not exist, or no longer.
        """
        run(self._cancel)

    async def acancel(self) -> None:
        """The asynchronous twin of `cancel`."""
        await run_async(self._cancel)

    def delete(self) -> None:
        """Delete the job, its result, and its upload where it has one of its own; a running job is cancelled first.

        Raises:
            NotFoundError: The job does not exist, or no longer.
        """
        run(self._delete)

    async def adelete(self) -> None:
        """The asynchronous twin of `delete`."""
        await run_async(self._delete)

    @abstractmethod
    async def _result(self) -> R: ...

    async def _collected(
        self, collect: Callable[[CreatedJob, Keep | None], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """The service's answer: of the ledger, if it is kept there, or as `collect` fetches it."""
        if self._place is None:
            return await collect(self._created_job(), None)
        return await ledger_at(self._place.location).collected(self._place, self._created_job(), collect)

    async def _record(self) -> dict[str, Any]:
        created = self._created_job()
        record = await self.kind.get(connection_for(self._settings), self.job_id)
        created.record = record
        if created.slot is not None and self.kind.is_terminal(record):
            created.slot.release()
        return record

    async def _status(self) -> str:
        return str((await self._record()).get("status") or "UNKNOWN")

    async def _cancel(self) -> None:
        if not self.kind.is_terminal(await self._record()):
            await cancel(connection_for(self._settings), self.kind, self.job_id)
            created = self._created_job()
            if created.slot is not None:
                created.slot.release()

    async def _delete(self) -> None:
        await self._cancel()
        await self.kind.delete(connection_for(self._settings), self.job_id)
        if self._file_id is not None:
            await files.delete(connection_for(self._settings), self._file_id)

    def _place_as_json(self) -> dict[str, Any] | None:
        return None if self._place is None else asdict(self._place)

    @staticmethod
    def _place_of_json(data: Any) -> LedgerPlace | None:
        return None if data is None else LedgerPlace(data["location"], data["key"], data["about"])

    def _created_here(self, created: CreatedJob) -> None:
        """Note that the job was just created here, so that the handle knows its place among the unfinished ones."""
        _created[self] = created

    def _created_job(self) -> CreatedJob:
        # In another process the handle is all there is, and the first look is taken at once.
        return _created.setdefault(self, CreatedJob(job_id=self.job_id, file_id=self._file_id))
