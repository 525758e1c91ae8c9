"""The way of one file through Parse: what a create sends, and what is fetched of a result.

Everything here runs on the I/O loop; the rest of a job's way is `JobPipeline`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import BadRequestError, LlamaCloudError, UnprocessableError
from llama_cloud_ext.jobs.pipeline import CreatedJob, JobPipeline, Keep, OnUpload
from llama_cloud_ext.parse.assets import Assets
from llama_cloud_ext.wire import parse
from llama_cloud_ext.wire.io_loop import spawn
from llama_cloud_ext.wire.job_slots import Slot
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.parse import Permit
from llama_cloud_ext.wire.parse_jobs import PARSE_JOBS
from llama_cloud_ext.wire.recovery import ParseCreateRecovery, new_tag
from llama_cloud_ext.wire.sources import Source

logger = logging.getLogger(__name__)

# The service gives these for every tier; the rest depends on it.
_ALWAYS = ("metadata", "job_metadata", "usage")
_STRUCTURED = ("markdown", "items")
# Older deployments do not know these; a result without them is still a result.
_OPTIONAL = frozenset({"usage"})
# Below the grace that a cancelled caller is given.
_CANCEL_PATIENCE_SECONDS = 1.5
# A create that a killed process had sent cannot have been accepted later than this after it began.
_LONGEST_CREATE = 3600.0


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


class ParsePipeline(JobPipeline):
    """Creates, waits for and fetches parse jobs on one connection."""

    kind = PARSE_JOBS

    async def run(self, source: Source, body: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
        """Parse one file: the service's response, whole."""
        created = await self.create(source, body)
        return await self.collect(created, wanted, file=source.label)

    async def create(
        self,
        source: Source,
        body: dict[str, Any],
        *,
        file_id: str | None = None,
        slot: Slot | None = None,
        tag: str | None = None,
        on_upload: OnUpload | None = None,
        permit: Permit | None = None,
    ) -> CreatedJob:
        """Create a job in a place among the unfinished ones, taking one unless it is given.

        It works on an upload that exists already, if one is named, and carries the tag, or a new one. `on_upload` is
        told the id of what was uploaded for it alone; `permit` is asked before each create is sent.
        """
        tag = tag or new_tag()
        return await self.placed(
            lambda: self._create(source, body, file_id, tag, on_upload, permit), file=source.label, slot=slot
        )

    async def recover(self, tag: str, begun: float) -> CreatedJob | None:
        """The job of a create that a process sent and did not live to note, at about that time (seconds since 1970)."""
        record = await ParseCreateRecovery(self.connection, tag, None, started=begun, until=begun + _LONGEST_CREATE)()
        return None if record is None else CreatedJob(str(record.get("id")), record=record)

    async def _create(
        self,
        source: Source,
        body: dict[str, Any],
        file_id: str | None,
        tag: str,
        on_upload: OnUpload | None,
        permit: Permit | None,
    ) -> CreatedJob:
        if source.url is not None:
            return await self._create_job({**body, "source_url": source.url}, source, tag, permit)
        if file_id is not None:
            return await self._create_job({**body, "file_id": file_id}, source, tag, permit)
        if not self.delete_after:
            return await self._create_job(body, source, tag, permit, upload=True)
        # One request would do, but its answer does not name the upload, which could then never be deleted.
        file_id = await self.upload(source)
        try:
            if on_upload is not None:
                await on_upload(file_id)
            created = await self._create_job({**body, "file_id": file_id}, source, tag, permit)
        except BaseException:
            await asyncio.shield(self.delete_upload(file_id))
            raise
        created.file_id = file_id
        return created

    async def _create_job(
        self, body: dict[str, Any], source: Source, tag: str, permit: Permit | None, *, upload: bool = False
    ) -> CreatedJob:
        """Create one job from a request body, looking up a lost answer before sending it again."""
        body = {**body, "user_metadata": {**(body.get("user_metadata") or {}), RECOVERY_KEY: tag}}
        recovery = ParseCreateRecovery(self.connection, tag, source.name)
        try:
            if upload:
                record = await parse.upload(self.connection, body, source, recover=recovery, permit=permit)
            else:
                record = await parse.create(self.connection, body, recover=recovery, permit=permit)
        except asyncio.CancelledError:
            if self.delete_after:
                # What takes longer goes on behind the back of the caller, who wants to get away.
                await asyncio.wait([spawn(self._delete_unanswered(recovery))], timeout=_CANCEL_PATIENCE_SECONDS)
            raise
        created = self.created(record, file=source.label)
        recovery.answered(record)
        return created

    async def _delete_unanswered(self, recovery: ParseCreateRecovery) -> None:
        """Delete the job, if there is one, of a create that was cancelled before its answer came."""
        try:
            record = await recovery()
        except LlamaCloudError as error:
            logger.warning("whether a cancelled create has made a job could not be found out: %s", error)
            return
        if record is not None:
            await self.delete(CreatedJob(str(record.get("id")), record=record))

    async def collect(
        self, created: CreatedJob, wanted: Wanted, *, file: str | None = None, keep: Keep | None = None
    ) -> dict[str, Any]:
        """Wait for a job and fetch its result, which `keep` is given before anything is cleared away.

        Raises:
            JobError: As for `JobPipeline.collected`.
        """

        async def response(record: dict[str, Any]) -> dict[str, Any]:
            found = await self.fetch_whole(created.job_id, wanted, tier=record.get("tier"), file=file)
            if keep is not None:
                await keep(found)
            return found

        return await self.collected(created, response, file=file)

    async def fetch_whole(
        self, job_id: str, wanted: Wanted, *, tier: str | None, file: str | None = None
    ) -> dict[str, Any]:
        """Fetch the result of a completed job, with the stored files that are to be kept."""
        found = await self.fetch(job_id, wanted, tier=tier)
        if wanted.keep:
            found = await Assets(lambda: self.connection, job_id, found, file or job_id).kept()
        return found

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


def _without_refused(expand: list[str], detail: str) -> list[str]:
    """What can still be asked for after the service refused some of it, by the words of its refusal."""
    words = detail.lower()
    if "markdown" in words and "fast" in words:
        return [name for name in expand if name not in _STRUCTURED] if "text" in expand else ["text", *_ALWAYS]
    return [name for name in expand if name not in _OPTIONAL or name not in words]
