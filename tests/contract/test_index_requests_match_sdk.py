"""What the endpoint functions of indexes and retrievers send is what the official SDK sends for the same call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from llama_index.core.schema import QueryBundle
from llama_index.core.vector_stores import FilterCondition, FilterOperator
from llama_index.core.vector_stores import MetadataFilter as LlamaIndexFilter
from llama_index.core.vector_stores import MetadataFilters as LlamaIndexFilters

from llama_cloud_ext import LlamaCloudCompositeRetriever, LlamaCloudRetriever
from llama_cloud_ext.wire import page_images, pipeline_documents, pipeline_files, pipelines, retrievers
from llama_cloud_ext.wire.models import pipeline_configuration as models
from llama_cloud_ext.wire.models.retrieval import PresetRetrievalParams, RetrieverPipeline
from tests.contract.comparison import ODD_ID, SCOPE, Call, by_path, compare, connection, each_call, ours, recorded
from tests.contract.official_sdk import OfficialSdk
from tests.contract.recording import FILE, Recorder

FILTERS: dict[str, Any] = {
    "condition": "and",
    "filters": [
        {"key": "year", "operator": ">=", "value": 2024},
        {"key": "score", "operator": "<", "value": 0.0},
        {"key": "tags", "operator": "in", "value": ["a", "b"]},
        {"key": "note", "operator": "is_empty", "value": None},
        {"condition": "not", "filters": [{"key": "draft", "operator": "==", "value": "yes"}]},
    ],
}
PRESET: dict[str, Any] = {
    "alpha": 0.0,
    "class_name": "base_component",
    "dense_similarity_cutoff": 0.0,
    "dense_similarity_top_k": 0,
    "enable_reranking": False,
    "files_top_k": 1,
    "rerank_top_n": 6,
    "retrieval_mode": "auto_routed",
    "retrieve_image_nodes": False,
    "retrieve_page_figure_nodes": False,
    "retrieve_page_screenshot_nodes": True,
    "search_filters": FILTERS,
    "search_filters_inference_schema": {"type": "object", "properties": {"year": {"type": "integer"}}},
    "sparse_similarity_top_k": 3,
}
EMBEDDINGS: list[dict[str, Any]] = [
    {"type": "AZURE_EMBEDDING", "component": {"azure_deployment": "d", "api_key": "k", "dimensions": 256}},
    {"type": "BEDROCK_EMBEDDING", "component": {"aws_secret_access_key": "s", "max_retries": 0}},
    {"type": "COHERE_EMBEDDING", "component": {"api_key": "c", "truncate": "NONE"}},
    {"type": "GEMINI_EMBEDDING", "component": {"api_key": "g", "output_dimensionality": 64}},
    {"type": "HUGGINGFACE_API_EMBEDDING", "component": {"token": False, "pooling": "mean"}},
    {"type": "OPENAI_EMBEDDING", "component": {"api_key": "sk-1", "additional_kwargs": {"user": "u"}}},
    {
        "type": "VERTEXAI_EMBEDDING",
        "component": {
            "client_email": "a@example.com",
            "location": "europe-west3",
            "private_key": "p",
            "private_key_id": "i",
            "project": "q",
            "token_uri": "https://example.com/token",
        },
    },
]
TRANSFORMS: list[dict[str, Any]] = [
    {"mode": "auto", "chunk_size": 512, "chunk_overlap": 0},
    {"chunk_size": 512, "chunk_overlap": 64},
    {"mode": "advanced", "segmentation_config": {"mode": "none"}, "chunking_config": {"mode": "none"}},
    {
        "mode": "advanced",
        "segmentation_config": {"mode": "page", "page_separator": "\n---\n"},
        "chunking_config": {"mode": "sentence", "chunk_size": 9, "separator": " ", "paragraph_separator": "\n"},
    },
    {
        "mode": "advanced",
        "segmentation_config": {"mode": "element"},
        "chunking_config": {"mode": "semantic", "buffer_size": 1, "breakpoint_percentile_threshold": 95},
    },
]
PIPELINE: dict[str, Any] = {
    "name": "Handbuch für alle",
    "pipeline_type": "MANAGED",
    "embedding_config": EMBEDDINGS[5],
    "transform_config": TRANSFORMS[3],
    "llama_parse_parameters": {
        "parse_mode": "parse_page_with_agent",
        "take_screenshot": False,
        "max_pages": 0,
        "languages": ["de"],
        "webhook_configurations": [{"webhook_url": "https://example.com/hook", "webhook_events": ["parse.success"]}],
    },
    "metadata_config": {"excluded_embed_metadata_keys": [], "excluded_llm_metadata_keys": ["path"]},
    "preset_retrieval_parameters": PRESET,
    "sparse_model_config": {"model_type": "bm25", "class_name": "SparseModelConfig"},
    "data_sink": {"name": "own", "sink_type": "QDRANT", "component": {"url": "https://q.example", "api_key": "k"}},
}
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": ODD_ID,
        "text": "Wörter\n",
        "metadata": {"year": 2024, "none": None},
        "excluded_embed_metadata_keys": [],
        "excluded_llm_metadata_keys": ["year"],
        "page_positions": [0, 3],
    },
    {"text": "", "metadata": {}},
]
FILES: list[dict[str, Any]] = [{"file_id": "f-1", "custom_metadata": {"team": "a"}}, {"file_id": "f-2"}]
RETRIEVER_PIPELINES: list[dict[str, Any]] = [
    {"pipeline_id": "p-1", "name": "one", "description": "The first.", "preset_retrieval_parameters": PRESET},
    {"pipeline_id": "p-2", "name": None, "description": None},
]
COMPOSITE: dict[str, Any] = {"query": "Was?", "mode": "routing", "rerank_config": {"top_n": 3, "type": "llm"}}


IN = {"pipeline_id": "p-1"}
OF_DOCUMENT = {"pipeline_id": "p-1", "document_id": ODD_ID}
OF_FILE = {"pipeline_id": ODD_ID, "file_id": ODD_ID}
FIRST_PAGE = {"limit": 100}
CALLS: list[Call] = [
    ("pipelines.upsert", PIPELINE, pipelines.upsert, [PIPELINE], {}),
    ("pipelines.create", PIPELINE, pipelines.create, [PIPELINE], {}),
    ("pipelines.create", {"name": "x"}, pipelines.create, [{"name": "x"}], {}),
    ("pipelines.get", {"pipeline_id": ODD_ID}, pipelines.get, [ODD_ID], {}),
    ("pipelines.list", {}, pipelines.list_pipelines, [], {}),
    (
        "pipelines.list",
        {"pipeline_name": "ä & b", "pipeline_type": "MANAGED"},
        pipelines.list_pipelines,
        [],
        {"pipeline_name": "ä & b", "pipeline_type": "MANAGED"},
    ),
    (
        "pipelines.update",
        IN | {"name": "new", "preset_retrieval_parameters": PRESET},
        pipelines.update,
        ["p-1", {"name": "new", "preset_retrieval_parameters": PRESET}],
        {},
    ),
    ("pipelines.delete", IN, pipelines.delete, ["p-1"], {}),
    ("pipelines.get_status", IN, pipelines.status, ["p-1"], {}),
    ("pipelines.get_status", IN | {"full_details": True}, pipelines.status, ["p-1"], {"full_details": True}),
    ("pipelines.get_status", IN | {"full_details": False}, pipelines.status, ["p-1"], {"full_details": False}),
    ("pipelines.sync.create", IN, pipelines.sync, ["p-1"], {}),
    ("pipelines.sync.cancel", IN, pipelines.cancel_sync, ["p-1"], {}),
    ("pipelines.retrieve", IN | {"query": "Was?"}, pipelines.retrieve, ["p-1", {"query": "Was?"}], {}),
    ("pipelines.retrieve", IN | PRESET | {"query": ""}, pipelines.retrieve, ["p-1", PRESET | {"query": ""}], {}),
    ("pipelines.documents.create", IN | {"body": DOCUMENTS}, pipeline_documents.create, ["p-1", DOCUMENTS], {}),
    ("pipelines.documents.upsert", IN | {"body": DOCUMENTS}, pipeline_documents.upsert, ["p-1", DOCUMENTS], {}),
    # The SDK leaves the size of a page to the service; here it is always said.
    ("pipelines.documents.list", IN | FIRST_PAGE | {"skip": 0}, pipeline_documents.list_documents, ["p-1"], {}),
    (
        "pipelines.documents.list",
        IN
        | {
            "file_id": ODD_ID,
            "only_direct_upload": False,
            "only_api_data_source_documents": True,
            "limit": 7,
            "skip": 0,
        },
        pipeline_documents.list_documents,
        ["p-1"],
        {"file_id": ODD_ID, "only_direct_upload": False, "only_api_data_source_documents": True, "page_size": 7},
    ),
    ("pipelines.documents.get", OF_DOCUMENT, pipeline_documents.get, ["p-1", ODD_ID], {}),
    ("pipelines.documents.delete", OF_DOCUMENT, pipeline_documents.delete, ["p-1", ODD_ID], {}),
    ("pipelines.documents.get_status", OF_DOCUMENT, pipeline_documents.status, ["p-1", ODD_ID], {}),
    ("pipelines.documents.get_chunks", OF_DOCUMENT, pipeline_documents.chunks, ["p-1", ODD_ID], {}),
    ("pipelines.documents.sync", OF_DOCUMENT, pipeline_documents.sync_document, ["p-1", ODD_ID], {}),
    ("pipelines.documents.get_status_counts", IN, pipeline_documents.status_counts, ["p-1"], {}),
    (
        "pipelines.documents.get_status_counts",
        IN | {"file_id": ODD_ID, "data_source_id": "s", "only_direct_upload": True},
        pipeline_documents.status_counts,
        ["p-1"],
        {"file_id": ODD_ID, "data_source_id": "s", "only_direct_upload": True},
    ),
    ("pipelines.files.create", IN | {"body": FILES}, pipeline_files.add, ["p-1", FILES], {}),
    (
        "pipelines.files.update",
        OF_FILE | {"custom_metadata": {"team": None}},
        pipeline_files.update,
        [ODD_ID, ODD_ID, {"team": None}],
        {},
    ),
    (
        "pipelines.files.update",
        OF_FILE | {"custom_metadata": None},
        pipeline_files.update,
        [ODD_ID, ODD_ID, None],
        {},
    ),
    ("pipelines.files.list", IN | FIRST_PAGE | {"offset": 0}, pipeline_files.list_files, ["p-1"], {}),
    (
        "pipelines.files.list",
        IN
        | {
            "statuses": ["ERROR", "CANCELLED"],
            "file_name_contains": "ä & b",
            "only_manually_uploaded": False,
            "data_source_id": "s",
            "order_by": "name desc",
            "limit": 7,
            "offset": 0,
        },
        pipeline_files.list_files,
        ["p-1"],
        {
            "statuses": ["ERROR", "CANCELLED"],
            "file_name_contains": "ä & b",
            "only_manually_uploaded": False,
            "data_source_id": "s",
            "order_by": "name desc",
            "page_size": 7,
        },
    ),
    ("pipelines.files.delete", OF_FILE, pipeline_files.delete, [ODD_ID, ODD_ID], {}),
    ("pipelines.files.get_status", OF_FILE, pipeline_files.status, [ODD_ID, ODD_ID], {}),
    ("pipelines.files.get_status_counts", IN, pipeline_files.status_counts, ["p-1"], {}),
    (
        "pipelines.files.get_status_counts",
        IN | {"data_source_id": "s", "only_manually_uploaded": False},
        pipeline_files.status_counts,
        ["p-1"],
        {"data_source_id": "s", "only_manually_uploaded": False},
    ),
    ("pipelines.metadata.delete_all", IN, pipeline_files.delete_metadata, ["p-1"], {}),
    ("pipelines.images.list_page_screenshots", {"id": ODD_ID}, page_images.list_screenshots, [ODD_ID], {}),
    ("pipelines.images.list_page_figures", {"id": ODD_ID}, page_images.list_figures, [ODD_ID], {}),
    (
        "pipelines.images.get_page_screenshot",
        {"id": ODD_ID, "page_index": 0},
        page_images.screenshot,
        [ODD_ID, 0],
        {},
    ),
    (
        "pipelines.images.get_page_figure",
        {"id": ODD_ID, "page_index": 12, "figure_name": "img p1/2.png"},
        page_images.figure,
        [ODD_ID, 12, "img p1/2.png"],
        {},
    ),
    (
        "retrievers.create",
        {"name": "all", "pipelines": RETRIEVER_PIPELINES},
        retrievers.create,
        [{"name": "all", "pipelines": RETRIEVER_PIPELINES}],
        {},
    ),
    (
        "retrievers.upsert",
        {"name": "all", "pipelines": []},
        retrievers.upsert,
        [{"name": "all", "pipelines": []}],
        {},
    ),
    ("retrievers.get", {"retriever_id": ODD_ID}, retrievers.get, [ODD_ID], {}),
    ("retrievers.list", {}, retrievers.list_retrievers, [], {}),
    ("retrievers.list", {"name": "ä & b"}, retrievers.list_retrievers, [], {"name": "ä & b"}),
    (
        "retrievers.update",
        {"retriever_id": "r-1", "pipelines": RETRIEVER_PIPELINES, "name": "new"},
        retrievers.update,
        ["r-1", {"pipelines": RETRIEVER_PIPELINES, "name": "new"}],
        {},
    ),
    ("retrievers.delete", {"retriever_id": "r-1"}, retrievers.delete, ["r-1"], {}),
    (
        "retrievers.retriever.search",
        COMPOSITE | {"retriever_id": "r-1"},
        retrievers.retrieve,
        ["r-1", COMPOSITE],
        {},
    ),
    (
        "retrievers.search",
        COMPOSITE | {"pipelines": RETRIEVER_PIPELINES},
        retrievers.retrieve_from,
        [COMPOSITE | {"pipelines": RETRIEVER_PIPELINES}],
        {},
    ),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(recording_sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(recording_sdk, call, scope)


def test_what_the_sdk_leaves_plain_in_a_path_means_the_same_encoded(recording_sdk: OfficialSdk) -> None:
    """Ensure that the signs which the SDK does not encode within an id are the only ones that look different here."""
    plain = "!$&'()*+,;=:@-._~"
    (expected,) = recording_sdk.run(recorded, function="pipelines.get", arguments={"pipeline_id": plain}, scope={})
    (request,) = ours(pipelines.get, plain)
    assert expected.pop("path").rpartition("/")[2] == plain
    assert unquote(request.pop("path").rpartition("/")[2]) == plain
    assert request == expected


def test_metadata_uploads_send_what_the_sdk_sends(recording_sdk: OfficialSdk, tmp_path: Path) -> None:
    """Ensure that a table of metadata is uploaded with the SDK's field, file name, content type and content."""
    table = tmp_path / "Metadaten & mehr.csv"
    table.write_bytes(b"file_name,team\r\na.pdf,\xc3\xa4\r\n")
    expected = recording_sdk.run(
        by_path,
        function="pipelines.metadata.create",
        path=str(table),
        field="upload_file",
        arguments=IN | {"project_id": SCOPE["project_id"]},
    )
    assert ours(pipeline_files.import_metadata, "p-1", table, scoped=True) == expected


