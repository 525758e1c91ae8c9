"""Which embedding model an index uses: one variant a provider, told apart by `type`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import Given, StrictModel, nearest
from llama_cloud_ext.wire.settings import Secret


class _Component(StrictModel):
    """What all embedding models have in common."""

    class_name: str | None = None
    embed_batch_size: int | None = None
    model_name: str | None = None
    num_workers: int | None = None


class AzureOpenAIEmbedding(_Component):
    """An embedding model on Azure OpenAI."""

    additional_kwargs: dict[str, Any] | None = None
    api_base: str | None = None
    api_key: Secret | None = None
    api_version: str | None = None
    azure_deployment: str | None = None
    azure_endpoint: str | None = None
    default_headers: dict[str, str] | None = None
    dimensions: int | None = None
    max_retries: int | None = None
    reuse_client: bool | None = None
    timeout: float | None = None


class BedrockEmbedding(_Component):
    """An embedding model on Amazon Bedrock."""

    additional_kwargs: dict[str, Any] | None = None
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    aws_session_token: Secret | None = None
    max_retries: int | None = None
    profile_name: str | None = None
    region_name: str | None = None
    timeout: float | None = None


class CohereEmbedding(_Component):
    """An embedding model of Cohere's."""

    api_key: Secret | None = None
    embedding_type: str | None = None
    input_type: str | None = None
    truncate: str | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire; the service wants to be told that there is no key."""
        return {"api_key": None, **super().to_body()}


class GeminiEmbedding(_Component):
    """A Gemini embedding model."""

    api_base: str | None = None
    api_key: Secret | None = None
    output_dimensionality: int | None = None
    task_type: str | None = None
    title: str | None = None
    transport: str | None = None


class HuggingFaceInferenceAPIEmbedding(_Component):
    """An embedding model behind Hugging Face's inference API."""

    token: Secret | bool | None = None
    cookies: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    pooling: Literal["cls", "last", "mean"] | None = None
    query_instruction: str | None = None
    task: str | None = None
    text_instruction: str | None = None
    timeout: float | None = None


class OpenAIEmbedding(_Component):
    """An embedding model of OpenAI's."""

    additional_kwargs: dict[str, Any] | None = None
    api_base: str | None = None
    api_key: Secret | None = None
    api_version: str | None = None
    default_headers: dict[str, str] | None = None
    dimensions: int | None = None
    max_retries: int | None = None
    reuse_client: bool | None = None
    timeout: float | None = None


class VertexTextEmbedding(_Component):
    """An embedding model on Google's Vertex AI."""

    project: str
    location: str
    client_email: str | None = None
    private_key: Secret | None = None
    private_key_id: Secret | None = None
    token_uri: str | None = None
    additional_kwargs: dict[str, Any] | None = None
    embed_mode: Literal["classification", "clustering", "default", "retrieval", "similarity"] | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire; the service wants to be told of each credential that there is none."""
        credentials = ("client_email", "private_key", "private_key_id", "token_uri")
        return {**dict.fromkeys(credentials), **super().to_body()}


class ManagedOpenAIEmbedding(_Component):
    """The embedding model that the service pays for itself: its default."""


class AzureOpenAIEmbeddingConfig(StrictModel):
    """Embed with Azure OpenAI."""

    type: Literal["AZURE_EMBEDDING"] = "AZURE_EMBEDDING"
    component: Given[AzureOpenAIEmbedding] | None = None


class BedrockEmbeddingConfig(StrictModel):
    """Embed with Amazon Bedrock."""

    type: Literal["BEDROCK_EMBEDDING"] = "BEDROCK_EMBEDDING"
    component: Given[BedrockEmbedding] | None = None


class CohereEmbeddingConfig(StrictModel):
    """Embed with Cohere."""

    type: Literal["COHERE_EMBEDDING"] = "COHERE_EMBEDDING"
    component: Given[CohereEmbedding] | None = None


class GeminiEmbeddingConfig(StrictModel):
    """Embed with Gemini."""

    type: Literal["GEMINI_EMBEDDING"] = "GEMINI_EMBEDDING"
    component: Given[GeminiEmbedding] | None = None


class HuggingFaceInferenceAPIEmbeddingConfig(StrictModel):
    """Embed with Hugging Face's inference API."""

    type: Literal["HUGGINGFACE_API_EMBEDDING"] = "HUGGINGFACE_API_EMBEDDING"
    component: Given[HuggingFaceInferenceAPIEmbedding] | None = None


class ManagedOpenAIEmbeddingConfig(StrictModel):
    """Embed with what the service offers itself."""

    type: Literal["MANAGED_OPENAI_EMBEDDING"] = "MANAGED_OPENAI_EMBEDDING"
    component: Given[ManagedOpenAIEmbedding] | None = None


class OpenAIEmbeddingConfig(StrictModel):
    """Embed with OpenAI.

    Example:
        >>> OpenAIEmbeddingConfig(component={"model_name": "text-embedding-3-small", "api_key": "sk-1"}).type
        'OPENAI_EMBEDDING'
    """

    type: Literal["OPENAI_EMBEDDING"] = "OPENAI_EMBEDDING"
    component: Given[OpenAIEmbedding] | None = None


class VertexAIEmbeddingConfig(StrictModel):
    """Embed with Vertex AI."""

    type: Literal["VERTEXAI_EMBEDDING"] = "VERTEXAI_EMBEDDING"
    component: Given[VertexTextEmbedding] | None = None


EmbeddingConfig = (
    AzureOpenAIEmbeddingConfig
    | BedrockEmbeddingConfig
    | CohereEmbeddingConfig
    | GeminiEmbeddingConfig
    | HuggingFaceInferenceAPIEmbeddingConfig
    | ManagedOpenAIEmbeddingConfig
    | OpenAIEmbeddingConfig
    | VertexAIEmbeddingConfig
)

VARIANTS: dict[str, type[StrictModel]] = {
    str(variant.model_fields["type"].default): variant
    for variant in (
        AzureOpenAIEmbeddingConfig,
        BedrockEmbeddingConfig,
        CohereEmbeddingConfig,
        GeminiEmbeddingConfig,
        HuggingFaceInferenceAPIEmbeddingConfig,
        ManagedOpenAIEmbeddingConfig,
        OpenAIEmbeddingConfig,
        VertexAIEmbeddingConfig,
    )
}
"""The variants by their `type`."""


def variant_of(value: Mapping[str, Any]) -> type[StrictModel]:
    """Which variant a dict means.

    Raises:
        ConfigurationError: Its `type` is missing or unknown.
    """
    kind = value.get("type")
    if isinstance(kind, str) and kind in VARIANTS:
        return VARIANTS[kind]
    meant = nearest(kind, sorted(VARIANTS, key=len)) if isinstance(kind, str) else None
    raise ConfigurationError(
        f"{kind!r} is no type of embedding" if kind is not None else "an embedding needs its type",
        option="type",
        hint=f"Did you mean {meant}?" if meant else f"Types are {', '.join(VARIANTS)}.",
    )
