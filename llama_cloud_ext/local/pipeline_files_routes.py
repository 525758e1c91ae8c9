"""`/api/v1/pipelines/{id}/files`: what was put into an index as files, and `…/metadata`, a table about them."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from llama_cloud_ext.local.answers import cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.pipeline_answers import describe_file, describe_status
from llama_cloud_ext.local.pipeline_records import ERROR, PENDING, STATUSES, PipelineFileRecord
from llama_cloud_ext.local.pipelines_routes import known_pipeline, settled_counts
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.uploads import receive_body, receive_upload
from llama_cloud_ext.local.validation import flag, load_json, number, parse_json, parse_json_list, split_values

if TYPE_CHECKING:
    from starlette.requests import Request

ORDERS = {"name": "name", "created_at": "created_at", "updated_at": "updated_at", "file_size": "size"}
"""Fields that the list can be ordered by."""

NAME_COLUMN = "file_name"
"""The column of a metadata table that says which file a row is about."""

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 1000


async def add_files(request: Request) -> Response:
    """PUT …/files: have uploaded files parsed and ingested."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    files = []
    for place, given in enumerate(parse_json_list(await receive_body(request))):
        file_id = given.get("file_id") if isinstance(given, dict) else None
        if not isinstance(file_id, str):
            raise invalid(["body", place, "file_id"], "Field required", given, "missing")
        record = await wait_for(cloud.store.file(file_id))
        if record is None:
            raise RequestError(404, f"File {file_id} not found")
        files.append((record, _metadata(given.get("custom_metadata"), ["body", place, "custom_metadata"])))
    stored = await wait_for(cloud.pipeline_files.put(pipeline.id, files))
    if stored is None:
        raise RequestError(404, "Pipeline not found")
    cloud.ingestion.wake()
    return json_answer([describe_file(cloud, file) for file in stored])


async def list_files(request: Request) -> Response:
    """GET …/files2: a page by `offset` and `limit`."""
    return json_answer(await _page(request))


async def list_files_v1(request: Request) -> Response:
    """GET …/files: the older form, a bare list."""
    return json_answer((await _page(request))["files"])


async def update_file(request: Request) -> Response:
    """PUT …/files/{file_id}: other custom metadata; the file is ingested again with it."""
    file = await _known_file(request)
    cloud = cloud_of(request)
    metadata = _metadata(parse_json(await receive_body(request)).get("custom_metadata"), ["body", "custom_metadata"])
    if metadata != file.custom_metadata:
        await wait_for(cloud.pipeline_files.set_metadata(file.pipeline_id, {file.file_id: metadata}))
        cloud.ingestion.wake()
        file = await _known_file(request)
    return json_answer(describe_file(cloud, file))


async def delete_file(request: Request) -> Response:
    """DELETE …/files/{file_id}: 204; the upload itself stays."""
    file = await _known_file(request)
    await wait_for(cloud_of(request).pipeline_files.delete(file.pipeline_id, file.file_id))
    return Response(status_code=204)


async def file_status(request: Request) -> Response:
    """GET …/files/{file_id}/status: how far its ingestion has come."""
    cloud = cloud_of(request)
    file = await settled(
        lambda: _known_file(request),
        cloud.ingestion.ends,
        lambda now: now.status not in PENDING,
        lambda now: now.updated_at,
    )
    failures = [("file", file.file_id, file.error_message or "")] if file.status == ERROR else []
    return json_answer(describe_status(file.status, job_id=file.file_id, changed_at=file.updated_at, failures=failures))


async def status_counts(request: Request) -> Response:
    """GET …/files/status-counts: how many files are in which status."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    data_source = request.query_params.get("data_source_id")

    async def look() -> dict[str, int]:
        return {} if data_source is not None else await wait_for(cloud.pipeline_files.counts(pipeline.id))

    answer = await settled_counts(look, cloud, pipeline)
    asked = {"data_source_id": data_source, "only_manually_uploaded": flag(request, "only_manually_uploaded")}
    return json_answer(answer | asked)


async def import_metadata(request: Request) -> Response:
    """PUT …/metadata: a CSV or JSON table that gives files, by their names, their custom metadata."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    incoming = cloud.blobs.new_incoming()
    try:
        upload = await receive_upload(request, incoming, cloud.threads, field_name="upload_file")
        upload.check()
        table = _table((await cloud.in_thread(incoming.read_bytes)), str(upload.file_name))
    finally:
        await cloud.in_thread(cloud.blobs.delete, incoming)
    page = await wait_for(cloud.pipeline_files.page(pipeline.id))
    metadata = {file.file_id: table[file.name] for file in page.rows if file.name in table}
    count = await wait_for(cloud.pipeline_files.set_metadata(pipeline.id, metadata))
    cloud.ingestion.wake()
    return json_answer({"message": f"Metadata of {count} files was set"})


