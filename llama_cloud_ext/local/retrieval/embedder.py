"""The embedding in use: the default lexical one, or any LlamaIndex embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.lexical_embedding import DIMENSIONS, NAME, LexicalEmbedding

if TYPE_CHECKING:
    import numpy as np
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from numpy.typing import NDArray


class Embedder:
    """Computes the vectors of chunks and queries, all of length 1.

    Args:
        embed_model: A LlamaIndex embedding model. The default is lexical, without model or network: it finds words
            and their parts, not meaning.

    Example:
        >>> embedder = Embedder()
        >>> embedder.embed_documents(["one text", "another"]).shape == (2, embedder.dimensions)
        True
    """

    def __init__(self, embed_model: BaseEmbedding | None = None) -> None:
        self._model = embed_model
        self._dimensions = DIMENSIONS if embed_model is None else None

    @cached_property
    def _lexical(self) -> LexicalEmbedding:
        # Made at its first use: it needs NumPy, which whoever only parses should not wait for.
        return LexicalEmbedding()

    @property
    def name(self) -> str:
        """Which model this is; kept beside the vectors, so that those of different models are never compared."""
        return NAME if self._model is None else f"{type(self._model).__name__}/{self._model.model_name}"

    @property
    def dimensions(self) -> int | None:
        """Length of the vectors; None before a model's first use."""
        return self._dimensions

    def measure(self) -> None:
        """Have a model tell the length of its vectors, if it can be asked."""
        if self._dimensions is None:
            # What a model that fails is used for will say so.
            with suppress(Exception):
                self.embed_query("?")

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as `embedding_text` writes them.

        Args:
            texts: The texts.

        Returns:
            One row for each, of length 1 (of zeros for a text in which there is nothing to embed).
        """
        if self._model is None:
            return self._lexical.embed(texts)
        return self._unit(self._model.get_text_embedding_batch(list(texts)) if texts else [])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a query.

        Args:
            text: The query.

        Returns:
            A vector of length 1.
        """
        vectors = (
            self._lexical.embed([text]) if self._model is None else self._unit([self._model.get_query_embedding(text)])
        )
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def _unit(self, rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
        import numpy as np

        vectors = np.asarray(rows, dtype=np.float32).reshape(len(rows), -1 if rows else 0)
        if rows:
            self._dimensions = int(vectors.shape[1])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)
