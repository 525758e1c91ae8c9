"""The endpoints of the simulated cloud: Parse v2, files, projects, and the v1 parsing routes of older clients.

Those of directories and batches are in `simulated_batches`.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.benchmarks import simulated_batches
from tests.benchmarks.simulated_service import (
    ORGANIZATION,
    PROJECT,
    Answer,
    Call,
    Job,
    JsonObject,
    SimulatedService,
    missing,
    page_of,
    timestamp,
)

V1_STATUS = {"RUNNING": "PENDING", "COMPLETED": "SUCCESS", "FAILED": "ERROR", "CANCELLED": "CANCELED"}
VERSIONS = {"fast": ["2026-06-15"], "cost_effective": ["2026-09-28"], "agentic": ["2026-10-16"]} | {
    "agentic_plus": ["2026-09-28"]
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f0001050101"
    "2718e3660000000049454e44ae426082"
)


def unprocessable(message: str, *where: str) -> Answer:
    """A validation error."""
    return Answer(422, {"detail": [{"type": "value_error", "loc": list(where), "msg": message, "input": {}}]})


# Parse v2 ---------------------------------------------------------------------------------------------------------


def upload_and_parse(service: SimulatedService, call: Call) -> Answer:
    """POST /api/v2/parse/upload."""
    name = call.file_name()
    if not name:
        return Answer(400, {"detail": "File must have a filename."})
    configuration = call.multipart_field("configuration")
    if configuration is None:
        return unprocessable("Field required", "body", "configuration")
    return Answer(200, service.record(service.create_job(name, json.loads(configuration))), created_job=True)


def create_parse(service: SimulatedService, call: Call) -> Answer:
    """POST /api/v2/parse."""
    body = json.loads(call.head)
    url, file_id = body.get("source_url"), body.get("file_id")
    if bool(url) == bool(file_id):
        return unprocessable("Exactly one of file_id and source_url must be given", "body")
    if file_id and file_id not in service.files:
        return missing("File")
    name = url.rsplit("/", 1)[-1] if url else service.files[file_id]["name"]
    return Answer(200, service.record(service.create_job(name, body)), created_job=True)


def list_parses(service: SimulatedService, call: Call) -> Answer:
    """GET /api/v2/parse."""
    return page_of(call, [service.record(job) for job in service.listed_jobs(call)])


def list_versions(_service: SimulatedService, _call: Call) -> Answer:
    """GET /api/v2/parse/versions."""
    return Answer(200, VERSIONS | {"latest": {tier: dates[0] for tier, dates in VERSIONS.items()}})


def page_text(job: Job, number: int) -> str:
    """What a page of a job says; tests recognise a file's result by it."""
    return f"Page {number} of {job.name}"


def get_parse(service: SimulatedService, call: Call, job_id: str) -> Answer:
    """GET /api/v2/parse/{job_id}."""
    job = service.jobs.get(job_id)
    if job is None:
        return missing("Parse job")
    record, expand = service.record(job), set(call.many("expand"))
    body: JsonObject = {"job": record}
    if record["status"] != "COMPLETED":
        return Answer(200, body)
    numbers = range(1, job.pages + 1)
    markdowns = [f"# {page_text(job, number)}" for number in numbers]
    sections: dict[str, Callable[[], Any]] = {
        "text": lambda: {"pages": [{"page_number": n, "text": page_text(job, n)} for n in numbers]},
        "markdown": lambda: {
            "pages": [{"page_number": n, "markdown": m, "success": True} for n, m in enumerate(markdowns, 1)]
        },
        "items": lambda: {"pages": [item_page(job, n) for n in numbers]},
        "metadata": lambda: {"pages": [{"page_number": n, "confidence": 0.9} for n in numbers]},
        "job_metadata": lambda: {"total_pages": job.pages, "is_cache_hit": False},
        "markdown_full": lambda: "\n\n".join(markdowns),
        "text_full": lambda: "\n\n".join(page_text(job, n) for n in numbers),
        "images_content_metadata": lambda: {"images": [image(job, call)], "total_count": 1},
    }
    return Answer(200, body | {name: make() for name, make in sections.items() if name in expand})


def item_page(job: Job, number: int) -> JsonObject:
    """One page of `items`: a heading."""
    text, box = page_text(job, number), [{"x": 72.0, "y": 72.0, "w": 300.0, "h": 20.0}]
    heading = {"type": "heading", "level": 1, "value": text, "md": f"# {text}", "bbox": box}
    return {"page_number": number, "page_width": 612.0, "page_height": 792.0, "success": True, "items": [heading]}


def image(job: Job, call: Call) -> JsonObject:
    """The one image of each result."""
    return {
        "index": 0,
        "filename": "page_1.png",
        "content_type": "image/png",
        "category": "screenshot",
        "presigned_url": f"{call.base_url}/_blob/{job.id}/page_1.png",
    }


def cancel_parse(service: SimulatedService, _call: Call, job_id: str) -> Answer:
    """POST /api/v2/parse/{job_id}/cancel."""
    job = service.jobs.get(job_id)
    if job is None:
        return missing("Parse job")
    if job.unfinished(time.time()):
        job.cancelled_at = time.time()
    return Answer(200, service.record(job))


def delete_parse(service: SimulatedService, _call: Call, job_id: str) -> Answer:
    """DELETE /api/v2/parse/{job_id}."""
    if service.jobs.pop(job_id, None) is None:
        return missing("Parse job")
    return Answer(200, {"id": job_id, "project_id": PROJECT})


