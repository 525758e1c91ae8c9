"""Ranking found chunks anew: by the default lexical measure, or by any LlamaIndex node postprocessor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.chunks import ScoredChunk
from llama_cloud_ext.local.retrieval.lexical_reranking import lexical_scores

if TYPE_CHECKING:
    from llama_index.core.postprocessor.types import BaseNodePostprocessor


class Reranker:
    """Puts the chunks that a search found into a better order.

    Args:
        reranker: A LlamaIndex node postprocessor. The default is lexical: how much of the query a chunk covers, rare
            words counting most, how many of its word pairs, and how early.

    Example:
        >>> from llama_cloud_ext.local.retrieval.chunks import Chunk
        >>> found = [ScoredChunk(Chunk(text, text), "d", None, 0.5) for text in ("a red car", "a blue car")]
        >>> [scored.chunk.text for scored in Reranker().rerank("blue car", found, 1)]
        ['a blue car']
    """

    def __init__(self, reranker: BaseNodePostprocessor | None = None) -> None:
        self._postprocessor = reranker

    def rerank(
        self, query: str, chunks: Sequence[ScoredChunk], top_n: int, *, frequencies: Mapping[str, float] | None = None
    ) -> list[ScoredChunk]:
        """Rank chunks.

        Args:
            query: What was asked.
            chunks: What was found, the best first.
            top_n: How many to keep.
            frequencies: The share of all chunks that hold a word of the query, for words where it is known; the
                default measure takes it from the found chunks otherwise.

        Returns:
            The best ones with new scores: from 0 to 1 by default, else the postprocessor's own.
        """
        if not chunks or top_n < 1:
            return []
        if self._postprocessor is not None:
            return self._postprocessed(query, chunks)[:top_n]
        scores = lexical_scores(query, [scored.chunk.text for scored in chunks], [s.score for s in chunks], frequencies)
        # Python sorts stably: among equals the first search's order stands.
        order = sorted(range(len(chunks)), key=lambda number: -scores[number])[:top_n]
        return [_ranked(chunks[number], scores[number]) for number in order]

    def _postprocessed(self, query: str, chunks: Sequence[ScoredChunk]) -> list[ScoredChunk]:
        from llama_index.core.schema import NodeWithScore, TextNode

        nodes = [
            NodeWithScore(
                node=TextNode(
                    # Chunks of different pipelines may share an id; their place in the list is theirs alone.
                    id_=str(number),
                    text=scored.chunk.text,
                    metadata=scored.chunk.metadata,
                    excluded_embed_metadata_keys=scored.chunk.excluded_embed_metadata_keys,
                    excluded_llm_metadata_keys=scored.chunk.excluded_llm_metadata_keys,
                ),
                score=scored.score,
            )
            for number, scored in enumerate(chunks)
        ]
        ranked = self._postprocessor.postprocess_nodes(nodes, query_str=query) if self._postprocessor else nodes
        return [
            _ranked(chunks[int(found.node.node_id)], float(found.score if found.score is not None else 0.0))
            for found in ranked
        ]


def _ranked(chunk: ScoredChunk, score: float) -> ScoredChunk:
    return replace(chunk, score=score, found_score=chunk.score)