@pytest.mark.parametrize("embedding", EMBEDDINGS, ids=lambda embedding: str(embedding["type"]))
def test_embedding_models_write_what_the_sdk_sends(recording_sdk: OfficialSdk, embedding: dict[str, Any]) -> None:
    """Ensure that an embedding configuration that went through its model is the SDK's, secrets included."""
    assert settled("embedding_config", models.settle_embedding_config(embedding)) == sent(
        recording_sdk, {"embedding_config": embedding}
    )


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: json.dumps(transform)[:40])
def test_transform_models_write_what_the_sdk_sends(recording_sdk: OfficialSdk, transform: dict[str, Any]) -> None:
    """Ensure that a transform configuration that went through its model is the SDK's."""
    assert settled("transform_config", models.settle_transform_config(transform)) == sent(
        recording_sdk, {"transform_config": transform}
    )


def test_other_models_write_what_the_sdk_sends(recording_sdk: OfficialSdk) -> None:
    """Ensure that False, 0 and empty lists of all other parts of an index's configuration arrive."""
    parts: dict[str, Any] = {
        "llama_parse_parameters": models.LlamaParseParameters,
        "metadata_config": models.PipelineMetadataConfig,
        "preset_retrieval_parameters": PresetRetrievalParams,
        "sparse_model_config": models.SparseModelConfig,
        "data_sink": models.DataSinkCreate,
    }
    for part, model in parts.items():
        assert settled(part, model(**PIPELINE[part])) == sent(recording_sdk, {part: PIPELINE[part]})


