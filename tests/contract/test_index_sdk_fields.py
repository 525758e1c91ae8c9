"""The configuration of indexes and retrievals has the official SDK's fields and choices, none more and none less."""

from __future__ import annotations

import types
import typing
from typing import Any

import pytest
from pydantic import BaseModel

from llama_cloud_ext.wire.models import embedding_configuration, retrieval, transform_configuration
from llama_cloud_ext.wire.models import pipeline_configuration as pipeline
from tests.contract.official_sdk import OfficialSdk

CHUNKING = "advanced_mode_transform_config_param.ChunkingConfig"
SEGMENTATION = "advanced_mode_transform_config_param.SegmentationConfig"
MODELS: dict[str, type[BaseModel]] = {
    "preset_retrieval_params_param.PresetRetrievalParamsParam": retrieval.PresetRetrievalParams,
    "metadata_filters_param.MetadataFiltersParam": retrieval.MetadataFilters,
    "metadata_filters_param.FilterMetadataFilter": retrieval.MetadataFilter,
    "re_rank_config_param.ReRankConfigParam": retrieval.ReRankConfig,
    "retriever_pipeline_param.RetrieverPipelineParam": retrieval.RetrieverPipeline,
    "auto_transform_config_param.AutoTransformConfigParam": transform_configuration.AutoTransformConfig,
    "advanced_mode_transform_config_param.AdvancedModeTransformConfigParam": (
        transform_configuration.AdvancedModeTransformConfig
    ),
    CHUNKING: transform_configuration.ChunkingConfig,
    SEGMENTATION: transform_configuration.SegmentationConfig,
    "llama_parse_parameters_param.LlamaParseParametersParam": pipeline.LlamaParseParameters,
    "sparse_model_config_param.SparseModelConfigParam": pipeline.SparseModelConfig,
    "data_sink_create_param.DataSinkCreateParam": pipeline.DataSinkCreate,
    "pipeline_metadata_config_param.PipelineMetadataConfigParam": pipeline.PipelineMetadataConfig,
    **{
        f"{module}.{name}": getattr(embedding_configuration, name.removesuffix("Param"))
        for module, name in (
            ("azure_openai_embedding_config_param", "AzureOpenAIEmbeddingConfigParam"),
            ("azure_openai_embedding_param", "AzureOpenAIEmbeddingParam"),
            ("bedrock_embedding_config_param", "BedrockEmbeddingConfigParam"),
            ("bedrock_embedding_param", "BedrockEmbeddingParam"),
            ("cohere_embedding_config_param", "CohereEmbeddingConfigParam"),
            ("cohere_embedding_param", "CohereEmbeddingParam"),
            ("gemini_embedding_config_param", "GeminiEmbeddingConfigParam"),
            ("gemini_embedding_param", "GeminiEmbeddingParam"),
            (
                "hugging_face_inference_api_embedding_config_param",
                "HuggingFaceInferenceAPIEmbeddingConfigParam",
            ),
            ("hugging_face_inference_api_embedding_param", "HuggingFaceInferenceAPIEmbeddingParam"),
            ("openai_embedding_config_param", "OpenAIEmbeddingConfigParam"),
            ("openai_embedding_param", "OpenAIEmbeddingParam"),
            ("vertex_ai_embedding_config_param", "VertexAIEmbeddingConfigParam"),
            ("vertex_text_embedding_param", "VertexTextEmbeddingParam"),
        )
    },
}

SENT_AS_NONE = {
    "FilterMetadataFilter": {"value"},
    "RetrieverPipelineParam": {"name", "description"},
    "CohereEmbeddingParam": {"api_key"},
    "VertexTextEmbeddingParam": {"client_email", "private_key", "private_key_id", "token_uri"},
}
"""What the API wants to be told even where there is nothing to tell; here it may be left out and is sent as None."""


