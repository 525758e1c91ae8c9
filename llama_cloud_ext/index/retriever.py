"""LlamaCloudRetriever: one request a query, every setting of the service, nodes as LlamaIndex knows them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.connection import connection_options, index_reference
from llama_cloud_ext.index.filters import search_filters
from llama_cloud_ext.index.named_retriever import NamedIndexRetriever
from llama_cloud_ext.index.retrieval import retrieve
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.models.retrieval import PresetRetrievalParams, inference_schema

if TYPE_CHECKING:
    from llama_index.core.callbacks.base import CallbackManager
    from llama_index.core.schema import IndexNode
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

RetrievalMode = Literal["chunks", "files_via_metadata", "files_via_content", "auto_routed"]

SETTINGS = (
    "dense_similarity_top_k",
    "dense_similarity_cutoff",
    "sparse_similarity_top_k",
    "alpha",
    "enable_reranking",
    "rerank_top_n",
    "files_top_k",
    "retrieval_mode",
    "filters",
    "search_filters_inference_schema",
    "retrieve_page_screenshot_nodes",
    "retrieve_page_figure_nodes",
    "retrieve_image_nodes",
    "similarity_top_k",
)
"""What a retriever can be set to, by the names of its arguments."""


class LlamaCloudRetriever(NamedIndexRetriever):
    """Retrieves nodes from an index on LlamaCloud.

    A setting that is None leaves it to the index's preset retrieval parameters; False and 0.0 are values and are sent.
    No request is made before the first query, which looks up an index that is given by name; every further query is
    one request. Can be used from any number of threads and event loops, copied and pickled.

    Args:
        name: The index's name; or one of the ids.
        pipeline_id: The index's id, which the service calls pipeline id; `index_id` and `id` mean the same.
        index_id: The same as `pipeline_id`.
        id: The same as `pipeline_id`.
        project_name: The project in which a name is looked up, without regard to case; None for the key's default
            project. Not needed with `project_id`, nor with an id.
        app_url: Taken for the sake of older code; a retriever has no use for it.
        dense_similarity_top_k: How many nodes to find by their embeddings; 0 for none. `similarity_top_k` means the
            same.
        dense_similarity_cutoff: The lowest similarity that counts, from 0 to 1.
        sparse_similarity_top_k: How many nodes to find by their words; 0 for none.
        alpha: The weight of embeddings against words: 1 for embeddings only, 0 for words only.
        enable_reranking: Whether what was found is ordered anew by a better and slower judge.
        rerank_top_n: How many nodes are left after that.
        files_top_k: How many files to retrieve in the modes that retrieve files.
        retrieval_mode: "chunks", "files_via_metadata", "files_via_content" or "auto_routed".
        filters: LlamaIndex `MetadataFilters`, nested ones included.
        search_filters_inference_schema: A pydantic model or a JSON schema of the metadata, from which filters are
            inferred from the query.
        retrieve_page_screenshot_nodes: Whether to add the pages' screenshots as ImageNodes.
        retrieve_page_figure_nodes: Whether to add the pages' figures as ImageNodes.
        retrieve_image_nodes: Deprecated: both of them.
        similarity_top_k: The same as `dense_similarity_top_k`, as other LlamaIndex retrievers spell it.
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
        from llama_cloud_ext import LlamaCloudRetriever

        retriever = LlamaCloudRetriever("handbook", dense_similarity_top_k=10, enable_reranking=True, rerank_top_n=3)
        for node in retriever.retrieve("How many days of leave are there?"):
            print(node.score, node.metadata.get("file_name"), node.metadata.get("page_number"), node.text[:80])
        ```
    """

    _ID = "pipeline_id"

    def __init__(
        self,
        name: str | None = None,
        *,
        pipeline_id: str | None = None,
        index_id: str | None = None,
        id: str | None = None,
        project_name: str | None = None,
        app_url: str | None = None,
        dense_similarity_top_k: int | None = None,
        dense_similarity_cutoff: float | None = None,
        sparse_similarity_top_k: int | None = None,
        alpha: float | None = None,
        enable_reranking: bool | None = None,
        rerank_top_n: int | None = None,
        files_top_k: int | None = None,
        retrieval_mode: RetrievalMode | None = None,
        filters: Any = None,
        search_filters_inference_schema: Any = None,
        retrieve_page_screenshot_nodes: bool | None = None,
        retrieve_page_figure_nodes: bool | None = None,
        retrieve_image_nodes: bool | None = None,
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
                "dense_similarity_top_k": either(
                    "dense_similarity_top_k", dense_similarity_top_k, "similarity_top_k", similarity_top_k
                ),
                "dense_similarity_cutoff": dense_similarity_cutoff,
                "sparse_similarity_top_k": sparse_similarity_top_k,
                "alpha": alpha,
                "enable_reranking": enable_reranking,
                "rerank_top_n": rerank_top_n,
                "files_top_k": files_top_k,
                "retrieval_mode": retrieval_mode,
                "search_filters": search_filters(filters),
                "search_filters_inference_schema": inference_schema(search_filters_inference_schema),
                **_image_settings(
                    retrieve_image_nodes,
                    screenshots=retrieve_page_screenshot_nodes,
                    figures=retrieve_page_figure_nodes,
                ),
            }
        )
        options = connection_options(dict(connection), known=SETTINGS)
        self._reference = index_reference(
            options,
            name=name,
            ids={"pipeline_id": pipeline_id, "index_id": index_id, "id": id},
            project_name=project_name,
        )
        super().__init__(callback_manager=callback_manager, object_map=object_map, objects=objects, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return run(retrieve, self._reference, query_bundle.query_str, self._body)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await run_async(retrieve, self._reference, query_bundle.query_str, self._body)


def _body(settings: dict[str, Any]) -> dict[str, Any]:
    body = PresetRetrievalParams(**{name: value for name, value in settings.items() if value is not None}).to_body()
    if body.get("dense_similarity_top_k") == 0 and body.get("sparse_similarity_top_k") == 0:
        raise ConfigurationError(
            "dense_similarity_top_k=0 and sparse_similarity_top_k=0 leave nothing to retrieve by",
            option="dense_similarity_top_k",
        )
    return body


def either(option: str, value: Any, alias: str, other: Any) -> Any:
    """The value of an option that has two names.

    Raises:
        ConfigurationError: Both are given, and differ.
    """
    if value is not None and other is not None and value != other:
        raise ConfigurationError(f"{option}={value!r} and {alias}={other!r} mean the same", option=alias)
    return other if value is None else value


def _image_settings(both: bool | None, *, screenshots: bool | None, figures: bool | None) -> dict[str, bool | None]:
    """What the deprecated `retrieve_image_nodes` stands for."""
    if both is not None:
        warnings.warn(
            "retrieve_image_nodes is deprecated: use retrieve_page_screenshot_nodes and retrieve_page_figure_nodes",
            DeprecationWarning,
            stacklevel=4,
        )
    if both and (screenshots is False or figures is False):
        raise ConfigurationError(
            "retrieve_image_nodes=True stands for screenshots and figures, and one of them is switched off",
            option="retrieve_image_nodes",
            hint="Leave it out.",
        )
    return {
        "retrieve_page_screenshot_nodes": both if screenshots is None else screenshots,
        "retrieve_page_figure_nodes": both if figures is None else figures,
    }