def test_retriever_pipelines_write_what_the_sdk_sends(recording_sdk: OfficialSdk) -> None:
    """Ensure that an index of a composite retriever is written with its name and description even where it has none."""
    body = {"name": "x", "pipelines": [RetrieverPipeline(**one).to_body() for one in RETRIEVER_PIPELINES]}
    arguments = {"name": "x", "pipelines": RETRIEVER_PIPELINES}
    (request,) = recording_sdk.run(recorded, function="retrievers.upsert", arguments=arguments, scope={})
    assert body == request["json"]


def test_the_retriever_sends_what_the_sdk_sends(recording_sdk: OfficialSdk) -> None:
    """Ensure that a retriever with every option sends the SDK's query, LlamaIndex filters among the options."""
    recorder = Recorder()
    # The retriever has its own argument for filters, no class name, and sends for the deprecated `retrieve_image_nodes`
    # the two options that took its place.
    left_out = ("class_name", "search_filters", "retrieve_image_nodes")
    options = {name: value for name, value in PRESET.items() if name not in left_out}
    filters = LlamaIndexFilters(
        filters=[
            LlamaIndexFilter(key="year", value=2024, operator=FilterOperator.GTE),
            LlamaIndexFilters(filters=[LlamaIndexFilter(key="draft", value="yes")], condition=FilterCondition.NOT),
        ],
        condition=FilterCondition.OR,
    )
    retriever = LlamaCloudRetriever(pipeline_id="p-1", filters=filters, **options, **connection(recorder))
    retriever.retrieve("Was?")
    year, draft = FILTERS["filters"][0], FILTERS["filters"][4]
    arguments = {**IN, **options, "query": "Was?", "search_filters": {"condition": "or", "filters": [year, draft]}}
    expected = recording_sdk.run(recorded, function="pipelines.retrieve", arguments=arguments, scope=SCOPE)
    assert recorder.requests == expected