async def delete_metadata(request: Request) -> Response:
    """DELETE …/metadata: 204; takes the custom metadata of all files back."""
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    page = await wait_for(cloud.pipeline_files.page(pipeline.id))
    metadata = {file.file_id: None for file in page.rows if file.custom_metadata is not None}
    await wait_for(cloud.pipeline_files.set_metadata(pipeline.id, metadata))
    cloud.ingestion.wake()
    return Response(status_code=204)


async def _page(request: Request) -> dict[str, Any]:
    pipeline = await known_pipeline(request)
    cloud = cloud_of(request)
    query = request.query_params
    statuses = split_values(query.getlist("statuses"))
    for status in statuses:
        if status not in STATUSES:
            raise invalid(["query", "statuses"], f"Input should be one of: {', '.join(STATUSES)}", status, "enum")
    offset, limit = number(request, "offset", 0), number(request, "limit", DEFAULT_LIMIT, least=1, most=LARGEST_LIMIT)
    if query.get("data_source_id") is not None:  # there are none here
        return {"files": [], "limit": limit, "offset": offset, "total_count": 0}
    page = await wait_for(
        cloud.pipeline_files.page(
            pipeline.id,
            statuses=statuses,
            name_contains=query.get("file_name_contains"),
            order_by=_order(query.get("order_by")),
            offset=offset,
            limit=limit,
        )
    )
    files = [describe_file(cloud, file) for file in page.rows]
    return {"files": files, "limit": limit, "offset": offset, "total_count": page.total}


async def _known_file(request: Request) -> PipelineFileRecord:
    pipeline = await known_pipeline(request)
    file = await wait_for(cloud_of(request).pipeline_files.get(pipeline.id, request.path_params["file_id"]))
    if file is None:
        raise RequestError(404, "File not found in this pipeline")
    return file


def _order(text: str | None) -> str:
    if text is None:
        return "sequence"
    words = text.split()
    if not words or words[0] not in ORDERS or words[1:] not in ([], ["asc"], ["desc"]):
        raise invalid(["query", "order_by"], f"Fields must be of: {', '.join(ORDERS)}", text)
    return f"{ORDERS[words[0]]} {'DESC' if words[1:] == ['desc'] else 'ASC'}"


def _metadata(value: Any, place: list[str | int]) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise invalid(place, "Input should be a valid dictionary", value, "dict_type")
    return value


def _table(content: bytes, name: str) -> dict[str, dict[str, Any]]:
    """A metadata table by file name: CSV with a column of names, or JSON of the same rows or by name."""
    try:
        if name.lower().endswith(".json"):
            loaded = load_json(content.removeprefix(codecs.BOM_UTF8))
            if isinstance(loaded, dict):
                return {str(key): dict(value) for key, value in loaded.items()}
            rows = list(loaded)
        else:
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        return {
            str(row[NAME_COLUMN]): {key: value for key, value in row.items() if key and key != NAME_COLUMN}
            for row in rows
        }
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise invalid(
            ["body", "upload_file"], f"Must be a CSV or JSON table with a column {NAME_COLUMN}: {error}"
        ) from error


_PIPELINE = "/api/v1/pipelines/{pipeline_id}"
ROUTES = [
    Route(f"{_PIPELINE}/files", add_files, methods=["PUT"]),
    Route(f"{_PIPELINE}/files", list_files_v1, methods=["GET"]),
    Route(f"{_PIPELINE}/files2", list_files, methods=["GET"]),
    Route(f"{_PIPELINE}/files/status-counts", status_counts, methods=["GET"]),
    Route(f"{_PIPELINE}/files/{{file_id}}", update_file, methods=["PUT"]),
    Route(f"{_PIPELINE}/files/{{file_id}}", delete_file, methods=["DELETE"]),
    Route(f"{_PIPELINE}/files/{{file_id}}/status", file_status, methods=["GET"]),
    Route(f"{_PIPELINE}/metadata", import_metadata, methods=["PUT"]),
    Route(f"{_PIPELINE}/metadata", delete_metadata, methods=["DELETE"]),
]
