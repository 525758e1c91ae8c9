"""LlamaExtract: a schema and files in, validated objects with citations out, by way of Extract v2."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from llama_cloud_ext.errors import ConfigurationError, FailedItem
from llama_cloud_ext.extract import agents, schemas
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.events import extract_event
from llama_cloud_ext.extract.inputs import ExtractFile, ExtractFiles, sort_out_inputs
from llama_cloud_ext.extract.job import ExtractJob
from llama_cloud_ext.extract.job_info import ExtractJobInfo
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.extract.runner import ExtractRequest, ExtractRunner, Outcome
from llama_cloud_ext.extract.saved_configurations import configuration_id_of
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.jobs.ledger import ledger_at
from llama_cloud_ext.jobs.outcomes import OnError, Outcomes
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.jobs.state import JobsState
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire import extract
from llama_cloud_ext.wire.inputs import ExtraInfo
from llama_cloud_ext.wire.io_loop import iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.strict import invalid_options
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_unpicklable
from llama_cloud_ext.wire.transport import connection_for

if TYPE_CHECKING:
    from llama_cloud_ext.extract.agents import ExtractionAgent

T = TypeVar("T", bound=BaseModel)

Schema = type[Any] | Mapping[str, Any] | str
"""A Pydantic class, a JSON schema, or the name or id of a saved configuration."""

Config = ExtractConfig | Mapping[str, Any] | None
"""Settings of a job, as the class or in the API's words."""


