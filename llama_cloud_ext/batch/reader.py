"""LlamaBatchReader: whole folders to LlamaIndex Documents or extracted data, by way of Batches v2."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from llama_cloud_ext.batch.collecting import adopt
from llama_cloud_ext.batch.configurations import BatchConfiguration, Named, OfSchema
from llama_cloud_ext.batch.handle import BatchHandle
from llama_cloud_ext.batch.product_work import Extraction, Parsing, ProductWork
from llama_cloud_ext.batch.runner import BatchRunner
from llama_cloud_ext.errors import ConfigurationError, FailedItem, PartialFailureError
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.events import extract_event
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.jobs.ledger import ledger_at
from llama_cloud_ext.jobs.outcomes import OnError, Outcomes
from llama_cloud_ext.jobs.state import JobsState
from llama_cloud_ext.parse.assets import IMAGES
from llama_cloud_ext.parse.events import parse_event
from llama_cloud_ext.parse.pipeline import Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire.file_listing import list_inputs
from llama_cloud_ext.wire.inputs import ExtraInfo, FilesInput
from llama_cloud_ext.wire.io_loop import in_thread, iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.strict import invalid_options
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_unpicklable
from llama_cloud_ext.wire.transport import connection_for

Schema = type[Any] | Mapping[str, Any] | str
"""A Pydantic class, a JSON schema, or the name or id of a saved configuration."""

Config = ExtractConfig | Mapping[str, Any] | None
"""Settings of an extraction, as the class or in the API's words."""

Started = BatchHandle | str | Sequence[str]
"""Batches that were started before: a handle, or their ids."""


