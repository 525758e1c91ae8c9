"""The endpoints of directories and Batches v2 of the simulated cloud; each file of a batch becomes a parse job."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.benchmarks.simulated_service import Answer, Call, JsonObject, SimulatedService, missing, page_of, timestamp

MAPPING_SECONDS = 0.1
"""How long a batch runs until its results can be seen."""


def create_directory(service: SimulatedService, call: Call) -> Answer:
    """POST /api/v1/beta/directories."""
    directory_id = f"dir-{uuid.uuid4()}"
    service.directories[directory_id] = {}
    return Answer(200, {"id": directory_id, **json.loads(call.head)})


def delete_directory(service: SimulatedService, _call: Call, directory_id: str) -> Answer:
    """DELETE /api/v1/beta/directories/{directory_id}."""
    return Answer(204) if service.directories.pop(directory_id, None) is not None else missing("Directory")


def list_directory_files(service: SimulatedService, call: Call, directory_id: str) -> Answer:
    """GET /api/v1/beta/directories/{directory_id}/files."""
    if directory_id not in service.directories:
        return missing("Directory")
    unique_id = call.first("unique_id")
    files = service.directories[directory_id].values()
    return page_of(call, [file for file in files if unique_id in (None, file["unique_id"])])


def upload_directory_file(service: SimulatedService, call: Call, directory_id: str) -> Answer:
    """POST /api/v1/beta/directories/{directory_id}/files/upload."""
    if directory_id not in service.directories:
        return missing("Directory")
    files, unique_id = service.directories[directory_id], call.multipart_field("unique_id") or str(call.file_name())
    if any(file["unique_id"] == unique_id for file in files.values()):
        return Answer(409, {"detail": f"A file with unique_id {unique_id} is in this directory already"})
    record = {
        "id": f"dfl-{uuid.uuid4()}",
        "directory_id": directory_id,
        "display_name": call.multipart_field("display_name") or call.file_name(),
        "unique_id": unique_id,
    }
    files[str(record["id"])] = record
    return Answer(200, record)


def delete_directory_file(service: SimulatedService, _call: Call, directory_id: str, file_id: str) -> Answer:
    """DELETE /api/v1/beta/directories/{directory_id}/files/{file_id}."""
    files = service.directories.get(directory_id, {})
    return Answer(204) if files.pop(file_id, None) else missing("Directory file")


def create_batch(service: SimulatedService, call: Call) -> Answer:
    """POST /api/v2/batches."""
    body = json.loads(call.head)
    files = service.directories.get(body["source_directory_id"])
    if files is None:
        return missing("Directory")
    jobs = {file_id: service.create_job(str(file["display_name"]), {}).id for file_id, file in files.items()}
    results = [
        {"source_directory_file_id": file_id, "job_reference": {"type": "parse_v2", "id": job_id}}
        for file_id, job_id in jobs.items()
    ]
    batch = {"id": f"bat-{uuid.uuid4()}", "created": time.time(), "results": results, **body}
    service.batches[batch["id"]] = batch
    return Answer(200, record_of(batch), created_job=True)


def list_batches(service: SimulatedService, call: Call) -> Answer:
    """GET /api/v2/batches."""
    directory_id = call.first("source_directory_id")
    found = [one for one in service.batches.values() if directory_id in (None, one["source_directory_id"])]
    return page_of(call, [record_of(batch) for batch in found[::-1]])


def get_batch(service: SimulatedService, call: Call, batch_id: str) -> Answer:
    """GET /api/v2/batches/{batch_id}."""
    batch = service.batches.get(batch_id)
    return missing("Batch") if batch is None else Answer(200, record_of(batch, "results" in call.many("expand")))


def record_of(batch: JsonObject, with_results: bool = False) -> JsonObject:
    """A batch as the API shows it."""
    is_running = time.time() < batch["created"] + MAPPING_SECONDS
    return {
        **batch,
        "status": "RUNNING" if is_running else "COMPLETED",
        "results": batch["results"] if with_results and not is_running else None,
        "created_at": timestamp(batch["created"]),
    }


_DIRECTORY = "/api/v1/beta/directories/{directory_id}"
ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("POST", "/api/v1/beta/directories", create_directory),
    ("DELETE", _DIRECTORY, delete_directory),
    ("GET", f"{_DIRECTORY}/files", list_directory_files),
    ("POST", f"{_DIRECTORY}/files/upload", upload_directory_file),
    ("DELETE", f"{_DIRECTORY}/files/{{file_id}}", delete_directory_file),
    ("POST", "/api/v2/batches", create_batch),
    ("GET", "/api/v2/batches", list_batches),
    ("GET", "/api/v2/batches/{batch_id}", get_batch),
]
