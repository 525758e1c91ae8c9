"""Collecting a batch: its end, which job each file got, their results. Everything here runs on the I/O loop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import replace
from typing import Any

from llama_cloud_ext.batch.handle import BatchFile, BatchHandle, StartedBatch
from llama_cloud_ext.batch.product_work import ProductWork
from llama_cloud_ext.batch.starting import delete_directory, unique_id_of
from llama_cloud_ext.errors import (
    FailedItem,
    JobCancelledError,
    JobDeadlineError,
    JobError,
    JobFailedError,
    LlamaCloudError,
    NotFoundError,
)
from llama_cloud_ext.jobs.pipeline import check_outcome
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.wire import batches, directory_files
from llama_cloud_ext.wire.batch_jobs import BATCH_JOBS
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.recovery import look_up_repeatedly
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.watcher import watcher_for

logger = logging.getLogger(__name__)

_PAGE_SIZE = 1000
_UUID_LENGTH = 36

Deliver = Callable[[int, str, Any], Awaitable[None]]
"""Takes what became of a file: its place among the inputs, its label, and a result or a FailedItem."""


class BatchCollector:
    """Collects what became of the files of batches.

    Args:
        connection: Where the batches are.
        work: What is done with the files.
        batch_timeout: The most seconds to wait until a batch has mapped its files to jobs, or None.
    """

    def __init__(self, connection: Connection, work: ProductWork, *, batch_timeout: float | None) -> None:
        self._connection = connection
        self._work = work
        self._batch_timeout = batch_timeout

    async def collect(self, batch: StartedBatch, deliver: Deliver) -> None:
        """Wait for a batch and all its jobs, and clear its directory away once nothing is left to be collected.

        Args:
            batch: The batch.
            deliver: Takes what became of each file, as soon as it is known.
        """
        try:
            record = await ended_batch(self._connection, batch.batch_id, timeout=self._batch_timeout)
        except LlamaCloudError as error:
            for file in batch.files:
                await deliver(file.index, file.label, _failed(batch, file, error))
            is_over = is_final(error)
        else:
            jobs = _jobs_of(record)

            async def settle(file: BatchFile) -> bool:
                async with AsyncExitStack() as handing_on:
                    outcome = await self._outcome(batch, record, jobs, file, handing_on)
                    await deliver(file.index, file.label, outcome)
                return not isinstance(outcome, FailedItem) or is_final(outcome.error)

            # All at once: those that wait for their jobs cost nothing, and the work bounds the rest.
            is_over = all(await concurrently(settle, batch.files, at_once=max(1, len(batch.files))))
        if is_over:
            await delete_directory(self._connection, batch.directory_id)

    async def _outcome(
        self,
        batch: StartedBatch,
        record: dict[str, Any],
        jobs: dict[str, dict[str, Any]],
        file: BatchFile,
        handing_on: AsyncExitStack,
    ) -> Any:
        try:
            return await self._work.result(_job_id(record, jobs.get(file.directory_file_id), file), file, handing_on)
        except LlamaCloudError as error:
            return _failed(batch, file, error)
        except Exception as error:
            logger.exception("unexpected failure at %s of batch %s", file.label, batch.batch_id)
            return _failed(batch, file, error)


def _failed(batch: StartedBatch, file: BatchFile, error: Exception) -> FailedItem:
    """The record of a file's failure."""
    if isinstance(error, LlamaCloudError):
        # A copy, as one error may be the end of many files.
        error = copy(error).with_context(file=file.label)
        if not is_final(error):
            error.hint = (
                f"The batch goes on, and its directory {batch.directory_id} was kept: "
                f"resume([{batch.batch_id!r}]) collects it."
            )
    return FailedItem(file.label, error, getattr(error, "job", None), file.index)


