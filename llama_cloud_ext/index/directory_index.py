"""LlamaCloudDirectoryIndex: a LlamaIndex index over a directory of files that LlamaCloud parses and searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.errors import ConfigurationError, LlamaCloudError
from llama_cloud_ext.index import directory_tools, engines
from llama_cloud_ext.index.connection import connection_options, index_reference
from llama_cloud_ext.index.directory_files import NewFile, files_of_documents, files_of_folder
from llama_cloud_ext.index.directory_methods import DirectoryMethods, settle_outcomes
from llama_cloud_ext.index.directory_reading_methods import DirectoryReadingMethods
from llama_cloud_ext.index.directory_retriever import SETTINGS, LlamaCloudDirectoryRetriever
from llama_cloud_ext.index.directory_sync_methods import DirectorySyncMethods
from llama_cloud_ext.index.named_index import DEFAULT_INGESTION_TIMEOUT, refuse_local_work, refuse_unknown
from llama_cloud_ext.index.reference import DIRECTORY_INDEXES
from llama_cloud_ext.instrumentation import span
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire import directories, indexes
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.directory import DirectoryOptions
from llama_cloud_ext.wire.models.directory_index import DirectoryIndexOptions
from llama_cloud_ext.wire.transport import connection_for

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.callbacks.base import CallbackManager
    from llama_index.core.chat_engine.types import BaseChatEngine, ChatMode
    from llama_index.core.schema import Document
    from llama_index.core.tools import FunctionTool
    from typing_extensions import Self, Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

ChatModeName = Literal["best", "context", "condense_question", "condense_plus_context", "simple"]
ARGUMENTS = ("project_name", "show_progress", "ingestion_timeout", "callback_manager")
OPTIONS = ("description", "products", "store_attachments", "sync_frequency", "vector_target", "source_directory_id")


class LlamaCloudDirectoryIndex(DirectoryMethods, DirectoryReadingMethods, DirectorySyncMethods):
    """An index over a directory on LlamaCloud: files go into the directory, and the index follows when it is synced.

    This is the service's newer kind of index. Beside retrieval it lists, greps and reads whole files, also as tools of
    an agent (`as_tools`). No request is made before the index is used; a name is looked up then, once. Can be used from
    any number of threads and event loops. Every method has an asynchronous twin with an `a` in front.

    Args:
        name: The index's name within its project; or its id.
        id: The index's id; `index_id` means the same.
        index_id: The same as `id`.
        project_name: The project in which a name is looked up, without regard to case; None for the key's default
            project. Not needed with `project_id`, nor with an id.
        show_progress: True for bars on stderr, or a callable that receives a `Progress`.
        ingestion_timeout: Seconds that inserting calls wait for the sync; None waits for ever.
        callback_manager: LlamaIndex callbacks.
        nodes: Not taken: the service makes nodes of files by itself.
        transformations: Not taken, for the same reason.
        **connection: `api_key`, `base_url`, `region`, `project_id`, `organization_id`, `headers`, `verify`, `proxy`,
            `timeout`, `transport`, `requests_per_minute` and `retry_budget`; see `LlamaParseReader`.

    Raises:
        ConfigurationError: An argument is unknown or cannot work, or not exactly one index is named.

    Example:
        ```python
        from llama_cloud_ext import LlamaCloudDirectoryIndex

        index = LlamaCloudDirectoryIndex.from_folder("./data", "my-data")
        for node in index.as_retriever(top_k=3).retrieve("What is it about?"):
            print(node.score, node.metadata["file_name"], node.metadata.get("page_number"))
        ```
    """

    RETRIEVER_SETTINGS = SETTINGS

    def __init__(
        self,
        name: str | None = None,
        *,
        id: str | None = None,
        index_id: str | None = None,
        project_name: str | None = None,
        show_progress: ShowProgress = False,
        ingestion_timeout: float | None = DEFAULT_INGESTION_TIMEOUT,
        callback_manager: CallbackManager | None = None,
        nodes: Any = None,
        transformations: Any = None,
        **connection: Unpack[ConnectionArguments],
    ) -> None:
        """Settle which index is meant; nothing is sent yet."""
        refuse_local_work(nodes=nodes, transformations=transformations)
        options = connection_options(dict(connection), known=("name", "id", *ARGUMENTS, *OPTIONS))
        reference = index_reference(
            options, kind=DIRECTORY_INDEXES, name=name, ids={"id": id, "index_id": index_id}, project_name=project_name
        )
        super().__init__(
            reference,
            show_progress=show_progress,
            ingestion_timeout=ingestion_timeout,
            callback_manager=callback_manager,
        )

    # What the service says of the index

    @property
    def record(self) -> dict[str, Any]:
        """The index's record: its directories, its state and when it was synced. Read at first use; see `status`."""
        return run(self.reference.record)

    async def arecord(self) -> dict[str, Any]:
        """The asynchronous twin of `record`."""
        return await run_async(self.reference.record)

    @property
    def directory_id(self) -> str:
        """The id of the directory that the index is over."""
        return run(self._directory)

    async def adirectory_id(self) -> str:
        """The asynchronous twin of `directory_id`."""
        return await run_async(self._directory)

    # Creation

    @classmethod
    @span
    def create_index(cls, name: str, **options: Any) -> Self:
        """Create an index over a directory, or connect to the one of this name.

        Args:
            name: Its name within the project, which its new directory gets as well.
            **options: `description`, `products`, `store_attachments`, `sync_frequency` and `vector_target` as the
                service has them; `source_directory_id` of a directory that exists; the others are the constructor's.

        Returns:
            The index.

        Raises:
            ConfigurationError: An option is unknown or cannot work; nothing was sent.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            index = LlamaCloudDirectoryIndex.create_index("invoices", sync_frequency="manual")
            print(index.id, index.directory_id)
            ```
        """
        index, settings, directory_id = cls._prepared(name, options)
        run(index._create, settings, directory_id, [])
        return index

    @classmethod
    @span
    async def acreate_index(cls, name: str, **options: Any) -> Self:
        """The asynchronous twin of `create_index`."""
        index, settings, directory_id = cls._prepared(name, options)
        await run_async(index._create, settings, directory_id, [])
        return index

    @classmethod
    @span
    def from_documents(  # type: ignore[override]  # the service splits and embeds, so that core's options mean nothing
        cls, documents: Iterable[Document], name: str, *, raise_on_error: bool = True, **options: Any
    ) -> Self:
        """Create an index of Documents, each a text file in its directory, and wait until it can be searched.

        Args:
            documents: The Documents. Those that are in there as they are cost nothing.
            name: The index's name.
            raise_on_error: Whether failures raise; else they are logged.
            **options: As `create_index` takes them.

        Returns:
            The index.

        Raises:
            PartialFailureError: Some Documents could not be sent; the others are in the index.
            IngestionError: Some could not be ingested; each is named with its reason.

        Example:
            ```python
            from llama_index.core import Document

            from llama_cloud_ext import LlamaCloudDirectoryIndex

            index = LlamaCloudDirectoryIndex.from_documents([Document(text="Cats sleep a lot.")], "sleepers")
            print(index.as_retriever().retrieve("How long do cats sleep?")[0].text)
            ```
        """
        index, settings, directory_id = cls._prepared(name, options)
        run(index._create, settings, directory_id, files_of_documents(documents), raise_on_error)
        return index

    @classmethod
    @span
    async def afrom_documents(
        cls, documents: Iterable[Document], name: str, *, raise_on_error: bool = True, **options: Any
    ) -> Self:
        """The asynchronous twin of `from_documents`."""
        index, settings, directory_id = cls._prepared(name, options)
        await run_async(index._create, settings, directory_id, files_of_documents(documents), raise_on_error)
        return index

    @classmethod
    @span
    def from_folder(
        cls,
        folder: str | Path,
        name: str,
        *,
        custom_metadata: Mapping[str, Any] | None = None,
        leave_out: Sequence[str | Path] = (),
        raise_on_error: bool = True,
        **options: Any,
    ) -> Self:
        """Create an index of the files of a folder and of those below it, and wait until it can be searched.

        Called again, it uploads what is new or has changed, by content; what is gone from the folder stays.

        Args:
            folder: The folder; hidden files and folders are passed over.
            name: The index's name.
            custom_metadata: Metadata for all files.
            leave_out: Folders to pass over.
            raise_on_error: Whether failures raise; else they are logged.
            **options: As `create_index` takes them.

        Returns:
            The index.

        Raises:
            SourceError: This is no folder.
            PartialFailureError: Some files could not be sent; the others are in the index.
            IngestionError: Some could not be parsed; each is named with its reason.
        """
        index, settings, directory_id = cls._prepared(name, options)
        files = run(files_of_folder, Path(folder), [*map(Path, leave_out)], custom_metadata)
        run(index._create, settings, directory_id, files, raise_on_error)
        return index

    @classmethod
    @span
    async def afrom_folder(
        cls,
        folder: str | Path,
        name: str,
        *,
        custom_metadata: Mapping[str, Any] | None = None,
        leave_out: Sequence[str | Path] = (),
        raise_on_error: bool = True,
        **options: Any,
    ) -> Self:
        """The asynchronous twin of `from_folder`."""
        index, settings, directory_id = cls._prepared(name, options)
        files = await run_async(files_of_folder, Path(folder), [*map(Path, leave_out)], custom_metadata)
        await run_async(index._create, settings, directory_id, files, raise_on_error)
        return index

    @classmethod
    def _prepared(cls, name: str, options: Mapping[str, Any]) -> tuple[Self, DirectoryIndexOptions, str | None]:
        given = dict(options)
        settings = {key: given.pop(key) for key in OPTIONS if key in given}
        directory_id = settings.pop("source_directory_id", None)
        return cls(name, **given), DirectoryIndexOptions(name=name, **settings), directory_id

    # Use

    def as_retriever(self, **settings: Any) -> LlamaCloudDirectoryRetriever:
        """A retriever of this index.

        Args:
            **settings: As `LlamaCloudDirectoryRetriever` takes them; an unknown one raises.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            retriever = LlamaCloudDirectoryIndex("reports").as_retriever(top_k=5, rerank_top_n=3)
            ```
        """
        settings.setdefault("callback_manager", self._callback_manager)
        settings.setdefault("object_map", self._object_map)
        return LlamaCloudDirectoryRetriever.of(self.reference, **settings)

    def as_query_engine(self, llm: Any = None, **settings: Any) -> BaseQueryEngine:
        """A query engine over this index: retrieves, and has an LLM answer from what was found.

        Args:
            llm: The LLM, or the name of one; `Settings.llm` by default.
            **settings: Settings of `LlamaCloudDirectoryRetriever` and `RetrieverQueryEngine.from_args`; an unknown one
                raises.
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
            **settings: Settings of `LlamaCloudDirectoryRetriever` and of the mode's chat engine; an unknown one raises.
        """
        return engines.chat_engine(self, chat_mode, llm, settings)

    def as_tools(self, name_prefix: str = "", **settings: Any) -> list[FunctionTool]:
        """Tools with which an agent searches, lists, greps and reads the files of this index.

        Args:
            name_prefix: What their names begin with, so that an agent can have those of several indexes.
            **settings: Settings of the search, as `LlamaCloudDirectoryRetriever` takes them.

        Returns:
            `retrieve`, `find_files`, `grep_file` and `read_file`. Their answers are texts of bounded length; what was
            wrong with a question, such as an unknown id, is answered as well, so that the agent can go on.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudDirectoryIndex

            tools = LlamaCloudDirectoryIndex("reports").as_tools("reports_", top_k=5)
            print([tool.metadata.name for tool in tools])
            print(tools[0].call(query="What does the table show?").content)
            ```
        """
        return directory_tools.tools_of(self, name_prefix, settings)

    # Deletion

    def delete(self, doc_id: str | None = None, *, delete_directory: bool = False, **delete_kwargs: Any) -> None:
        """Delete the index from the service.

        Args:
            doc_id: Delete this Document only, as LlamaIndex's deprecated method of this name does.
            delete_directory: Whether the index's directory is deleted, too, with the files in it.
            **delete_kwargs: As `delete_ref_doc` takes them; only with a Document.
        """
        if doc_id is not None:
            self.delete_ref_doc(doc_id, **delete_kwargs)
            return
        refuse_unknown(delete_kwargs)
        run(self._delete, delete_directory)

    async def adelete(self, doc_id: str | None = None, *, delete_directory: bool = False, **delete_kwargs: Any) -> None:
        """The asynchronous twin of `delete`."""
        if doc_id is not None:
            await self.adelete_ref_doc(doc_id, **delete_kwargs)
            return
        refuse_unknown(delete_kwargs)
        await run_async(self._delete, delete_directory)

    # On the I/O loop

    async def _create(
        self,
        settings: DirectoryIndexOptions,
        directory_id: str | None,
        files: Sequence[NewFile],
        raise_on_error: bool = True,
    ) -> None:
        """Connect to the index of this name, or create it; files go in first, so that its first sync has them."""
        scoped = await self.reference.project_settings()
        connection = connection_for(scoped)
        known = [
            one for one in await DIRECTORY_INDEXES.named(connection, settings.name) if one.get("name") == settings.name
        ]
        if len(known) > 1:
            await self.reference.find()  # raises, naming them
        if known:
            _check_directory(known[0], directory_id)
            self.reference.know(known[0], scoped)
            if files:
                await self._put_changed(files, False, raise_on_error)
            return
        own = directory_id is None
        if directory_id is None:
            made = await directories.create(connection, DirectoryOptions(name=str(settings.name)))
            directory_id = str(made["id"])
        try:
            outcomes = await self._bring(connection, directory_id, files, False) if files else []
            record = await indexes.create(connection, directory_id, settings)
        except BaseException:
            if own:
                with suppress(LlamaCloudError):
                    await directories.delete(connection, directory_id)
            raise
        self.reference.know(record, scoped)
        if files:
            await self._wait(raise_on_error, None)
        settle_outcomes(outcomes, raise_on_error)

    async def _delete(self, delete_directory: bool) -> None:
        found = await self.reference.find()
        directory_id = await self._directory() if delete_directory else None
        await indexes.delete(found.connection, found.index_id)
        if directory_id is not None:
            await directories.delete(found.connection, directory_id)
        self.reference.forget()


def _check_directory(record: Mapping[str, Any], directory_id: str | None) -> None:
    if directory_id is not None and record.get("source_directory_id") != directory_id:
        raise ConfigurationError(
            f"index {record.get('name')!r} is over directory {record.get('source_directory_id')}",
            option="source_directory_id",
            hint="Give the index another name.",
        )
