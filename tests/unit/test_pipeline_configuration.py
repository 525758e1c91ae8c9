"""The configuration of an index: which variant is meant, what is sent, what is kept from view, what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.embedding_configuration import VARIANTS, OpenAIEmbeddingConfig
from llama_cloud_ext.wire.models.pipeline_configuration import (
    AdvancedModeTransformConfig,
    AutoTransformConfig,
    DataSinkCreate,
    LlamaParseParameters,
    PipelineMetadataConfig,
    SparseModelConfig,
    settle_embedding_config,
    settle_transform_config,
)

SECRETS: dict[str, list[str]] = {
    "AZURE_EMBEDDING": ["api_key"],
    "BEDROCK_EMBEDDING": ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"],
    "COHERE_EMBEDDING": ["api_key"],
    "GEMINI_EMBEDDING": ["api_key"],
    "HUGGINGFACE_API_EMBEDDING": ["token"],
    "MANAGED_OPENAI_EMBEDDING": [],
    "OPENAI_EMBEDDING": ["api_key"],
    "VERTEXAI_EMBEDDING": ["private_key", "private_key_id"],
}


class TheirEmbedding(BaseModel):
    """An object as the SDK makes it: one name on the wire is another here."""

    api_model_name: str | None = Field(default=None, alias="model_name")
    api_key: str | None = None


class TheirConfig(BaseModel):
    """Its configuration."""

    component: TheirEmbedding
    type: str = "OPENAI_EMBEDDING"


def component(kind: str) -> dict[str, Any]:
    """A component with all of its secrets."""
    known = {"project": "p", "location": "l"} if kind == "VERTEXAI_EMBEDDING" else {}
    return {"model_name": "m", **known, **dict.fromkeys(SECRETS[kind], "s3cret")}


@pytest.mark.parametrize("kind", sorted(VARIANTS))
def test_every_embedding(kind: str) -> None:
    """Ensure a dict finds its variant by its type, sends its secrets and shows none."""
    made = settle_embedding_config({"type": kind, "component": component(kind)})
    assert type(made) is VARIANTS[kind]
    assert settle_embedding_config(made) is made
    sent = made.to_body()
    assert sent["type"] == kind
    assert component(kind).items() <= sent["component"].items()
    assert "s3cret" not in repr(made)
    assert "s3cret" not in str(made.model_dump(mode="json"))
    assert pickle.loads(pickle.dumps(made)).to_body() == sent
    assert settle_embedding_config({"type": kind}).to_body() == {"type": kind}


def test_no_secret_is_forgotten() -> None:
    """Ensure a field that sounds like a secret is one, in every embedding and among the parse parameters."""
    for kind, variant in VARIANTS.items():
        fields = fields_of_component(variant)
        sounding = {name for name in fields if name.endswith(("key", "key_id", "token", "secret"))}
        assert sounding == set(SECRETS[kind])
        assert all("Secret" in str(fields[name].annotation) for name in sounding)
    parse = LlamaParseParameters.model_fields
    keys = {name for name in parse if name.endswith("_key")}
    assert keys == {"azure_openai_key", "gpt4o_api_key", "vendor_multimodal_api_key"}
    assert all("Secret" in str(parse[name].annotation) for name in keys)


def fields_of_component(variant: type[BaseModel]) -> dict[str, Any]:
    """The fields of a variant's component."""
    made: Any = variant(component=component(str(variant.model_fields["type"].default)))
    return dict(type(made.component).model_fields)


