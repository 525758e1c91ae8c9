"""The screenshots of the pages that a retrieval from an index over a directory found. On the I/O loop."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import DownloadError
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.index.nodes import MODE
from llama_cloud_ext.index.retrieval import PICTURES_AT_ONCE, is_name, picture_of
from llama_cloud_ext.wire import attachments
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects, as_text

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

    from llama_cloud_ext.wire.downloads import Download
    from llama_cloud_ext.wire.transport import Connection

_SCREENSHOT = "screenshot"


@dataclass(frozen=True)
class _Wanted:
    source_id: str
    name: str
    node: NodeWithScore


async def screenshot_nodes(
    connection: Connection, results: Sequence[Mapping[str, Any]], nodes: Sequence[NodeWithScore]
) -> list[NodeWithScore]:
    """The screenshots of an answer as ImageNodes, each once, fetched concurrently.

    Args:
        connection: Where to fetch them.
        results: The answer's results.
        nodes: What was made of them, in their order; a screenshot has the metadata and score of the first that has it.

    Raises:
        DownloadError: One could not be fetched whole, or is no picture; the message names it.
    """

    async def fetch(one: _Wanted) -> NodeWithScore:
        picture = await picture_of(_download(connection, one), f"{one.name} of file {one.source_id}")
        return _image_node(one, *picture)

    return await concurrently(fetch, _wanted(results, nodes), at_once=PICTURES_AT_ONCE)


def _wanted(results: Sequence[Mapping[str, Any]], nodes: Sequence[NodeWithScore]) -> Iterator[_Wanted]:
    seen: set[tuple[str, str]] = set()
    for result, node in zip(results, nodes, strict=True):
        for one in as_objects(as_mapping(result.get("static_fields")).get("attachments")):
            source_id, name = as_text(one.get("source_id")) or "", as_text(one.get("attachment_name")) or ""
            if (
                one.get("type") == _SCREENSHOT
                and is_name(name)
                and is_name(source_id)
                and (source_id, name) not in seen
            ):
                seen.add((source_id, name))
                yield _Wanted(source_id, name, node)


async def _download(connection: Connection, one: _Wanted) -> Download:
    url = as_text((await attachments.get(connection, one.source_id, one.name)).get("url"))
    if not url:
        raise DownloadError("the service gives no address for it")
    return await connection.download(url)


def _image_node(one: _Wanted, image: bytes, mimetype: str) -> NodeWithScore:
    from llama_index.core.schema import ImageNode, NodeWithScore

    node = ImageNode(
        id_=stable_id(f"{one.source_id}\n{one.name}"),
        image=base64.b64encode(image).decode("ascii"),
        image_mimetype=mimetype,
        metadata={**one.node.node.metadata, "attachment_name": one.name},
        excluded_embed_metadata_keys=[MODE],
        excluded_llm_metadata_keys=[MODE],
        relationships=dict(one.node.node.relationships),
    )
    return NodeWithScore(node=node, score=one.node.score)