class LlamaBatchReader(ConnectionOptions, BasePydanticReader):
    """Parses, or extracts from, thousands of files with LlamaCloud's Batches.

    Files go into a directory that is made for them, a thousand at most, and the service runs one job on each. Where
    `LlamaParseReader` creates every job with a request of its own, here it is one request for a thousand, and this
    process may end in between. The service offers batches on its Pro and Enterprise plans.

    With a `ledger`, a call that was killed is just made again: it goes on with the directories, uploads and batches
    that there are, and files that were done before cost no request. `submit` and `resume` have handles for that, and
    leave the ledger alone.

    Example:
        ```python
        from llama_cloud_ext import LlamaBatchReader

        reader = LlamaBatchReader(tier="cost_effective", on_error="skip")
        documents = reader.load_data("./data")
        print(len(documents), reader.failures)
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True, defer_build=False)

    is_remote: bool = Field(default=True, description="Data is read by a service.")
    tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] = Field(
        default="agentic", description="Parse by the service's preset for this tier."
    )
    configuration_id: str | None = Field(
        default=None, min_length=1, description="Parse by this saved configuration (cfg-…) instead of by a preset."
    )
    split_by_page: bool = Field(default=True, description="One Document a page; else one a file.")
    num_workers: int = Field(default=16, ge=1, description="Uploads, and later results, under way at the same time.")
    job_timeout: float | None = Field(
        default=86_400.0,
        gt=0,
        description="Seconds to wait for a batch, and then for its jobs; None waits for ever. They themselves go on.",
    )
    directory_days: float = Field(
        default=2.0, gt=0, description="Days after which the service may clean up a directory that was left behind."
    )
    on_error: OnError = Field(
        default="raise",
        description='What a failed file does: "raise", or "skip" to get a FailedItem in its place.',
    )
    show_progress: ShowProgress = Field(
        default=False, exclude=True, description="True for a bar on stderr, or a callable that receives a Progress."
    )
    webhook_configurations: list[WebhookConfiguration] | None = Field(
        default=None, repr=False, description='Whom the service tells when a batch changes, such as by "batch.success".'
    )
    webhook_configuration_ids: list[str] | None = Field(default=None, description="Saved webhooks to call.")
    ledger: str | PathLike[str] | None = Field(
        default=None,
        description="Folder or fsspec URL of a ledger: what was done before, here or elsewhere, is taken from it, and "
        "what a process that was killed had begun is gone on with.",
    )

    _state: JobsState = PrivateAttr(default_factory=JobsState)

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            """Check the options, and settle where they lead; nothing is sent yet."""
            # LlamaIndex writes it into every serialised component and hands it back.
            options.pop("class_name", None)
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise invalid_options(type(self), error) from error
            self.settings()

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise invalid_options(type(self), error) from error

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(verify=self.verify, transport=self.transport, show_progress=self.show_progress)
        # LlamaIndex's own version would drop what does not pickle and say nothing.
        return BaseModel.__getstate__(self)

    def __setstate__(self, state: dict[Any, Any]) -> None:
        BaseModel.__setstate__(self, state)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            if name is None or name not in (fields := type(self).model_fields) or value != fields[name].default:
                yield name, value

    @classmethod
    def class_name(cls) -> str:
        """Give the name under which LlamaIndex serialises readers of this class."""
        return "LlamaBatchReader"

    @property
    def failures(self) -> list[FailedItem]:
        """What failed under `on_error="skip"` since this reader was made, oldest first; clear it as you like."""
        return self._state.failures

    # Parsing

    @span
    def load_data(self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[Document]:
        """Parse files into Documents.

        Args:
            files: A folder with its sub-folders, a pattern such as "reports/**/*.pdf", an fsspec URL of either, any
                other file that can be uploaded, or a list of these.
            extra_info: Metadata for all Documents, or a list with one mapping an entry of `files`.
            fs: The fsspec filesystem that the paths are in; the local one when left out.

        Returns:
            One Document a page, or one a file without `split_by_page`, in the order of the files.

        Raises:
            SourceError: There is no file.
            PartialFailureError: Some files failed; `results` has the others.
        """
        outcomes, documents = run(self._load, files, extra_info, fs)
        self._outcomes("parse_v2", log=True).take_all(outcomes, single=False)
        return documents

    @span
    async def aload_data(self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[Document]:
        """The asynchronous twin of `load_data`."""
        outcomes, documents = await run_async(self._load, files, extra_info, fs)
        self._outcomes("parse_v2", log=True).take_all(outcomes, single=False)
        return documents

    @span
    def parse(self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[ParseResult | Any]:
        """Parse files into ParseResults: pages, structured items, tables, images and nodes.

        Args:
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Returns:
            One ParseResult a file. With `on_error="skip"` a FailedItem stands in the place of each file that failed.

        Raises:
            LlamaCloudError: As `load_data`.

        Example:
            ```python
            from llama_cloud_ext import LlamaBatchReader

            for result in LlamaBatchReader().parse("data/*.pdf"):
                print(result.source.name, len(result.pages))
            ```
        """
        outcomes = run(self._parse, files, extra_info, fs, self._all())
        return list(self._outcomes("parse_v2").take_all(outcomes, single=False))

    @span
    async def aparse(self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[ParseResult | Any]:
        """The asynchronous twin of `parse`."""
        outcomes = await run_async(self._parse, files, extra_info, fs, self._all())
        return list(self._outcomes("parse_v2").take_all(outcomes, single=False))

    # Streaming

    def lazy_load_data(self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Iterator[Document]:
        """Parse files into Documents, those of each file as soon as they are there, whatever its place in the list.

        Memory holds a few results at a time, however many files there are.

        Args:
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Yields:
            Documents.

        Raises:
            LlamaCloudError: As `load_data`; failures are raised after the Documents of the others.
        """
        outcomes = self._outcomes("parse_v2", log=True)
        for _, outcome in iterate(self._stream, files, extra_info, fs, None, None, self._wanted_of_documents()):
            if outcomes.take(outcome) and isinstance(outcome, ParseResult):
                yield from self._documents(outcome)
        outcomes.end(single=False)

    async def alazy_load_data(
        self, files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None
    ) -> Iterable[Document]:
        """Parse files into Documents; as LlamaIndex has it, awaited for an iterable. To stream, use `astream`."""
        return await self.aload_data(files, extra_info, fs)

    def stream(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> Iterator[Any]:
        """Parse files, or extract from them, and hand back each result as soon as it is there.

        Memory holds a few results at a time, however many files there are.

        Args:
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.
            data_schema: What to extract, as for `extract`; None to parse.
            config: As for `extract`.

        Yields:
            ParseResults or ExtractResults; with `on_error="skip"` also FailedItems.

        Raises:
            LlamaCloudError: As `load_data`; failures are raised after the results of the others.

        Example:
            ```python
            from llama_cloud_ext import LlamaBatchReader

            for result in LlamaBatchReader(ledger="./.llama-ledger").stream("./data"):
                print(result.source.name, len(result.pages))
            ```
        """
        for _, outcome in self.enumerate(files, extra_info, fs, data_schema=data_schema, config=config):
            yield outcome

    async def astream(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> AsyncIterator[Any]:
        """The asynchronous twin of `stream`."""
        async with aclosing(self._astream(files, extra_info, fs, data_schema, config)) as stream:
            async for _, outcome in stream:
                yield outcome

    def enumerate(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> Iterator[tuple[int, Any]]:
        """As `stream`, with each result's place among the files, those of folders and patterns counted one by one.

        Args:
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.
            data_schema: As for `stream`.
            config: As for `stream`.

        Yields:
            Pairs of a place, counted from 0, and what `stream` has for it.

        Raises:
            LlamaCloudError: As `stream`.
        """
        outcomes = self._outcomes(_product(data_schema))
        for pair in iterate(self._stream, files, extra_info, fs, data_schema, config, self._all()):
            if outcomes.take(pair[1]):
                yield pair
        outcomes.end(single=False)

    async def aenumerate(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> AsyncIterator[tuple[int, Any]]:
        """The asynchronous twin of `enumerate`."""
        async with aclosing(self._astream(files, extra_info, fs, data_schema, config)) as stream:
            async for pair in stream:
                yield pair

    async def _astream(
        self, files: FilesInput, extra_info: ExtraInfo, fs: Any, data_schema: Schema | None, config: Config
    ) -> AsyncGenerator[tuple[int, Any], None]:
        outcomes = self._outcomes(_product(data_schema))
        stream = iterate_async(self._stream, files, extra_info, fs, data_schema, config, self._all())
        async with aclosing(stream):
            async for pair in stream:
                if outcomes.take(pair[1]):
                    yield pair
        outcomes.end(single=False)

    # Extraction

    @span
    def extract(
        self,
        data_schema: Schema,
        config: Config = None,
        files: FilesInput = (),
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> list[ExtractResult[Any] | Any]:
        """Extract data from files.

        A batch takes a saved configuration. For a schema one is made, unless there is one of the same content; it
        stays with the service, named "llama-cloud-ext batch …".

        Args:
            data_schema: A Pydantic class; a JSON schema as a dict; or the name or id of a saved configuration.
            config: An `ExtractConfig`, a dict, or None for the service's defaults. Not with a saved configuration.
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Returns:
            One ExtractResult a file. With `on_error="skip"` a FailedItem stands in the place of each file that failed.

        Raises:
            ConfigurationError: The schema or the settings cannot work; nothing was sent.
            LlamaCloudError: As `load_data`.

        Example:
            ```python
            from pydantic import BaseModel

            from llama_cloud_ext import LlamaBatchReader


            class Invoice(BaseModel):
                total: float | None


            for result in LlamaBatchReader().extract(Invoice, files="data/inv*.pdf"):
                print(result.source.name, result.data.total)
            ```
        """
        outcomes = run(self._extract, data_schema, config, files, extra_info, fs)
        return list(self._outcomes("extract_v2").take_all(outcomes, single=False))

    @span
    async def aextract(
        self,
        data_schema: Schema,
        config: Config = None,
        files: FilesInput = (),
        extra_info: ExtraInfo = None,
        fs: Any = None,
    ) -> list[ExtractResult[Any] | Any]:
        """The asynchronous twin of `extract`."""
        outcomes = await run_async(self._extract, data_schema, config, files, extra_info, fs)
        return list(self._outcomes("extract_v2").take_all(outcomes, single=False))

    # Batches

    def submit(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> BatchHandle:
        """Upload files and start batches, without waiting for them.

        Args:
            files: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.
            data_schema: What to extract, as for `extract`; None to parse.
            config: As for `extract`.

        Returns:
            The batches, for `resume`. The handle can be written as JSON and read in another process.

        Raises:
            PartialFailureError: Some files could not be uploaded; `results` has the handle of the others.

        Example:
            ```python
            from llama_cloud_ext import BatchHandle, LlamaBatchReader

            text = LlamaBatchReader().submit("./data").to_json()
            results = LlamaBatchReader().resume(BatchHandle.from_json(text))
            ```
        """
        return self._submitted(*run(self._submit, files, extra_info, fs, data_schema, config))

    async def asubmit(
        self,
        files: FilesInput,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: Schema | None = None,
        config: Config = None,
    ) -> BatchHandle:
        """The asynchronous twin of `submit`."""
        return self._submitted(*await run_async(self._submit, files, extra_info, fs, data_schema, config))

    @span
    def resume(
        self,
        batches: Started,
        files: FilesInput | None = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: type[Any] | Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Collect batches that were started before. Nothing is uploaded or billed.

        Args:
            batches: A handle, or the ids of batches.
            files: With ids: the files that they were started with, so that ids and metadata are the same as then. A
                handle knows them.
            extra_info: With ids: as it was then.
            fs: With ids: as it was then.
            data_schema: For batches that extract: what to read the data into; None for plain dicts.

        Returns:
            One ParseResult or ExtractResult a file, in the order of the batches and of the files in them: of the call
            for a handle and for `files`, else of the service's. With `on_error="skip"` a FailedItem stands in the place
            of each file that failed.

        Raises:
            NotFoundError: There is no such batch.
            LlamaCloudError: As `load_data`.
        """
        product, outcomes = run(self._resume, batches, files, extra_info, fs, data_schema)
        return list(self._outcomes(product).take_all(outcomes, single=False))

    @span
    async def aresume(
        self,
        batches: Started,
        files: FilesInput | None = None,
        extra_info: ExtraInfo = None,
        fs: Any = None,
        *,
        data_schema: type[Any] | Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """The asynchronous twin of `resume`."""
        product, outcomes = await run_async(self._resume, batches, files, extra_info, fs, data_schema)
        return list(self._outcomes(product).take_all(outcomes, single=False))

    def statuses(self, batches: Started) -> dict[str, str]:
        """The status of batches now: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED.

        COMPLETED says that every file has got its job, not that the jobs have ended.

        Args:
            batches: A handle, or the ids of batches.

        Raises:
            NotFoundError: There is no such batch.
        """
        return run(self._runner().statuses, _ids_of(batches))

    async def astatuses(self, batches: Started) -> dict[str, str]:
        """The asynchronous twin of `statuses`."""
        return await run_async(self._runner().statuses, _ids_of(batches))

    def cancel(self, batches: Started) -> None:
        """Stop batches. What has ended already is left as it is.

        Args:
            batches: A handle, or the ids of batches.

        Raises:
            NotFoundError: There is no such batch.
        """
        run(self._runner().cancel, _ids_of(batches))

    async def acancel(self, batches: Started) -> None:
        """The asynchronous twin of `cancel`."""
        await run_async(self._runner().cancel, _ids_of(batches))

    # Towards the I/O loop

    def _runner(self) -> BatchRunner:
        webhooks = {
            "webhook_configurations": self.webhook_configurations,
            "webhook_configuration_ids": self.webhook_configuration_ids,
        }
        return BatchRunner(
            self.settings(),
            num_workers=self.num_workers,
            job_timeout=self.job_timeout,
            directory_days=self.directory_days,
            webhooks=webhooks,
            ledger=None if self.ledger is None else ledger_at(self.ledger),
            show_progress=self.show_progress,
        )

    def _parsing(self, wanted: Wanted) -> Parsing:
        return Parsing(self.settings(), wanted, at_once=self.num_workers, job_timeout=self.job_timeout)

    def _extraction(self, schema: DataSchema | None) -> Extraction:
        return Extraction(self.settings(), schema, at_once=self.num_workers, job_timeout=self.job_timeout)

    def _plan(
        self, data_schema: Schema | None, config: Config, wanted: Wanted
    ) -> tuple[BatchConfiguration, ProductWork]:
        """By which configuration the files are worked on, and what their jobs' results become."""
        if data_schema is None:
            named = self.configuration_id or f"cfg-PARSE_{self.tier.upper()}"
            return Named(named, "parse_v2"), self._parsing(wanted)
        if isinstance(data_schema, str) and config is not None:
            raise ConfigurationError(
                f"{data_schema!r} is a saved configuration, which has settings of its own",
                option="config",
                hint="Leave config out, or change the saved one.",
            )
        if isinstance(data_schema, str):
            return Named(data_schema, "extract_v2"), self._extraction(None)
        schema = DataSchema.of(data_schema)
        return OfSchema.of(schema, ExtractConfig.of(config)), self._extraction(schema)

    async def _parse(self, files: FilesInput, extra_info: ExtraInfo, fs: Any, wanted: Wanted) -> list[Any]:
        inputs = await in_thread(list_inputs, files, extra_info, fs)
        configuration, work = self._plan(None, None, wanted)
        return await self._runner().run(inputs, configuration, work)

    async def _stream(
        self,
        files: FilesInput,
        extra_info: ExtraInfo,
        fs: Any,
        data_schema: Schema | None,
        config: Config,
        wanted: Wanted,
    ) -> AsyncGenerator[tuple[int, Any], None]:
        inputs = await in_thread(list_inputs, files, extra_info, fs)
        configuration, work = self._plan(data_schema, config, wanted)
        async with aclosing(self._runner().stream(inputs, configuration, work)) as stream:
            async for found in stream:
                yield found

    async def _load(self, files: FilesInput, extra_info: ExtraInfo, fs: Any) -> tuple[list[Any], list[Document]]:
        outcomes = await self._parse(files, extra_info, fs, self._wanted_of_documents())
        results = [outcome for outcome in outcomes if isinstance(outcome, ParseResult)]
        documents = await in_thread(lambda: [document for result in results for document in self._documents(result)])
        return outcomes, documents

    def _wanted_of_documents(self) -> Wanted:
        # A ledger keeps all of a result, for whoever asks for more next time.
        return Wanted(("markdown",)) if self.ledger is None else self._all()

    def _all(self) -> Wanted:
        # A ledger outlives what the service keeps.
        return Wanted() if self.ledger is None else Wanted(assets=(IMAGES,), keep=True)

    def _documents(self, result: ParseResult) -> list[Document]:
        # The fast tier has text alone, and a saved configuration may have chosen it.
        kind: Literal["text", "markdown"] = "text" if result.job.tier == "fast" else "markdown"
        return result.documents(split_by_page=self.split_by_page, kind=kind)

    async def _extract(
        self, data_schema: Schema, config: Config, files: FilesInput, extra_info: ExtraInfo, fs: Any
    ) -> list[Any]:
        inputs = await in_thread(list_inputs, files, extra_info, fs)
        configuration, work = self._plan(data_schema, config, Wanted())
        return await self._runner().run(inputs, configuration, work)

    async def _submit(
        self, files: FilesInput, extra_info: ExtraInfo, fs: Any, data_schema: Schema | None, config: Config
    ) -> tuple[BatchHandle, list[FailedItem]]:
        inputs = await in_thread(list_inputs, files, extra_info, fs)
        configuration, work = self._plan(data_schema, config, Wanted())
        return await self._runner().submit(inputs, configuration, work)

    async def _resume(
        self,
        batches: Started,
        files: FilesInput | None,
        extra_info: ExtraInfo,
        fs: Any,
        data_schema: type[Any] | Mapping[str, Any] | None,
    ) -> tuple[str, list[Any]]:
        handle = batches
        if not isinstance(handle, BatchHandle):
            inputs = [] if files is None else await in_thread(list_inputs, files, extra_info, fs)
            sources = [await item.resolve() for item in inputs]
            handle = await adopt(connection_for(self.settings()), _ids_of(batches), sources)
        products = {batch.product for batch in handle.batches}
        if len(products) > 1:
            raise ConfigurationError(
                "some of these batches parse and others extract",
                option="batches",
                hint="Resume those that parse and those that extract apart.",
            )
        product = products.pop() if products else "parse_v2"
        schema = None if data_schema is None else DataSchema.of(data_schema)
        work: ProductWork = self._extraction(schema) if product == "extract_v2" else self._parsing(Wanted())
        return product, await self._runner().collect(handle, work)

    def _submitted(self, handle: BatchHandle, failures: list[FailedItem]) -> BatchHandle:
        started = sum(len(batch.files) for batch in handle.batches)
        if failures and (self.on_error == "raise" or not started):
            raise PartialFailureError(
                results=[handle] if started else [], failures=failures, total=started + len(failures)
            )
        self._state.failures.extend(failures)
        return handle

    def _outcomes(self, product: str, *, log: bool = False) -> Outcomes:
        event = extract_event if product == "extract_v2" else parse_event
        return Outcomes(self.on_error, self._state.failures, event, log=log)


def _product(data_schema: Schema | None) -> str:
    return "parse_v2" if data_schema is None else "extract_v2"


def _ids_of(batches: Started) -> list[str]:
    if isinstance(batches, BatchHandle):
        return batches.batch_ids
    return [batches] if isinstance(batches, str) else list(batches)
