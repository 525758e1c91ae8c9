"""The way of one input through Extract: what is uploaded, what a create sends, and what is fetched of a result.

Everything here runs on the I/O loop; the rest of a job's way is `JobPipeline`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from llama_cloud_ext.errors import BadRequestError, UnprocessableError
from llama_cloud_ext.extract.inputs import ExtractSource
from llama_cloud_ext.jobs.pipeline import CreatedJob, JobPipeline, Keep, OnUpload, check_outcome
from llama_cloud_ext.wire import extract
from llama_cloud_ext.wire.extract_jobs import EXTRACT_JOBS
from llama_cloud_ext.wire.job_slots import Slot
from llama_cloud_ext.wire.parse import Permit
from llama_cloud_ext.wire.parse_jobs import PARSE_JOBS
from llama_cloud_ext.wire.recovery import ExtractCreateRecovery
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.url_fetching import fetched
from llama_cloud_ext.wire.watcher import watcher_for

logger = logging.getLogger(__name__)

# What is asked for beside a result, and what then where a deployment knows less: citations are missed most.
_EXPANSIONS = (
    ("configuration", "extract_metadata", "usage"),
    ("configuration", "extract_metadata"),
    ("extract_metadata",),
    (),
)


class ExtractPipeline(JobPipeline):
    """Creates, waits for and fetches extract jobs on one connection."""

    kind = EXTRACT_JOBS

    async def run(self, source: ExtractSource, body: dict[str, Any]) -> dict[str, Any]:
        """Extract from one input: the job's record, whole."""
        created = await self.create(source, body)
        return await self.collect(created, file=source.label)

    async def create(
        self,
        source: ExtractSource,
        body: dict[str, Any],
        *,
        slot: Slot | None = None,
        on_upload: OnUpload | None = None,
        permit: Permit | None = None,
    ) -> CreatedJob:
        """Create a job in a place among the unfinished ones, taking one unless it is given.

        `on_upload` is told the id of what was uploaded for it; `permit` is asked before each create is sent.
        """
        slot = slot or await self.turn(source)
        return await self.placed(lambda: self._create(source, body, on_upload, permit), file=source.label, slot=slot)

    async def turn(self, source: ExtractSource) -> Slot:
        """Wait for the input, where it is a parse job, and then for a place among the unfinished jobs."""
        if source.parse_job is not None:
            record = await watcher_for(self.connection, PARSE_JOBS).wait(
                source.parse_job.job_id, timeout=self._job_timeout
            )
            check_outcome(record, product=PARSE_JOBS.product, file=source.label)
        return await self.slots.acquire()

    async def recover(
        self, source: ExtractSource, body: dict[str, Any], file_id: str | None, begun: float
    ) -> CreatedJob | None:
        """The job of a create that a process sent, at about that time, and did not live to note."""
        file_input = file_id or source.file_input
        if file_input is None:
            return None  # it did not come further than the upload
        recovery = ExtractCreateRecovery(
            self.connection, {**body, "file_input": file_input}, fresh_input=file_id is not None, started=begun
        )
        record = await recovery()
        return None if record is None else CreatedJob(str(record.get("id")), record=record, file_id=file_id)

    async def _create(
        self, source: ExtractSource, body: dict[str, Any], on_upload: OnUpload | None, permit: Permit | None
    ) -> CreatedJob:
        uploaded = None if source.source is None else await self.upload(source.source)
        body = {**body, "file_input": uploaded or source.file_input}
        recovery = ExtractCreateRecovery(self.connection, body, fresh_input=uploaded is not None)
        try:
            if uploaded is not None and on_upload is not None:
                await on_upload(uploaded)
            record = await extract.create(self.connection, body, recover=recovery, permit=permit)
        except BaseException:
            if uploaded is not None and self.delete_after:
                await asyncio.shield(self.delete_upload(uploaded))
            raise
        created = self.created(record, file=source.label)
        recovery.answered(record)
        created.file_id = uploaded
        return created

    async def upload(self, source: Source) -> str:
        """Upload a file."""
        return await super().upload(await self.fetched(source))

    async def fetched(self, source: Source) -> Source:
        """What is uploaded: Extract takes no URLs, so that a file behind one is fetched first, without our key."""
        return await fetched(source, self.connection.settings)

    async def collect(
        self, created: CreatedJob, *, file: str | None = None, keep: Keep | None = None
    ) -> dict[str, Any]:
        """Wait for a job and fetch its result, which `keep` is given before anything is cleared away.

        Raises:
            JobError: As for `JobPipeline.collected`.
        """

        async def record(_: dict[str, Any]) -> dict[str, Any]:
            found = await self.fetch(created.job_id)
            if keep is not None:
                await keep(found)
            return found

        return await self.collected(created, record, file=file)

    async def fetch(self, job_id: str) -> dict[str, Any]:
        """A job's record with everything that the service adds to it; without what an older one does not know."""
        for expand in _EXPANSIONS[:-1]:
            try:
                return await extract.get(self.connection, job_id, expand=expand)
            except (BadRequestError, UnprocessableError) as error:
                # A service that refuses a part names the refused one, or those that it has.
                if not any(word in error.detail.lower() for word in ("expand", *expand)):
                    raise
                logger.info("extract job %s: not every part can be fetched: %s", job_id, error.detail)
        return await extract.get(self.connection, job_id, expand=_EXPANSIONS[-1])