def test_embeddings_of_other_packages() -> None:
    """Ensure an object of the SDK works whole, as a component, and with its names on the wire."""
    theirs = TheirEmbedding(model_name="m", api_key="k")
    body = {"type": "OPENAI_EMBEDDING", "component": {"model_name": "m", "api_key": "k"}}
    assert settle_embedding_config(TheirConfig(component=theirs)).to_body() == body
    assert settle_embedding_config({"type": "OPENAI_EMBEDDING", "component": theirs}).to_body() == body
    assert OpenAIEmbeddingConfig(component=theirs).to_body() == body
    secret = {"api_key": SecretStr("k"), "model_name": "m"}
    assert settle_embedding_config({"type": "OPENAI_EMBEDDING", "component": secret}).to_body() == body


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"component": {}}, r"an embedding needs its type\n.*Types are AZURE_EMBEDDING, "),
        ({"type": "OPENAI"}, r"'OPENAI' is no type of embedding\n.*Did you mean OPENAI_EMBEDDING\?"),
        ({"type": "openai_embeding"}, r"Did you mean OPENAI_EMBEDDING\?"),
        ({"type": 7}, r"7 is no type of embedding"),
        ({"type": ["OPENAI_EMBEDDING"]}, r"is no type of embedding"),
        ({"type": "COHERE_EMBEDDING", "component": {"api_kee": 1}}, r"component\.api_kee: .*did you mean 'api_key'\?"),
        ({"type": "COHERE_EMBEDDING", "components": {}}, r"components: .*did you mean 'component'\?"),
        ({"type": "VERTEXAI_EMBEDDING", "component": {"project": "p"}}, r"component\.location: Field required"),
        ({"type": "HUGGINGFACE_API_EMBEDDING", "component": {"pooling": "avg"}}, r"component\.pooling: 'avg' is not "),
        ("OPENAI_EMBEDDING", r"str is no AzureOpenAIEmbeddingConfig or "),
        (None, r"NoneType is no "),
    ],
)
def test_embeddings_that_cannot_work(value: Any, words: str) -> None:
    """Ensure an error names what is wrong and what was meant."""
    with pytest.raises(ConfigurationError, match=words):
        settle_embedding_config(value)


def test_errors_do_not_show_secrets() -> None:
    """Ensure a key is not repeated by the error about its neighbour."""
    with pytest.raises(ConfigurationError) as info:
        settle_embedding_config({"type": "OPENAI_EMBEDDING", "component": {"api_key": "s3cret", "dimensions": "many"}})
    assert "s3cret" not in str(info.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, AutoTransformConfig),
        ({"mode": "auto"}, AutoTransformConfig),
        ({"mode": "auto", "chunk_size": 512, "chunk_overlap": 0}, AutoTransformConfig),
        ({"chunk_size": 512, "chunk_overlap": 512}, AutoTransformConfig),
        ({"mode": "advanced"}, AdvancedModeTransformConfig),
        ({"mode": "advanced", "chunking_config": {"mode": "none"}}, AdvancedModeTransformConfig),
        ({"mode": "advanced", "chunking_config": {"mode": "character", "chunk_size": 9}}, AdvancedModeTransformConfig),
        ({"mode": "advanced", "chunking_config": {"mode": "token", "separator": " "}}, AdvancedModeTransformConfig),
        (
            {"mode": "advanced", "chunking_config": {"mode": "sentence", "paragraph_separator": "\n"}},
            AdvancedModeTransformConfig,
        ),
        ({"mode": "advanced", "chunking_config": {"mode": "semantic", "buffer_size": 0}}, AdvancedModeTransformConfig),
        (
            {"mode": "advanced", "segmentation_config": {"mode": "page", "page_separator": "\f"}},
            AdvancedModeTransformConfig,
        ),
        ({"mode": "advanced", "segmentation_config": {"mode": "element"}}, AdvancedModeTransformConfig),
    ],
)
def test_transforms(value: dict[str, Any], kind: type) -> None:
    """Ensure a dict finds its variant and is sent as it was given."""
    made = settle_transform_config(value)
    assert type(made) is kind
    assert settle_transform_config(made) is made
    assert made.to_body() == value


