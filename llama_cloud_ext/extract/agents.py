"""Extraction agents: a schema with its settings, saved on the service under a name.

Extract v2 calls them configurations, of product type `extract_v2`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError, ConflictError
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.inputs import ExtractFiles
from llama_cloud_ext.extract.job import ExtractJob
from llama_cloud_ext.extract.job_info import ExtractJobInfo
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.extract.runner import ExtractRequest
from llama_cloud_ext.extract.saved_configurations import (
    PRODUCT_TYPE,
    extract_only,
    find_by_name,
    get_by_name,
    list_saved,
    saved_parameters,
)
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import configurations
from llama_cloud_ext.wire.inputs import ExtraInfo
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.extract_configuration import ExtractConfiguration
from llama_cloud_ext.wire.models.settling import answered
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.transport import connection_for

if TYPE_CHECKING:
    from llama_cloud_ext.extract.extractor import LlamaExtract

logger = logging.getLogger(__name__)


class ExtractionAgent:
    """A saved schema with its settings: extracts with them, and changes them.

    Made by `LlamaExtract.create_agent`, `get_agent` and `list_agents`. `data_schema` and `config` can be set; jobs use
    what is set, and others see it after `save`.

    Args:
        extractor: Whose connection and options are used.
        record: The configuration as the service has it.
        schema: What results are read into; None for dicts.

    Example:
        ```python
        from pydantic import BaseModel

        from llama_cloud_ext import LlamaExtract


        class Resume(BaseModel):
            name: str | None
            email: str | None


        agent = LlamaExtract().create_agent("resume-parser", Resume, {"tier": "agentic"}, exist_ok=True)
        print(agent.extract("data/resume.pdf").data)
        ```
    """

    def __init__(self, extractor: LlamaExtract, record: Mapping[str, Any], schema: DataSchema | None = None) -> None:
        self._extractor = extractor
        self._take(record)
        if schema is not None:
            self._read_into(schema)

    def _take(self, record: Mapping[str, Any]) -> None:
        """Be what the service has."""
        self._record = dict(record)
        parameters = as_mapping(record.get("parameters"))
        saved = as_mapping(parameters.get("data_schema"))
        self._schema = DataSchema(str(saved.get("title") or record.get("name") or "data"), saved)
        self._config = answered(ExtractConfig, parameters)

    def _read_into(self, schema: DataSchema) -> None:
        """Read results into a class; what is extracted stays as saved, in whatever way the service writes it."""
        self._schema = DataSchema(schema.name, self._schema.json_schema or schema.json_schema, schema.model)

    @property
    def id(self) -> str:
        """The configuration's id."""
        return str(self._record.get("id"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._record.get("name"))

    @property
    def version(self) -> str | None:
        """The version that was saved last, as the service counts."""
        version = self._record.get("version")
        return None if version is None else str(version)

    @property
    def data_schema(self) -> Any:
        """The JSON schema. Set it to a Pydantic class or another JSON schema.

        A class whose schema is the saved one changes nothing on the service: results are read into it.
        """
        return self._schema.json_schema

    @data_schema.setter
    def data_schema(self, data_schema: type[Any] | Mapping[str, Any]) -> None:
        self._schema = DataSchema.of(data_schema)

    @property
    def config(self) -> Any:
        """The settings, an `ExtractConfig`. Set it to another one, or to a dict."""
        return self._config

    @config.setter
    def config(self, config: ExtractConfig | Mapping[str, Any]) -> None:
        self._config = ExtractConfig.of(config)

    def save(self) -> None:
        """Save schema and settings as they are set now.

        Raises:
            NotFoundError: The agent was deleted meanwhile.
        """
        run(self._save)

    async def asave(self) -> None:
        """The asynchronous twin of `save`."""
        await run_async(self._save)

    @span
    def extract(self, files: ExtractFiles, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """Extract data from files, as `LlamaExtract.extract` does.

        Args:
            files: As for `LlamaExtract.extract`.
            extra_info: As for `LlamaExtract.extract`.
            fs: As for `LlamaExtract.extract`.

        Returns:
            One ExtractResult for one input; for a list, a list in its order.

        Raises:
            LlamaCloudError: As `LlamaExtract.extract`.
        """
        return self._extractor.extract(self._request(), None, files, extra_info, fs)  # type: ignore[call-overload]  # settled already

    @span
    async def aextract(self, files: ExtractFiles, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """The asynchronous twin of `extract`."""
        return await self._extractor.aextract(self._request(), None, files, extra_info, fs)  # type: ignore[call-overload]  # settled already

    async def queue_extraction(self, files: ExtractFiles, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """Start jobs and return without waiting for them. Awaited, without an `a` in its name, as it always was.

        Args:
            files: As for `LlamaExtract.extract`.
            extra_info: As for `LlamaExtract.extract`.
            fs: As for `LlamaExtract.extract`.

        Returns:
            One ExtractJob for one input; for a list, a list in its order.

        Raises:
            LlamaCloudError: As `LlamaExtract.queue_extraction`.
        """
        return await self._extractor.queue_extraction(self._request(), None, files, extra_info, fs)  # type: ignore[arg-type]  # settled already

    def get_extraction_job(self, job_id: str) -> ExtractJobInfo:
        """What the service says of a job now.

        Args:
            job_id: The job.

        Raises:
            NotFoundError: There is no such job.
        """
        return self._job(job_id).info()

    async def aget_extraction_job(self, job_id: str) -> ExtractJobInfo:
        """The asynchronous twin of `get_extraction_job`."""
        return await self._job(job_id).ainfo()

    def get_extraction_run_for_job(self, job_id: str) -> ExtractResult[Any]:
        """Wait for a job and fetch its result.

        Args:
            job_id: The job.

        Raises:
            LlamaCloudError: As `LlamaExtract.get_result`.
        """
        return self._job(job_id).result()

    async def aget_extraction_run_for_job(self, job_id: str) -> ExtractResult[Any]:
        """The asynchronous twin of `get_extraction_run_for_job`."""
        return await self._job(job_id).aresult()

    def list_extraction_runs(self, *, status: str | None = None, limit: int | None = None) -> list[ExtractJobInfo]:
        """The jobs that used this saved configuration, the newest first.

        Args:
            status: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED; None for all.
            limit: The most jobs; None for all.
        """
        return run(self._extractor._list_jobs, status, limit, self.id)

    async def alist_extraction_runs(
        self, *, status: str | None = None, limit: int | None = None
    ) -> list[ExtractJobInfo]:
        """The asynchronous twin of `list_extraction_runs`."""
        return await run_async(self._extractor._list_jobs, status, limit, self.id)

    def delete_extraction_run(self, run_id: str) -> None:
        """Delete a job and its result.

        Args:
            run_id: The job's id: a job and its run are one in Extract v2.

        Raises:
            NotFoundError: There is no such job.
        """
        self._job(run_id).delete()

    async def adelete_extraction_run(self, run_id: str) -> None:
        """The asynchronous twin of `delete_extraction_run`."""
        await self._job(run_id).adelete()

    def _job(self, job_id: str) -> ExtractJob:
        job = self._extractor.job(job_id)
        job.schema = self._schema
        return job

    def _request(self) -> ExtractRequest:
        """By reference to what is saved; whole, where something was set and not saved."""
        if self._parameters() == self._saved_parameters():
            return self._extractor._requested({"configuration_id": self.id}, self._schema)
        body = {name: value for name, value in self._parameters().items() if name != "product_type"}
        return self._extractor._requested({"configuration": body}, self._schema)

    def _parameters(self) -> dict[str, Any]:
        # What a newer service has saved there, and this package does not know, is kept.
        unknown = {
            name: value
            for name, value in self._saved_parameters().items()
            if name not in ExtractConfiguration.model_fields
        }
        return {**unknown, **saved_parameters(self._schema, self._config)}

    def _saved_parameters(self) -> dict[str, Any]:
        saved = as_mapping(self._record.get("parameters"))
        return {"product_type": PRODUCT_TYPE, **{name: value for name, value in saved.items() if value is not None}}

    async def _save(self) -> None:
        connection = connection_for(self._extractor.settings())
        parameters, schema = self._parameters(), self._schema
        record = await configurations.update(connection, self.id, parameters=parameters)
        # A service that answers less than it saved has saved it all the same.
        said = {name: value for name, value in record.items() if value is not None}
        self._take({**self._record, "parameters": parameters, **said})
        self._read_into(schema)

    def __repr__(self) -> str:
        return f"ExtractionAgent({self.name!r}, id={self.id!r}, schema={self._schema.name})"


async def create(
    extractor: LlamaExtract,
    name: str,
    data_schema: type[Any] | Mapping[str, Any],
    config: ExtractConfig | Mapping[str, Any] | None,
    exist_ok: bool,
) -> ExtractionAgent:
    """Save a new configuration; see `LlamaExtract.create_agent`."""
    schema, settled = DataSchema.of(data_schema), ExtractConfig.of(config)
    if not name.strip():
        raise ConfigurationError("the name is blank", option="name")
    connection = connection_for(extractor.settings())
    existing = await find_by_name(connection, name)
    if existing is not None and exist_ok:
        return _existing(extractor, existing, schema)
    if existing is not None:
        raise ConflictError(
            f"there is an extract configuration named {name!r} already, {existing.get('id')}",
            status=409,
            body=existing,
            hint="Use it with get_agent or exist_ok=True, change it with agent.save(), or choose another name.",
        )
    record = await configurations.upsert(connection, name, saved_parameters(schema, settled))
    return ExtractionAgent(extractor, record, schema)


def _existing(extractor: LlamaExtract, record: Mapping[str, Any], schema: DataSchema) -> ExtractionAgent:
    """An agent that was there before: its own schema decides what is extracted, and the class reads it if it can."""
    agent = ExtractionAgent(extractor, record)
    saved, given = (as_mapping(one.get("properties")) for one in (agent.data_schema, schema.json_schema))
    if saved.keys() == given.keys():
        return ExtractionAgent(extractor, record, schema)
    logger.warning(
        "the extract configuration %r extracts %s, not what %s has: results stay dictionaries",
        agent.name,
        ", ".join(saved) or "nothing",
        schema.name,
    )
    return agent


async def get(
    extractor: LlamaExtract, name: str | None, agent_id: str | None, data_schema: type[Any] | None
) -> ExtractionAgent:
    """Find a configuration; see `LlamaExtract.get_agent`."""
    if (name is None) == (agent_id is None):
        raise ConfigurationError("get_agent takes a name or an id", option="name", hint="Give one of the two.")
    schema = None if data_schema is None else DataSchema.of(data_schema)
    connection = connection_for(extractor.settings())
    if agent_id is not None:
        return ExtractionAgent(extractor, extract_only(await configurations.get(connection, agent_id)), schema)
    return ExtractionAgent(extractor, await get_by_name(connection, str(name)), schema)


async def list_all(extractor: LlamaExtract) -> list[ExtractionAgent]:
    """All configurations; see `LlamaExtract.list_agents`."""
    return [ExtractionAgent(extractor, record) async for record in list_saved(connection_for(extractor.settings()))]


async def delete(extractor: LlamaExtract, agent_id: str) -> None:
    """Delete a configuration; see `LlamaExtract.delete_agent`."""
    await configurations.delete(connection_for(extractor.settings()), agent_id)
