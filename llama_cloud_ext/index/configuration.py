"""How an index is configured: the body of its creation, and what of it the index class has to know afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import BaseNode, Document, TransformComponent

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.filters import search_filters
from llama_cloud_ext.wire.models import pipeline_configuration as models
from llama_cloud_ext.wire.models.retrieval import PresetRetrievalParams, inference_schema
from llama_cloud_ext.wire.models.settling import settle
from llama_cloud_ext.wire.models.strict import StrictModel
from llama_cloud_ext.wire.models.tolerant import as_mapping

OPTIONS = (
    "embedding_config",
    "transform_config",
    "llama_parse_parameters",
    "sparse_model_config",
    "data_sink",
    "data_sink_id",
    "preset_retrieval_parameters",
    "metadata_config",
)
"""What an index can be configured with, by the names of the arguments."""


class SplitByTheService(TransformComponent):
    """Stands where other indexes have their splitters: documents go to the service as they are."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Hand the nodes on unchanged."""
        return nodes


def pipeline_body(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The body that creates an index.

    Args:
        name: The index's name.
        options: Any of `OPTIONS`, each as a model, a dict or an object of the official SDK.

    Returns:
        The JSON object. What is left out, the service decides.

    Raises:
        ConfigurationError: A value cannot work; the message names the option.

    Example:
        >>> pipeline_body("handbook", {"transform_config": {"chunk_size": 512}})["transform_config"]["chunk_size"]
        512
    """
    body: dict[str, Any] = {
        "name": name,
        "pipeline_type": "MANAGED",
        "transform_config": {"mode": "auto"},
        "llama_parse_parameters": {},
    }
    for option, value in options.items():
        if value is not None:
            body[option] = value if option == "data_sink_id" else _settled(option, value).to_body()
    return body


def _settled(option: str, value: Any) -> StrictModel:
    try:
        if option == "embedding_config":
            return models.settle_embedding_config(value)
        if option == "transform_config":
            return models.settle_transform_config(value)
        if option == "preset_retrieval_parameters":
            return _settled_preset(value)
        settled = settle(_MODELS[option], value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error.message}", option=option, hint=error.hint) from error
    if settled is None:  # only for None, which is left out before
        raise AssertionError(option)
    return settled


_MODELS: dict[str, type[StrictModel]] = {
    "llama_parse_parameters": models.LlamaParseParameters,
    "sparse_model_config": models.SparseModelConfig,
    "data_sink": models.DataSinkCreate,
    "metadata_config": models.PipelineMetadataConfig,
}


def _settled_preset(value: Any) -> StrictModel:
    """The presets of an index, in which filters and schemas may be LlamaIndex's and pydantic's."""
    if isinstance(value, Mapping):
        value = dict(value)
        if "filters" in value:
            value["search_filters"] = value.pop("filters")
        if value.get("search_filters") is not None:
            value["search_filters"] = search_filters(value["search_filters"])
        if value.get("search_filters_inference_schema") is not None:
            value["search_filters_inference_schema"] = inference_schema(value["search_filters_inference_schema"])
    settled = settle(PresetRetrievalParams, value)
    if settled is None:
        raise AssertionError("preset_retrieval_parameters")
    return settled


def check_unsplit(pipeline: Mapping[str, Any], index: object) -> None:
    """Refuse to handle single nodes in an index that makes nodes by itself.

    Args:
        pipeline: The index's record.
        index: The index, for the message.

    Raises:
        ConfigurationError: The index splits its documents.
    """
    transform = as_mapping(pipeline.get("transform_config"))
    modes = [as_mapping(transform.get(part)).get("mode") for part in ("chunking_config", "segmentation_config")]
    if transform.get("mode") == "advanced" and modes == ["none", "none"]:
        return
    raise ConfigurationError(
        f"{index!r} splits documents into nodes by itself, so that a node cannot go in or out as it is",
        option="nodes",
        hint='Insert documents, or create the index with transform_config={"mode": "advanced", '
        '"chunking_config": {"mode": "none"}, "segmentation_config": {"mode": "none"}}.',
    )


def document_of(node: BaseNode) -> Document:
    """A node as a document of the same id.

    Raises:
        ConfigurationError: It holds no text.
    """
    text = getattr(node, "text", "")
    if not text:
        raise ConfigurationError(f"node {node.node_id} holds no text", option="nodes")
    return Document(
        id_=node.node_id,
        text=text,
        metadata=node.metadata,
        excluded_embed_metadata_keys=list(node.excluded_embed_metadata_keys),
        excluded_llm_metadata_keys=list(node.excluded_llm_metadata_keys),
    )
