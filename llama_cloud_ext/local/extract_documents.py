"""The document behind an extraction: the stored file, or the parse job, that a request names."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.cloud import wait_for
from llama_cloud_ext.local.extract_jobs import NewParsing
from llama_cloud_ext.local.extract_records import FILE, PARSE_JOB, InputType
from llama_cloud_ext.local.job_table import COMPLETED
from llama_cloud_ext.local.parse_routes import new_job_id
from llama_cloud_ext.local.request_errors import RequestError, invalid

if TYPE_CHECKING:
    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.jobs import ParseJobRecord

DEFAULT_TIER = "agentic"
"""The tier of an extraction that names none, as the service recommends."""

_POLL_SECONDS = 0.5
# The parse job may be another process's, whose ends are not told here.


@dataclass(frozen=True)
class Document:
    """What is extracted from. `parsing` is the id of a parse job, or one to be made."""

    name: str
    kind: InputType
    parsing: NewParsing | str


async def document_of(cloud: LocalCloud, file_input: str, configuration: Mapping[str, Any]) -> Document:
    """Find what a request names; of a file, prepare the parse job.

    Args:
        cloud: The data folder.
        file_input: A file id, or the id of a completed parse job.
        configuration: The extract configuration, which says how a file is parsed.

    Returns:
        The document. A new parse job has its source on disk, and is to be accepted or dropped.

    Raises:
        RequestError: 404 when there is no such thing, 400 when the parse job has not completed, 422 when the saved
            parse configuration is none.
    """
    parsed = await wait_for(cloud.parse_jobs.get(file_input))
    if parsed is not None:
        if parsed.status != COMPLETED:
            raise RequestError(400, f"Parse job {parsed.id} is {parsed.status}; file_input takes a completed one")
        return Document(parsed.name, PARSE_JOB, parsed.id)
    record = await wait_for(cloud.store.file(file_input))
    if record is None:
        raise RequestError(404, f"file_input: there is no file and no parse job {file_input}")
    parsing = await _parsing(cloud, configuration)
    key = hashlib.sha256(json.dumps([record.id, parsing], sort_keys=True).encode()).hexdigest()
    job_id = new_job_id()
    try:
        await cloud.in_thread(cloud.blobs.link, cloud.blobs.file(record.id), cloud.blobs.source(job_id))
    except FileNotFoundError:
        raise RequestError(404, "Source file not found in storage") from None
    return Document(record.name, FILE, NewParsing(job_id, key, record.name, {"file_id": record.id, **parsing}))


async def _parsing(cloud: LocalCloud, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """How a file is parsed for an extraction, without what names the file."""
    if (config_id := configuration.get("parse_config_id")) is not None:
        saved = await wait_for(cloud.configurations.get(config_id))
        if saved is None or saved.product_type != "parse_v2":
            place: list[str | int] = ["body", "configuration", "parse_config_id"]
            raise invalid(place, "There is no parse configuration with this id", config_id)
        parsing = saved.options
    else:
        tier = configuration.get("tier", DEFAULT_TIER)
        # What turbo does without parsing needs parsing here.
        parse_tier = configuration.get("parse_tier") or (DEFAULT_TIER if tier == "turbo" else tier)
        parsing = {"tier": parse_tier, "version": "latest"}
    if not configuration.get("sheet_names"):
        wanted = {name: configuration[name] for name in ("target_pages", "max_pages") if name in configuration}
        if wanted:
            parsing["page_ranges"] = wanted
    return parsing


async def accepted(cloud: LocalCloud, document: Document, parse_job_id: str) -> None:
    """Start the parse job that was accepted for a document, or drop the one that was not needed."""
    if isinstance(document.parsing, str):
        return
    if document.parsing.job_id == parse_job_id:
        cloud.runner.wake()
    else:
        await cloud.in_thread(cloud.blobs.delete, cloud.blobs.source(document.parsing.job_id))


async def abandon(cloud: LocalCloud, parse_job_id: str) -> None:
    """Stop parsing for an extraction that was cancelled or deleted, unless another one waits for it."""
    if await wait_for(cloud.extract_jobs.abandon_parsing(parse_job_id)):
        cloud.runner.stop_job(parse_job_id)
        await cloud.in_thread(cloud.blobs.delete, cloud.blobs.source(parse_job_id))


async def parsed_document(cloud: LocalCloud, file_id: str) -> ParseJobRecord:
    """Parse a file, or use what was parsed before, and wait for the end.

    Args:
        cloud: The data folder.
        file_id: The file.

    Raises:
        RequestError: 404 when there is no such file, 400 when it cannot be parsed.
    """
    document = await document_of(cloud, file_id, {})
    if isinstance(document.parsing, str):
        parse_job_id = document.parsing
    else:
        parse_job_id = await wait_for(cloud.extract_jobs.parse(document.parsing))
        await accepted(cloud, document, parse_job_id)
    with cloud.runner.ends.listen() as ended:
        while (job := await wait_for(cloud.parse_jobs.get(parse_job_id))) is not None and not job.finished:
            ended.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ended.wait(), _POLL_SECONDS)
    if job is None or job.status != COMPLETED:
        reason = "it was deleted" if job is None else job.error_message or f"it is {job.status}"
        raise RequestError(400, f"The file could not be parsed: {reason}")
    return job
