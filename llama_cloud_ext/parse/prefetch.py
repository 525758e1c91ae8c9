"""Jobs that were started ahead of being asked for, and where a reader keeps what lives only while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from llama_cloud_ext.errors import LlamaCloudError
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.jobs.state import JobsState
from llama_cloud_ext.parse.pipeline import ParsePipeline
from llama_cloud_ext.wire.io_loop import run, spawn
from llama_cloud_ext.wire.sources import Source

logger = logging.getLogger(__name__)

Key = tuple[str, "int | None", "str | None", str]
"""Source identity, size, when it was written, and the options' fingerprint: what makes two parses the same."""


class Prefetched:
    """One job under way that nobody has asked for yet."""

    def __init__(self, created: asyncio.Task[CreatedJob] | CreatedJob) -> None:
        self._created = created
        self._pid = os.getpid()
        self.begun = isinstance(created, CreatedJob)
        """Whether it is more than a plan: the create may have been sent."""

    @property
    def job(self) -> CreatedJob | None:
        """The job, where it exists already."""
        if isinstance(self._created, CreatedJob):
            return self._created
        if self._created.done() and not self._created.cancelled() and self._created.exception() is None:
            return self._created.result()
        return None

    async def take(self) -> CreatedJob:
        """Wait for the job to be created; raises what creating it raised."""
        return self._created if isinstance(self._created, CreatedJob) else await self._created

    def here(self) -> Prefetched | None:
        """The same as this process may use it: a forked child collects its parent's jobs, and awaits no task of it."""
        if self._pid == os.getpid():
            return self
        return Prefetched(CreatedJob(self.job.job_id, file_id=self.job.file_id)) if self.job else None

    async def settle(self) -> None:
        """Wait until the job exists, or could not be created."""
        if isinstance(self._created, asyncio.Task):
            await asyncio.wait([self._created])

    def withdraw(self) -> None:
        """Do not create it after all."""
        if isinstance(self._created, asyncio.Task):
            self._created.cancel()


class ReaderState(JobsState):
    """The failures, job slots and prefetched jobs of one reader in one process.

    A copy of a reader starts with a state of its own. A pickle takes along the ids of the prefetched jobs that exist
    or are just being created, so that a worker process collects them; those that only wait for their turn are
    withdrawn, and whoever loads their file parses it.
    """

    def __init__(self, jobs: dict[Key, tuple[str, str | None]] | None = None) -> None:
        super().__init__()
        self._prefetched: dict[Key, Prefetched] = {
            key: Prefetched(CreatedJob(job_id, file_id=file_id)) for key, (job_id, file_id) in (jobs or {}).items()
        }

    def prefetch(self, key: Key, pipeline: ParsePipeline, source: Source, body: dict[str, Any]) -> None:
        """Start a job in the background, unless the same one is under way."""
        if key not in self._prefetched:
            task = spawn(self._start(key, pipeline, source, body))
            # A file that is never loaded leaves its error unread, which is no fault of the program's.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._prefetched[key] = Prefetched(task)

    def take(self, key: Key) -> Prefetched | None:
        """The prefetched job of this key, which is then no longer kept here."""
        prefetched = self._prefetched.pop(key, None)
        return prefetched and prefetched.here()

    async def _start(self, key: Key, pipeline: ParsePipeline, source: Source, body: dict[str, Any]) -> CreatedJob:
        slot = await pipeline.slots.acquire()
        if key in self._prefetched:
            self._prefetched[key].begun = True
        created = await pipeline.create(source, body, slot=slot)
        spawn(self._free_slot(pipeline, created))
        return created

    async def _free_slot(self, pipeline: ParsePipeline, created: CreatedJob) -> None:
        try:
            await pipeline.wait(created)
        except LlamaCloudError as error:
            logger.debug("a prefetched job could not be waited for; whoever loads its file will see: %s", error)
        finally:
            pipeline.leave(created)

    def __reduce__(self) -> tuple[Any, ...]:
        return ReaderState, (run(self._hand_over) if self._prefetched else {},)

    async def _hand_over(self) -> dict[Key, tuple[str, str | None]]:
        self._prefetched = {key: here for key, prefetched in self._prefetched.items() if (here := prefetched.here())}
        for key, prefetched in list(self._prefetched.items()):
            if not prefetched.begun:
                prefetched.withdraw()
                del self._prefetched[key]
        for prefetched in list(self._prefetched.values()):
            # To withdraw one whose create is on its way could mean to pay for it twice.
            await prefetched.settle()
        return {
            key: (job.job_id, job.file_id) for key, prefetched in self._prefetched.items() if (job := prefetched.job)
        }
