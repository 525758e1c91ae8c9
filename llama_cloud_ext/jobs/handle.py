"""A handle on a job that was submitted and is collected later, possibly by another process."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakKeyDictionary

from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.ledger import LedgerPlace, ledger_at
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep, cancel
from llama_cloud_ext.jobs.source_identity import SourceIdentity
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
        source: The file it works on.
        settings: The connection to the service.
        job_timeout: The most seconds that `result` waits, or None.
        delete_after: Whether job and upload are deleted once the result has been fetched.
        file_id: The upload to delete with it.
        place: Its entry in a ledger, where it has one.
    """

    kind: ClassVar[ProductJobs]
    """The product's jobs."""

    def __init__(
        self,
        job_id: str,
        *,
        source: SourceIdentity,
        settings: Settings,
        job_timeout: float | None = None,
        delete_after: bool = False,
        file_id: str | None = None,
        place: LedgerPlace | None = None,
    ) -> None:
        self.job_id = job_id
        self.source = source
        self._settings = settings
        self._job_timeout = job_timeout
        self._delete_after = delete_after
        self._file_id = file_id
        self._place = place

    @classmethod
    def of(cls, created: CreatedJob, source: SourceIdentity, settings: Settings, **options: Any) -> Self:
        """The handle of a job that was just created here, which knows its place among the unfinished ones."""
        job = cls(created.job_id, source=source, settings=settings, file_id=created.file_id, **options)
        _created[job] = created
        return job

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

    def _as_json(self, **more: Any) -> str:
        """The handle as JSON text, without the API key, with what a product adds."""
        shared = {
            "job_id": self.job_id,
            "source": self.source.to_dict(),
            "base_url": self._settings.base_url,
            "project_id": self._settings.project_id,
            "organization_id": self._settings.organization_id,
            "job_timeout": self._job_timeout,
            "delete_after": self._delete_after,
            "file_id": self._file_id,
            "ledger": None if self._place is None else asdict(self._place),
        }
        return json.dumps(shared | more)

    @classmethod
    def _of_json(
        cls, text: str, settings: Settings | None, more: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Self:
        """The handle that `_as_json` wrote; `more` reads the arguments that a product adds.

        Raises:
            ConfigurationError: The text is no handle, or no API key is to be found.
        """
        try:
            data = json.loads(text)
            place = data.get("ledger")
            return cls(
                data["job_id"],
                source=SourceIdentity.from_dict(data["source"]),
                settings=settings
                or Settings.resolve(
                    base_url=data["base_url"],
                    project_id=data["project_id"],
                    organization_id=data["organization_id"],
                ),
                job_timeout=data["job_timeout"],
                delete_after=data["delete_after"],
                file_id=data["file_id"],
                place=None if place is None else LedgerPlace(place["location"], place["key"], place["about"]),
                **more(data),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ConfigurationError(
                f"this is not a job of {cls.kind.product} as to_json writes it: {type(error).__name__}: {error}",
                hint=f"Keep the text of {cls.__name__}.to_json() unchanged.",
            ) from error

    def _created_job(self) -> CreatedJob:
        # In another process the handle is all there is, and the first look is taken at once.
        return _created.setdefault(self, CreatedJob(job_id=self.job_id, file_id=self._file_id))
