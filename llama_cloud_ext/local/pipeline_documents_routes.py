"""`/api/v1/pipelines/{id}/documents`: what was put into an index as text."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.pipeline_answers import describe_document, describe_node, describe_status
from llama_cloud_ext.local.pipeline_records import ERROR, PENDING, DocumentRecord, NewDocument
from llama_cloud_ext.local.pipelines_routes import known_pipeline
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_BODY = 128 * 1024 * 1024
"""Bytes of one batch of documents."""

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 1000


async def put_documents(request: Request) -> Response:
    """POST and PUT …/documents: accept documents, on disk before the answer; those of known ids are replaced."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    documents = _documents(await receive_body(request, largest=LARGEST_BODY))
    stored = await wait_for(cloud.pipelines.put_documents(pipeline.id, documents))
    if stored is None:
        raise RequestError(404, "Pipeline not found")
    cloud.ingestion.wake()
    return json_answer([describe_document(document) for document in stored])


async def list_documents(request: Request) -> Response:
    """GET …/documents: a bare list."""
    return json_answer((await _page(request))["documents"])


async def list_documents_paginated(request: Request) -> Response:
    """GET …/documents/paginated: a page by `skip` and `limit`."""
    return json_answer(await _page(request))


async def get_document(request: Request) -> Response:
    """GET …/documents/{id}."""
    return json_answer(describe_document(await _known_document(request)))


async def delete_document(request: Request) -> Response:
    """DELETE …/documents/{id}: 204; its chunks go with it."""
    document = await _known_document(request)
    await wait_for(cloud_of(request).pipelines.delete_document(document.pipeline_id, document.id))
    return Response(status_code=204)


async def document_status(request: Request) -> Response:
    """GET …/documents/{id}/status: how far its ingestion has come."""
    cloud = cloud_of(request)
    document = await settled(
        lambda: _known_document(request),
        cloud.ingestion.ends,
        lambda now: now.status not in PENDING,
        lambda now: now.updated_at,
    )
    failures = [("document", document.id, document.error_message or "")] if document.status == ERROR else []
    return json_answer(
        describe_status(document.status, job_id=document.id, changed_at=document.updated_at, failures=failures)
    )


async def document_chunks(request: Request) -> Response:
    """GET …/documents/{id}/chunks: the nodes it was split into."""
    document = await _known_document(request)
    chunks = await wait_for(cloud_of(request).pipelines.chunks(document.pipeline_id, document.id))
    ids = [None, *(chunk.id for chunk in chunks), None]
    return json_answer(
        [
            describe_node(
                chunk,
                pipeline_id=document.pipeline_id,
                document_id=document.id,
                file_id=document.file_id,
                previous=ids[place],
                following=ids[place + 2],
            )
            for place, chunk in enumerate(chunks)
        ]
    )


async def sync_document(request: Request) -> Response:
    """POST …/documents/{id}/sync: ingest it again."""
    document = await _known_document(request)
    cloud = cloud_of(request)
    await wait_for(cloud.pipelines.ingest_document_again(document.pipeline_id, document.id))
    cloud.ingestion.wake()
    return json_answer({"id": document.id})


