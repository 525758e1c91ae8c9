"""An `Embedder` as a LlamaIndex embedding model, for the parts of LlamaIndex that want one."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from llama_cloud_ext.local.retrieval.embedder import Embedder


class _EmbedderModel(BaseEmbedding):
    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder, **fields: Any) -> None:
        super().__init__(model_name=embedder.name, **fields)
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [list(map(float, row)) for row in self._embedder.embed_documents(texts)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return list(map(float, self._embedder.embed_query(query)))

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def as_embedding_model(embedder: Embedder) -> BaseEmbedding:
    """A LlamaIndex embedding model that computes what the embedder computes."""
    return _EmbedderModel(embedder)
