"""From a query to nodes, on an index over a directory. Everything here runs on the I/O loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import NotFoundError
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.index.directory_screenshots import screenshot_nodes
from llama_cloud_ext.index.folder_refresh import FINGERPRINT
from llama_cloud_ext.index.nodes import MODE, with_score
from llama_cloud_ext.index.retrieval import is_name
from llama_cloud_ext.wire import directory_files, index_retrieval
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping, as_objects, as_text

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore, TextNode

    from llama_cloud_ext.index.reference import IndexReference

_REQUESTS_AT_ONCE = 8
_NAME = "file_name"


async def retrieve(
    reference: IndexReference, names: dict[str, str], query: str, settings: Mapping[str, Any], screenshots: bool
) -> list[NodeWithScore]:
    """Ask an index, and make nodes of the answer.

    Args:
        reference: The index.
        names: The names of its files by their ids, as far as they are known; what is learnt is added.
        query: The question.
        settings: What is sent with it.
        screenshots: Whether the pages' screenshots are fetched as well.

    Returns:
        Text nodes in the service's order, then the screenshots.
    """
    found = await reference.find()
    answer = await index_retrieval.retrieve(found.connection, found.index_id, query, settings)
    results = list(as_objects(answer.get("results")))
    nameless = (_file_of(one) for one in results if _NAME not in as_mapping(one.get("metadata")))
    await _learn_names(reference, names, nameless)
    nodes = [_node(one, names) for one in results]
    return nodes + (await screenshot_nodes(found.connection, results, nodes) if screenshots else [])


def _file_of(result: Mapping[str, Any]) -> str | None:
    return as_text(as_mapping(result.get("static_fields")).get("parsed_directory_file_id"))


async def _learn_names(reference: IndexReference, names: dict[str, str], ids: Iterable[str | None]) -> None:
    """What files are called is not in the answer; it is asked for once, and changes with a sync only."""
    unknown = {one for one in ids if one is not None and one not in names and is_name(one)}
    if not unknown:
        return
    found, record = await reference.find(), await reference.record()
    directory_id = as_text(record.get("output_directory_id"))
    if directory_id is None or not is_name(directory_id):
        return

    async def learn(file_id: str) -> None:
        try:
            file = await directory_files.get(found.connection, directory_id, file_id)
        except NotFoundError:
            return
        if name := as_text(file.get("display_name")):
            names[file_id] = name

    await concurrently(learn, unknown, at_once=_REQUESTS_AT_ONCE)


def _node(result: Mapping[str, Any], names: Mapping[str, str]) -> NodeWithScore:
    reranked = result.get("rerank_score")
    return with_score(text_node(result, names), result.get("score") if reranked is None else reranked)


def text_node(result: Mapping[str, Any], names: Mapping[str, str]) -> TextNode:
    """One retrieved piece of text.

    Args:
        result: The result as the service sent it.
        names: The names of files by their ids.

    Returns:
        The node. Its id depends on the file and the place in it alone. What the user said of the file is in its
        metadata, with `file_name`, `file_id`, `page_number` (from 1) and, where it goes on, `page_number_end`.
    """
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    text = as_text(result.get("content")) or ""
    static = as_mapping(result.get("static_fields"))
    file_id, chunk = _file_of(result), as_integer(static.get("chunk_index"))
    start, end = as_integer(static.get("chunk_start_char")), as_integer(static.get("chunk_end_char"))
    first, last = as_integer(static.get("page_range_start")), as_integer(static.get("page_range_end"))
    found = {
        _NAME: names.get(file_id or ""),
        "file_id": file_id,
        "page_number": first,
        "page_number_end": last if last != first else None,
    }
    metadata = {name: value for name, value in found.items() if value is not None}
    metadata |= as_mapping(result.get("metadata"))
    metadata[MODE] = "chunks"
    place = chunk if chunk is not None else start
    hidden = [MODE, *(name for name in ("file_id", FINGERPRINT) if name in metadata)]
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=file_id)} if file_id else {}
    return TextNode(
        id_=stable_id(f"{file_id}\nchunk {text if place is None else place}"),
        text=text,
        metadata=metadata,
        start_char_idx=start,
        end_char_idx=end,
        excluded_embed_metadata_keys=hidden,
        excluded_llm_metadata_keys=hidden,
        relationships=source,
    )