async def ended_batch(connection: Connection, batch_id: str, *, timeout: float | None) -> dict[str, Any]:
    """Wait for the end of a batch: its final record, with its results.

    Args:
        connection: Where it is.
        batch_id: The batch.
        timeout: The most seconds to wait, or None.

    Raises:
        JobFailedError: It failed, so that there are no results to rely on.
        JobDeadlineError: It took longer.
    """
    ended = await watcher_for(connection, BATCH_JOBS).wait(batch_id, timeout=timeout)
    if str(ended.get("status")).upper() == "FAILED":
        check_outcome(ended, product=BATCH_JOBS.product)

    async def look() -> dict[str, Any] | None:
        record = await batches.get(connection, batch_id, expand=["results"])
        return record if isinstance(record.get("results"), list) else None

    # They may be null for a moment longer than the batch is running.
    found = await look() or await look_up_repeatedly(look)
    return found or {**ended, "results": []}


def _jobs_of(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results of a batch by the files' ids in the directory."""
    results = [as_mapping(one) for one in record.get("results") or []]
    return {str(one.get("source_directory_file_id")): one for one in results}


def _job_id(record: dict[str, Any], result: dict[str, Any] | None, file: BatchFile) -> str:
    """The job that a file got.

    Raises:
        JobFailedError: It got none.
        JobCancelledError: It got none, as the batch was cancelled before.
    """
    job_id = as_mapping((result or {}).get("job_reference")).get("id")
    if job_id:
        return str(job_id)
    status = str(record.get("status") or "").upper()
    message = (result or {}).get("error_message")
    raise (JobCancelledError if status == "CANCELLED" and not message else JobFailedError)(
        job_id=str(record.get("id")),
        product=BATCH_JOBS.product,
        status=status,
        reason=str(message or "the batch made no job for this file"),
        file=file.label,
    )


def is_final(error: Exception) -> bool:
    """Whether asking again for what raised this would end in the same way."""
    return isinstance(error, JobError | NotFoundError) and not isinstance(error, JobDeadlineError)


async def adopt(connection: Connection, batch_ids: Sequence[str], sources: Sequence[Source]) -> BatchHandle:
    """A handle on batches of which only the ids are known.

    Args:
        connection: Where they are.
        batch_ids: The batches.
        sources: The files that they were started with, as far as they are at hand: results of these get the ids and
            metadata that they would have had. Others are named as in the directory.
    """
    known = {unique_id_of(source): SourceIdentity.of(source) for source in sources}
    places = {identity.identity: place for place, identity in enumerate(known.values())}
    adopted: list[StartedBatch] = []
    for batch_id in batch_ids:
        record = await batches.get(connection, batch_id, expand=["results"])
        directory_id = str(record.get("source_directory_id"))
        product = str(as_mapping(as_mapping(record.get("config")).get("job")).get("type"))
        identities = await _identities(connection, directory_id, known)
        # A directory that is gone leaves the results of its batch behind.
        named = identities or {one: _unknown(one) for one in _jobs_of(record)}
        ordered = sorted(named.items(), key=lambda item: places.get(item[1].identity, len(places)))
        start = sum(len(batch.files) for batch in adopted)
        files = tuple(BatchFile(file_id, source, start + place) for place, (file_id, source) in enumerate(ordered))
        adopted.append(StartedBatch(batch_id, directory_id, product, files))
    return BatchHandle(tuple(adopted))


async def _identities(
    connection: Connection, directory_id: str, known: dict[str, SourceIdentity]
) -> dict[str, SourceIdentity]:
    """The files of a directory by their ids in there."""
    found: dict[str, SourceIdentity] = {}
    try:
        async for record in directory_files.list_files(connection, directory_id, page_size=_PAGE_SIZE):
            unique_id = str(record.get("unique_id"))
            named = _unknown(unique_id)
            named = replace(
                named,
                name=str(record.get("display_name") or named.name),
                extra_info=as_mapping(record.get("metadata")),
            )
            # What follows the id tells a file that was given twice from its first.
            found[str(record.get("id"))] = known.get(unique_id[:_UUID_LENGTH], named)
    except NotFoundError:
        return {}
    return found


def _unknown(unique_id: str) -> SourceIdentity:
    return SourceIdentity(name=unique_id, identity=f"batch-file:{unique_id}")
