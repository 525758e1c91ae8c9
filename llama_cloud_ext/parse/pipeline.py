"""The way of one file through Parse: a place among the unfinished jobs, the create, the wait, the result.

Everything here runs on the I/O loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

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
from llama_cloud_ext.parse.assets import Assets
from llama_cloud_ext.wire import files, parse
from llama_cloud_ext.wire.hints import hint_for_job
from llama_cloud_ext.wire.io_loop import spawn
from llama_cloud_ext.wire.job_slots import JobSlots, Slot
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.models.parse_response import job_failure_code
from llama_cloud_ext.wire.parse_jobs import PARSE_JOBS
from llama_cloud_ext.wire.recovery import ParseCreateRecovery, new_tag, recover_upload
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import watcher_for

logger = logging.getLogger(__name__)

# The service gives these for every tier; the rest depends on it.
_ALWAYS = ("metadata", "job_metadata", "usage")
_STRUCTURED = ("markdown", "items")
# Older deployments do not know these; a result without them is still a result.
_OPTIONAL = frozenset({"usage"})
# Below the grace that a cancelled caller is given.
_CANCEL_PATIENCE_SECONDS = 1.5


@dataclass(frozen=True)
class Wanted:
    """What of a result is fetched.

    Attributes:
        contents: Page contents: "text", "markdown", "items". On the fast tier only text exists.
        assets: What names stored files ("images_content_metadata", …).
        keep: Whether those files are downloaded into the result, because they cannot be fetched later.
    """

    contents: tuple[str, ...] = ("text", "markdown", "items")
    assets: tuple[str, ...] = ()
    keep: bool = False

    def expansions(self, tier: str | None) -> list[str]:
        """The `expand` values for a job of this tier."""
        contents = [name for name in self.contents if tier != "fast" or name not in _STRUCTURED] or ["text"]
        return [*contents, *_ALWAYS, *self.assets]


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


class ParsePipeline:
    """Creates, waits for and fetches parse jobs on one connection.

    Args:
        connection: Where to.
        slots: The bound on unfinished jobs.
        job_timeout: The most seconds to wait for one job, or None.
        delete_after: Whether uploads and jobs are deleted when their result has been fetched, or has failed to be.
    """

    def __init__(
        self, connection: Connection, *, slots: JobSlots, job_timeout: float | None, delete_after: bool
    ) -> None:
        self.connection = connection
        self.slots = slots
        self._job_timeout = job_timeout
        self.delete_after = delete_after

    async def run(self, source: Source, body: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
        """Parse one file: the service's response, whole."""
        created = await self.create(source, body)
        return await self.collect(created, wanted, file=label(source))

    async def create(
        self, source: Source, body: dict[str, Any], *, file_id: str | None = None, slot: Slot | None = None
    ) -> CreatedJob:
        """Create a job in a place among the unfinished ones, taking one unless it is given.

        It works on an upload that exists already, if one is named.
        """
        slot = slot or await self.slots.acquire()
        created: CreatedJob | None = None
        try:
            created = await self._create(source, body, file_id)
            created.slot = slot
            return created
        except LlamaCloudError as error:
            raise error.with_context(file=label(source)) from error.__cause__
        finally:
            if created is None:
                slot.release()

    async def _create(self, source: Source, body: dict[str, Any], file_id: str | None) -> CreatedJob:
        if source.url is not None:
            return await self._create_job({**body, "source_url": source.url}, source)
        if file_id is not None:
            return await self._create_job({**body, "file_id": file_id}, source)
        if not self.delete_after:
            return await self._create_job(body, source, upload=True)
        # One request would do, but its answer does not name the upload, which could then never be deleted.
        file_id = await self.upload(source)
        try:
            created = await self._create_job({**body, "file_id": file_id}, source)
        except BaseException:
            await asyncio.shield(self.delete_upload(file_id))
            raise
        created.file_id = file_id
        return created

    async def upload(self, source: Source) -> str:
        """Upload a file without parsing it; its id."""
        tag = new_tag()
        record = await files.upload(
            self.connection, source, external_file_id=tag, recover=recover_upload(self.connection, tag)
        )
        return _id_in(record, of="file", after="uploading a file", source=source)

    async def _create_job(self, body: dict[str, Any], source: Source, *, upload: bool = False) -> CreatedJob:
        """Create one job from a request body, looking up a lost answer before sending it again."""
        tag = new_tag()
        body = {**body, "user_metadata": {**(body.get("user_metadata") or {}), RECOVERY_KEY: tag}}
        recovery = ParseCreateRecovery(self.connection, tag, source.name)
        try:
            if upload:
                record = await parse.upload(self.connection, body, source, recover=recovery)
            else:
                record = await parse.create(self.connection, body, recover=recovery)
        except asyncio.CancelledError:
            if self.delete_after:
                # What takes longer goes on behind the back of the caller, who wants to get away.
                await asyncio.wait([spawn(self._delete_unanswered(recovery))], timeout=_CANCEL_PATIENCE_SECONDS)
            raise
        job_id = _id_in(record, of="job", after="creating a parse job", source=source)
        recovery.answered(record)
        logger.info("created parse job %s for %s", job_id, source.name)
        # A job is as old as the answer to its create: before that its file was still on the way.
        return CreatedJob(job_id=job_id, record=record, born=time.monotonic())

    async def _delete_unanswered(self, recovery: ParseCreateRecovery) -> None:
        """Delete the job, if there is one, of a create that was cancelled before its answer came."""
        try:
            record = await recovery()
        except LlamaCloudError as error:
            logger.warning("whether a cancelled create has made a job could not be found out: %s", error)
            return
        if record is not None:
            await self.delete(CreatedJob(str(record.get("id")), record=record))

    async def wait(self, created: CreatedJob) -> dict[str, Any]:
        """Wait for a job's end and free its place; the final record, whatever the outcome."""
        watcher = watcher_for(self.connection, PARSE_JOBS)
        record = await watcher.wait(created.job_id, known=created.record, born=created.born, timeout=self._job_timeout)
        created.record = record
        if created.slot is not None:
            created.slot.release()
        return record

    async def collect(self, created: CreatedJob, wanted: Wanted, *, file: str | None = None) -> dict[str, Any]:
        """Wait for a job and fetch its result.

        Raises:
            JobFailedError: The job failed; its code and reason are in the error.
            JobCancelledError: Somebody cancelled it.
            JobDeadlineError: It was still running after `job_timeout`.
        """
        try:
            async with self._cleaned_up(created):
                record = await self.wait(created)
                check_outcome(record, file=file)
                response = await self.fetch(created.job_id, wanted, tier=record.get("tier"))
                if wanted.keep:
                    return await Assets(
                        lambda: self.connection, created.job_id, response, file or created.job_id
                    ).kept()
                return response
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
        if _has_ended(created):
            created.slot.release()
        else:
            created.slot.park(lambda: self.wait(created))

    async def fetch(self, job_id: str, wanted: Wanted, *, tier: str | None) -> dict[str, Any]:
        """Fetch the result of a completed job."""
        expand = wanted.expansions(tier)
        for _ in range(2):
            try:
                return await parse.get(self.connection, job_id, expand=expand)
            except (BadRequestError, UnprocessableError) as error:
                smaller = _without_refused(expand, error.detail)
                if smaller == expand:
                    raise
                logger.info("parse job %s: fetching without %s", job_id, sorted(set(expand) - set(smaller)))
                expand = smaller
        return await parse.get(self.connection, job_id, expand=expand)

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
        try:
            if not _has_ended(created):
                # It may have ended meanwhile, which a service may take for a reason to refuse.
                with contextlib.suppress(BadRequestError, ConflictError, UnprocessableError):
                    await parse.cancel(self.connection, created.job_id)
            if created.slot is not None:
                created.slot.release()
            await parse.delete(self.connection, created.job_id)
        except NotFoundError:
            logger.debug("parse job %s was deleted already", created.job_id)
        except LlamaCloudError as error:
            logger.warning("parse job %s could not be deleted and stays on the service: %s", created.job_id, error)
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


