"""The way of one input through Extract: what is uploaded, what a create sends, and what is fetched of a result.

Everything here runs on the I/O loop; the rest of a job's way is `JobPipeline`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from llama_cloud_ext.errors import BadRequestError, UnprocessableError
from llama_cloud_ext.extract.inputs import ExtractSource
from llama_cloud_ext.jobs.pipeline import CreatedJob, JobPipeline, check_outcome
from llama_cloud_ext.wire import extract
from llama_cloud_ext.wire.extract_jobs import EXTRACT_JOBS
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

    async def create(self, source: ExtractSource, body: dict[str, Any]) -> CreatedJob:
        """Create a job in a place among the unfinished ones."""
        if source.parse_job is not None:
            record = await watcher_for(self.connection, PARSE_JOBS).wait(
                source.parse_job.job_id, timeout=self._job_timeout
            )
            check_outcome(record, product=PARSE_JOBS.product, file=source.label)
        return await self.placed(lambda: self._create(source, body), file=source.label)

    async def _create(self, source: ExtractSource, body: dict[str, Any]) -> CreatedJob:
        uploaded = None if source.source is None else await self.upload(source.source)
        body = {**body, "file_input": uploaded or source.file_input}
        recovery = ExtractCreateRecovery(self.connection, body, fresh_input=uploaded is not None)
        try:
            record = await extract.create(self.connection, body, recover=recovery)
        except BaseException:
            if uploaded is not None and self.delete_after:
                await asyncio.shield(self.delete_upload(uploaded))
            raise
        created = self.created(record, file=source.label)
        recovery.answered(record)
        created.file_id = uploaded
        return created

    async def upload(self, source: Source) -> str:
        """Upload a file. Extract takes no URLs, so that a file behind one is fetched first, without our key."""
        return await super().upload(await fetched(source, self.connection.settings))

    async def collect(self, created: CreatedJob, *, file: str | None = None) -> dict[str, Any]:
        """Wait for a job and fetch its result.

        Raises:
            JobError: As for `JobPipeline.collected`.
        """
        return await self.collected(created, lambda _: self.fetch(created.job_id), file=file)

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