def blob(_service: SimulatedService, _call: Call, _job_id: str, _name: str) -> Answer:
    """A presigned download."""
    return Answer(200, PNG, "image/png")


# Files and projects -----------------------------------------------------------------------------------------------


def upload_file(service: SimulatedService, call: Call) -> Answer:
    """POST /api/v1/beta/files."""
    name = call.file_name()
    if not name:
        return Answer(400, {"detail": "File must have a filename."})
    record = {
        "id": str(uuid.uuid4()),
        "name": name,
        "project_id": PROJECT,
        "purpose": call.multipart_field("purpose"),
        "external_file_id": call.multipart_field("external_file_id"),
        "file_type": name.rpartition(".")[2],
        "last_modified_at": timestamp(time.time()),
    }
    service.files[record["id"]] = record
    return Answer(200, record)


def list_files(service: SimulatedService, call: Call) -> Answer:
    """GET /api/v1/beta/files."""
    external, name, ids = call.first("external_file_id"), call.first("file_name"), set(call.many("file_ids"))
    found = [
        record
        for record in service.files.values()
        if (external is None or record["external_file_id"] == external)
        and (name is None or record["name"] == name)
        and (not ids or record["id"] in ids)
    ]
    return page_of(call, found)


def get_file(service: SimulatedService, _call: Call, file_id: str) -> Answer:
    """GET /api/v1/beta/files/{file_id}."""
    return Answer(200, service.files[file_id]) if file_id in service.files else missing("File")


def delete_file(service: SimulatedService, _call: Call, file_id: str) -> Answer:
    """DELETE /api/v1/beta/files/{file_id}."""
    return Answer(204) if service.files.pop(file_id, None) else missing("File")


def list_projects(_service: SimulatedService, _call: Call) -> Answer:
    """GET /api/v1/projects."""
    return Answer(200, [{"id": PROJECT, "name": "Default", "organization_id": ORGANIZATION, "is_default": True}])


# v1 ---------------------------------------------------------------------------------------------------------------


def v1_upload(service: SimulatedService, call: Call) -> Answer:
    """POST /api/parsing/upload."""
    name = call.file_name()
    if not name:
        return Answer(400, {"detail": "File must have a filename."})
    return Answer(200, v1_record(service, service.create_job(name, {})), created_job=True)


def v1_record(service: SimulatedService, job: Job) -> JsonObject:
    """A job as the v1 API shows it."""
    record = service.record(job)
    failed = record["status"] == "FAILED"
    return {
        "id": job.id,
        "status": V1_STATUS[record["status"]],
        "error_code": "PDF_IS_BROKEN" if failed else None,
        "error_message": record["error_message"],
    }


def v1_status(service: SimulatedService, _call: Call, job_id: str) -> Answer:
    """GET /api/parsing/job/{job_id}."""
    job = service.jobs.get(job_id)
    return missing("Parse job") if job is None else Answer(200, v1_record(service, job))


def v1_result(service: SimulatedService, _call: Call, job_id: str, kind: str) -> Answer:
    """GET /api/parsing/job/{job_id}/result/{kind}."""
    job = service.jobs.get(job_id)
    if job is None or job.status(time.time()) != "COMPLETED":
        return Answer(404, {"detail": "Result not found. Check job status to see if it has completed."})
    numbers, metadata = range(1, job.pages + 1), {"job_pages": job.pages, "job_is_cache_hit": False}
    if kind == "json":
        pages = [{"page": n, "text": page_text(job, n), "md": f"# {page_text(job, n)}"} for n in numbers]
        return Answer(200, {"pages": [page | {"images": [], "items": []} for page in pages], "job_metadata": metadata})
    joined = "\n---\n".join(("# " if kind == "markdown" else "") + page_text(job, n) for n in numbers)
    return Answer(200, {kind: joined, "job_metadata": metadata})


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", "/api/v2/parse/upload", upload_and_parse),
    ("POST", "/api/v2/parse", create_parse),
    ("GET", "/api/v2/parse", list_parses),
    ("GET", "/api/v2/parse/versions", list_versions),
    ("GET", "/api/v2/parse/{job_id}", get_parse),
    ("DELETE", "/api/v2/parse/{job_id}", delete_parse),
    ("POST", "/api/v2/parse/{job_id}/cancel", cancel_parse),
    ("GET", "/_blob/{job_id}/{name}", blob),
    ("POST", "/api/v1/beta/files", upload_file),
    ("GET", "/api/v1/beta/files", list_files),
    ("GET", "/api/v1/beta/files/{file_id}", get_file),
    ("DELETE", "/api/v1/beta/files/{file_id}", delete_file),
    ("GET", "/api/v1/projects", list_projects),
    ("POST", "/api/parsing/upload", v1_upload),
    ("GET", "/api/parsing/job/{job_id}", v1_status),
    ("GET", "/api/parsing/job/{job_id}/result/{kind}", v1_result),
    *simulated_batches.ROUTES,
]
COMPILED = [
    (method, template, re.compile(re.sub(r"\{\w+\}", "([^/]+)", template) + "$"), function)
    for method, template, function in ROUTES
]


def route_of(call: Call) -> tuple[str, Callable[..., Answer], tuple[str, ...]]:
    """The route's name (for counting), the function that answers it, and what its path names."""
    path = re.sub(r"^/api/v1/parsing/", "/api/parsing/", call.path)
    for method, template, pattern, function in COMPILED:
        if method == call.method and (found := pattern.match(path)):
            return f"{method} {template}", function, found.groups()
    return f"{call.method} {call.path}", lambda _service, _call: missing("Route"), ()