def _id_in(record: dict[str, Any], *, of: str, after: str, source: Source) -> str:
    """The id in the answer to a create."""
    if found := record.get("id"):
        return str(found)
    raise ApiError(
        f"the answer to {after} names no {of}: {str(record)[:200]}",
        status=200,
        body=record,
        hint="Check that base_url is a LlamaCloud endpoint; a proxy may have answered in its place.",
        file=label(source),
    )


def label(source: Source) -> str:
    """The name under which messages speak of a source: its path where it has one."""
    return source.path or source.name


def check_outcome(record: dict[str, Any], *, file: str | None = None) -> None:
    """Raise what a final job record says, unless the job completed."""
    status = str(record.get("status") or "").upper()
    if status == "COMPLETED":
        return
    reason = record.get("error_message")
    reason = str(reason) if reason else None
    code = job_failure_code(reason)
    raise (JobCancelledError if status == "CANCELLED" else JobFailedError)(
        job_id=str(record.get("id")),
        product="parse",
        status=status,
        code=code,
        reason=reason,
        file=file,
        job=record,
        hint=hint_for_job(code) if code else None,
    )


def _has_ended(created: CreatedJob) -> bool:
    return created.record is not None and PARSE_JOBS.is_terminal(created.record)


def _without_refused(expand: list[str], detail: str) -> list[str]:
    """What can still be asked for after the service refused some of it, by the words of its refusal."""
    words = detail.lower()
    if "markdown" in words and "fast" in words:
        return [name for name in expand if name not in _STRUCTURED] if "text" in expand else ["text", *_ALWAYS]
    return [name for name in expand if name not in _OPTIONAL or name not in words]
