"""LlamaCloudCompositeRetriever: one query over several indexes, all of them or the ones that fit."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_cloud_ext.errors import ConfigurationError, NotFoundError
from llama_cloud_ext.index.connection import connection_options
from llama_cloud_ext.index.nodes import mode_of, text_node, with_score
from llama_cloud_ext.index.reference import find_project
from llama_cloud_ext.index.retrieval import pictures
from llama_cloud_ext.wire import retrievers
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.retrieval import PresetRetrievalParams, ReRankConfig, RetrieverPipeline
from llama_cloud_ext.wire.models.settling import answered, settle
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_number, as_objects
from llama_cloud_ext.wire.transport import Connection, connection_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.callbacks.base import CallbackManager
    from llama_index.core.schema import IndexNode
    from typing_extensions import Unpack

    from llama_cloud_ext.index.index import LlamaCloudIndex
    from llama_cloud_ext.wire.settings import ConnectionArguments

CompositeRetrievalMode = Literal["full", "routing"]

# For the message about an unknown one.
_ARGUMENTS = (
    "name",
    "retriever_id",
    "project_name",
    "create_if_not_exists",
    "mode",
    "rerank_top_n",
    "rerank_config",
    "persisted",
)
# What a node says of where it came from; models need not read it.
_ORIGIN = ("pipeline_id", "retriever_id", "retriever_pipeline_name")


class LlamaCloudCompositeRetriever(BaseRetriever):
    """Retrieves from several indexes with one query.

    No request is made before the retriever is used: it is looked up then, or created, once.

    Args:
        name: The retriever's name within the project.
        retriever_id: Its id, instead of the name.
        project_name: The project, without regard to case; None for the key's default project.
        create_if_not_exists: Whether a retriever of this name is created at first use where there is none.
        mode: "full" asks all indexes, "routing" those whose descriptions fit the query; None leaves it to the service.
        rerank_top_n: How many nodes are left after re-ranking; beats the `top_n` of `rerank_config`.
        rerank_config: How nodes of several indexes are ordered: `{"type": …, "top_n": …}`, a `ReRankConfig`, or the
            official SDK's type.
        persisted: Whether the retriever lives on the service. One that does not keeps its indexes in this object and
            sends them with every query.
        app_url: Taken for the sake of older code; a retriever has no use for it.
        callback_manager: LlamaIndex callbacks.
        object_map: Objects behind IndexNodes, by their index ids.
        objects: IndexNodes whose objects are entered when they are retrieved.
        verbose: Whether LlamaIndex prints when it enters an object.
        **connection: `api_key`, `base_url`, `region`, `project_id`, `organization_id`, `headers`, `verify`, `proxy`,
            `timeout`, `transport`, `requests_per_minute` and `retry_budget`; see `LlamaParseReader`.

    Raises:
        ConfigurationError: An argument is unknown or contradicts another.

    Example:
        ```python
        from llama_cloud_ext import LlamaCloudCompositeRetriever, LlamaCloudIndex

        retriever = LlamaCloudCompositeRetriever("everything", create_if_not_exists=True, mode="full", rerank_top_n=5)
        retriever.add_index(LlamaCloudIndex("handbook"), description="Rules for employees.")
        retriever.add_index(LlamaCloudIndex("contracts"), description="Contracts with suppliers.")
        nodes = retriever.retrieve("What is the notice period?")
        ```
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        retriever_id: str | None = None,
        project_name: str | None = None,
        create_if_not_exists: bool = False,
        mode: CompositeRetrievalMode | None = None,
        rerank_top_n: int | None = None,
        rerank_config: Any = None,
        persisted: bool | None = True,
        app_url: str | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
        **connection: Unpack[ConnectionArguments],
    ) -> None:
        """Check the arguments; nothing is sent yet."""
        self._persisted = persisted is not False
        if self._persisted and bool(name) == bool(retriever_id):
            raise ConfigurationError(
                "exactly one of name and retriever_id says which retriever is meant",
                option="name",
                hint="Leave both out with persisted=False, for a retriever that lives in this object alone.",
            )
        if mode not in (None, "full", "routing"):
            raise ConfigurationError(f"there is no mode {mode!r}", option="mode", hint='Use "full" or "routing".')
        self.name = name
        self.project_name = project_name
        self._retriever_id = retriever_id
        self._create = create_if_not_exists
        self._mode = mode
        self._rerank_top_n = rerank_top_n
        self._rerank_config = settle(ReRankConfig, rerank_config)
        self._options = connection_options(dict(connection), known=_ARGUMENTS)
        self._record: dict[str, Any] | None = None
        if not self._persisted:
            self._record = {"id": retriever_id or str(uuid.uuid4()), "name": name, "pipelines": []}
        super().__init__(callback_manager=callback_manager, object_map=object_map, objects=objects, verbose=verbose)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name or self._retriever_id!r})"

    @property
    def retriever(self) -> dict[str, Any]:
        """The retriever's record: `id`, `name`, `project_id`, `pipelines`. Looked up at first use."""
        return run(self._find)[0]

    async def aretriever(self) -> dict[str, Any]:
        """The asynchronous twin of `retriever`."""
        return (await run_async(self._find))[0]

    @property
    def retriever_pipelines(self) -> list[RetrieverPipeline]:
        """The indexes that are asked, each with its name, description and preset retrieval parameters."""
        return _pipelines(self.retriever)

    async def aretriever_pipelines(self) -> list[RetrieverPipeline]:
        """The asynchronous twin of `retriever_pipelines`."""
        return _pipelines(await self.aretriever())

    def update_retriever_pipelines(self, pipelines: Sequence[Any]) -> dict[str, Any]:
        """Replace the indexes that are asked.

        Args:
            pipelines: `RetrieverPipeline`s, dicts, or objects of the official SDK.

        Returns:
            The retriever's record.

        Example:
            ```python
            from llama_cloud_ext import LlamaCloudCompositeRetriever

            retriever = LlamaCloudCompositeRetriever("everything", create_if_not_exists=True)
            retriever.update_retriever_pipelines([])
            ```
        """
        return run(self._update, pipelines)

    async def aupdate_retriever_pipelines(self, pipelines: Sequence[Any]) -> dict[str, Any]:
        """The asynchronous twin of `update_retriever_pipelines`."""
        return await run_async(self._update, pipelines)

    def add_index(
        self,
        index: LlamaCloudIndex,
        name: str | None = None,
        description: str | None = None,
        preset_retrieval_parameters: Any = None,
    ) -> dict[str, Any]:
        """Add an index, or replace the one that was added under the same name.

        Args:
            index: The index.
            name: What it is called in here; the index's name by default.
            description: What is in it; routing decides by this.
            preset_retrieval_parameters: How it is asked; the index's preset by default.

        Returns:
            The retriever's record.
        """
        return run(self._add, index, name, description, preset_retrieval_parameters)

    async def aadd_index(
        self,
        index: LlamaCloudIndex,
        name: str | None = None,
        description: str | None = None,
        preset_retrieval_parameters: Any = None,
    ) -> dict[str, Any]:
        """The asynchronous twin of `add_index`."""
        return await run_async(self._add, index, name, description, preset_retrieval_parameters)

    # As the existing class spells it.
    async_add_index = aadd_index

    def remove_index(self, name: str) -> bool:
        """Remove an index by the name it was added under.

        Args:
            name: The name.

        Returns:
            Whether there was one.
        """
        return run(self._remove, name)

    async def aremove_index(self, name: str) -> bool:
        """The asynchronous twin of `remove_index`."""
        return await run_async(self._remove, name)

    def delete(self) -> None:
        """Delete the retriever from the service; its indexes stay."""
        run(self._delete)

    async def adelete(self) -> None:
        """The asynchronous twin of `delete`."""
        await run_async(self._delete)

    def _retrieve(self, query_bundle: QueryBundle, **settings: Any) -> list[NodeWithScore]:
        return run(self._search, query_bundle.query_str, **settings)

    async def _aretrieve(self, query_bundle: QueryBundle, **settings: Any) -> list[NodeWithScore]:
        return await run_async(self._search, query_bundle.query_str, **settings)

    # On the I/O loop

    async def _find(self) -> tuple[dict[str, Any], Connection]:
        """The record, and the connection scoped to its project."""
        settings = self._options.settings()
        if self._record is not None:
            return self._record, connection_for(settings.scoped(project_id=self._record.get("project_id")))
        if self._retriever_id is not None:
            self._record = await retrievers.get(connection_for(settings), self._retriever_id)
            return self._record, connection_for(settings)
        project_id = settings.project_id or str((await find_project(settings, self.project_name))["id"])
        connection = connection_for(settings.scoped(project_id=project_id))
        known = await retrievers.list_retrievers(connection, name=self.name)
        record = next((one for one in known if one.get("name") == self.name), None)
        if record is None and self._create:
            record = await retrievers.upsert(connection, {"name": self.name, "pipelines": []})
        if record is None:
            raise NotFoundError(
                f"{settings.host} has no composite retriever {self.name!r} in this project",
                status=404,
                hint="create_if_not_exists=True creates it.",
            )
        self._record = {"project_id": project_id, **record}
        return self._record, connection

    async def _update(self, pipelines: Sequence[Any]) -> dict[str, Any]:
        record, connection = await self._find()
        settled = [settle(RetrieverPipeline, pipeline) for pipeline in pipelines]
        bodies = [pipeline.to_body() for pipeline in settled if pipeline is not None]
        if self._persisted:
            self._record = {**record, **await retrievers.update(connection, str(record["id"]), {"pipelines": bodies})}
        else:
            self._record = {**record, "pipelines": bodies}
        return self._record

    async def _add(
        self, index: LlamaCloudIndex, name: str | None, description: str | None, preset: Any
    ) -> dict[str, Any]:
        found = await index.reference.find()
        if name is None or preset is None:
            pipeline = await index.reference.record()
            name = name or str(pipeline.get("name"))
            if preset is None and (own := as_mapping(pipeline.get("preset_retrieval_parameters"))):
                preset = answered(PresetRetrievalParams, own)
        added = RetrieverPipeline(
            pipeline_id=found.pipeline_id, name=name, description=description, preset_retrieval_parameters=preset
        )
        record, _ = await self._find()
        others = [pipeline for pipeline in _pipelines(record) if pipeline.name != name]
        return await self._update([*others, added])

    async def _remove(self, name: str) -> bool:
        record, _ = await self._find()
        pipelines = _pipelines(record)
        left = [pipeline for pipeline in pipelines if pipeline.name != name]
        if len(left) == len(pipelines):
            return False
        await self._update(left)
        return True

    async def _delete(self) -> None:
        record, connection = await self._find()
        if self._persisted:
            await retrievers.delete(connection, str(record["id"]))
        self._record = None if self._persisted else {**record, "pipelines": []}

    async def _search(
        self,
        query: str,
        mode: CompositeRetrievalMode | None = None,
        rerank_top_n: int | None = None,
        rerank_config: Any = None,
    ) -> list[NodeWithScore]:
        record, connection = await self._find()
        body: dict[str, Any] = {"query": query}
        if (mode := mode or self._mode) is not None:
            body["mode"] = mode
        if rerank := self._rerank(rerank_top_n, rerank_config):
            body["rerank_config"] = rerank
        if self._persisted:
            answer = await retrievers.retrieve(connection, str(record["id"]), body)
        else:
            answer = await retrievers.retrieve_from(connection, {**body, "pipelines": record["pipelines"]})
        nodes = [_node(one) for one in as_objects(answer.get("nodes")) if as_mapping(one.get("node"))]
        nodes += await pictures(connection, answer, {}, extra_metadata={}, mode=mode_of(None))
        # Pictures come in a list of their own; stable, so that what has no score keeps the service's order.
        return sorted(nodes, key=lambda node: -1.0 if node.score is None else node.score, reverse=True)

    def _rerank(self, top_n: int | None, config: Any) -> dict[str, Any]:
        chosen = settle(ReRankConfig, config) or self._rerank_config
        top_n = self._rerank_top_n if top_n is None else top_n
        body = {} if chosen is None else chosen.to_body()
        return body if top_n is None else {**body, "top_n": top_n}


def _pipelines(record: dict[str, Any]) -> list[RetrieverPipeline]:
    return [answered(RetrieverPipeline, pipeline) for pipeline in as_objects(record.get("pipelines"))]


def _node(one: dict[str, Any]) -> NodeWithScore:
    raw = as_mapping(one.get("node"))
    origin = {name: raw[name] for name in _ORIGIN if raw.get(name)}
    node = text_node(raw, extra_metadata=origin, mode=mode_of(None))
    node.excluded_embed_metadata_keys += list(origin)
    node.excluded_llm_metadata_keys += list(origin)
    return with_score(node, as_number(one.get("score")))
