"""What a reader's calls do on the I/O loop: files to results, several at a time, each failure kept to its own file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from llama_cloud_ext.errors import ConfigurationError, FailedItem, LlamaCloudError
from llama_cloud_ext.jobs.files_runner import FilesRunner
from llama_cloud_ext.jobs.ledger import Ledger, LedgerPlace
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.ledgered import LedgeredParsing
from llama_cloud_ext.parse.partition import parse_in_parts
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.parse.prefetch import Key, ReaderState
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire import parse
from llama_cloud_ext.wire.inputs import Input
from llama_cloud_ext.wire.io_loop import in_thread, spawn
from llama_cloud_ext.wire.models.parse_configuration import ParseConfiguration
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.transport import connection_for

logger = logging.getLogger(__name__)

Outcome = ParseResult | FailedItem


class ParseRunner:
    """One call of a reader, with the options that the reader had when it began.

    Args:
        settings: The connection.
        state: The reader's slots and prefetched jobs.
        configuration: The request body.
        num_workers: The most unfinished jobs.
        job_timeout: The most seconds to wait for one job, or None.
        delete_after: Whether uploads and jobs are deleted afterwards.
        partition_pages: Pages a part, or None for one job a file.
        ledger: What was parsed before, or None.
        show_progress: A bar, a callback, or nothing.
    """

    def __init__(
        self,
        settings: Settings,
        state: ReaderState,
        *,
        configuration: ParseConfiguration,
        num_workers: int,
        job_timeout: float | None,
        delete_after: bool,
        partition_pages: int | None,
        ledger: Ledger | None,
        show_progress: ShowProgress,
    ) -> None:
        self._settings = settings
        self._state = state
        self._body = configuration.to_body()
        self._fingerprint = configuration.fingerprint()
        self._num_workers = num_workers
        self._job_timeout = job_timeout
        self._delete_after = delete_after
        self._partition_pages = partition_pages
        self._ledger = ledger
        if ledger is not None and partition_pages is not None:
            raise ConfigurationError(
                "a ledger keeps whole documents, and partition_pages divides them",
                option="partition_pages",
                hint="Leave out ledger or partition_pages.",
            )
        self._files: FilesRunner[Source] = FilesRunner(
            num_workers=num_workers,
            show_progress=show_progress,
            title="Parsing",
            held_up=lambda: connection_for(settings).limiter.delay,
        )

    async def parse(self, inputs: list[Input], wanted: Wanted) -> list[Outcome]:
        """Parse all files; their outcomes in the order of the inputs."""
        return await self._files.all(inputs, self._parse(wanted))

    def stream(self, inputs: list[Input], wanted: Wanted, *, in_order: bool = False) -> AsyncIterator[Outcome]:
        """Parse all files; each outcome as soon as it is there, or in the order of the inputs."""
        return self._files.stream(inputs, self._parse(wanted), in_order=in_order)

    async def submit(self, inputs: list[Input], wanted: Wanted) -> list[ParseJob | FailedItem]:
        """Create a job for each file, without waiting for any."""
        self._refuse_partition("submit")
        pipeline = self._pipeline()
        ledgered = self._ledgered(pipeline, wanted)

        async def start(source: Source) -> ParseJob:
            place = None
            if ledgered is None:
                created = await pipeline.create(source, self._body)
            else:
                created, place = await ledgered.job(source)
            pipeline.leave(created)
            return self._handle(created, SourceIdentity.of(source), wanted, place)

        return await self._files.start(inputs, start)

    async def job(self, job_id: str, source: Input | None, wanted: Wanted, extra_info: dict[str, Any]) -> ParseJob:
        """A handle on a job that exists already."""
        identity = SourceIdentity(name=job_id, identity=f"parse-job:{job_id}", extra_info=extra_info)
        if source is not None:
            identity = SourceIdentity.of(await source.resolve())
        return self._handle(CreatedJob(job_id), identity, wanted)

    async def list_jobs(self, status: str | None, limit: int | None) -> list[dict[str, Any]]:
        """Records of the project's jobs."""
        page_size = None if limit is None else max(1, min(limit, 100))
        records = parse.list_jobs(connection_for(self._settings), status=status, page_size=page_size)
        return [record async for record in first(records, limit)]

    async def versions(self) -> dict[str, Any]:
        """The versions of every tier."""
        return await parse.versions(connection_for(self._settings))

    async def prefetch(self, inputs: list[Input], wanted: Wanted) -> None:
        """Start jobs in the background, for a later call to find."""
        self._refuse_partition("prefetch")
        pipeline = self._pipeline()
        ledgered = self._ledgered(pipeline, wanted)

        async def start(item: Input) -> None:
            try:
                source = await item.resolve()
            except LlamaCloudError as error:
                logger.info("not prefetched, loading it will raise: %s", error)
                return
            if ledgered is None:
                self._state.prefetch(self._key(source), pipeline, source, self._body)
            else:
                # Whoever loads the file finds it under way in the ledger.
                spawn(self._prefetched(ledgered, source))

        await asyncio.gather(*(start(item) for item in inputs))

    @staticmethod
    async def _prefetched(ledgered: LedgeredParsing, source: Source) -> None:
        try:
            await ledgered.response(source)
        except LlamaCloudError as error:
            logger.debug("a prefetched file could not be parsed; whoever loads it will see: %s", error)

    def _parse(self, wanted: Wanted) -> Callable[[Source], Awaitable[ParseResult]]:
        ledgered = self._ledgered(self._pipeline(), wanted)

        async def parse(source: Source) -> ParseResult:
            response = await (self._response(source, wanted) if ledgered is None else ledgered.response(source))
            return await in_thread(self._result, response, SourceIdentity.of(source))

        return parse

    async def _response(self, source: Source, wanted: Wanted) -> dict[str, Any]:
        pipeline = self._pipeline()
        prefetched = self._state.take(self._key(source))
        if prefetched is not None:
            return await pipeline.collect(await prefetched.take(), wanted, file=source.label)
        if self._partition_pages is not None:
            return await parse_in_parts(pipeline, source, self._body, wanted, pages=self._partition_pages)
        return await pipeline.run(source, self._body, wanted)

    def _ledgered(self, pipeline: ParsePipeline, wanted: Wanted) -> LedgeredParsing | None:
        if self._ledger is None:
            return None
        return LedgeredParsing(self._ledger, pipeline, self._body, self._fingerprint, wanted)

    def _result(self, response: dict[str, Any], source: SourceIdentity) -> ParseResult:
        result = ParseResult(response, source=source, settings=self._settings)
        result.raise_if_blank()
        return result

    def _pipeline(self) -> ParsePipeline:
        return ParsePipeline(
            connection_for(self._settings),
            slots=self._state.slots(self._num_workers),
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
        )

    def _handle(
        self, created: CreatedJob, source: SourceIdentity, wanted: Wanted, place: LedgerPlace | None = None
    ) -> ParseJob:
        return ParseJob.of(
            created,
            source,
            self._settings,
            wanted=wanted,
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
            place=place,
        )

    def _key(self, source: Source) -> Key:
        return source.identity, source.size, source.modified, self._fingerprint

    def _refuse_partition(self, method: str) -> None:
        if self._partition_pages is not None:
            raise ConfigurationError(
                f"{method} starts one job a file, and partition_pages={self._partition_pages} asks for several",
                option="partition_pages",
                hint="Use load_data or parse, or leave partition_pages out.",
            )
