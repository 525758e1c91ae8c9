"""An extract job that was queued and is collected later, possibly by another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.job_info import ExtractJobInfo
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.jobs.handle import JobHandle
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.wire.extract_jobs import EXTRACT_JOBS
from llama_cloud_ext.wire.io_loop import in_thread, run, run_async
from llama_cloud_ext.wire.job_slots import JobSlots
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for


class ExtractJob(JobHandle[ExtractResult[Any]]):
    """A handle on an extract job: ask for its status, collect its result, or cancel it.

    Handles can be pickled and used in another process: a pickle holds the connection's API key, so treat it as a
    secret, and finds the model's class by its name. The JSON form (`to_json`) holds neither: the key comes from the
    environment or from settings, the class is handed to `from_json`.

    Args:
        job_id: The job.
        source: The file it extracts from.
        settings: The connection to the service.
        schema: What it extracts; None to take the schema that the service used, without a class.
        job_timeout: The most seconds that `result` waits, or None.
        delete_after: Whether job and upload are deleted once the result has been fetched.
        file_id: The upload to delete with it.
        place: Its entry in a ledger, where it has one.

    Example:
        ```python
        import asyncio

        from pydantic import BaseModel

        from llama_cloud_ext import LlamaExtract


        class Invoice(BaseModel):
            total: float | None


        jobs = asyncio.run(LlamaExtract().queue_extraction(Invoice, None, ["data/invoice.pdf", "data/letter.pdf"]))
        for job in jobs:
            print(job.id, job.status(), job.result().data)
        ```
    """

    kind = EXTRACT_JOBS

    def __init__(self, job_id: str, *, schema: DataSchema | None = None, **shared: Any) -> None:
        super().__init__(job_id, **shared)
        self.schema = schema

    @property
    def id(self) -> str:
        """The same as `job_id`."""
        return self.job_id

    def info(self) -> ExtractJobInfo:
        """What the service says of the job now: status, error, configuration, usage.

        Raises:
            NotFoundError: The job does not exist, or no longer.
        """
        return ExtractJobInfo(run(self._record))

    async def ainfo(self) -> ExtractJobInfo:
        """The asynchronous twin of `info`."""
        return ExtractJobInfo(await run_async(self._record))

    async def _result(self) -> ExtractResult[Any]:
        pipeline = ExtractPipeline(
            connection_for(self._settings),
            slots=JobSlots(1),
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
        )
        file = self.source.path or self.source.name

        async def collect(job: CreatedJob, keep: Keep | None) -> dict[str, Any]:
            return await pipeline.collect(job, file=file, keep=keep)

        record = await self._collected(collect)
        return await in_thread(checked_result, record, self.source, self.schema)

    def to_json(self) -> str:
        """The handle as JSON text, without the API key and the class."""
        return self._as_json(
            schema_name=self.schema and self.schema.name, data_schema=self.schema and self.schema.json_schema
        )

    @classmethod
    def from_json(cls, text: str, *, data_schema: Any = None, settings: Settings | None = None) -> ExtractJob:
        """Read what `to_json` wrote.

        Args:
            text: The JSON text.
            data_schema: The class to read the result into; without it the data are plain dictionaries.
            settings: The connection to use; by default the API key comes from the environment.

        Raises:
            ConfigurationError: The text is no handle, or no API key is to be found.
        """

        def schema(data: Mapping[str, Any]) -> dict[str, Any]:
            written = DataSchema(data["schema_name"], data["data_schema"]) if data["data_schema"] else None
            return {"schema": written if data_schema is None else DataSchema.of(data_schema)}

        return cls._of_json(text, settings, schema)

    def __repr__(self) -> str:
        schema = f"{self.schema.name} of " if self.schema else ""
        return f"ExtractJob({self.job_id!r}, {schema}{self.source.name!r}, host={self._settings.host!r})"


def checked_result(record: dict[str, Any], source: SourceIdentity, schema: DataSchema | None) -> ExtractResult[Any]:
    """The result in a completed job's record, its data validated.

    Args:
        record: The record, with `extract_result`.
        source: The file.
        schema: What was asked for; None to take what the record says.

    Raises:
        ExtractValidationError: The data do not fit the model.
    """
    if schema is None:
        asked = as_mapping(as_mapping(record.get("configuration")).get("data_schema"))
        schema = DataSchema(str(asked.get("title") or "data"), asked)
    result: ExtractResult[Any] = ExtractResult(record, source=source, schema=schema)
    _ = result.data
    return result
