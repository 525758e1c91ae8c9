"""What the products do with the files of a batch: which jobs they get, and what a job's result becomes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Protocol

from llama_cloud_ext.batch.handle import BatchFile
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.job import checked_result
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.job_slots import JobSlots
from llama_cloud_ext.wire.models.batch import BatchProduct
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for


class ProductWork(Protocol):
    """What is done with the files of a batch.

    Attributes:
        product: "parse_v2" or "extract_v2".
        title: What stands before a progress bar.
        gate: Lets so many results at a time be fetched. Who asks for one says how long it counts: until it is handed
            on, so that thousands that nobody has read yet never pile up.
    """

    product: BatchProduct
    title: str
    gate: asyncio.Semaphore

    async def result(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> Any:
        """Wait for the job of a file, and fetch its result; it counts until `handing_on` ends."""

    async def response(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> dict[str, Any]:
        """Wait for the job of a file, and fetch what the service says of it; it counts until `handing_on` ends."""

    async def made(self, response: dict[str, Any], file: BatchFile) -> Any:
        """Make a file's result of what the service said."""


class Parsing:
    """Files are parsed.

    Args:
        settings: The connection.
        wanted: What of a result is fetched.
        at_once: Results that are fetched, or fetched and not yet handed on, at the same time.
        job_timeout: The most seconds to wait for one job, or None.
    """

    product: BatchProduct = "parse_v2"
    title = "Parsing"

    def __init__(self, settings: Settings, wanted: Wanted, *, at_once: int, job_timeout: float | None) -> None:
        self._settings = settings
        self._wanted = wanted
        self.gate = asyncio.Semaphore(at_once)
        self._job_timeout = job_timeout

    async def result(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> ParseResult:
        """Wait for the job of a file, and fetch its result; it counts until `handing_on` ends."""
        return await self.made(await self.response(job_id, file, handing_on), file)

    async def response(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> dict[str, Any]:
        """Wait for the job of a file, and fetch what the service says of it; it counts until `handing_on` ends."""
        pipeline = ParsePipeline(
            connection_for(self._settings), slots=JobSlots(1), job_timeout=self._job_timeout, delete_after=False
        )

        async def response(record: dict[str, Any]) -> dict[str, Any]:
            await handing_on.enter_async_context(self.gate)
            return await pipeline.fetch_whole(job_id, self._wanted, tier=record.get("tier"), file=file.label)

        return await pipeline.collected(CreatedJob(job_id), response, file=file.label)

    async def made(self, response: dict[str, Any], file: BatchFile) -> ParseResult:
        """Make a file's result of what the service said."""
        result = ParseResult(response, source=file.source, settings=self._settings)
        await in_thread(result.raise_if_blank)
        return result


class Extraction:
    """Data are extracted from files.

    Args:
        settings: The connection.
        schema: What to read the data into; None to take the schema that the service used.
        at_once: Results that are fetched, or fetched and not yet handed on, at the same time.
        job_timeout: The most seconds to wait for one job, or None.
    """

    product: BatchProduct = "extract_v2"
    title = "Extracting"

    def __init__(
        self, settings: Settings, schema: DataSchema | None, *, at_once: int, job_timeout: float | None
    ) -> None:
        self._settings = settings
        self._schema = schema
        self.gate = asyncio.Semaphore(at_once)
        self._job_timeout = job_timeout

    async def result(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> ExtractResult[Any]:
        """Wait for the job of a file, and fetch its result; it counts until `handing_on` ends."""
        return await self.made(await self.response(job_id, file, handing_on), file)

    async def response(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> dict[str, Any]:
        """Wait for the job of a file, and fetch what the service says of it; it counts until `handing_on` ends."""
        pipeline = ExtractPipeline(
            connection_for(self._settings), slots=JobSlots(1), job_timeout=self._job_timeout, delete_after=False
        )

        async def response(_: dict[str, Any]) -> dict[str, Any]:
            await handing_on.enter_async_context(self.gate)
            return await pipeline.fetch(job_id)

        return await pipeline.collected(CreatedJob(job_id), response, file=file.label)

    async def made(self, response: dict[str, Any], file: BatchFile) -> ExtractResult[Any]:
        """Make a file's result of what the service said."""
        return await in_thread(checked_result, response, file.source, self._schema)
