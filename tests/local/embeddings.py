"""Small models for tests: deterministic, countable, and failing or slow where they are asked to be."""

from __future__ import annotations

import threading
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class LetterEmbedding(BaseEmbedding):
    """Counts the letters of a text. A text with `unspeakable` in it cannot be embedded.

    Attributes:
        embedded: Texts that were embedded, in order.
        gate: Closed, it keeps everybody waiting who embeds texts.
        broken: Whether it fails always.
    """

    letters: str = LETTERS
    _embedded: list[str] = PrivateAttr(default_factory=list)
    _gate: threading.Event = PrivateAttr(default_factory=threading.Event)
    broken: bool = False

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{"model_name": "letters", "embed_batch_size": 100, **fields})
        self._gate.set()

    @property
    def embedded(self) -> list[str]:
        """Texts that were embedded, in order."""
        return self._embedded

    @property
    def gate(self) -> threading.Event:
        """Set, it lets pass."""
        return self._gate

    def _vector(self, text: str) -> list[float]:
        return [float(text.lower().count(letter)) for letter in self.letters]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._gate.wait(30)
        if self.broken:
            raise ConnectionError("the model cannot be reached")
        for text in texts:
            if "unspeakable" in text:
                raise ValueError("the model has no word for it")
        self._embedded.extend(texts)
        return [self._vector(text) for text in texts]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)


class ShortestFirst(BaseNodePostprocessor):
    """Ranks the shortest text first."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        ranked = sorted(nodes, key=lambda found: len(found.node.get_content()))
        return [NodeWithScore(node=found.node, score=1.0 / (place + 1)) for place, found in enumerate(ranked)]
