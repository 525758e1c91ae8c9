"""The endpoints of a pipeline's documents, one function each. All run on the I/O loop and return decoded JSON.

Ids travel in paths encoded once, as URLs have it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.paging import iterate_offsets, path_with
from llama_cloud_ext.wire.pipelines import pipeline_path

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection

DEFAULT_PAGE_SIZE = 100


def _path(pipeline_id: str, document_id: str, suffix: str = "") -> str:
    return path_with(pipeline_path(pipeline_id, "/documents/"), document_id, suffix)


async def create(connection: Connection, pipeline_id: str, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add documents to a pipeline.

    A create whose answer was lost is repeated as an upsert, so that nothing is there twice: each document brings its
    own id.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        documents: `{"id", "text", "metadata", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys"}` each.

    Returns:
        The documents as stored.
    """

    async def recover() -> list[dict[str, Any]]:
        return await upsert(connection, pipeline_id, documents)

    path = pipeline_path(pipeline_id, "/documents")
    answer = await connection.request("POST", path, json=list(documents), scoped="project", recover=recover)
    return list(as_objects(answer))


async def upsert(connection: Connection, pipeline_id: str, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add documents to a pipeline, replacing those of the same ids.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        documents: As for `create`.

    Returns:
        The documents as stored.
    """
    path = pipeline_path(pipeline_id, "/documents")
    return list(as_objects(await connection.request("PUT", path, json=list(documents), scoped="project")))


def list_documents(
    connection: Connection,
    pipeline_id: str,
    *,
    file_id: str | None = None,
    only_direct_upload: bool | None = None,
    only_api_data_source_documents: bool | None = None,
    page_size: int = DEFAULT_PAGE_SIZE,
) -> AsyncIterator[dict[str, Any]]:
    """The documents of a pipeline.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        file_id: Only documents made from this file.
        only_direct_upload: Only documents that came in as such, and not from files.
        only_api_data_source_documents: Only documents of data sources that are APIs.
        page_size: Documents in one answer.

    Yields:
        One record a document.
    """
    params = {
        "file_id": file_id,
        "only_direct_upload": only_direct_upload,
        "only_api_data_source_documents": only_api_data_source_documents,
    }
    return iterate_offsets(
        connection,
        pipeline_path(pipeline_id, "/documents/paginated"),
        key="documents",
        offset="skip",
        params=params,
        page_size=page_size,
        scoped="project",
    )


async def get(connection: Connection, pipeline_id: str, document_id: str) -> dict[str, Any]:
    """A document's record.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        document_id: The document.
    """
    return as_mapping(await connection.request("GET", _path(pipeline_id, document_id), scoped="project"))


async def delete(connection: Connection, pipeline_id: str, document_id: str) -> None:
    """Delete a document and its chunks.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        document_id: The document.
    """
    await connection.request("DELETE", _path(pipeline_id, document_id), scoped="project")


async def status(connection: Connection, pipeline_id: str, document_id: str) -> dict[str, Any]:
    """How far a document's ingestion has come.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        document_id: The document.

    Returns:
        `{"status": …, "error": […], …}`.
    """
    path = _path(pipeline_id, document_id, "/status")
    return as_mapping(await connection.request("GET", path, scoped="project"))


async def chunks(connection: Connection, pipeline_id: str, document_id: str) -> list[dict[str, Any]]:
    """The nodes that a document was split into.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        document_id: The document.
    """
    path = _path(pipeline_id, document_id, "/chunks")
    return list(as_objects(await connection.request("GET", path, scoped="project")))


async def sync_document(connection: Connection, pipeline_id: str, document_id: str) -> Any:
    """Have a document ingested anew. Asking twice does no more than asking once.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        document_id: The document.
    """
    path = _path(pipeline_id, document_id, "/sync")
    return await connection.request("POST", path, scoped="project", idempotent=True)


async def status_counts(
    connection: Connection,
    pipeline_id: str,
    *,
    file_id: str | None = None,
    data_source_id: str | None = None,
    only_direct_upload: bool | None = None,
) -> dict[str, Any]:
    """How many of a pipeline's documents are in which status.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        file_id: Only documents made from this file.
        data_source_id: Only documents of this data source.
        only_direct_upload: Only documents that came in as such, and not from files.

    Returns:
        `{"counts": {status: number}, "total_count": …}`.
    """
    path = pipeline_path(pipeline_id, "/documents/status-counts")
    params = {"file_id": file_id, "data_source_id": data_source_id, "only_direct_upload": only_direct_upload}
    return as_mapping(await connection.request("GET", path, params=params, scoped="project"))