async def status_counts(request: Request) -> Response:
    """GET …/documents/status-counts: how many documents are in which status."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    file_id = request.query_params.get("file_id")
    direct = _flag(request, "only_direct_upload")
    data_source = request.query_params.get("data_source_id")

    async def look() -> dict[str, int]:
        if data_source is not None:  # there are none here
            return {}
        return await wait_for(cloud.pipelines.document_counts(pipeline.id, file_id=file_id, direct_only=direct))

    counts = await settled(
        look,
        cloud.ingestion.ends,
        lambda now: not any(now.get(status) for status in PENDING),
        lambda _: pipeline.updated_at,
    )
    return json_answer(
        {
            "counts": counts,
            "total_count": sum(counts.values()),
            "pipeline_id": pipeline.id,
            "data_source_id": data_source,
            "file_id": file_id,
            "only_direct_upload": direct,
        }
    )


async def _page(request: Request) -> dict[str, Any]:
    pipeline = await known_pipeline(request)
    skip, limit = _number(request, "skip", 0), _number(request, "limit", DEFAULT_LIMIT)
    if not 1 <= limit <= LARGEST_LIMIT:
        raise invalid(["query", "limit"], f"Input should be a number from 1 to {LARGEST_LIMIT}", limit)
    if _flag(request, "only_api_data_source_documents"):  # there are none here
        return {"documents": [], "limit": limit, "offset": skip, "total_count": 0}
    page = await wait_for(
        cloud_of(request).pipelines.documents(
            pipeline.id,
            file_id=request.query_params.get("file_id"),
            direct_only=_flag(request, "only_direct_upload"),
            skip=skip,
            limit=limit,
        )
    )
    documents = [describe_document(document) for document in page.rows]
    return {"documents": documents, "limit": limit, "offset": skip, "total_count": page.total}


async def _known_document(request: Request) -> DocumentRecord:
    pipeline = await known_pipeline(request)
    document = await wait_for(
        cloud_of(request).pipelines.document(pipeline.id, spellings(request.path_params["document_id"]))
    )
    if document is None:
        raise RequestError(404, "Document not found")
    return document


def spellings(document_id: str) -> list[str]:
    """What an id in a path may stand for: clients encode it up to three times, and one of these was undone already.

    Example:
        >>> spellings("a%252Fb")
        ['a%252Fb', 'a%2Fb', 'a/b']
    """
    found = [document_id]
    for decode in (unquote, unquote_plus):
        once = decode(document_id)
        found += [once, decode(once)]
    return list(dict.fromkeys(found))


def _documents(body: bytes) -> list[NewDocument]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(["body"], f"JSON decode error: {error}", kind="json_invalid") from error
    if not isinstance(given, list):
        raise invalid(["body"], "Input should be a valid list", None, "list_type")
    return [_document(one, place) for place, one in enumerate(given)]


def _document(given: Any, place: int) -> NewDocument:
    if not isinstance(given, dict):
        raise invalid(["body", place], "Input should be a valid dictionary", given, "dict_type")
    text, metadata = given.get("text"), given.get("metadata")
    if not isinstance(text, str):
        raise invalid(["body", place, "text"], "Input should be a valid string", text, "string_type")
    if not isinstance(metadata, dict):
        raise invalid(["body", place, "metadata"], "Input should be a valid dictionary", metadata, "dict_type")
    document_id = given.get("id")
    if document_id is not None and (not isinstance(document_id, str) or not document_id):
        raise invalid(["body", place, "id"], "Input should be a valid string", document_id, "string_type")
    return NewDocument(
        id=document_id or str(uuid.uuid4()),
        text=text,
        metadata=metadata,
        excluded_embed_metadata_keys=_texts(given, "excluded_embed_metadata_keys", place),
        excluded_llm_metadata_keys=_texts(given, "excluded_llm_metadata_keys", place),
        page_positions=_positions(given.get("page_positions"), len(text), place),
    )


def _texts(given: dict[str, Any], name: str, place: int) -> list[str]:
    value = given.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid(["body", place, name], "Input should be a list of strings", value, "list_type")
    return value


def _positions(value: Any, length: int, place: int) -> list[int] | None:
    if value is None:
        return None
    numbers = isinstance(value, list) and all(isinstance(one, int) and 0 <= one <= length for one in value)
    if not numbers or value != sorted(value):
        raise invalid(["body", place, "page_positions"], "Input should be ascending places in the text", value)
    return value or None


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise invalid(["query", name], "Input should be a number", text, "int_parsing")
    return int(text)


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "false").lower() in ("true", "1")


_DOCUMENTS = "/api/v1/pipelines/{pipeline_id}/documents"
# Ids may contain slashes, so that what has a fixed end comes first.
ROUTES = [
    Route(_DOCUMENTS, put_documents, methods=["POST", "PUT"]),
    Route(_DOCUMENTS, list_documents, methods=["GET"]),
    Route(f"{_DOCUMENTS}/paginated", list_documents_paginated, methods=["GET"]),
    Route(f"{_DOCUMENTS}/status-counts", status_counts, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/status", document_status, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/chunks", document_chunks, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/sync", sync_document, methods=["POST"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}", get_document, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}", delete_document, methods=["DELETE"]),
]
