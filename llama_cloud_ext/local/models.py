"""The models that local LlamaCloud can be given: whether they are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_cloud_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.postprocessor.types import BaseNodePostprocessor


def check_models(embed_model: BaseEmbedding | None, reranker: BaseNodePostprocessor | None, llm: LLM | None) -> None:
    """Refuse what is no model before it is used in a background thread.

    Args:
        embed_model: What is to embed; None for the lexical default.
        reranker: What is to re-rank; None for the lexical default.
        llm: What is to extract; None for rules without a model.

    Raises:
        ConfigurationError: It is something else.

    Example:
        >>> check_models("text-embedding-3-small", None, None)
        Traceback (most recent call last):
        ...
        llama_cloud_ext.errors.ConfigurationError: embed_model: must be a LlamaIndex BaseEmbedding, and is a str
    """
    # LlamaIndex takes a second to import, and without models nothing needs it.
    if embed_model is not None:
        from llama_index.core.base.embeddings.base import BaseEmbedding

        _check("embed_model", embed_model, BaseEmbedding)
    if reranker is not None:
        from llama_index.core.postprocessor.types import BaseNodePostprocessor

        _check("reranker", reranker, BaseNodePostprocessor)
    if llm is not None:
        from llama_index.core.llms import LLM

        _check("llm", llm, LLM)


def _check(option: str, given: object, wanted: type) -> None:
    if not isinstance(given, wanted):
        raise ConfigurationError(
            f"must be a LlamaIndex {wanted.__name__}, and is a {type(given).__name__}", option=option
        )
