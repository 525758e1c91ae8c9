"""What a retrieval answers, as LlamaIndex nodes that keep their ids, relationships, file, page, score and mode."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping, as_number, as_objects, as_text

if TYPE_CHECKING:
    from llama_index.core.schema import ImageNode, NodeWithScore, RelatedNodeInfo, TextNode

MODE = "retrieval_mode"
_DEFAULT_MODE = "chunks"


def mode_of(*settings: Mapping[str, Any] | None) -> str:
    """The retrieval mode in force: the first that says one, else the service's default."""
    modes = (as_text((setting or {}).get(MODE)) for setting in settings)
    return next(filter(None, modes), _DEFAULT_MODE)


def text_node(raw: Mapping[str, Any], *, extra_metadata: Mapping[str, Any], mode: str) -> TextNode:
    """One retrieved piece of text.

    Args:
        raw: The node as the service sent it.
        extra_metadata: What the answer says of all of its nodes.
        mode: The retrieval mode, which goes into the metadata where neither embeddings nor LLMs see it.

    Returns:
        The node. `page_number` (from 1) is in its metadata where the service tells the page in one form or another.
    """
    from llama_index.core.schema import TextNode

    metadata = {**as_mapping(raw.get("metadata") or raw.get("extra_info")), **extra_metadata}
    _add_page_number(metadata)
    metadata[MODE] = mode
    values: dict[str, Any] = {
        "text": as_text(raw.get("text")) or "",
        "metadata": metadata,
        "excluded_embed_metadata_keys": [*_texts(raw.get("excluded_embed_metadata_keys")), MODE],
        "excluded_llm_metadata_keys": [*_texts(raw.get("excluded_llm_metadata_keys")), MODE],
        "start_char_idx": as_integer(raw.get("start_char_idx")),
        "end_char_idx": as_integer(raw.get("end_char_idx")),
        "relationships": _relationships(raw, metadata),
    }
    for name, read in _OPTIONAL.items():
        if (value := read(raw.get(name))) is not None:
            values[name] = value
    if node_id := as_text(raw.get("id_")) or as_text(raw.get("id")):
        values["id_"] = node_id
    return TextNode(**values)


def with_score(node: Any, score: Any) -> NodeWithScore:
    """The node with its score, which stays None where the service gives none."""
    from llama_index.core.schema import NodeWithScore

    return NodeWithScore(node=node, score=as_number(score))


def image_node(
    raw: Mapping[str, Any], image: bytes, mimetype: str, *, extra_metadata: Mapping[str, Any], mode: str
) -> ImageNode:
    """One page screenshot or figure, with its bytes and media type.

    Args:
        raw: The node as the service sent it; `figure_name` tells a figure from a screenshot.
        image: The picture's bytes.
        mimetype: Its media type.
        extra_metadata: What the answer says of all of its nodes.
        mode: As for `text_node`.

    Returns:
        The node; its id depends on the file, the page and the figure alone.
    """
    from llama_index.core.schema import ImageNode

    figure = as_text(raw.get("figure_name"))
    file_id, page_index = as_text(raw.get("file_id")) or "", as_integer(raw.get("page_index")) or 0
    metadata = {
        **as_mapping(raw.get("metadata")),
        **extra_metadata,
        "file_id": file_id,
        "page_index": page_index,
        **({"figure_name": figure} if figure else {}),
    }
    _add_page_number(metadata)
    metadata[MODE] = mode
    return ImageNode(
        id_=stable_id(f"{file_id}\npage {page_index}\n{figure or 'screenshot'}"),
        image=base64.b64encode(image).decode("ascii"),
        image_mimetype=mimetype,
        metadata=metadata,
        excluded_embed_metadata_keys=[MODE],
        excluded_llm_metadata_keys=[MODE],
    )


def _add_page_number(metadata: dict[str, Any]) -> None:
    """The page, counted from 1, wherever the service tells it; a printed label such as "iv" is not a number."""
    if as_integer(metadata.get("page_number")) is not None:
        return
    index = as_integer(metadata.get("page_index"))
    number = index + 1 if index is not None else as_integer(metadata.get("page_label"))
    if number is not None:
        metadata["page_number"] = number


def _relationships(raw: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[Any, Any]:
    from llama_index.core.schema import NodeRelationship

    found: dict[Any, Any] = {}
    for name, related in as_mapping(raw.get("relationships")).items():
        try:
            relationship = NodeRelationship(name)
        except ValueError:  # a kind that this LlamaIndex does not know
            continue
        if relationship is NodeRelationship.CHILD:
            found[relationship] = [_related(one) for one in as_objects(related)]
        elif (one := as_mapping(related)).get("node_id"):
            found[relationship] = _related(one)
    if NodeRelationship.SOURCE not in found and (document_id := as_text(metadata.get("document_id"))):
        found[NodeRelationship.SOURCE] = _related({"node_id": document_id})
    return found


def _related(raw: Mapping[str, Any]) -> RelatedNodeInfo:
    from llama_index.core.schema import ObjectType, RelatedNodeInfo

    try:
        node_type = ObjectType(as_text(raw.get("node_type")))
    except ValueError:
        node_type = None
    return RelatedNodeInfo(
        node_id=as_text(raw.get("node_id")) or "",
        node_type=node_type,
        metadata=as_mapping(raw.get("metadata")),
        hash=as_text(raw.get("hash")),
    )


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str) and one != MODE] if isinstance(value, list) else []


# Fields whose default in LlamaIndex stands where the service sends nothing usable.
_OPTIONAL: dict[str, Callable[[Any], Any]] = {
    "metadata_seperator": as_text,
    "text_template": as_text,
    "metadata_template": as_text,
    "mimetype": as_text,
}