def test_parts_of_an_advanced_transform_say_its_mode() -> None:
    """Ensure a transform with segments or chunks is an advanced one, and says so."""
    made = settle_transform_config({"chunking_config": {"mode": "none"}})
    assert made.to_body() == {"mode": "advanced", "chunking_config": {"mode": "none"}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"mode": "automatic"}, r"there is no mode 'automatic'"),
        ({"chunksize": 512}, r"chunksize: .*did you mean 'chunk_size'\?"),
        ({"mode": "advanced", "chunk_size": 512}, r"chunk_size: unknown option"),
        ({"mode": "auto", "chunking_config": {"mode": "none"}}, r"chunking_config: unknown option"),
        ({"chunk_size": 0}, r"chunk_size: "),
        ({"chunk_overlap": -1}, r"chunk_overlap: "),
        ({"chunk_size": 10, "chunk_overlap": 11}, r"chunk_overlap \(11\) must not be larger than chunk_size \(10\)"),
        (
            {"mode": "advanced", "chunking_config": {"mode": "token", "chunk_size": 10, "chunk_overlap": 11}},
            r"chunking_config: chunk_overlap \(11\) must not be larger",
        ),
        (
            {"mode": "advanced", "chunking_config": {"mode": "none", "chunk_size": 10}},
            r"chunking_config: chunk_size does not belong to the mode 'none', which has no options",
        ),
        (
            {"mode": "advanced", "chunking_config": {"mode": "character", "separator": " "}},
            r"separator does not belong to the mode 'character', which has only chunk_overlap, chunk_size",
        ),
        (
            {"mode": "advanced", "segmentation_config": {"mode": "element", "page_separator": " "}},
            r"segmentation_config: page_separator does not belong to the mode 'element'",
        ),
        ({"mode": "advanced", "chunking_config": {"mode": "sentences"}}, r"did you mean 'sentence'\?"),
        (3, r"int is no AutoTransformConfig or AdvancedModeTransformConfig"),
    ],
)
def test_transforms_that_cannot_work(value: Any, words: str) -> None:
    """Ensure an option of another variant or mode is refused, as the service would pass it over."""
    with pytest.raises(ConfigurationError, match=words):
        settle_transform_config(value)


def test_parse_parameters() -> None:
    """Ensure what is off or zero is sent, keys are sent and not shown, and the one odd name is the API's."""
    made = LlamaParseParameters(
        take_screenshot=False,
        max_pages=0,
        languages=[],
        gpt4o_api_key="s3cret",
        output_tables_as_html=True,
        webhook_configurations=[{"webhook_url": "https://example.com", "webhook_signing_secret": "s3cret"}],
    )
    assert made.to_body() == {
        "take_screenshot": False,
        "max_pages": 0,
        "languages": [],
        "gpt4o_api_key": "s3cret",
        "output_tables_as_HTML": True,
        "webhook_configurations": [{"webhook_url": "https://example.com", "webhook_signing_secret": "s3cret"}],
    }
    assert "s3cret" not in repr(made)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parse_mod": "x"}, r"parse_mod: unknown option; did you mean 'parse_mode'\?"),
        ({"parse_mode": "parse_page_with_agents"}, r"did you mean 'parse_page_with_agent'\?"),
        ({"languages": "en"}, r"languages: is a list: write \['en'\]"),
        ({"languages": ["eng"]}, r"languages\[0\]: 'eng' is not one of "),
        ({"images_to_save": ["layouts"]}, r"images_to_save\[0\]: .*did you mean 'layout'\?"),
        ({"replace_failed_page_mode": "blank"}, r"did you mean 'blank_page'\?"),
    ],
)
def test_parse_parameters_that_cannot_work(options: dict[str, Any], words: str) -> None:
    """Ensure an error names the option and what was meant."""
    with pytest.raises(ConfigurationError, match=words):
        LlamaParseParameters(**options)


def test_small_parts() -> None:
    """Ensure the other parts send what they are given, and refuse what the service would not know."""
    metadata = PipelineMetadataConfig(excluded_embed_metadata_keys=[])
    assert metadata.to_body() == {"excluded_embed_metadata_keys": []}
    assert SparseModelConfig(model_type="splade").to_body() == {"model_type": "splade"}
    sink = DataSinkCreate(name="own", sink_type="PINECONE", component={"index_name": None})
    assert sink.to_body() == {"name": "own", "sink_type": "PINECONE", "component": {"index_name": None}}
    with pytest.raises(ConfigurationError, match="did you mean 'bm25'"):
        SparseModelConfig(model_type="bm52")
    with pytest.raises(ConfigurationError, match="did you mean 'QDRANT'"):
        DataSinkCreate(name="own", sink_type="QUADRANT", component={})
    with pytest.raises(ConfigurationError, match="did you mean 'excluded_llm_metadata_keys'"):
        PipelineMetadataConfig(**{"excluded_llm_metadata": []})


def test_the_key_of_a_vector_store_is_not_shown() -> None:
    """Ensure the component of a vector store, which holds its credentials, is left out of what is printed."""
    sink = DataSinkCreate(name="own", sink_type="PINECONE", component={"api_key": "s3cret"})
    assert "s3cret" not in repr(sink)
