"""From a query to nodes: one request for the texts, and one for each picture that was asked for, all at once.

Everything here runs on the I/O loop.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import DownloadError, LlamaCloudError, NotFoundError, ServerError, TransportError
from llama_cloud_ext.index.nodes import image_node, mode_of, text_node, with_score
from llama_cloud_ext.wire import page_images, pipelines
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.image_types import SNIFFED_BYTES, image_type
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping, as_objects, as_text

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

    from llama_cloud_ext.index.reference import IndexReference
    from llama_cloud_ext.wire.downloads import Download
    from llama_cloud_ext.wire.transport import Connection

PICTURES_AT_ONCE = 16
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
SCREENSHOTS, FIGURES = "retrieve_page_screenshot_nodes", "retrieve_page_figure_nodes"


async def retrieve(reference: IndexReference, query: str, settings: Mapping[str, Any]) -> list[NodeWithScore]:
    """Ask an index, and make nodes of the answer.

    Args:
        reference: The index.
        query: The question.
        settings: What is sent with it.

    Returns:
        Text nodes in the service's order, then the pictures.
    """
    found = await reference.find()
    answer = await pipelines.retrieve(found.connection, found.pipeline_id, {**settings, "query": query})
    preset = as_mapping((found.pipeline or {}).get("preset_retrieval_parameters"))
    mode = mode_of(settings, preset)
    extra = as_mapping(answer.get("metadata"))
    nodes = [
        with_score(text_node(raw, extra_metadata=extra, mode=mode), one.get("score"))
        for one in as_objects(answer.get("retrieval_nodes"))
        if (raw := as_mapping(one.get("node")))
    ]
    return nodes + await pictures(found.connection, answer, settings, extra_metadata=extra, mode=mode)


async def pictures(
    connection: Connection,
    answer: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    extra_metadata: Mapping[str, Any],
    mode: str,
) -> list[NodeWithScore]:
    """The screenshots and figures of an answer as ImageNodes, fetched concurrently.

    Args:
        connection: Where to fetch them.
        answer: The answer of an index or of a composite retriever.
        settings: What was asked for; what was refused there is not fetched.
        extra_metadata: What the answer says of all of its nodes.
        mode: The retrieval mode.

    Raises:
        DownloadError: One could not be fetched whole, or is no picture; the message names its file and page.
    """
    wanted = [
        *(_listed(answer.get("image_nodes")) if settings.get(SCREENSHOTS) is not False else ()),
        *(_listed(answer.get("page_figure_nodes"), "figure_name") if settings.get(FIGURES) is not False else ()),
    ]

    async def fetch(one: Mapping[str, Any]) -> NodeWithScore:
        raw = as_mapping(one.get("node"))
        content, mimetype = await _picture(connection, raw)
        node = image_node(raw, content, mimetype, extra_metadata=extra_metadata, mode=mode)
        return with_score(node, one.get("score"))

    return await concurrently(fetch, wanted, at_once=PICTURES_AT_ONCE)


def _listed(nodes: Any, *names: str) -> Iterable[Mapping[str, Any]]:
    """Those that say which picture they mean; without its page, another one would be fetched."""
    return [one for one in as_objects(nodes) if _is_picture(as_mapping(one.get("node")), names)]


def _is_picture(raw: Mapping[str, Any], names: Iterable[str]) -> bool:
    page = as_integer(raw.get("page_index"))
    return page is not None and page >= 0 and all(is_name(raw.get(name)) for name in ("file_id", *names))


def is_name(value: Any) -> bool:
    """Whether this can be an id or a name in a URL."""
    # Dots alone would be another place in a URL, and half a character has none in it.
    text = as_text(value) or ""
    return text.strip(". ") != "" and not _HALF_CHARACTER.search(text)


async def _picture(connection: Connection, raw: Mapping[str, Any]) -> tuple[bytes, str]:
    file_id, page, figure = as_text(raw.get("file_id")) or "", as_integer(raw.get("page_index")) or 0, None
    if "figure_name" in raw:
        figure = as_text(raw.get("figure_name"))
    if figure:
        fetched = page_images.figure(connection, file_id, page, figure)
    else:
        fetched = page_images.screenshot(connection, file_id, page)
    return await picture_of(fetched, f"file {file_id}, page {page + 1}")


async def picture_of(fetched: Awaitable[Download], what: str) -> tuple[bytes, str]:
    """The bytes and the media type of a picture.

    Args:
        fetched: Fetches it.
        what: What messages call it.

    Raises:
        DownloadError: It could not be fetched whole, or is no picture.
    """
    try:
        download = await fetched
    except (NotFoundError, ServerError, TransportError) as error:
        # The first line alone: its hint is about ids and projects, which the caller did not choose.
        reason = str(error).partition("\n")[0]
        status = getattr(error, "status", None)
        raise DownloadError(reason, file=what, status=status, transient=not isinstance(error, NotFoundError)) from error
    except LlamaCloudError as error:
        raise error.with_context(file=what) from error.__cause__
    kind = image_type(download.content[:SNIFFED_BYTES], download.content_type)
    if kind is None:
        raise DownloadError("what came is no picture", file=what, transient=False)
    return download.content, kind[0]
