"""Pipelines, documents and files as the API describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.pipeline_records import DocumentRecord, PipelineFileRecord, PipelineRecord
from llama_cloud_ext.local.retrieval import Chunk

if TYPE_CHECKING:
    from llama_cloud_ext.local.cloud import LocalCloud

HIDDEN_SECRET = "**********"  # noqa: S105 - what stands in its place
_SECRETS = ("api_key", "token", "private_key", "private_key_id", "azure_openai_key", "component_secret", "http_proxy")
_SECRET_ENDINGS = ("_api_key", "_access_key_id", "_secret_access_key", "_session_token", "_signing_secret")
_HEADERS = ("headers", "default_headers", "webhook_headers")
_WITH_SECRETS = ("embedding_config", "llama_parse_parameters", "parameters", "sparse_model_config")

_MANAGED = {
    "type": "MANAGED_OPENAI_EMBEDDING",
    "component": {"class_name": "base_component", "model_name": "openai-text-embedding-3-small"},
}
"""What the service says of a pipeline without an embedding configuration of its own."""


def describe_pipeline(cloud: LocalCloud, pipeline: PipelineRecord) -> dict[str, Any]:
    """A pipeline. `local_embedding` names the model that really embeds here, whatever the configuration says."""
    configuration = without_secrets(pipeline.configuration)
    return {
        "data_sink": None,
        "embedding_model_config": None,
        "embedding_model_config_id": None,
        "llama_parse_parameters": {},
        "managed_pipeline_id": None,
        "metadata_config": None,
        "pipeline_type": "MANAGED",
        "preset_retrieval_parameters": {},
        "sparse_model_config": None,
        **configuration,
        "embedding_config": configuration.get("embedding_config") or _MANAGED,
        "transform_config": {"mode": "auto", **(configuration.get("transform_config") or {})},
        "id": pipeline.id,
        "name": pipeline.name,
        "project_id": cloud.project.id,
        "status": "CREATED",
        "config_hash": None,
        "created_at": pipeline.created_at,
        "updated_at": pipeline.updated_at,
        "local_embedding": cloud.embedder.name,
    }


def without_secrets(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of a pipeline or a batch, with the keys and tokens in it covered; nothing ever needs them here.

    Example:
        >>> without_secrets({"embedding_config": {"component": {"api_key": "sk-1", "model_name": "m"}}})
        {'embedding_config': {'component': {'api_key': '**********', 'model_name': 'm'}}}
    """
    return {name: _covered(value) if name in _WITH_SECRETS else value for name, value in configuration.items()}


def _covered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _covered_field(name, one) for name, one in value.items()}
    return [_covered(one) for one in value] if isinstance(value, list) else value


def _covered_field(name: str, value: Any) -> Any:
    if name in _HEADERS and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN_SECRET)
    return HIDDEN_SECRET if value and _is_secret(name) else _covered(value)


def _is_secret(name: str) -> bool:
    return name in _SECRETS or name.endswith(_SECRET_ENDINGS)


def describe_document(document: DocumentRecord) -> dict[str, Any]:
    """A document."""
    return {
        "id": document.id,
        "text": document.text,
        "metadata": document.metadata,
        "excluded_embed_metadata_keys": document.excluded_embed_metadata_keys,
        "excluded_llm_metadata_keys": document.excluded_llm_metadata_keys,
        "page_positions": document.page_positions,
        "status_metadata": {"status": document.status, "error_message": document.error_message},
    }


def describe_file(cloud: LocalCloud, file: PipelineFileRecord) -> dict[str, Any]:
    """A file of a pipeline."""
    return {
        "id": file.file_id,
        "file_id": file.file_id,
        "pipeline_id": file.pipeline_id,
        "project_id": cloud.project.id,
        "name": file.name,
        "file_size": file.size,
        "file_type": file.name.rpartition(".")[2].lower() if "." in file.name else None,
        "external_file_id": file.external_file_id,
        "custom_metadata": file.custom_metadata,
        "data_source_id": None,
        "config_hash": None,
        "permission_info": None,
        "resource_info": None,
        "status": file.status,
        "status_updated_at": file.updated_at,
        "indexed_page_count": file.indexed_page_count,
        "last_modified_at": file.updated_at,
        "created_at": file.created_at,
        "updated_at": file.updated_at,
    }


def describe_status(
    status: str, *, job_id: str, changed_at: str | None, failures: Sequence[tuple[str, str, str]] = ()
) -> dict[str, Any]:
    """The state of an ingestion.

    Args:
        status: The state.
        job_id: What is being ingested.
        changed_at: When it got into this state.
        failures: "document" or "file", its id, and the reason, for each that failed.
    """
    steps = {"file": "PARSE", "document": "INGESTION"}
    return {
        "status": status,
        "job_id": job_id,
        "deployment_date": changed_at if status in ("SUCCESS", "PARTIAL_SUCCESS") else None,
        "effective_at": changed_at,
        "error": [
            {"job_id": identifier, "message": reason, "step": steps[kind]} for kind, identifier, reason in failures
        ]
        or None,
    }


def describe_node(
    chunk: Chunk,
    *,
    pipeline_id: str,
    document_id: str,
    file_id: str | None,
    previous: str | None = None,
    following: str | None = None,
) -> dict[str, Any]:
    """A chunk as a LlamaIndex node.

    Args:
        chunk: The chunk.
        pipeline_id: Its pipeline.
        document_id: The document it is a piece of.
        file_id: The file that came from, if any.
        previous: Id of the chunk before it.
        following: Id of the chunk after it.
    """
    origin = {"document_id": document_id, "pipeline_id": pipeline_id, **({"file_id": file_id} if file_id else {})}
    metadata = {**origin, **chunk.metadata}
    hidden = [name for name in origin if name not in chunk.metadata]
    relationships: dict[str, Any] = {"1": _related(document_id, "4")}
    if previous is not None:
        relationships["2"] = _related(previous, "1")
    if following is not None:
        relationships["3"] = _related(following, "1")
    return {
        "id_": chunk.id,
        "class_name": "TextNode",
        "text": chunk.text,
        "mimetype": "text/plain",
        # One under the name that the API has for it, one under that of LlamaIndex.
        "extra_info": metadata,
        "metadata": metadata,
        "excluded_embed_metadata_keys": [*chunk.excluded_embed_metadata_keys, *hidden],
        "excluded_llm_metadata_keys": [*chunk.excluded_llm_metadata_keys, *hidden],
        "relationships": relationships,
        "start_char_idx": chunk.start_char_idx,
        "end_char_idx": chunk.end_char_idx,
        "metadata_seperator": "\n",
        "metadata_template": "{key}: {value}",
        "text_template": "{metadata_str}\n\n{content}",
    }


def _related(node_id: str, node_type: str) -> dict[str, Any]:
    return {"node_id": node_id, "node_type": node_type, "metadata": {}, "hash": None, "class_name": "RelatedNodeInfo"}
