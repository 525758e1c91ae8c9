"""What an extractor's calls do on the I/O loop: inputs to results, several at a time, each failure kept to its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import FailedItem
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.inputs import ExtractInput, ExtractSource
from llama_cloud_ext.extract.job import ExtractJob, checked_result
from llama_cloud_ext.extract.ledgered import LedgeredExtraction
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.jobs.files_runner import FilesRunner
from llama_cloud_ext.jobs.ledger import Ledger
from llama_cloud_ext.jobs.state import JobsState
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for

logger = logging.getLogger(__name__)

Outcome = ExtractResult[Any] | FailedItem


@dataclass(frozen=True)
class ExtractRequest:
    """What the jobs of one call are asked to do.

    Attributes:
        body: The create's body without its input.
        schema: What to read the data into; None to take the schema that the service used.
    """

    body: dict[str, Any]
    schema: DataSchema | None


class ExtractRunner:
    """One call of an extractor, with the options that it had when the call began.

    Args:
        settings: The connection.
        state: The extractor's slots.
        request: What is extracted.
        num_workers: The most unfinished jobs.
        job_timeout: The most seconds to wait for one job, or None.
        delete_after: Whether uploads and jobs are deleted afterwards.
        ledger: What was extracted before, or None.
        show_progress: A bar, a callback, or nothing.
    """

    def __init__(
        self,
        settings: Settings,
        state: JobsState,
        request: ExtractRequest,
        *,
        num_workers: int,
        job_timeout: float | None,
        delete_after: bool,
        ledger: Ledger | None,
        show_progress: ShowProgress,
    ) -> None:
        self._settings = settings
        self._state = state
        self._request = request
        self._num_workers = num_workers
        self._job_timeout = job_timeout
        self._delete_after = delete_after
        self._ledger = ledger
        self._files: FilesRunner[ExtractSource] = FilesRunner(
            num_workers=num_workers,
            show_progress=show_progress,
            title="Extracting",
            held_up=lambda: connection_for(settings).limiter.delay,
        )
        self._warned: set[str] = set()

    async def extract(self, inputs: list[ExtractInput]) -> list[Outcome]:
        """Extract from all inputs; their outcomes in the order of the inputs."""
        return await self._files.all(inputs, self._extraction())

    def stream(self, inputs: list[ExtractInput]) -> AsyncIterator[Outcome]:
        """Extract from all inputs; each outcome as soon as it is there."""
        return self._files.stream(inputs, self._extraction())

    async def submit(self, inputs: list[ExtractInput]) -> list[ExtractJob | FailedItem]:
        """Create a job for each input, without waiting for any."""
        pipeline = self._pipeline()
        ledgered = self._ledgered(pipeline)

        async def start(source: ExtractSource) -> ExtractJob:
            place = None
            if ledgered is None:
                created = await pipeline.create(source, self._request.body)
            else:
                created, place = await ledgered.job(source)
            pipeline.leave(created)
            return ExtractJob.of(
                created,
                source.identity,
                self._settings,
                schema=self._request.schema,
                job_timeout=self._job_timeout,
                delete_after=self._delete_after,
                place=place,
            )

        return await self._files.start(inputs, start)

    def _extraction(self) -> Callable[[ExtractSource], Awaitable[ExtractResult[Any]]]:
        pipeline = self._pipeline()
        ledgered = self._ledgered(pipeline)

        async def extract(source: ExtractSource) -> ExtractResult[Any]:
            record = await (pipeline.run(source, self._request.body) if ledgered is None else ledgered.record(source))
            result = await in_thread(checked_result, record, source.identity, self._request.schema)
            self._warn_of(await in_thread(_gaps, result), result)
            return result

        return extract

    def _ledgered(self, pipeline: ExtractPipeline) -> LedgeredExtraction | None:
        return None if self._ledger is None else LedgeredExtraction(self._ledger, pipeline, self._request.body)

    def _warn_of(self, gaps: list[str], result: ExtractResult[Any]) -> None:
        """Say once a call what was asked for and did not come."""
        for option in gaps:
            # The record says it of a saved configuration, too.
            asked = self._request.body.get("configuration") or result.job.configuration
            if asked.get(option) and option not in self._warned:
                self._warned.add(option)
                logger.warning(
                    "%s=True was asked for, and job %s for %s came without: tier and version decide on it",
                    option,
                    result.job_id,
                    result.source.name,
                )

    def _pipeline(self) -> ExtractPipeline:
        return ExtractPipeline(
            connection_for(self._settings),
            slots=self._state.slots(self._num_workers),
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
        )


def _gaps(result: ExtractResult[Any]) -> list[str]:
    """What may be asked of all fields, and none that has a value came with."""
    found = [field for field in result.fields.values() if field.value is not None]
    there = {
        "cite_sources": any(field.citations for field in found),
        "confidence_scores": any(field.confidence is not None for field in found),
    }
    return [option for option, came in there.items() if found and not came]