def described(client: Any, names: list[str]) -> dict[str, Any]:
    """The fields of the SDK's types, with the strings each is limited to and whether it must be there."""
    import importlib
    import typing

    import typing_extensions

    def literals(hint: Any) -> list[str]:
        if typing.get_origin(hint) is typing.Literal:
            return [str(value) for value in typing.get_args(hint)]
        if typing_extensions.is_typeddict(hint):
            return []
        return [value for inner in typing.get_args(hint) for value in literals(inner)]

    found: dict[str, Any] = {}
    for name in names:
        module, _, kind = name.rpartition(".")
        group = getattr(importlib.import_module(f"llama_cloud.types.{module}"), kind)
        variants = [group] if typing_extensions.is_typeddict(group) else typing.get_args(group)
        fields: dict[str, set[str]] = {}
        aliases: dict[str, str] = {}
        required: list[set[str]] = []
        for variant in variants:
            required.append(set())
            for field, hint in typing_extensions.get_type_hints(variant, include_extras=True).items():
                fields.setdefault(field, set()).update(literals(hint))
                if typing_extensions.get_origin(hint) is typing_extensions.Required:
                    required[-1].add(field)
                for extra in getattr(hint, "__metadata__", ()):
                    aliases[field] = extra.alias
        found[name] = {
            "fields": {field: sorted(values) for field, values in fields.items()},
            "aliases": aliases,
            "required": sorted(set.intersection(*required)),
        }
    return found


@pytest.fixture(scope="module")
def sdk_types(recording_sdk: OfficialSdk) -> dict[str, Any]:
    """What the installed SDK says of its types."""
    answer: dict[str, Any] = recording_sdk.run(described, names=list(MODELS))
    return answer


@pytest.mark.parametrize("name", MODELS, ids=lambda name: str(name).partition(".")[2])
def test_models_have_the_sdks_fields(sdk_types: dict[str, Any], name: str) -> None:
    """Ensure that a model has every field of the SDK's type, and no other."""
    assert set(MODELS[name].model_fields) == set(sdk_types[name]["fields"])


@pytest.mark.parametrize("name", MODELS, ids=lambda name: str(name).partition(".")[2])
def test_models_have_the_sdks_choices(sdk_types: dict[str, Any], name: str) -> None:
    """Ensure that a field which takes only some strings takes those that the SDK's takes."""
    fields = MODELS[name].model_fields
    ours = {field: sorted(choices(info.annotation)) for field, info in fields.items()}
    assert ours == sdk_types[name]["fields"]


@pytest.mark.parametrize("name", MODELS, ids=lambda name: str(name).partition(".")[2])
def test_models_want_what_the_sdk_wants(sdk_types: dict[str, Any], name: str) -> None:
    """Ensure that what must be there for the SDK must be there here, unless None is sent for it."""
    wanted = {field for field, info in MODELS[name].model_fields.items() if info.is_required()}
    assert set(sdk_types[name]["required"]) - wanted == SENT_AS_NONE.get(name.partition(".")[2], set())


def test_what_may_be_left_out_is_sent_as_none() -> None:
    """Ensure that what the API wants to be told even where there is nothing to tell is sent."""
    least: dict[str, dict[str, Any]] = {
        "FilterMetadataFilter": {"key": "a"},
        "RetrieverPipelineParam": {"pipeline_id": "p"},
        "CohereEmbeddingParam": {},
        "VertexTextEmbeddingParam": {"project": "p", "location": "l"},
    }
    models = {name.partition(".")[2]: model for name, model in MODELS.items()}
    for name, fields in SENT_AS_NONE.items():
        model: Any = models[name]
        assert model(**least[name]).to_body().items() >= dict.fromkeys(fields).items()


def test_names_on_the_wire(sdk_types: dict[str, Any]) -> None:
    """Ensure that the one field whose name on the wire is another is sent and read under that."""
    aliases = {name: described["aliases"] for name, described in sdk_types.items() if described["aliases"]}
    assert aliases == {
        "llama_parse_parameters_param.LlamaParseParametersParam": {"output_tables_as_html": "output_tables_as_HTML"}
    }
    given = pipeline.LlamaParseParameters(output_tables_as_html=False)
    read = pipeline.LlamaParseParameters(**{"output_tables_as_HTML": False})
    assert given.to_body() == read.to_body() == {"output_tables_as_HTML": False}


def choices(hint: Any) -> set[str]:
    """The strings of the literals within an annotation."""
    if typing.get_origin(hint) is typing.Literal:
        return {str(value) for value in typing.get_args(hint)}
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        return set()
    return {value for inner in typing.get_args(hint) for value in choices(inner)}
