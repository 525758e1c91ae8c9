"""LlamaIndex's splitters for the modes of chunking."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.transform_config import Transform

if TYPE_CHECKING:
    from llama_cloud_ext.local.retrieval.embedder import Embedder

SplitText = Callable[[str], list[str]]

_SENTENCE_END = re.compile(
    # Neither after initials and abbreviations ("J. Smith", "e.g. this", "Dr. No") nor before a small letter.
    r"[.!?](?<![\s.][A-Za-z]\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bvs\.)(?<!\bcf\.)[\"')\]]*\s+(?![a-z])|[。！？]+"
)


def fits_one_chunk(text: str, transform: Transform) -> bool:
    """Whether a text certainly is one chunk, without counting its tokens: no token is shorter than a byte.

    Example:
        >>> fits_one_chunk("short", Transform()), fits_one_chunk("word " * 1000, Transform())
        (True, False)
    """
    if transform.chunking == "none":
        return True
    if transform.chunking == "semantic":
        return False
    size = transform.chunk_size
    if transform.chunking == "character":
        return len(text) <= size
    return len(text) <= size and (text.isascii() or len(text.encode("utf-8", "replace")) <= size)


def text_splitter(transform: Transform, embedder: Embedder | None) -> SplitText:
    """What splits a segment into the texts of its chunks.

    Args:
        transform: How.
        embedder: For semantic chunking, which compares sentences by their vectors.

    Raises:
        ValueError: Semantic chunking without an embedder.
    """
    if transform.chunking == "semantic":
        if embedder is None:
            raise ValueError("transform_config.chunking_config.mode 'semantic' needs an embedding model")
        return _semantic(transform, embedder)
    return _by_size(transform)


def sentences(text: str) -> list[str]:
    """The sentences of a text, with the space behind them; joined, they are the text.

    Ten times as fast as NLTK's Punkt, the splitter's own choice, which would take most of the time of ingestion. Where
    a sentence ends matters at the ends of chunks only.

    Example:
        >>> sentences("See e.g. Dr. Who. It is good. 良い。はい。")
        ['See e.g. Dr. Who. ', 'It is good. ', '良い。', 'はい。']
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@lru_cache(maxsize=64)
def _by_size(transform: Transform) -> SplitText:
    from llama_index.core.node_parser import SentenceSplitter, TokenTextSplitter

    if transform.chunking == "sentence":
        return SentenceSplitter(
            chunk_size=transform.chunk_size,
            chunk_overlap=transform.chunk_overlap,
            separator=transform.separator,
            paragraph_separator=transform.paragraph_separator,
            chunking_tokenizer_fn=sentences,
        ).split_text
    return TokenTextSplitter(
        chunk_size=transform.chunk_size,
        chunk_overlap=transform.chunk_overlap,
        separator=transform.separator,
        # Characters are the tokens of the mode that counts characters.
        tokenizer=list if transform.chunking == "character" else None,
    ).split_text


def _semantic(transform: Transform, embedder: Embedder) -> SplitText:
    from llama_index.core.node_parser import SemanticSplitterNodeParser
    from llama_index.core.schema import Document

    from llama_cloud_ext.local.retrieval.embedding_model import as_embedding_model

    parser = SemanticSplitterNodeParser.from_defaults(
        embed_model=as_embedding_model(embedder),
        buffer_size=transform.buffer_size,
        breakpoint_percentile_threshold=transform.breakpoint_percentile_threshold,
        sentence_splitter=sentences,
        include_metadata=False,
    )

    def split(text: str) -> list[str]:
        nodes = parser.build_semantic_nodes_from_documents([Document(text=text)])
        return [stripped for node in nodes if (stripped := node.get_content().strip())]

    return split
