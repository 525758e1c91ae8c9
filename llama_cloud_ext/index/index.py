"""LlamaCloudIndex: a LlamaIndex index that LlamaCloud keeps, parses, embeds and searches."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index import configuration, engines
from llama_cloud_ext.index.connected import ARGUMENTS
from llama_cloud_ext.index.document_methods import DocumentMethods
from llama_cloud_ext.index.file_methods import FileMethods
from llama_cloud_ext.index.ingestion import Awaited, wait_for_ingestion
from llama_cloud_ext.index.named_index import refuse_unknown
from llama_cloud_ext.index.retriever import SETTINGS, LlamaCloudRetriever
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.wire import pipelines
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.ingestion_status import ManagedIngestionStatus
from llama_cloud_ext.wire.models.strict import explain_unknown_name
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_clients
from llama_cloud_ext.wire.transport import connection_for

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.chat_engine.types import BaseChatEngine, ChatMode
    from llama_index.core.schema import Document
    from typing_extensions import Self

    from llama_cloud_ext.index.reference import IndexReference

logger = logging.getLogger(__name__)

ChatModeName = Literal["best", "context", "condense_question", "condense_plus_context", "simple"]


class LlamaCloudIndex(DocumentMethods, FileMethods):
    """An index on LlamaCloud: documents and files go in, retrievers, query engines and chat engines come out.

    No request is made before the index is used; a name is looked up then, once. Can be used from any number of threads
    and event loops. Every method has an asynchronous twin with an `a` in front.

    Args:
        name: The index's name within its project; or one of the ids.
        id: The index's id, which the service calls pipeline id; `index_id` and `pipeline_id` mean the same.
        index_id: The same as `id`.
        pipeline_id: The same as `id`.
        project_name: The project in which a name is looked up, without regard to case; None for the key's default
            project. Not needed with `project_id`, nor with an id.
        app_url: Where a person looks at the index; `LLAMA_CLOUD_APP_URL`, else LlamaCloud's own address.
        show_progress: True for bars on stderr, or a callable that receives a `Progress`.
        ingestion_timeout: Seconds that inserting calls wait for ingestion; None waits for ever.
        callback_manager: LlamaIndex callbacks.
        nodes: Not taken: the service makes nodes of documents by itself.
        transformations: Not taken: `transform_config` of `create_index` says how documents are split.
        **connection: `api_key`, `base_url`, `region`, `project_id`, `organization_id`, `headers`, `verify`, `proxy`,
            `timeout`, `transport`, `requests_per_minute` and `retry_budget`; see `LlamaParseReader`.

    Raises:
        ConfigurationError: An argument is unknown or cannot work, or not exactly one index is named.

    Example:
        ```python
        from llama_index.core import SimpleDirectoryReader

        from llama_cloud_ext import LlamaCloudIndex, LlamaParseReader

        reader = SimpleDirectoryReader("./data", file_extractor={".pdf": LlamaParseReader(tier="cost_effective")})
        index = LlamaCloudIndex.from_documents(reader.load_data(), "my-first-index")
        for node in index.as_retriever(dense_similarity_top_k=5).retrieve("What is it about?"):
            print(node.score, node.metadata["file_name"], node.metadata.get("page_number"))
        ```
    """

    RETRIEVER_SETTINGS = SETTINGS

    # Creation

    @classmethod
    @span
    def create_index(cls, name: str, **options: Any) -> Self:
        """Create an index, or bring the configuration of the one of this name up to date.

        Args:
            name: Its name within the project.
            **options: `embedding_config`, `transform_config`, `llama_parse_parameters`, `sparse_model_config`,
                `data_sink`, `data_sink_id`, `preset_retrieval_parameters` and `metadata_config`, each as a model of
                this package, a dict in the API's shape, or the official SDK's type; `verbose` logs the result; the
                others are the constructor's.

        Returns:
            The index.

        Raises:
            ConfigurationError: An option is unknown or cannot work; nothing was sent.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            index = LlamaCloudIndex.create_index("handbook", transform_config={"chunk_size": 512, "chunk_overlap": 64})
            ```
        """
        index, body, verbose = cls._prepared(name, options)
        run(_create, index.reference, body)
        index._announce(verbose)
        return index

    @classmethod
    @span
    async def acreate_index(cls, name: str, **options: Any) -> Self:
        """The asynchronous twin of `create_index`."""
        index, body, verbose = cls._prepared(name, options)
        await run_async(_create, index.reference, body)
        index._announce(verbose)
        return index

    @classmethod
    @span
    def from_documents(  # type: ignore[override]  # the service splits and stores: there are no transformations here
        cls, documents: Iterable[Document], name: str, *, raise_on_error: bool = True, **options: Any
    ) -> Self:
        """Create an index, send it documents, and wait until they can be searched.

        Args:
            documents: The documents; an iterator is read as they are sent, so that memory stays flat.
            name: The index's name within the project.
            raise_on_error: Whether documents that fail raise; else they are logged.
            **options: As for `create_index`.

        Returns:
            The index.

        Raises:
            ConfigurationError: An option is unknown or cannot work; nothing was sent.
            PartialFailureError: The service refused some documents; the others are in the index.
            IngestionError: Some documents could not be ingested; each is named with its reason.
            JobDeadlineError: It took longer than `ingestion_timeout`; ingestion goes on.

        Example:
            ```python
            from llama_index.core import Document

            from llama_cloud_ext import LlamaCloudIndex

            index = LlamaCloudIndex.from_documents([Document(text="Cats sleep a lot.")], "animals")
            print(index.as_retriever().retrieve("How long do cats sleep?")[0].text)
            ```
        """
        index, body, verbose = cls._prepared(name, options)
        run(_create, index.reference, body)
        run(index._ingest, documents, replace=False, raise_on_error=raise_on_error, verbose=verbose)
        index._announce(verbose)
        return index

    @classmethod
    @span
    async def afrom_documents(
        cls, documents: Iterable[Document], name: str, *, raise_on_error: bool = True, **options: Any
    ) -> Self:
        """The asynchronous twin of `from_documents`."""
        index, body, verbose = cls._prepared(name, options)
        await run_async(_create, index.reference, body)
        await run_async(index._ingest, documents, replace=False, raise_on_error=raise_on_error, verbose=verbose)
        index._announce(verbose)
        return index

    @classmethod
    def _prepared(cls, name: str, options: Mapping[str, Any]) -> tuple[Self, dict[str, Any], bool]:
        given = dict(options)
        verbose = bool(given.pop("verbose", False))
        settings = {key: given.pop(key) for key in configuration.OPTIONS if key in given}
        body = configuration.pipeline_body(name, settings)
        _check_names(given)
        return cls(name, **given), body, verbose

    def _announce(self, verbose: bool) -> None:
        record = self.reference.known_record or {}
        level = logging.INFO if verbose else logging.DEBUG
        logger.log(level, "index %s is %s", record.get("name"), record.get("id"))

    # Waiting

    @span
    def wait_for_completion(
        self,
        file_ids: Collection[str] | None = None,
        doc_ids: Collection[str] | None = None,
        verbose: bool = False,
        raise_on_partial_success: bool = False,
        raise_on_error: bool = True,
        sleep_interval: float | None = None,
        *,
        timeout: float | None = None,
    ) -> ManagedIngestionStatus:
        """Wait until files and documents, and last the index itself, are ingested.

        Looks become rarer as the wait grows longer; each costs one request, however many files and documents there are.

        Args:
            file_ids: Files to wait for, and to look at for failures.
            doc_ids: Documents to wait for, and to look at for failures. With neither, everything in the index counts.
            verbose: Whether the outcome is logged at INFO.
            raise_on_partial_success: Whether an index of which a part failed raises although `raise_on_error` is off.
            raise_on_error: Whether failures raise; else they are logged.
            sleep_interval: Taken for the sake of older code and not used, as intervals follow the length of the wait.
            timeout: The most seconds to wait; the index's `ingestion_timeout` by default. With 0 everything is looked
                at once.

        Returns:
            The index's final status.

        Raises:
            IngestionError: Documents or files failed; each is named with its reason.
            JobFailedError: The index as a whole failed.
            JobDeadlineError: The time is up; ingestion goes on, and can be waited for again.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            index = LlamaCloudIndex("handbook")
            index.upload_file("report.pdf", wait_for_ingestion=False)
            print(index.wait_for_completion(timeout=600).status)
            ```
        """
        awaited = self._awaited(doc_ids, file_ids, raise_on_error, raise_on_partial_success, timeout)
        _warn_of_interval(sleep_interval)
        return self._completed(run(self._wait, awaited), verbose)

    @span
    async def await_for_completion(
        self,
        file_ids: Collection[str] | None = None,
        doc_ids: Collection[str] | None = None,
        verbose: bool = False,
        raise_on_partial_success: bool = False,
        raise_on_error: bool = True,
        sleep_interval: float | None = None,
        *,
        timeout: float | None = None,
    ) -> ManagedIngestionStatus:
        """The asynchronous twin of `wait_for_completion`, as the existing class spells it."""
        awaited = self._awaited(doc_ids, file_ids, raise_on_error, raise_on_partial_success, timeout)
        _warn_of_interval(sleep_interval)
        return self._completed(await run_async(self._wait, awaited), verbose)

    def status(self) -> ManagedIngestionStatus:
        """How far the index has come, without waiting: `.status`, and `.errors` where something failed."""
        return run(self._status)

    async def astatus(self) -> ManagedIngestionStatus:
        """The asynchronous twin of `status`."""
        return await run_async(self._status)

    def _completed(self, status: ManagedIngestionStatus, verbose: bool) -> ManagedIngestionStatus:
        logger.log(logging.INFO if verbose else logging.DEBUG, "ingestion of %r ended: %s", self, status.status)
        return status

    # Use

    def as_retriever(self, **settings: Any) -> LlamaCloudRetriever:
        """A retriever of this index.

        Args:
            **settings: As `LlamaCloudRetriever` takes them; an unknown one raises.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudIndex

            retriever = LlamaCloudIndex("handbook").as_retriever(dense_similarity_top_k=5, alpha=0.5)
            ```
        """
        settings.setdefault("callback_manager", self._callback_manager)
        settings.setdefault("object_map", self._object_map)
        return LlamaCloudRetriever.of(self.reference, **settings)

    def as_query_engine(self, llm: Any = None, **settings: Any) -> BaseQueryEngine:
        """A query engine over this index: retrieves, and has an LLM answer from what was found.

        Args:
            llm: The LLM, or the name of one; `Settings.llm` by default.
            **settings: Settings of `LlamaCloudRetriever` and `RetrieverQueryEngine.from_args`; an unknown one raises.

        Example:
            ```python
            from llama_index.core.llms import MockLLM

            from llama_cloud_ext import LlamaCloudIndex

            engine = LlamaCloudIndex("handbook").as_query_engine(llm=MockLLM(), dense_similarity_top_k=5)
            print(engine.query("How many days of leave are there?"))
            ```
        """
        return engines.query_engine(self, llm, settings)

    def as_chat_engine(
        self, chat_mode: ChatMode | ChatModeName = "best", llm: Any = None, **settings: Any
    ) -> BaseChatEngine:
        """A chat engine over this index.

        Args:
            chat_mode: As LlamaIndex has it: "best" (the same as "condense_plus_context"), "context",
                "condense_question", "condense_plus_context" or "simple".
            llm: The LLM, or the name of one; `Settings.llm` by default.
            **settings: Settings of `LlamaCloudRetriever` and of the mode's chat engine; an unknown one raises.
        """
        return engines.chat_engine(self, chat_mode, llm, settings)

    # Deletion

    def delete(self, doc_id: str | None = None, **delete_kwargs: Any) -> None:
        """Delete the whole index from the service, with its documents and nodes.

        Args:
            doc_id: Delete this document only, as LlamaIndex's deprecated method of this name does.
            **delete_kwargs: As `delete_ref_doc` takes them; only with a document.
        """
        if doc_id is not None:
            self.delete_ref_doc(doc_id, **delete_kwargs)
            return
        refuse_unknown(delete_kwargs)
        run(self._delete)

    async def adelete(self, doc_id: str | None = None, **delete_kwargs: Any) -> None:
        """The asynchronous twin of `delete`."""
        if doc_id is not None:
            await self.adelete_ref_doc(doc_id, **delete_kwargs)
            return
        refuse_unknown(delete_kwargs)
        await run_async(self._delete)

    # On the I/O loop

    async def _wait(self, awaited: Awaited) -> ManagedIngestionStatus:
        return await wait_for_ingestion(await self.reference.find(), awaited)

    async def _status(self) -> ManagedIngestionStatus:
        found = await self.reference.find()
        return ManagedIngestionStatus(await pipelines.status(found.connection, found.pipeline_id, full_details=True))

    async def _delete(self) -> None:
        found = await self.reference.find()
        await pipelines.delete(found.connection, found.pipeline_id)
        self.reference.forget()


async def _create(reference: IndexReference, body: dict[str, Any]) -> None:
    """Upsert the index; what it answers is known from then on."""
    settings = await reference.project_settings()
    reference.know(await pipelines.upsert(connection_for(settings), body), settings)


def _check_names(given: Mapping[str, Any]) -> None:
    refuse_clients(given)
    known = [*ARGUMENTS, *ConnectionOptions.model_fields]
    for name in given:
        if name not in (*known, "nodes", "transformations"):
            raise ConfigurationError(
                explain_unknown_name(name, [*known, *configuration.OPTIONS, "verbose"]), option=name
            )


def _warn_of_interval(sleep_interval: float | None) -> None:
    if sleep_interval is not None:
        warnings.warn(
            "sleep_interval has no effect: looks become rarer as the wait grows longer",
            DeprecationWarning,
            stacklevel=3,
        )