def test_the_composite_retriever_sends_what_the_sdk_sends(recording_sdk: OfficialSdk) -> None:
    """Ensure that a composite retriever's indexes and queries are the SDK's, stored or sent along."""
    stored, loose = Recorder(), Recorder()
    retriever = LlamaCloudCompositeRetriever(retriever_id="r-1", mode="routing", **connection(stored))
    retriever.retriever  # noqa: B018 - looks it up
    stored.requests.clear()
    retriever.update_retriever_pipelines(RETRIEVER_PIPELINES)
    retriever._retrieve(QueryBundle("Was?"), rerank_config={"type": "llm"}, rerank_top_n=3)
    expected = [
        *recording_sdk.run(
            recorded,
            function="retrievers.update",
            arguments={"retriever_id": FILE["id"], "pipelines": RETRIEVER_PIPELINES},
            scope=SCOPE,
        ),
        *recording_sdk.run(
            recorded,
            function="retrievers.retriever.search",
            arguments=COMPOSITE | {"retriever_id": FILE["id"]},
            scope=SCOPE,
        ),
    ]
    assert stored.requests == expected
    unstored = LlamaCloudCompositeRetriever(
        persisted=False, mode="routing", rerank_config=COMPOSITE["rerank_config"], **connection(loose)
    )
    unstored.update_retriever_pipelines(RETRIEVER_PIPELINES)
    unstored.retrieve("Was?")
    assert loose.requests == recording_sdk.run(
        recorded,
        function="retrievers.search",
        arguments=COMPOSITE | {"pipelines": RETRIEVER_PIPELINES},
        scope=SCOPE,
    )


def settled(part: str, model: Any) -> dict[str, Any]:
    """The body with a part that went through a model."""
    return {"name": "x", part: model.to_body()}


def sent(sdk: OfficialSdk, parts: dict[str, Any]) -> Any:
    """The body with which the SDK creates an index that has these parts."""
    (request,) = sdk.run(recorded, function="pipelines.create", arguments={"name": "x", **parts}, scope={})
    return request["json"]
