"""LlamaParseReader: files to LlamaIndex Documents, by way of Parse v2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, overload

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from llama_cloud_ext.errors import ConfigurationError, FailedItem
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.jobs.ledger import ledger_at
from llama_cloud_ext.jobs.outcomes import Outcomes
from llama_cloud_ext.parse.assets import IMAGES, stored_assets
from llama_cloud_ext.parse.events import parse_event
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.options import ParseOptions, explain_unknown_option
from llama_cloud_ext.parse.pipeline import Wanted
from llama_cloud_ext.parse.prefetch import ReaderState
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.parse.runner import Outcome, ParseRunner
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire.inputs import ExtraInfo, FilesInput, sort_out
from llama_cloud_ext.wire.io_loop import in_thread, iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.strict import invalid_options
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_unpicklable
from llama_cloud_ext.wire.sources import FileInput


class LlamaParseReader(ParseOptions, ConnectionOptions, BasePydanticReader):
    """Turns files into LlamaIndex Documents, images and nodes with LlamaCloud's Parse.

    All Parse v2 options are fields, grouped and named as the API has them, with flat shortcuts for the everyday ones
    (`custom_prompt`, `target_pages`, `max_pages`, `languages`). An option that does not exist, or that contradicts
    another, raises before anything is uploaded. An instance can be used from any number of threads and event loops,
    copied, and pickled.

    Example:
        ```python
        from llama_index.core import SimpleDirectoryReader

        from llama_cloud_ext import LlamaParseReader

        reader = LlamaParseReader(tier="cost_effective")
        documents = SimpleDirectoryReader("./data", file_extractor={".pdf": reader}).load_data()
        ```
    """

    # Built at once: what is built later shows another class's signature in help() and notebooks.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True, defer_build=False)

    is_remote: bool = Field(default=True, description="Data is read by a service.")
    split_by_page: bool = Field(default=True, description="One Document a page; else one a file.")
    num_workers: int = Field(
        default=32, ge=1, description="The most unfinished jobs that the service ever sees from this reader."
    )
    job_timeout: float | None = Field(
        default=7200.0, gt=0, description="Seconds to wait for one job; None waits for ever. The job itself goes on."
    )
    delete_after: bool = Field(
        default=False, description="Delete uploads and jobs once their result is here, after an error too."
    )
    on_error: Literal["raise", "skip"] = Field(
        default="raise",
        description='What a failed file does: "raise", or "skip" to get a FailedItem in its place.',
    )
    show_progress: ShowProgress = Field(
        default=False, exclude=True, description="True for a bar on stderr, or a callable that receives a Progress."
    )
    partition_pages: int | None = Field(
        default=None,
        ge=1,
        description="Parse a document in parts of this many pages, at once and on one upload. For very long documents.",
    )

    ledger: str | PathLike[str] | None = Field(
        default=None,
        description="Folder or fsspec URL of a ledger: what was parsed before, here or elsewhere, is taken from it.",
    )

    _state: ReaderState = PrivateAttr(default_factory=ReaderState)

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            """Check the options, and settle where they lead; nothing is sent yet."""
            # LlamaIndex writes it into every serialised component and hands it back.
            options.pop("class_name", None)
            super().__init__(**options)
            self.settings()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in type(self).model_fields:
            raise ConfigurationError(explain_unknown_option(name, type(self).model_fields), option=name)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise invalid_options(type(self), error, explain_unknown_option) from error

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(verify=self.verify, transport=self.transport, show_progress=self.show_progress)
        # LlamaIndex's own version would drop what does not pickle and say nothing.
        return BaseModel.__getstate__(self)

    def __setstate__(self, state: dict[Any, Any]) -> None:
        BaseModel.__setstate__(self, state)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # Forty options at their defaults would hide the two that matter.
        for name, value in super().__repr_args__():
            if name is None or name not in (fields := type(self).model_fields) or value != fields[name].default:
                yield name, value

    @classmethod
    def class_name(cls) -> str:
        """Give the name under which LlamaIndex serialises readers of this class."""
        return "LlamaParseReader"

    @property
    def failures(self) -> list[FailedItem]:
        """What failed under `on_error="skip"` since this reader was made, oldest first; clear it as you like."""
        return self._state.failures

    # Documents

    @span
    def load_data(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[Document]:
        """Parse files into Documents.

        Args:
            file: A path, URL, bytes or open binary file, or a list of them. http(s) URLs are fetched by the service.
            extra_info: Metadata for all Documents, or a list with one mapping a file. `file_name` in it names bytes.
            fs: The fsspec filesystem that the paths are in; the local one when left out.

        Returns:
            One Document a page, or one a file without `split_by_page`, in the order of the files.

        Raises:
            ConfigurationError: The options contradict each other, or a file cannot be sent.
            JobFailedError: The file could not be parsed; `code` and `reason` say why.
            EmptyResultError: The job succeeded without a single page that holds anything.
            PartialFailureError: Several files were given and some failed; `results` has the others.

        Example:
            ```python
            from llama_cloud_ext import LlamaParseReader

            documents = LlamaParseReader().load_data("data/report.pdf", extra_info={"department": "finance"})
            print(documents[0].metadata["page_number"], documents[0].text[:80])
            ```
        """
        outcomes, single, documents = run(self._load, file, extra_info, fs)
        self._outcomes(log=True).take_all(outcomes, single=single)
        return documents

    @span
    async def aload_data(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> list[Document]:
        """The asynchronous twin of `load_data`."""
        outcomes, single, documents = await run_async(self._load, file, extra_info, fs)
        self._outcomes(log=True).take_all(outcomes, single=single)
        return documents

    def lazy_load_data(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Iterator[Document]:
        """Parse files into Documents one after the other, in the order of the files, while the next ones are parsed.

        Memory holds a few files at a time, however many there are.

        Args:
            file: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Yields:
            Documents.

        Raises:
            LlamaCloudError: As `load_data`; a list's failures are raised after the Documents of the others.
        """
        inputs, single = sort_out(file, extra_info, fs)
        outcomes = self._outcomes(log=True)
        for outcome in iterate(self._runner().stream, inputs, self._wanted_of_documents(), in_order=True):
            if outcomes.take(outcome) and isinstance(outcome, ParseResult):
                yield from self.documents_of(outcome)
        outcomes.end(single=single)

    async def alazy_load_data(
        self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None
    ) -> Iterable[Document]:
        """Parse files into Documents; as LlamaIndex has it, awaited for an iterable. To stream, use `astream`."""
        return await self.aload_data(file, extra_info, fs)

    # Results. Where `Any` stands beside a type, `on_error="skip"` may put a FailedItem; a union would have every caller
    # rule it out. The overloads overlap as a str is an iterable of str, too; the first one holds for it.

    @overload
    def parse(self, file: FileInput, extra_info: ExtraInfo = ..., fs: Any = ...) -> ParseResult | Any: ...  # type: ignore[overload-overlap]
    @overload
    def parse(
        self, file: Iterable[FileInput], extra_info: ExtraInfo = ..., fs: Any = ...
    ) -> list[ParseResult | Any]: ...
    @span
    def parse(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """Parse files into ParseResults: pages, structured items, tables, images and nodes.

        Args:
            file: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Returns:
            One ParseResult for one file; for a list, a list in its order. With `on_error="skip"` a FailedItem stands
            in the place of each file that failed.

        Raises:
            LlamaCloudError: As `load_data`.

        Example:
            ```python
            from llama_cloud_ext import LlamaParseReader

            result = LlamaParseReader().parse("data/report.pdf")
            print(result.job_id, len(result.pages), [table.rows for table in result.tables])
            ```
        """
        inputs, single = sort_out(file, extra_info, fs)
        return self._outcomes().take_all(run(self._runner().parse, inputs, self._wanted()), single=single)

    @overload
    async def aparse(self, file: FileInput, extra_info: ExtraInfo = ..., fs: Any = ...) -> ParseResult | Any: ...  # type: ignore[overload-overlap]
    @overload
    async def aparse(
        self, file: Iterable[FileInput], extra_info: ExtraInfo = ..., fs: Any = ...
    ) -> list[ParseResult | Any]: ...
    @span
    async def aparse(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """The asynchronous twin of `parse`."""
        inputs, single = sort_out(file, extra_info, fs)
        return self._outcomes().take_all(await run_async(self._runner().parse, inputs, self._wanted()), single=single)

    def stream(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Iterator[ParseResult | Any]:
        """Parse files and hand back each result as soon as it is there, whatever its place in the list.

        Args:
            file: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Yields:
            ParseResults; with `on_error="skip"` also FailedItems.

        Raises:
            LlamaCloudError: As `load_data`; a list's failures are raised after the results of the others.
        """
        inputs, single = sort_out(file, extra_info, fs)
        outcomes = self._outcomes()
        for outcome in iterate(self._runner().stream, inputs, self._wanted()):
            if outcomes.take(outcome):
                yield outcome
        outcomes.end(single=single)

    async def astream(
        self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None
    ) -> AsyncIterator[ParseResult | Any]:
        """The asynchronous twin of `stream`.

        Example:
            ```python
            import asyncio

            from llama_cloud_ext import LlamaParseReader


            async def main():
                async for result in LlamaParseReader().astream(["data/report.pdf", "data/letter.pdf"]):
                    print(result)


            asyncio.run(main())
            ```
        """
        inputs, single = sort_out(file, extra_info, fs)
        outcomes = self._outcomes()
        async with aclosing(iterate_async(self._runner().stream, inputs, self._wanted())) as stream:
            async for outcome in stream:
                if outcomes.take(outcome):
                    yield outcome
        outcomes.end(single=single)

    # Jobs

    @overload
    def submit(self, file: FileInput, extra_info: ExtraInfo = ..., fs: Any = ...) -> ParseJob | Any: ...  # type: ignore[overload-overlap]
    @overload
    def submit(self, file: Iterable[FileInput], extra_info: ExtraInfo = ..., fs: Any = ...) -> list[ParseJob | Any]: ...
    def submit(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """Start jobs and return without waiting for them.

        With more files than `num_workers`, earlier jobs are waited for before later ones are created.

        Args:
            file: As for `load_data`.
            extra_info: As for `load_data`.
            fs: As for `load_data`.

        Returns:
            One ParseJob for one file; for a list, a list in its order. Handles can be pickled and collected elsewhere.

        Raises:
            LlamaCloudError: As `load_data`, as far as creating the jobs goes.
        """
        inputs, single = sort_out(file, extra_info, fs)
        jobs = run(self._runner().submit, inputs, self._wanted())
        return self._outcomes(log=True).take_all(jobs, single=single)

    @overload
    async def asubmit(self, file: FileInput, extra_info: ExtraInfo = ..., fs: Any = ...) -> ParseJob | Any: ...  # type: ignore[overload-overlap]
    @overload
    async def asubmit(
        self, file: Iterable[FileInput], extra_info: ExtraInfo = ..., fs: Any = ...
    ) -> list[ParseJob | Any]: ...
    async def asubmit(self, file: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> Any:
        """The asynchronous twin of `submit`."""
        inputs, single = sort_out(file, extra_info, fs)
        jobs = await run_async(self._runner().submit, inputs, self._wanted())
        return self._outcomes(log=True).take_all(jobs, single=single)

    def job(self, job_id: str, source: FileInput | None = None, extra_info: ExtraInfo = None) -> ParseJob:
        """A handle on a job that exists already.

        Args:
            job_id: The job.
            source: The file it was made for, so that ids and metadata are the same as when it is parsed again.
            extra_info: Metadata for the Documents.
        """
        return run(self._job, job_id, source, extra_info)

    async def ajob(self, job_id: str, source: FileInput | None = None, extra_info: ExtraInfo = None) -> ParseJob:
        """The asynchronous twin of `job`."""
        return await run_async(self._job, job_id, source, extra_info)

    def get_result(self, job_id: str, source: FileInput | None = None, extra_info: ExtraInfo = None) -> ParseResult:
        """The result of a job that exists already, waiting for it where needed. Nothing is uploaded or billed.

        Args:
            job_id: The job.
            source: The file it was made for: with it Documents get the ids and metadata of a parse.
            extra_info: Metadata for the Documents.

        Raises:
            NotFoundError: There is no such job, or no longer.
            LlamaCloudError: As `load_data`.
        """
        return run(self._get_result, job_id, source, extra_info)

    async def aget_result(
        self, job_id: str, source: FileInput | None = None, extra_info: ExtraInfo = None
    ) -> ParseResult:
        """The asynchronous twin of `get_result`."""
        return await run_async(self._get_result, job_id, source, extra_info)

    def list_jobs(self, status: str | None = None, limit: int | None = 100) -> list[dict[str, Any]]:
        """Parse jobs of the project as the service lists them.

        Args:
            status: PENDING, RUNNING, COMPLETED, FAILED or CANCELLED; all when left out.
            limit: The most jobs, or None for all.

        Returns:
            Job records: `id`, `status`, `name`, `tier`, `created_at`, `error_message`, …
        """
        return run(self._runner().list_jobs, status, limit)

    async def alist_jobs(self, status: str | None = None, limit: int | None = 100) -> list[dict[str, Any]]:
        """The asynchronous twin of `list_jobs`."""
        return await run_async(self._runner().list_jobs, status, limit)

    def versions(self) -> dict[str, Any]:
        """The versions of every tier that `version=` takes, and under "latest" what that means for each."""
        return run(self._runner().versions)

    async def aversions(self) -> dict[str, Any]:
        """The asynchronous twin of `versions`."""
        return await run_async(self._runner().versions)

    def prefetch(self, file: FilesInput, fs: Any = None) -> None:
        """Start jobs in the background, so that a later `load_data` or `parse` of the same file finds them running.

        A SimpleDirectoryReader loads one file after the other; after a prefetch it waits once instead of for each. A
        file that cannot be sent, or fails, raises when it is loaded.

        Args:
            file: As for `load_data`.
            fs: As for `load_data`.

        Example:
            ```python
            from llama_index.core import SimpleDirectoryReader

            from llama_cloud_ext import LlamaParseReader

            reader = LlamaParseReader()
            folder = SimpleDirectoryReader("./data", file_extractor={".pdf": reader})
            reader.prefetch(path for path in folder.input_files if path.suffix == ".pdf")
            documents = folder.load_data()
            ```
        """
        run(self._runner().prefetch, sort_out(file, None, fs)[0], self._wanted())

    async def aprefetch(self, file: FilesInput, fs: Any = None) -> None:
        """The asynchronous twin of `prefetch`."""
        await run_async(self._runner().prefetch, sort_out(file, None, fs)[0], self._wanted())

    # Towards the I/O loop

    def _runner(self) -> ParseRunner:
        return ParseRunner(
            self.settings(),
            self._state,
            configuration=self.configuration(),
            num_workers=self.num_workers,
            job_timeout=self.job_timeout,
            delete_after=self.delete_after,
            partition_pages=self.partition_pages,
            ledger=None if self.ledger is None else ledger_at(self.ledger),
            show_progress=self.show_progress,
        )

    def _wanted(self) -> Wanted:
        """All of a result: with the list of images where they were asked for, with all files where they go away."""
        configuration = self.configuration()
        if self.delete_after or self.partition_pages is not None:
            return Wanted(assets=stored_assets(configuration.to_body()), keep=True)
        output = configuration.output_options
        if output is None or not output.images_to_save:
            return Wanted()
        # A ledger outlives what the service keeps.
        return Wanted(assets=(IMAGES,), keep=self.ledger is not None)

    def _wanted_of_documents(self) -> Wanted:
        """What Documents are made of; a ledger keeps all of a result, for whoever asks for more next time."""
        return Wanted((self.resolved_result_type,)) if self.ledger is None else self._wanted()

    def documents_of(self, result: ParseResult) -> list[Document]:
        """The Documents of a result, as `load_data` would have made them by this reader's options.

        Args:
            result: What `parse` gave.

        Example:
            ```python
            from llama_cloud_ext import LlamaParseReader

            reader = LlamaParseReader(split_by_page=False)
            (document,) = reader.documents_of(reader.parse("report.pdf"))
            ```
        """
        # A saved configuration may have chosen the fast tier.
        kind = "text" if result.job.tier == "fast" else self.resolved_result_type
        return result.documents(split_by_page=self.split_by_page, kind=kind)

    async def _load(
        self, file: FilesInput, extra_info: ExtraInfo, fs: Any
    ) -> tuple[list[Outcome], bool, list[Document]]:
        inputs, single = sort_out(file, extra_info, fs)
        outcomes = await self._runner().parse(inputs, self._wanted_of_documents())
        results = [outcome for outcome in outcomes if isinstance(outcome, ParseResult)]
        documents = await in_thread(lambda: [document for result in results for document in self.documents_of(result)])
        return outcomes, single, documents

    async def _job(self, job_id: str, source: FileInput | None, extra_info: ExtraInfo) -> ParseJob:
        # Without a source the file is still unknown, but its metadata may be given.
        inputs, _ = sort_out(b"" if source is None else source, extra_info)
        given = dict(inputs[0].extra_info or {})
        return await self._runner().job(job_id, None if source is None else inputs[0], self._wanted(), given)

    async def _get_result(self, job_id: str, source: FileInput | None, extra_info: ExtraInfo) -> ParseResult:
        job = await self._job(job_id, source, extra_info)
        return await job.aresult()

    def _outcomes(self, *, log: bool = False) -> Outcomes:
        return Outcomes(self.on_error, self._state.failures, parse_event, log=log)
