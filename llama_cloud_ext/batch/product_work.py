"""What the products do with the files of a batch: which jobs they get, and what a job's result becomes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, Protocol

from llama_cloud_ext.batch.handle import BatchFile
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.job import checked_result
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.extract.saved_configurations import configuration_id_of, saved_parameters
from llama_cloud_ext.jobs.pipeline import CreatedJob
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire import configurations
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.job_slots import JobSlots
from llama_cloud_ext.wire.models.batch import BatchProduct
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import Connection, connection_for


class ProductWork(Protocol):
    """What is done with the files of a batch."""

    product: BatchProduct
    title: str

    async def result(self, job_id: str, file: BatchFile) -> Any:
        """Wait for the job of a file, and fetch its result."""


class Parsing:
    """Files are parsed.

    Args:
        settings: The connection.
        wanted: What of a result is fetched.
        at_once: Results that are fetched at the same time.
        job_timeout: The most seconds to wait for one job, or None.
    """

    product: BatchProduct = "parse_v2"
    title = "Parsing"

    def __init__(self, settings: Settings, wanted: Wanted, *, at_once: int, job_timeout: float | None) -> None:
        self._settings = settings
        self._wanted = wanted
        self._gate = asyncio.Semaphore(at_once)
        self._job_timeout = job_timeout

    async def result(self, job_id: str, file: BatchFile) -> ParseResult:
        """Wait for the job of a file, and fetch its result."""
        pipeline = ParsePipeline(
            connection_for(self._settings), slots=JobSlots(1), job_timeout=self._job_timeout, delete_after=False
        )

        async def response(record: dict[str, Any]) -> dict[str, Any]:
            async with self._gate:
                return await pipeline.fetch(job_id, self._wanted, tier=record.get("tier"))

        found = await pipeline.collected(CreatedJob(job_id), response, file=file.label)
        result = ParseResult(found, source=file.source, settings=self._settings)
        await in_thread(result.raise_if_blank)
        return result


class Extraction:
    """Data are extracted from files.

    Args:
        settings: The connection.
        schema: What to read the data into; None to take the schema that the service used.
        at_once: Results that are fetched at the same time.
        job_timeout: The most seconds to wait for one job, or None.
    """

    product: BatchProduct = "extract_v2"
    title = "Extracting"

    def __init__(
        self, settings: Settings, schema: DataSchema | None, *, at_once: int, job_timeout: float | None
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._gate = asyncio.Semaphore(at_once)
        self._job_timeout = job_timeout

    async def result(self, job_id: str, file: BatchFile) -> ExtractResult[Any]:
        """Wait for the job of a file, and fetch its result."""
        pipeline = ExtractPipeline(
            connection_for(self._settings), slots=JobSlots(1), job_timeout=self._job_timeout, delete_after=False
        )

        async def response(_: dict[str, Any]) -> dict[str, Any]:
            async with self._gate:
                return await pipeline.fetch(job_id)

        record = await pipeline.collected(CreatedJob(job_id), response, file=file.label)
        return await in_thread(checked_result, record, file.source, self._schema)


async def extraction_configuration(connection: Connection, data_schema: Any, config: Any) -> str:
    """The id of a saved configuration for an extraction.

    One is made where there is none of this content. It stays: its name is made of what is in it, so that other calls
    for the same come upon it.

    Args:
        connection: Where to ask.
        data_schema: A Pydantic class or a JSON schema; or the name or id of a configuration that was saved before.
        config: Settings for a schema, or None for the service's defaults.
    """
    if isinstance(data_schema, str):
        return await configuration_id_of(connection, data_schema)
    parameters = saved_parameters(DataSchema.of(data_schema), ExtractConfig.of(config))
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
    record = await configurations.upsert(connection, f"llama-cloud-ext batch {digest[:20]}", parameters)
    return str(record["id"])