class LlamaExtract(ConnectionOptions):
    """Extracts structured data from files with LlamaCloud's Extract.

    A schema is checked before anything is uploaded; results come back as instances of your own model, with the place
    of each field in the document. An instance can be used from any number of threads and event loops, copied, and
    pickled.

    Example:
        ```python
        from pydantic import BaseModel, Field

        from llama_cloud_ext import LlamaExtract


        class Invoice(BaseModel):
            invoice_number: str | None = Field(description="Number of the invoice")
            total: float | None = Field(description="Total amount due, with tax")


        extractor = LlamaExtract()
        result = extractor.extract(Invoice, {"tier": "agentic", "cite_sources": True}, "data/invoice.pdf")
        print(result.data.total, result.fields["total"].citations)
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True)

    num_workers: int = Field(default=32, ge=1, description="The most unfinished jobs that the service ever sees.")
    job_timeout: float | None = Field(
        default=7200.0, gt=0, description="Seconds to wait for one job; None waits for ever. The job itself goes on."
    )
    delete_after: bool = Field(
        default=False, description="Delete uploads and jobs once their result is here, after an error too."
    )
    on_error: OnError = Field(
        default="raise",
        description='What a failed input does: "raise", or "skip" to get a FailedItem in its place.',
    )
    show_progress: ShowProgress = Field(
        default=False, exclude=True, description="True for a bar on stderr, or a callable that receives a Progress."
    )
    webhook_configurations: list[WebhookConfiguration] | None = Field(
        default=None, repr=False, description="Whom the service tells about jobs."
    )
    webhook_configuration_ids: list[str] | None = Field(default=None, description="Saved webhooks to call.")

    ledger: str | PathLike[str] | None = Field(
        default=None,
        description="Folder or fsspec URL of a ledger: what was extracted before, here or elsewhere, is taken from it.",
    )

    _state: JobsState = PrivateAttr(default_factory=JobsState)

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            """Check the options, and settle where they lead; nothing is sent yet."""
            try:
                super().__init__(**_current_names(options))
            except ValidationError as error:
                raise invalid_options(type(self), error) from error
            self.settings()

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise invalid_options(type(self), error) from error

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(show_progress=self.show_progress)
        return super().__getstate__()

    @property
    def failures(self) -> list[FailedItem]:
        """What failed under `on_error="skip"` since this extractor was made, oldest first; clear it as you like."""
        return self._state.failures

    # Extraction. Where `Any` stands beside a type, `on_error="skip"` may put a FailedItem. The overloads overlap as a
    # str is an iterable of str, too; the first one holds for it.

    @overload
    def extract(
        self,
        data_schema: type[T],
        config: Config = ...,
        files: ExtractFile = ...,
        extra_info: ExtraInfo = ...,
        fs: Any = ...,
    ) -> ExtractResult[T]: ...
    @overload
    def extract(
        self,
        data_schema: Schema,
        config: Config = ...,
        files: ExtractFiles = ...,
        extra_info: ExtraInfo = ...,
        fs: Any = ...,
    ) -> Any: ...
    @span
    def extract(
        self,
        data_schema: Any,
        config: Config = None,
        files: Any = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> Any:
        """Extract data from files.

        Args:
            data_schema: A Pydantic class; a JSON schema as a dict; or the name or id of a saved configuration.
            config: An `ExtractConfig`, a dict, or None for the service's defaults. Not with a saved configuration.
            files: A path, URL, bytes or open binary file; a `SourceText`; the id of a file that the service has; a
                `ParseResult`, `ParseJob` or the id of a parse job, whose document is not parsed again; or a list of
                them. A file behind an http(s) URL is fetched here and uploaded.
            extra_info: Metadata for all results, or a list with one mapping a file. `file_name` in it names bytes.
            fs: The fsspec filesystem that paths are in; the local one when left out.

        Returns:
            One ExtractResult for one input; for a list, a list in its order. With `on_error="skip"` a FailedItem stands
            in the place of each input that failed.

        Raises:
            ConfigurationError: The schema or the settings cannot work, or a file cannot be sent; nothing was sent.
            JobFailedError: The job failed; `code` and `reason` say why.
            ExtractValidationError: The data do not fit the model; the error has them.
            PartialFailureError: Several inputs were given and some failed; `results` has the others.

        Example:
            ```python
            from llama_cloud_ext import LlamaExtract, SourceText

            schema = {"type": "object", "properties": {"name": {"type": "string"}, "email": {"type": "string"}}}
            text = SourceText(text_content="Name: Jane Doe\\nEmail: jane@example.com")
            print(LlamaExtract().extract(schema, files=text).data)
            ```
        """
        outcomes, single = run(self._extract, data_schema, config, files, extra_info, fs)
        return self._outcomes().take_all(outcomes, single=single)

    @overload
    async def aextract(
        self,
        data_schema: type[T],
        config: Config = ...,
        files: ExtractFile = ...,
        extra_info: ExtraInfo = ...,
        fs: Any = ...,
    ) -> ExtractResult[T]: ...
    @overload
    async def aextract(
        self,
        data_schema: Schema,
        config: Config = ...,
        files: ExtractFiles = ...,
        extra_info: ExtraInfo = ...,
        fs: Any = ...,
    ) -> Any: ...
    @span
    async def aextract(
        self,
        data_schema: Any,
        config: Config = None,
        files: Any = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> Any:
        """The asynchronous twin of `extract`."""
        outcomes, single = await run_async(self._extract, data_schema, config, files, extra_info, fs)
        return self._outcomes().take_all(outcomes, single=single)

    def stream(
        self,
        data_schema: Schema,
        config: Config = None,
        files: ExtractFiles | None = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> Iterator[ExtractResult[Any] | Any]:
        """Extract from files and hand back each result as soon as it is there, whatever its place in the list.

        Args:
            data_schema: As for `extract`.
            config: As for `extract`.
            files: As for `extract`.
            extra_info: As for `extract`.
            fs: As for `extract`.

        Yields:
            ExtractResults; with `on_error="skip"` also FailedItems.

        Raises:
            LlamaCloudError: As `extract`; a list's failures are raised after the results of the others.
        """
        inputs, single = sort_out_inputs(files, extra_info, fs)
        outcomes = self._outcomes()
        for outcome in iterate(self._stream, data_schema, config, inputs):
            if outcomes.take(outcome):
                yield outcome
        outcomes.end(single=single)

    async def astream(
        self,
        data_schema: Schema,
        config: Config = None,
        files: ExtractFiles | None = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> AsyncIterator[ExtractResult[Any] | Any]:
        """The asynchronous twin of `stream`."""
        inputs, single = sort_out_inputs(files, extra_info, fs)
        outcomes = self._outcomes()
        async with aclosing(iterate_async(self._stream, data_schema, config, inputs)) as stream:
            async for outcome in stream:
                if outcomes.take(outcome):
                    yield outcome
        outcomes.end(single=single)

    # Jobs

    async def queue_extraction(
        self,
        data_schema: Schema,
        config: Config = None,
        files: ExtractFiles | None = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> Any:
        """Start jobs and return without waiting for them. Awaited, without an `a` in its name, as it always was.

        With more files than `num_workers`, earlier jobs are waited for before later ones are created.

        Args:
            data_schema: As for `extract`.
            config: As for `extract`.
            files: As for `extract`.
            extra_info: As for `extract`.
            fs: As for `extract`.

        Returns:
            One ExtractJob for one input; for a list, a list in its order. Handles can be pickled and collected
            elsewhere.

        Raises:
            LlamaCloudError: As `extract`, as far as creating the jobs goes.
        """
        jobs, single = await run_async(self._queue, data_schema, config, files, extra_info, fs)
        return self._outcomes(log=True).take_all(jobs, single=single)

    def job(self, job_id: str, data_schema: type[Any] | Mapping[str, Any] | None = None) -> ExtractJob:
        """A handle on a job that exists already. Nothing is asked yet.

        Args:
            job_id: The job.
            data_schema: What to read its data into; None for plain dicts.

        Raises:
            ConfigurationError: The schema cannot be extracted.
        """
        return ExtractJob(
            job_id,
            source=SourceIdentity(name=job_id, identity=f"extract-job:{job_id}"),
            settings=self.settings(),
            schema=None if data_schema is None else DataSchema.of(data_schema),
            job_timeout=self.job_timeout,
            delete_after=self.delete_after,
        )

    def get_result(self, job_id: str, data_schema: type[Any] | Mapping[str, Any] | None = None) -> ExtractResult[Any]:
        """Wait for a job that exists already and fetch its result.

        Args:
            job_id: The job.
            data_schema: What to read its data into; None for plain dicts.

        Raises:
            NotFoundError: There is no such job.
            JobFailedError: It failed.
            ExtractValidationError: Its data do not fit the model.
        """
        return self.job(job_id, data_schema).result()

    async def aget_result(
        self, job_id: str, data_schema: type[Any] | Mapping[str, Any] | None = None
    ) -> ExtractResult[Any]:
        """The asynchronous twin of `get_result`."""
        return await self.job(job_id, data_schema).aresult()

    def list_jobs(self, *, status: str | None = None, limit: int | None = None) -> list[ExtractJobInfo]:
        """The project's extract jobs, the newest first.

        Args:
            status: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED; None for all.
            limit: The most jobs; None for all.
        """
        return run(self._list_jobs, status, limit)

    async def alist_jobs(self, *, status: str | None = None, limit: int | None = None) -> list[ExtractJobInfo]:
        """The asynchronous twin of `list_jobs`."""
        return await run_async(self._list_jobs, status, limit)

    def cancel(self, job_id: str) -> None:
        """Stop a job. One that has ended already is left as it is.

        Args:
            job_id: The job.

        Raises:
            NotFoundError: There is no such job.
        """
        self.job(job_id).cancel()

    async def acancel(self, job_id: str) -> None:
        """The asynchronous twin of `cancel`."""
        await self.job(job_id).acancel()

    def delete(self, job_id: str) -> None:
        """Delete a job and its result; a running one is cancelled first.

        Args:
            job_id: The job.

        Raises:
            NotFoundError: There is no such job.
        """
        self.job(job_id).delete()

    async def adelete(self, job_id: str) -> None:
        """The asynchronous twin of `delete`."""
        await self.job(job_id).adelete()

    # Schemas

    def validate_schema(self, data_schema: type[Any] | Mapping[str, Any]) -> dict[str, Any]:
        """Check a schema, here first and then by the service.

        Args:
            data_schema: A Pydantic class or a JSON schema.

        Returns:
            The JSON schema as jobs will use it.

        Raises:
            ConfigurationError: It is refused here, with the path of each field at fault.
            BadRequestError: The service refuses it; or an UnprocessableError.
        """
        return run(schemas.validate, self.settings(), data_schema)

    async def avalidate_schema(self, data_schema: type[Any] | Mapping[str, Any]) -> dict[str, Any]:
        """The asynchronous twin of `validate_schema`."""
        return await run_async(schemas.validate, self.settings(), data_schema)

    def generate_schema(
        self,
        prompt: str | None = None,
        file: ExtractFile | None = None,
        data_schema: type[Any] | Mapping[str, Any] | None = None,
        *,
        fs: Any = None,
    ) -> dict[str, Any]:
        """Have the service make a schema.

        Args:
            prompt: What is to be extracted, in words.
            file: A file such as those to come, of any kind that `extract` uploads, or the id of an upload.
            data_schema: A schema to refine or extend.
            fs: The fsspec filesystem that a path is in.

        Returns:
            A JSON schema, as `extract` takes it.

        Raises:
            ConfigurationError: Nothing is given that a schema could be made of.

        Example:
            ```python
            from llama_cloud_ext import LlamaExtract

            schema = LlamaExtract().generate_schema("Vendor name, invoice date and total amount")
            print(list(schema["properties"]))
            ```
        """
        return run(schemas.generate, self.settings(), prompt, file, data_schema, fs)

    async def agenerate_schema(
        self,
        prompt: str | None = None,
        file: ExtractFile | None = None,
        data_schema: type[Any] | Mapping[str, Any] | None = None,
        *,
        fs: Any = None,
    ) -> dict[str, Any]:
        """The asynchronous twin of `generate_schema`."""
        return await run_async(schemas.generate, self.settings(), prompt, file, data_schema, fs)

    # Agents, which are saved configurations

    def create_agent(
        self,
        name: str,
        data_schema: type[Any] | Mapping[str, Any],
        config: Config = None,
        *,
        exist_ok: bool = False,
    ) -> ExtractionAgent:
        """Save a schema with its settings, under a name.

        The service would replace a configuration of the same name, so that it is looked for first. Two programs that
        create the same name at the same moment can still both find none, and then the later one wins.

        Args:
            name: The name within the project.
            data_schema: A Pydantic class or a JSON schema.
            config: An `ExtractConfig`, a dict, or None for the service's defaults.
            exist_ok: Return the one that exists, as it is, instead of raising.

        Raises:
            ConfigurationError: The schema or the settings cannot work.
            ConflictError: The name is taken.
        """
        return run(agents.create, self, name, data_schema, config, exist_ok)

    async def acreate_agent(
        self,
        name: str,
        data_schema: type[Any] | Mapping[str, Any],
        config: Config = None,
        *,
        exist_ok: bool = False,
    ) -> ExtractionAgent:
        """The asynchronous twin of `create_agent`."""
        return await run_async(agents.create, self, name, data_schema, config, exist_ok)

    def get_agent(
        self, name: str | None = None, id: str | None = None, *, data_schema: type[Any] | None = None
    ) -> ExtractionAgent:
        """Find a saved configuration.

        Args:
            name: Its name; or else
            id: its id.
            data_schema: The class to read results into; without it they are dicts.

        Raises:
            ConfigurationError: Not exactly one of name and id is given.
            NotFoundError: There is none.
        """
        return run(agents.get, self, name, id, data_schema)

    async def aget_agent(
        self, name: str | None = None, id: str | None = None, *, data_schema: type[Any] | None = None
    ) -> ExtractionAgent:
        """The asynchronous twin of `get_agent`."""
        return await run_async(agents.get, self, name, id, data_schema)

    def list_agents(self) -> list[ExtractionAgent]:
        """All saved extract configurations of the project, the latest version of each."""
        return run(agents.list_all, self)

    async def alist_agents(self) -> list[ExtractionAgent]:
        """The asynchronous twin of `list_agents`."""
        return await run_async(agents.list_all, self)

    def delete_agent(self, agent_id: str) -> None:
        """Delete a saved configuration; its jobs stay.

        Args:
            agent_id: Its id.

        Raises:
            NotFoundError: There is none.
        """
        run(agents.delete, self, agent_id)

    async def adelete_agent(self, agent_id: str) -> None:
        """The asynchronous twin of `delete_agent`."""
        await run_async(agents.delete, self, agent_id)

    # Towards the I/O loop

    async def _extract(
        self, data_schema: Any, config: Config, files: Any, extra_info: ExtraInfo, fs: Any
    ) -> tuple[list[Outcome], bool]:
        inputs, single = sort_out_inputs(files, extra_info, fs)
        request = await self._request(data_schema, config)
        return await self._runner(request).extract(inputs), single

    async def _stream(self, data_schema: Any, config: Config, inputs: Any) -> AsyncIterator[Outcome]:
        request = await self._request(data_schema, config)
        async for outcome in self._runner(request).stream(inputs):
            yield outcome

    async def _queue(
        self, data_schema: Any, config: Config, files: Any, extra_info: ExtraInfo, fs: Any
    ) -> tuple[list[ExtractJob | FailedItem], bool]:
        inputs, single = sort_out_inputs(files, extra_info, fs)
        request = await self._request(data_schema, config)
        return await self._runner(request).submit(inputs), single

    async def _list_jobs(
        self, status: str | None, limit: int | None, configuration_id: str | None = None
    ) -> list[ExtractJobInfo]:
        page_size = None if limit is None else max(1, min(limit, 100))
        records = extract.list_jobs(
            connection_for(self.settings()), status=status, configuration_id=configuration_id, page_size=page_size
        )
        return [ExtractJobInfo(record) async for record in first(records, limit)]

    async def _request(self, data_schema: Any, config: Config) -> ExtractRequest:
        """What the jobs of a call are asked to do, with a name looked up."""
        if isinstance(data_schema, ExtractRequest):
            return data_schema
        if isinstance(data_schema, str):
            if config is not None:
                raise ConfigurationError(
                    f"{data_schema!r} is a saved configuration, which has settings of its own",
                    option="config",
                    hint="Leave config out, or change the saved one: agent.config = …; agent.save().",
                )
            found = await configuration_id_of(connection_for(self.settings()), data_schema)
            return self._requested({"configuration_id": found}, None)
        schema = DataSchema.of(data_schema)
        body = {**ExtractConfig.of(config).to_body(), "data_schema": schema.json_schema}
        return self._requested({"configuration": body}, schema)

    def _requested(self, body: dict[str, Any], schema: DataSchema | None) -> ExtractRequest:
        webhooks: dict[str, Any] = {}
        if self.webhook_configurations is not None:
            webhooks["webhook_configurations"] = [webhook.to_body() for webhook in self.webhook_configurations]
        if self.webhook_configuration_ids is not None:
            webhooks["webhook_configuration_ids"] = list(self.webhook_configuration_ids)
        return ExtractRequest({**body, **webhooks}, schema)

    def _runner(self, request: ExtractRequest) -> ExtractRunner:
        return ExtractRunner(
            self.settings(),
            self._state,
            request,
            num_workers=self.num_workers,
            job_timeout=self.job_timeout,
            delete_after=self.delete_after,
            ledger=None if self.ledger is None else ledger_at(self.ledger),
            show_progress=self.show_progress,
        )

    def _outcomes(self, *, log: bool = False) -> Outcomes:
        return Outcomes(self.on_error, self._state.failures, extract_event, log=log)


_RENAMED = {"max_timeout": "job_timeout", "httpx_timeout": "timeout"}
_WITHOUT_EFFECT = {
    "check_interval": "the waits between looks adapt to each job by themselves",
    "verbose": "the logger llama_cloud_ext says what happens, and show_progress=True shows it",
}


def _current_names(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are called now: those of the existing class keep working."""
    current: dict[str, Any] = {}
    for name, value in options.items():
        if name in _WITHOUT_EFFECT:
            warnings.warn(f"{name} has no effect: {_WITHOUT_EFFECT[name]}", FutureWarning, stacklevel=3)
        elif name in _RENAMED and _RENAMED[name] in options:
            raise ConfigurationError(f"{name} and {_RENAMED[name]} mean the same", option=name, hint="Keep the latter.")
        else:
            current[_RENAMED.get(name, name)] = value
    return current
