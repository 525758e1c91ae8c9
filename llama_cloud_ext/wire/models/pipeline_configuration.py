"""The configuration of an index, which the API calls a pipeline: what goes into the body that creates one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.wire.models import embedding_configuration, transform_configuration
from llama_cloud_ext.wire.models.older_parse_parameters import LlamaParseParameters
from llama_cloud_ext.wire.models.settling import settle_variant
from llama_cloud_ext.wire.models.strict import StrictModel
from llama_cloud_ext.wire.models.transform_configuration import AdvancedModeTransformConfig, AutoTransformConfig

__all__ = [
    "AdvancedModeTransformConfig",
    "AutoTransformConfig",
    "DataSinkCreate",
    "LlamaParseParameters",
    "PipelineMetadataConfig",
    "SparseModelConfig",
    "settle_embedding_config",
    "settle_transform_config",
]


class SparseModelConfig(StrictModel):
    """What finds nodes by their words."""

    class_name: str | None = None
    model_type: Literal["auto", "bm25", "splade"] | None = None


class DataSinkCreate(StrictModel):
    """A vector store of your own, for the index to live in."""

    name: str
    sink_type: Literal["ASTRA_DB", "AZUREAI_SEARCH", "MILVUS", "MONGODB_ATLAS", "PINECONE", "POSTGRES", "QDRANT"]
    component: dict[str, Any] = Field(repr=False)


class PipelineMetadataConfig(StrictModel):
    """Which metadata of all nodes embeddings and LLMs do not see."""

    excluded_embed_metadata_keys: list[str] | None = None
    excluded_llm_metadata_keys: list[str] | None = None


def settle_embedding_config(value: Any) -> StrictModel:
    """Make the embedding configuration that was given a model.

    Args:
        value: One of the models of `embedding_configuration`, a dict with its `type`, or an object of the SDKs.

    Raises:
        ConfigurationError: The type or a field is unknown, or a value cannot work.

    Example:
        >>> settle_embedding_config({"type": "COHERE_EMBEDDING", "component": {"api_key": "c"}}).to_body()["type"]
        'COHERE_EMBEDDING'
    """
    variants = tuple(embedding_configuration.VARIANTS.values())
    return settle_variant(value, variants, embedding_configuration.variant_of)


def settle_transform_config(value: Any) -> StrictModel:
    """Make the transform configuration that was given a model.

    Args:
        value: An `AutoTransformConfig` or `AdvancedModeTransformConfig`, a dict, or an object of the SDKs.

    Raises:
        ConfigurationError: A field is unknown, or a value cannot work.

    Example:
        >>> settle_transform_config({"chunk_size": 512, "chunk_overlap": 64}).to_body()
        {'chunk_size': 512, 'chunk_overlap': 64}
    """
    return settle_variant(value, (AutoTransformConfig, AdvancedModeTransformConfig), transform_configuration.variant_of)
