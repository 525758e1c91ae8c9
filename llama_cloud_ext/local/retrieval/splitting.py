"""Documents to chunks, as the pipeline's `transform_config` says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_cloud_ext.local.retrieval.chunks import Chunk
from llama_cloud_ext.local.retrieval.segments import (
    Segment,
    element_segments,
    page_at,
    page_segments,
    separated_pages,
)
from llama_cloud_ext.local.retrieval.splitters import SplitText, fits_one_chunk, text_splitter
from llama_cloud_ext.local.retrieval.transform_config import Transform, settled_transform

if TYPE_CHECKING:
    from llama_cloud_ext.local.retrieval.embedder import Embedder

_NO_SPACE = re.compile(r"\S")
_CHUNK_IDS = uuid.UUID("8d9e3b0c-4f5a-5c1e-9a54-1f0f5ce0a6b1")


class _Piece(NamedTuple):
    start: int
    end: int
    page: int | None


def split_document(
    *,
    document_id: str,
    text: str,
    metadata: Mapping[str, Any],
    excluded_embed_metadata_keys: Sequence[str],
    excluded_llm_metadata_keys: Sequence[str],
    page_positions: Sequence[int] | None,
    transform_config: Mapping[str, Any] | None,
    embedder: Embedder | None = None,
) -> list[Chunk]:
    """Cut a document into chunks.

    Args:
        document_id: The document; ids of chunks are made of it and their place.
        text: Its text.
        metadata: What every chunk carries.
        excluded_embed_metadata_keys: Metadata that the embedding may not see.
        excluded_llm_metadata_keys: Metadata that an LLM may not see.
        page_positions: Where each page starts in the text; None for a document without pages.
        transform_config: The pipeline's. Sizes are those of the text; metadata does not count.
        embedder: For semantic chunking.

    Returns:
        Chunks in the order of the text; none for a text of nothing but space. With pages they say which one they
        start on (`page_number` from 1, and `page_label`, the same as text), and
        they never cross pages unless the segmentation is `none`.

    Raises:
        ValueError: The `transform_config` cannot be followed; the message says what is wrong.

    Example:
        >>> (chunk,) = split_document(
        ...     document_id="d", text="Hello.", metadata={"file_name": "a.txt"}, excluded_embed_metadata_keys=[],
        ...     excluded_llm_metadata_keys=[], page_positions=[0], transform_config={"mode": "auto"},
        ... )
        >>> chunk.text, chunk.metadata
        ('Hello.', {'file_name': 'a.txt', 'page_label': '1', 'page_number': 1})
    """
    transform = settled_transform(transform_config)
    pieces = _pieces(text, page_positions, transform, embedder)
    return [
        Chunk(
            id=str(uuid.uuid5(_CHUNK_IDS, f"{document_id} {position}")),
            text=text[piece.start : piece.end],
            metadata=_with_page(metadata, piece.page),
            start_char_idx=piece.start,
            end_char_idx=piece.end,
            excluded_embed_metadata_keys=list(excluded_embed_metadata_keys),
            excluded_llm_metadata_keys=list(excluded_llm_metadata_keys),
            position=position,
        )
        for position, piece in enumerate(pieces)
    ]


def _with_page(metadata: Mapping[str, Any], page: int | None) -> dict[str, Any]:
    return {**metadata} if page is None else {**metadata, "page_label": str(page), "page_number": page}


def _pieces(
    text: str, page_positions: Sequence[int] | None, transform: Transform, embedder: Embedder | None
) -> Iterator[_Piece]:
    split: SplitText | None = None
    for segment in _segments(text, page_positions, transform):
        segment_text = text[segment.start : segment.end]
        start, end = _stripped(segment_text)
        if start == end:
            continue
        if fits_one_chunk(segment_text[start:end], transform):
            places = [(start, end)]
        else:
            split = split or text_splitter(transform, embedder)
            places = _places(segment_text, _split(split, segment_text, transform))
        for start, end in places:
            page = segment.page
            if page is None and page_positions:
                page = page_at(segment.start + start, page_positions)
            yield _Piece(segment.start + start, segment.start + end, page)


def _segments(text: str, page_positions: Sequence[int] | None, transform: Transform) -> list[Segment]:
    whole = [Segment(0, len(text), None)]
    if transform.segmentation == "none":
        return whole
    if transform.page_separator is not None:
        pages = separated_pages(text, transform.page_separator)
    else:
        pages = page_segments(text, page_positions) if page_positions else whole
    return element_segments(text, pages) if transform.segmentation == "element" else pages


def _split(split: SplitText, text: str, transform: Transform) -> list[str]:
    try:
        return split(text)
    except ValueError as error:
        raise ValueError(
            f"transform_config with chunk_size {transform.chunk_size} cannot split this text: {error}"
        ) from error


def _stripped(text: str) -> tuple[int, int]:
    start = len(text) - len(text.lstrip())
    return start, max(start, len(text.rstrip()))


def _places(text: str, chunks: Sequence[str]) -> list[tuple[int, int]]:
    """Where chunks stand in a text: splitters give the texts only.

    A chunk starts no later than the first word after the one before it. Of the places where its text stands, the last
    that fulfils this is taken: so nothing of the text is left out, even in a text that repeats itself.
    """
    places: list[tuple[int, int]] = []
    start = end = 0
    for chunk in chunks:
        if not chunk.strip():
            continue
        word = _NO_SPACE.search(text, end)
        latest = word.start() if word else len(text)
        start = text.rfind(chunk, start, latest + len(chunk))
        if start < 0:
            raise ValueError("a splitter changed the text that it was given")
        end = start + len(chunk)
        places.append((start, end))
    return places
