"""`/api/v1/pipelines/{id}/documents`: what was put into an index as text."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.pipeline_answers import describe_document, describe_node, describe_status
from llama_cloud_ext.local.pipeline_records import ERROR, PENDING, DocumentRecord, NewDocument
from llama_cloud_ext.local.pipelines_routes import known_pipeline, settled_counts
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import flag, number, parse_json_list

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_BODY = 128 * 1024 * 1024
"""Bytes of one batch of documents."""

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 1000


async def put_documents(request: Request) -> Response:
    """POST and PUT …/documents: accept documents, on disk before the answer; those of known ids are replaced."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    given = parse_json_list(await receive_body(request, largest=LARGEST_BODY))
    documents = [_document(one, place) for place, one in enumerate(given)]
    stored = await wait_for(cloud.pipeline_documents.put(pipeline.id, documents))
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
    await wait_for(cloud_of(request).pipeline_documents.delete(document.pipeline_id, document.id))
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
    chunks = await wait_for(cloud_of(request).pipeline_documents.chunks(document.pipeline_id, document.id))
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
    await wait_for(cloud.pipeline_documents.ingest_again(document.pipeline_id, document.id))
    cloud.ingestion.wake()
    return json_answer({"id": document.id})


async def status_counts(request: Request) -> Response:
    """GET …/documents/status-counts: how many documents are in which status."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    file_id = request.query_params.get("file_id")
    direct = flag(request, "only_direct_upload")
    data_source = request.query_params.get("data_source_id")

    async def look() -> dict[str, int]:
        if data_source is not None:  # there are none here
            return {}
        return await wait_for(cloud.pipeline_documents.counts(pipeline.id, file_id=file_id, direct_only=direct))

    answer = await settled_counts(look, cloud, pipeline)
    asked = {"data_source_id": data_source, "file_id": file_id, "only_direct_upload": direct}
    return json_answer(answer | asked)


async def _page(request: Request) -> dict[str, Any]:
    pipeline = await known_pipeline(request)
    skip, limit = number(request, "skip", 0), number(request, "limit", DEFAULT_LIMIT, least=1, most=LARGEST_LIMIT)
    if flag(request, "only_api_data_source_documents"):  # there are none here
        return {"documents": [], "limit": limit, "offset": skip, "total_count": 0}
    page = await wait_for(
        cloud_of(request).pipeline_documents.page(
            pipeline.id,
            file_id=request.query_params.get("file_id"),
            direct_only=flag(request, "only_direct_upload"),
            skip=skip,
            limit=limit,
        )
    )
    documents = [describe_document(document) for document in page.rows]
    return {"documents": documents, "limit": limit, "offset": skip, "total_count": page.total}


async def _known_document(request: Request) -> DocumentRecord:
    pipeline = await known_pipeline(request)
    document = await wait_for(
        cloud_of(request).pipeline_documents.get(pipeline.id, spellings(request.path_params["document_id"]))
    )
    if document is None:
        raise RequestError(404, "Document not found")
    return document


def _below(name: str, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What answers `…/documents/{id}/{name}`, unless that is the path of a document whose id ends so."""

    async def answer_or_document(request: Request) -> Response:
        parts = request.path_params
        whole = f"{parts['document_id']}/{name}"
        if request.scope["raw_path"].endswith(f"/{name}".encode()):
            try:
                return await answer(request)
            except RequestError as error:
                pipeline = await known_pipeline(request)
                document = await wait_for(cloud_of(request).pipeline_documents.get(pipeline.id, spellings(whole)))
                if error.status != 404 or document is None:
                    raise
        parts["document_id"] = whole
        return await get_document(request)

    return answer_or_document


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
    # True is an int to Python, and no place.
    numbers = isinstance(value, list) and all(type(one) is int and 0 <= one <= length for one in value)
    if not numbers or value != sorted(value):
        raise invalid(["body", place, "page_positions"], "Input should be ascending places in the text", value)
    return value or None


_DOCUMENTS = "/api/v1/pipelines/{pipeline_id}/documents"
# Ids may contain slashes, so that what has a fixed beginning or end comes first.
ROUTES = [
    Route(_DOCUMENTS, put_documents, methods=["POST", "PUT"]),
    Route(_DOCUMENTS, list_documents, methods=["GET"]),
    Route(f"{_DOCUMENTS}/paginated", list_documents_paginated, methods=["GET"]),
    Route(f"{_DOCUMENTS}/status-counts", status_counts, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/status", _below("status", document_status), methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/chunks", _below("chunks", document_chunks), methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}/sync", sync_document, methods=["POST"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}", get_document, methods=["GET"]),
    Route(f"{_DOCUMENTS}/{{document_id:path}}", delete_document, methods=["DELETE"]),
]
