"""`/api/v2/extract/schema`: check a schema, or have one made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import check_scope, cloud_of, json_answer
from llama_cloud_ext.local.extract_documents import parsed_document
from llama_cloud_ext.local.extract_pages import read_pages
from llama_cloud_ext.local.extract_validation import check_schema
from llama_cloud_ext.local.jobs import JobFailure
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.uploads import receive_body
from llama_cloud_ext.local.validation import parse_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.jobs import ParseJobRecord

DEFAULT_NAME = "Extraction"


async def validate_schema(request: Request) -> Response:
    """POST /api/v2/extract/schema/validation: the schema as it is, or what is wrong with it."""
    check_scope(request)
    body = parse_json(await receive_body(request))
    if "data_schema" not in body:
        raise invalid(["body", "data_schema"], "Field required", body, "missing")
    return json_answer({"data_schema": check_schema(body["data_schema"], ["body", "data_schema"])})


async def generate_schema(request: Request) -> Response:
    """POST /api/v2/extract/schema/generate: a configuration to be saved, from a prompt, a file or a schema."""
    check_scope(request)
    cloud = cloud_of(request)
    body = {name: value for name, value in parse_json(await receive_body(request)).items() if value is not None}
    for name in ("file_id", "name", "prompt"):
        if not isinstance(body.get(name, ""), str):
            raise invalid(["body", name], "Input should be a valid string", body[name], "string_type")
    if not any(body.get(name) for name in ("prompt", "file_id", "data_schema")):
        raise invalid(["body"], "Provide at least one of prompt, file_id and data_schema", None)
    if "data_schema" in body:
        check_schema(body["data_schema"], ["body", "data_schema"])
    parsed = await parsed_document(cloud, body["file_id"]) if body.get("file_id") else None
    schema = await cloud.in_thread(_generated, cloud, body, parsed)
    name = body.get("name") or (Path(parsed.name).stem if parsed is not None else schema.get("title")) or DEFAULT_NAME
    return json_answer({"name": name, "parameters": {"product_type": "extract_v2", "data_schema": schema}})


def _generated(cloud: LocalCloud, body: dict[str, Any], parsed: ParseJobRecord | None) -> dict[str, Any]:
    from llama_cloud_ext.local.extraction import ExtractionFailed
    from llama_cloud_ext.local.extraction import generate_schema as generate

    try:
        pages = None if parsed is None else read_pages(cloud.blobs.result(str(parsed.result_id)))
        return generate(prompt=body.get("prompt"), pages=pages, data_schema=body.get("data_schema"), llm=cloud.llm)
    except (ExtractionFailed, JobFailure) as error:
        raise RequestError(400, str(error)) from error


ROUTES = [
    Route("/api/v2/extract/schema/validation", validate_schema, methods=["POST"]),
    Route("/api/v2/extract/schema/generate", generate_schema, methods=["POST"]),
]
