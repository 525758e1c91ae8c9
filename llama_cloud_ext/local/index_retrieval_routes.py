"""`/api/v1/retrieval`: what an index over a directory answers, and the texts of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.attachments import attachments_kept
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.directory_index_sync import SHOWN_ATTACHMENTS
from llama_cloud_ext.local.directory_records import DirectoryFileRecord, DirectoryIndexRecord
from llama_cloud_ext.local.directory_retrieval_settings import settings_in
from llama_cloud_ext.local.file_grep import PatternError, find_matches
from llama_cloud_ext.local.indexes_routes import index_named
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.retrieval import EmbedderMismatchError, ScoredChunk
from llama_cloud_ext.local.retrieval_routes import query_in
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import (
    DEFAULT_PAGE_SIZE,
    LARGEST_NUMBER,
    LARGEST_PAGE_SIZE,
    parse_json,
    read_cursor,
    text_in,
    write_cursor,
)

if TYPE_CHECKING:
    from starlette.requests import Request

DEFAULT_CONTEXT = 0


async def retrieve(request: Request) -> Response:
    """POST /api/v1/retrieval/retrieve."""
    body, index = await _asked(request)
    cloud = cloud_of(request)
    query, asked = query_in(body), settings_in(body)
    if index.configuration.get("vector_target") == "DISABLED":
        raise RequestError(400, f"Index {index.id} was created with vector_target DISABLED, and cannot be searched")
    try:
        found = await cloud.in_thread(cloud.searcher.search, index.pipeline_id, query, asked.settings)
    except EmbedderMismatchError as error:
        raise RequestError(409, str(error)) from error
    found = found[: asked.top_k]
    files = {
        file_id: await wait_for(cloud.directories.file(file_id))
        for file_id in {scored.file_id for scored in found if scored.file_id is not None}
    }
    kept = {
        file_id: await cloud.in_thread(attachments_kept, cloud, index, file)
        for file_id, file in files.items()
        if file is not None
    }
    return json_answer(
        {
            "results": [
                _result(scored, files.get(scored.file_id or ""), kept.get(scored.file_id or "", ())) for scored in found
            ]
        }
    )


def _result(scored: ScoredChunk, file: DirectoryFileRecord | None, kept: Sequence[str]) -> dict[str, Any]:
    chunk = scored.chunk
    reranked = scored.found_score is not None
    page = chunk.metadata.get("page_number")
    return {
        "content": chunk.text,
        "score": scored.found_score if reranked else scored.score,
        "rerank_score": scored.score if reranked else None,
        "metadata": file.metadata if file is not None else {},
        "static_fields": {
            "parsed_directory_file_id": scored.file_id,
            "chunk_index": chunk.position,
            "chunk_start_char": chunk.start_char_idx,
            "chunk_end_char": chunk.end_char_idx,
            "chunk_token_count": None,
            "page_range_start": page,
            "page_range_end": page,
            "attachments": [
                {"type": kind, "attachment_name": name.format(page=page), "source_id": scored.file_id}
                for wanted, (kind, name) in SHOWN_ATTACHMENTS.items()
                if page is not None and wanted in kept
            ],
        },
    }


async def find_files(request: Request) -> Response:
    """POST /api/v1/retrieval/files/find: the files that can be read, by name."""
    body, index = await _asked(request)
    after = read_cursor(text_in(body, "page_token", required=False), [int])
    page = await wait_for(
        cloud_of(request).directory_indexes.found_files(
            index,
            name=text_in(body, "file_name", required=False),
            contains=text_in(body, "file_name_contains", required=False),
            after=after[0] if after else 0,
            limit=_page_size(body),
        )
    )
    return json_answer(
        {
            "items": [{"file_id": row["id"], "file_name": row["display_name"]} for row in page.rows],
            "next_page_token": write_cursor([page.rows[-1]["sequence"]]) if page.more else None,
            "total_size": page.total,
        }
    )


async def grep_file(request: Request) -> Response:
    """POST /api/v1/retrieval/files/grep: where a pattern stands in a file."""
    body, index = await _asked(request)
    cloud = cloud_of(request)
    text = await _text(request, body, index)
    after = read_cursor(text_in(body, "page_token", required=False), [int])
    context = _whole(body, "context_chars", DEFAULT_CONTEXT)
    size = _page_size(body)
    pattern = body.get("pattern")
    if not isinstance(pattern, str) or not pattern:
        raise invalid(["body", "pattern"], "Input should be a string with at least one character", pattern)

    def search() -> Any:
        # One more than wanted tells whether there is another page.
        return find_matches(text, pattern, start=after[0] if after else 0, limit=size + 1, context=context)

    try:
        matches = await cloud.in_thread(search)
    except PatternError as error:
        raise invalid(["body", "pattern"], str(error), pattern) from error
    shown = matches[:size]
    return json_answer(
        {
            "items": [{"content": match.content, "start_char": match.start, "end_char": match.end} for match in shown],
            "next_page_token": write_cursor([shown[-1].end]) if len(matches) > size else None,
            "total_size": None,
        }
    )


async def read_file(request: Request) -> Response:
    """POST /api/v1/retrieval/files/read: the text of a file, or a part of it."""
    body, index = await _asked(request)
    text = await _text(request, body, index)
    offset = _whole(body, "offset", 0)
    length = _whole(body, "max_length", len(text))
    return json_answer({"content": text[offset : offset + length]})


async def _asked(request: Request) -> tuple[dict[str, Any], DirectoryIndexRecord]:
    check_scope(request)
    body = parse_json(await receive_body(request))
    return body, await index_named(cloud_of(request), str(text_in(body, "index_id")))


async def _text(request: Request, body: Mapping[str, Any], index: DirectoryIndexRecord) -> str:
    """The text of the file that a request names, by its id in the index or in the source directory."""
    cloud = cloud_of(request)
    asked = str(text_in(body, "file_id"))
    document = await wait_for(cloud.pipeline_documents.get(index.pipeline_id, [asked]))
    if document is None:
        outputs = await wait_for(cloud.directories.files(index.output_directory_id, [("source_id = ?", asked)]))
        ids = [file.id for file in outputs.rows]
        document = await wait_for(cloud.pipeline_documents.get(index.pipeline_id, ids))
    if document is None:
        raise RequestError(404, f"File {asked} not found in index {index.id}")
    return document.text


def _page_size(body: Mapping[str, Any]) -> int:
    """Values above the largest mean the largest, as the API has it here."""
    return min(_whole(body, "page_size", DEFAULT_PAGE_SIZE, least=1), LARGEST_PAGE_SIZE)


def _whole(body: Mapping[str, Any], name: str, default: int, *, least: int = 0) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST_NUMBER:
        raise invalid(["body", name], f"Input should be a whole number from {least} on", value, "int_type")
    return value


_RETRIEVAL = "/api/v1/retrieval"
ROUTES = [
    Route(f"{_RETRIEVAL}/retrieve", retrieve, methods=["POST"]),
    Route(f"{_RETRIEVAL}/files/find", find_files, methods=["POST"]),
    Route(f"{_RETRIEVAL}/files/grep", grep_file, methods=["POST"]),
    Route(f"{_RETRIEVAL}/files/read", read_file, methods=["POST"]),
]
