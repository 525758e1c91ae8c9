"""What a search is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

RetrievalMode = Literal["chunks", "files_via_metadata", "files_via_content", "auto_routed"]

DEFAULT_TOP_K = 30
DEFAULT_ALPHA = 0.5
DEFAULT_RERANK_TOP_N = 6
DEFAULT_FILES_TOP_K = 1


@dataclass(frozen=True)
class RetrievalSettings:
    """The service's settings of one retrieval. None stands for the default; False and 0 are values.

    Args:
        dense_similarity_top_k: Chunks found by vector (default 30; 0: none).
        dense_similarity_cutoff: Least cosine similarity of a chunk found by vector.
        sparse_similarity_top_k: Chunks found by words (default 30; 0: none).
        alpha: Weight of the vectors against the words: 1 is vectors only, 0 words only (default 0.5). Where it is
            None and only one of the two top_k is given, only that kind is searched.
        enable_reranking: Whether the found chunks are ranked anew (default True).
        rerank_top_n: Chunks that are left after re-ranking (default 6).
        files_top_k: Files of the two file modes (default 1).
        retrieval_mode: Chunks, whole files chosen by their names and metadata or by their content, or either of
            them according to the query.
        filters: The API's `search_filters`.
        score_cutoff: Least score of a chunk that was found, before it is ranked anew.

    Raises:
        ValueError: A number is out of its range, or the mode is unknown.
    """

    dense_similarity_top_k: int | None = None
    dense_similarity_cutoff: float | None = None
    sparse_similarity_top_k: int | None = None
    alpha: float | None = None
    enable_reranking: bool | None = None
    rerank_top_n: int | None = None
    files_top_k: int | None = None
    retrieval_mode: str = "chunks"
    filters: Mapping[str, Any] | None = None
    score_cutoff: float | None = None

    def __post_init__(self) -> None:
        for name in ("dense_similarity_top_k", "sparse_similarity_top_k", "rerank_top_n", "files_top_k"):
            number = getattr(self, name)
            if number is not None and number < 0:
                raise ValueError(f"{name} must not be negative, and is {number}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be from 0 (sparse) to 1 (dense), and is {self.alpha}")
        if self.retrieval_mode not in get_args(RetrievalMode):
            modes = ", ".join(get_args(RetrievalMode))
            raise ValueError(f"retrieval_mode must be one of {modes}, and is {self.retrieval_mode!r}")

    def plan(self) -> SearchPlan:
        """The settings with their defaults.

        Example:
            >>> RetrievalSettings(dense_similarity_top_k=3).plan().sparse_top_k
            0
            >>> RetrievalSettings(alpha=0.0).plan().dense_top_k
            0
        """
        dense, sparse, alpha = self.dense_similarity_top_k, self.sparse_similarity_top_k, self.alpha
        if alpha is None:
            if (dense is None) != (sparse is None):
                dense, sparse = dense or 0, sparse or 0
            alpha = DEFAULT_ALPHA
        dense_top_k = 0 if alpha == 0 else DEFAULT_TOP_K if dense is None else dense
        sparse_top_k = 0 if alpha == 1 else DEFAULT_TOP_K if sparse is None else sparse
        rerank_top_n = DEFAULT_RERANK_TOP_N if self.rerank_top_n is None else self.rerank_top_n
        return SearchPlan(
            dense_top_k=dense_top_k,
            sparse_top_k=sparse_top_k,
            alpha=alpha,
            rerank_top_n=rerank_top_n if self.enable_reranking is not False else None,
            files_top_k=DEFAULT_FILES_TOP_K if self.files_top_k is None else self.files_top_k,
        )


@dataclass(frozen=True)
class SearchPlan:
    """Settings with nothing left open.

    Args:
        dense_top_k: Chunks to find by vector; 0: do not look at vectors.
        sparse_top_k: Chunks to find by words; 0: do not look at words.
        alpha: Weight of the vectors where both are searched.
        rerank_top_n: Chunks left after re-ranking; None: do not rank anew.
        files_top_k: Files of the file modes.
    """

    dense_top_k: int
    sparse_top_k: int
    alpha: float
    rerank_top_n: int | None
    files_top_k: int
