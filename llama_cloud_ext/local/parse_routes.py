"""`/api/v2/parse`: create, upload, list, get, cancel, delete, versions."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from starlette.routing import Route

from llama_cloud_ext.local.answers import PiecesResponse, check_scope, cloud_of, json_answer
from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.files_routes import base_url, download_expiry
from llama_cloud_ext.local.job_lists import job_page, page_of
from llama_cloud_ext.local.job_table import COMPLETED, STATUSES
from llama_cloud_ext.local.jobs import ParseJobRecord
from llama_cloud_ext.local.parse_versions import PRESETS, TIERS, VERSIONS, latest
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.results import (
    DOWNLOADS,
    IMAGES,
    DownloadKind,
    check_expand,
    open_inline,
    read_images,
)
from llama_cloud_ext.local.settling_status import settled
from llama_cloud_ext.local.source_fetching import name_of_url
from llama_cloud_ext.local.uploads import receive_body, receive_upload
from llama_cloud_ext.local.validation import (
    check_configuration,
    parse_json,
    split_values,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.cloud import LocalCloud

NOT_FOUND = "Parse job not found"


async def create_job(request: Request) -> Response:
    """POST /api/v2/parse: parse a stored file or a URL."""
    check_scope(request)
    cloud = cloud_of(request)
    job = await accept_parsing(cloud, parse_json(await receive_body(request)), new_job_id())
    return json_answer(_job(cloud, job))


async def accept_parsing(cloud: LocalCloud, body: dict[str, Any], job_id: str) -> ParseJobRecord:
    """Accept a job on a stored file or a URL.

    Args:
        cloud: The data folder.
        body: The request's.
        job_id: The id that the job gets.

    Raises:
        RequestError: The configuration is refused, or there is no such file.
    """
    configuration = check_configuration(await _with_saved(cloud, body))
    if (file_id := configuration.get("file_id")) is not None:
        record = await wait_for(cloud.store.file(file_id))
        if record is None:
            raise RequestError(404, f"File {file_id} not found")
        try:
            await cloud.in_thread(cloud.blobs.link, cloud.blobs.file(file_id), cloud.blobs.source(job_id))
        except FileNotFoundError:
            raise RequestError(404, "Source file not found in storage") from None
        name = record.name
    elif (url := configuration.get("source_url")) is not None:
        name = name_of_url(url)
    else:
        raise RequestError(400, "Either file, input_url, or input_s3_path must be provided.")
    return await _accept(cloud, job_id, name, configuration)


async def upload_and_parse(request: Request) -> Response:
    """POST /api/v2/parse/upload: a file and its configuration in one multipart request.

    The file belongs to the job and goes with it; it does not appear among the files.
    """
    check_scope(request)
    cloud = cloud_of(request)
    job_id = new_job_id()
    incoming = cloud.blobs.new_incoming()
    try:
        upload = await receive_upload(request, incoming, cloud.threads)
        upload.check()
        if (text := upload.fields.get("configuration")) is None:
            raise invalid(["body", "configuration"], "Field required", None, "missing")
        configuration = check_configuration(await _with_saved(cloud, parse_json(text.encode())))
        for name in ("file_id", "source_url"):
            if name in configuration:
                raise invalid([name], "Mutually exclusive with an uploaded file", configuration[name])
        await cloud.in_thread(cloud.blobs.keep, incoming, cloud.blobs.source(job_id))
    finally:
        await cloud.in_thread(cloud.blobs.delete, incoming)
    return json_answer(_job(cloud, await _accept(cloud, job_id, str(upload.file_name), configuration)))


async def list_jobs(request: Request) -> Response:
    """GET /api/v2/parse: newest first, by status, ids and creation."""
    check_scope(request)
    cloud = cloud_of(request)
    page = await job_page(request.query_params, cloud.parse_jobs, STATUSES)
    return json_answer(page_of([_job(cloud, job) for job in page.rows], page))


async def get_job(request: Request) -> Response:
    """GET /api/v2/parse/{id}: the job, and of a completed one what `expand` asks for.

    Clients may poll with `expand`: until the job has completed, the expanded fields are left out.
    """
    check_scope(request)
    cloud = cloud_of(request)
    job = await _settling_job(request)
    expand = split_values(request.query_params.getlist("expand"))
    check_expand(expand, job.configuration["tier"])
    answer = {"job": _job(cloud, job, usage="usage" in expand)}
    if not expand or job.status != COMPLETED:
        return json_answer(answer)
    wanted = split_values(request.query_params.getlist("image_filenames"))
    pieces = await cloud.in_thread(_expanded, cloud, job, answer, expand, wanted, base_url(request))
    return PiecesResponse(cloud, pieces, "application/json")


async def cancel_job(request: Request) -> Response:
    """POST /api/v2/parse/{id}/cancel: stop an unfinished job."""
    check_scope(request)
    cloud = cloud_of(request)
    job = await _known_job(request)
    cancelled = await wait_for(cloud.parse_jobs.cancel(job.id))
    if cancelled is None:
        job = await _known_job(request)
        raise RequestError(409, f"Parse job is already {job.status} and cannot be cancelled")
    cloud.runner.stop_job(job.id)
    await cloud.in_thread(cloud.blobs.delete, cloud.blobs.source(job.id))
    return json_answer(_job(cloud, cancelled))


async def delete_job(request: Request) -> Response:
    """DELETE /api/v2/parse/{id}: forget a finished job and its results."""
    check_scope(request)
    cloud = cloud_of(request)
    job = await _known_job(request)
    if not await wait_for(cloud.parse_jobs.delete(job.id)):
        job = await _known_job(request)
        raise RequestError(409, f"Parse job is {job.status}; cancel it before deleting it")
    if job.result_id is not None:
        await cloud.in_thread(cloud.blobs.delete, cloud.blobs.result(job.result_id))
    return json_answer({"id": job.id, "project_id": cloud.project.id})


async def list_versions(request: Request) -> Response:
    """GET /api/v2/parse/versions: accepted versions by tier."""
    check_scope(request)
    return json_answer({**VERSIONS, "latest": {tier: latest(tier) for tier in TIERS}})


def new_job_id() -> str:
    """An id as the service forms them."""
    return f"pjb-{uuid.uuid4()}"


async def _with_saved(cloud: LocalCloud, body: dict[str, Any]) -> dict[str, Any]:
    """A request with what the preset or saved configuration that it names says about everything it leaves open."""
    if (config_id := body.get("configuration_id")) is None:
        return body
    options: dict[str, Any] | None = PRESETS.get(str(config_id))
    if options is None:
        saved = await wait_for(cloud.configurations.get(config_id)) if isinstance(config_id, str) else None
        if saved is None or saved.product_type != "parse_v2":
            raise RequestError(403, "Access denied to this parse configuration")
        options = saved.options
    given = {name: value for name, value in body.items() if value is not None}
    for name in ("tier", "version"):
        if given.get(name) == "configured":
            del given[name]
    return {**options, **given}


async def _accept(cloud: LocalCloud, job_id: str, name: str, configuration: dict[str, Any]) -> ParseJobRecord:
    job = await wait_for(cloud.parse_jobs.add(job_id, name, configuration))
    cloud.runner.wake()
    return job


async def _settling_job(request: Request) -> ParseJobRecord:
    """The job, after a moment in which it may end."""
    cloud = cloud_of(request)
    if cloud.simulation is not None:  # a simulation answers as the service
        return await _known_job(request)
    return await settled(
        lambda: _known_job(request), cloud.runner.ends, lambda job: job.finished, lambda job: job.created_at
    )


async def _known_job(request: Request) -> ParseJobRecord:
    job = await wait_for(cloud_of(request).parse_jobs.get(request.path_params["job_id"]))
    if job is None:
        raise RequestError(404, NOT_FOUND)
    return job


def _job(cloud: LocalCloud, job: ParseJobRecord, *, usage: bool = False) -> dict[str, Any]:
    return {
        "id": job.id,
        "project_id": cloud.project.id,
        "status": job.status,
        "name": job.name,
        "tier": job.configuration["tier"],
        "error_message": job.error_message,
        "usage": {"credits": 0.0} if usage else None,
        "user_metadata": job.configuration.get("user_metadata"),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


def _expanded(
    cloud: LocalCloud, job: ParseJobRecord, answer: dict[str, Any], expand: list[str], wanted: list[str], base: str
) -> list[bytes | IO[bytes]]:
    """The whole answer in pieces; blocking."""
    result_id = str(job.result_id)
    folder = cloud.blobs.result(result_id)
    expires = download_expiry(cloud)
    stem = Path(job.name).stem

    def sign(blob: str, name: str, content_type: str) -> str:
        return cloud.signer.url(
            base, f"results/{result_id}/{blob}", name=name, content_type=content_type, expires=expires
        )

    def offer(kind: DownloadKind) -> dict[str, Any]:
        path = folder / kind.blob
        if not path.exists():
            return {"size_bytes": 0, "exists": False, "presigned_url": None}
        url = sign(kind.blob, stem + kind.suffix, kind.content_type)
        return {"size_bytes": path.stat().st_size, "exists": True, "presigned_url": url}

    downloads = [DOWNLOADS[value] for value in expand if value in DOWNLOADS]
    if downloads:
        answer["result_content_metadata"] = {kind.key: offer(kind) for kind in downloads}
    if IMAGES in expand:
        images = [image for image in read_images(folder) if not wanted or image["filename"] in wanted]
        for image in images:
            image["presigned_url"] = sign(image.pop("blob"), image["filename"], image["content_type"])
        answer[IMAGES] = {"images": images, "total_count": len(images)}
    head = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return [head[:-1], *open_inline(folder, expand), b"}"]


ROUTES = [
    Route("/api/v2/parse", create_job, methods=["POST"]),
    Route("/api/v2/parse", list_jobs, methods=["GET"]),
    Route("/api/v2/parse/upload", upload_and_parse, methods=["POST"]),
    Route("/api/v2/parse/versions", list_versions, methods=["GET"]),
    Route("/api/v2/parse/{job_id}", get_job, methods=["GET"]),
    Route("/api/v2/parse/{job_id}", delete_job, methods=["DELETE"]),
    Route("/api/v2/parse/{job_id}/cancel", cancel_job, methods=["POST"]),
]
