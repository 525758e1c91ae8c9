"""LlamaCloudDirectoryRetriever: every setting of the newer retrieval API, nodes as LlamaIndex knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.connection import connection_options, index_reference
from llama_cloud_ext.index.directory_filters import custom_filters as filters_by_field
from llama_cloud_ext.index.directory_retrieval import retrieve
from llama_cloud_ext.index.named_retriever import NamedIndexRetriever
from llama_cloud_ext.index.reference import DIRECTORY_INDEXES
from llama_cloud_ext.index.retriever import either
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.directory_index import DirectoryRetrievalSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.callbacks.base import CallbackManager
    from llama_index.core.schema import IndexNode
    from typing_extensions import Unpack

    from llama_cloud_ext.index.reference import IndexReference
    from llama_cloud_ext.wire.settings import ConnectionArguments

SETTINGS = (
    "top_k",
    "num_candidates",
    "score_threshold",
    "vector_pipeline_weight",
    "full_text_pipeline_weight",
    "enable_reranking",
    "rerank_top_n",
    "filters",
    "custom_filters",
    "file_ids",
    "retrieve_page_screenshot_nodes",
    "similarity_top_k",
)
"""What a retriever can be set to, by the names of its arguments."""


class LlamaCloudDirectoryRetriever(NamedIndexRetriever):
    """Retrieves nodes from an index over a directory on LlamaCloud.

    A setting that is None leaves it to the service; False and 0.0 are values and are sent. No request is made before
    the first query. A query is one request; the names of files that it has not met before are asked for, once. Can be
    used from any number of threads and event loops, copied and pickled.

    Args:
        name: The index's name; or its id.
        index_id: The index's id; `id` means the same.
        id: The same as `index_id`.
        project_name: The project in which a name is looked up, without regard to case; None for the key's default
            project. Not needed with `project_id`, nor with an id.
        top_k: The most nodes; the service returns 500 at most. `similarity_top_k` means the same.
        num_candidates: Candidates of the search by vectors.
        score_threshold: The lowest score that counts, before nodes are ordered anew.
        vector_pipeline_weight: The weight of the search by vectors, from 0 to 1.
        full_text_pipeline_weight: The weight of the search by words, from 0 to 1.
        enable_reranking: Whether what was found is ordered anew; the service does so by default.
        rerank_top_n: How many nodes are left after that.
        filters: LlamaIndex `MetadataFilters` on the files' metadata, joined by "and".
        custom_filters: The same as the API has it: `{"year": {"operator": "gte", "value": 2024}}`.
        file_ids: Only nodes of these files, by the ids that `find_files` and nodes have.
        retrieve_page_screenshot_nodes: Whether to add the pages' screenshots as ImageNodes; the index keeps some if it
            was created with `store_attachments=["screenshots"]`.
        similarity_top_k: The same as `top_k`, as other LlamaIndex retrievers spell it.
        callback_manager: LlamaIndex callbacks.
        object_map: Objects behind IndexNodes, by their index ids.
        objects: IndexNodes whose objects are entered when they are retrieved.
        verbose: Whether LlamaIndex prints when it enters an object.
        **connection: `api_key`, `base_url`, `region`, `project_id`, `organization_id`, `headers`, `verify`, `proxy`,
            `timeout`, `transport`, `requests_per_minute` and `retry_budget`; see `LlamaParseReader`.

    Raises:
        ConfigurationError: A setting is unknown or has a value that cannot work, or not exactly one index is named.

    Example:
        ```python
        from llama_cloud_ext import LlamaCloudDirectoryRetriever

        retriever = LlamaCloudDirectoryRetriever("reports", top_k=5, full_text_pipeline_weight=0.5)
        for node in retriever.retrieve("What does the table show?"):
            print(node.score, node.metadata.get("file_name"), node.metadata.get("page_number"), node.text[:80])
        ```
    """

    _ID = "index_id"

    def __init__(
        self,
        name: str | None = None,
        *,
        index_id: str | None = None,
        id: str | None = None,
        project_name: str | None = None,
        top_k: int | None = None,
        num_candidates: int | None = None,
        score_threshold: float | None = None,
        vector_pipeline_weight: float | None = None,
        full_text_pipeline_weight: float | None = None,
        enable_reranking: bool | None = None,
        rerank_top_n: int | None = None,
        filters: Any = None,
        custom_filters: dict[str, Any] | None = None,
        file_ids: Sequence[str] | None = None,
        retrieve_page_screenshot_nodes: bool = False,
        similarity_top_k: int | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
        **connection: Unpack[ConnectionArguments],
    ) -> None:
        """Check the settings; nothing is sent yet."""
        self._body = _body(
            {
                "top_k": either("top_k", top_k, "similarity_top_k", similarity_top_k),
                "num_candidates": num_candidates,
                "score_threshold": score_threshold,
                "vector_pipeline_weight": vector_pipeline_weight,
                "full_text_pipeline_weight": full_text_pipeline_weight,
                "rerank": _rerank(enable_reranking, rerank_top_n),
                "custom_filters": _both_filters(filters_by_field(filters), custom_filters),
                "static_filters": _of_files(file_ids),
            }
        )
        options = connection_options(dict(connection), known=SETTINGS)
        self._reference = index_reference(
            options, kind=DIRECTORY_INDEXES, name=name, ids={"index_id": index_id, "id": id}, project_name=project_name
        )
        self._screenshots = retrieve_page_screenshot_nodes
        self._names: dict[str, str] = {}
        super().__init__(callback_manager=callback_manager, object_map=object_map, objects=objects, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return run(retrieve, *self._asked(query_bundle))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await run_async(retrieve, *self._asked(query_bundle))

    def _asked(self, query: QueryBundle) -> tuple[IndexReference, dict[str, str], str, dict[str, Any], bool]:
        return self._reference, self._names, query.query_str, self._body, self._screenshots


def _body(settings: dict[str, Any]) -> dict[str, Any]:
    body = DirectoryRetrievalSettings(**{name: one for name, one in settings.items() if one is not None}).to_body()
    if body.get("vector_pipeline_weight") == 0 and body.get("full_text_pipeline_weight") == 0:
        raise ConfigurationError(
            "vector_pipeline_weight=0 and full_text_pipeline_weight=0 leave nothing to retrieve by",
            option="vector_pipeline_weight",
        )
    return body


def _rerank(enabled: bool | None, top_n: int | None) -> dict[str, Any] | None:
    given = {"enabled": enabled, "top_n": top_n}
    return {name: value for name, value in given.items() if value is not None} or None


def _both_filters(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    for key in (one or {}).keys() & (other or {}).keys():
        raise ConfigurationError(f"{key!r} is in filters and in custom_filters", option="custom_filters")
    return {**(one or {}), **(other or {})} or None


def _of_files(file_ids: Sequence[str] | None) -> dict[str, Any] | None:
    if file_ids is None:
        return None
    ids = [file_ids] if isinstance(file_ids, str) else list(file_ids)
    return {"parsed_directory_file_id": {"operator": "in", "value": ids}}
