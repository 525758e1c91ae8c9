"""Documents into an index, and the wait until documents and files can be searched. All of it runs on the I/O loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import (
    BadRequestError,
    FailedItem,
    IngestionError,
    JobCancelledError,
    JobDeadlineError,
    JobFailedError,
    LlamaCloudError,
    NotFoundError,
    PayloadTooLargeError,
    UnprocessableError,
)
from llama_cloud_ext.index.documents import batches
from llama_cloud_ext.wire import io_loop, pipeline_documents, pipeline_files, pipelines
from llama_cloud_ext.wire.ingestion_jobs import (
    DOCUMENT_COUNTS,
    DOCUMENT_INGESTION,
    FILE_COUNTS,
    FILE_INGESTION,
    PIPELINE_INGESTION,
)
from llama_cloud_ext.wire.models.ingestion_status import ManagedIngestionStatus
from llama_cloud_ext.wire.models.tolerant import as_integer, as_mapping, as_text
from llama_cloud_ext.wire.watcher import JobKind, JobRecord, watcher_for

if TYPE_CHECKING:
    from llama_index.core.schema import Document

    from llama_cloud_ext.index.reference import FoundIndex
    from llama_cloud_ext.progress import ProgressReport

logger = logging.getLogger(__name__)

# Enough to keep the service busy; what is in flight bounds the memory of an upload of any length.
_BATCHES_AT_ONCE = 8
# Up to so many documents or files are watched one by one, which tells of each as soon as it is done; more of them are
# watched by their counts, which costs one request a look whatever their number.
_FEW = 8
# Reasons are asked for one by one; nobody reads more of them than this. The others are named without.
_MOST_REASONS = 200
_REQUESTS_AT_ONCE = 8
# Counts that know of fewer documents than are waited for may lag behind what was just accepted, and would pass for the
# end; or somebody has deleted some, so that the patience has an end.
_COUNTS_LAG = (0.2, 0.5, 1.0, 2.0, 4.0)

_FAILED = ("ERROR", "CANCELLED")


@dataclass
class Uploaded:
    """What has become of the documents of one call.

    Attributes:
        ids: Ids of those that the service accepted.
        failures: Those that it refused, each with its reason.
    """

    ids: list[str] = field(default_factory=list)
    failures: list[FailedItem] = field(default_factory=list)


async def upload_documents(
    found: FoundIndex, documents: Iterable[Document], *, replace: bool, report: ProgressReport
) -> Uploaded:
    """Send documents in bounded batches, several at a time, and have the index synchronised.

    Args:
        found: The index.
        documents: The documents; an iterator is read as the upload goes along, so that memory stays flat.
        replace: Whether documents of these ids are known to exist, so that they are updated instead of created.
        report: Told of each batch.

    Returns:
        The ids of what was accepted, and a record of each document that was refused for its content. One bad document
        does not take the others of its batch along.

    Raises:
        LlamaCloudError: What concerns all documents alike: a wrong key, no credits, a service that is down.
    """
    uploaded = Uploaded()
    upload = _Upload(found, replace, report, uploaded)
    iterator = batches(documents)
    try:
        # The documents may come from the user's own generator, which may block.
        while (batch := await io_loop.call_user(_next, iterator)) is not None:
            await upload.start(batch)
        await upload.finish()
    finally:
        await upload.stop()
    if uploaded.ids:
        await pipelines.sync(found.connection, found.pipeline_id)
    return uploaded


def _next(iterator: Iterator[list[dict[str, Any]]]) -> list[dict[str, Any]] | None:
    return next(iterator, None)


class _Upload:
    """The batches of one call that are under way."""

    def __init__(self, found: FoundIndex, replace: bool, report: ProgressReport, uploaded: Uploaded) -> None:
        self._found = found
        self._send = pipeline_documents.upsert if replace else pipeline_documents.create
        self._report = report
        self._uploaded = uploaded
        self._running: set[asyncio.Task[None]] = set()
        self._seen: set[str] = set()

    async def start(self, batch: list[dict[str, Any]]) -> None:
        """Send a batch as soon as there is room for one more."""
        latest = {document["id"]: document for document in batch}
        if not self._seen.isdisjoint(latest):
            # A document that comes again must arrive after its earlier version.
            await self.finish()
        self._seen.update(latest)
        while len(self._running) >= _BATCHES_AT_ONCE:
            await self._wait(asyncio.FIRST_COMPLETED)
        self._running.add(asyncio.get_running_loop().create_task(self._deliver(list(latest.values()))))

    async def finish(self) -> None:
        """Wait for all that are under way."""
        while self._running:
            await self._wait(asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """End what is still under way after an error or a cancellation."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _wait(self, until: str) -> None:
        done, self._running = await asyncio.wait(self._running, return_when=until)
        for task in done:
            task.result()

    async def _deliver(self, batch: list[dict[str, Any]]) -> None:
        try:
            answers = await self._send(self._found.connection, self._found.pipeline_id, batch)
        except (BadRequestError, UnprocessableError, PayloadTooLargeError) as error:
            if len(batch) == 1:
                document_id = str(batch[0]["id"])
                self._uploaded.failures.append(FailedItem(document_id, error.with_context(file=document_id)))
                await self._report.finished(document_id, failed=True)
                return
            # One of them is at fault: the halves find out which.
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
            return
        # The service answers with what it stored; the ids are ours, and so known where it says less.
        ids = [as_text(answer.get("id")) or str(sent["id"]) for answer, sent in zip(answers, batch, strict=False)]
        self._uploaded.ids += ids + [str(sent["id"]) for sent in batch[len(ids) :]]
        await self._report.finished(str(batch[-1]["id"]), count=len(batch))


@dataclass(frozen=True)
class Awaited:
    """What a call waits for, and what it makes of failures.

    Attributes:
        document_ids: Documents to wait for; None for no particular ones.
        file_ids: Files to wait for; None for no particular ones.
        timeout: The most seconds to wait; None waits for ever.
        raise_on_error: Whether documents and files that failed raise; else they are logged.
        raise_on_partial_success: Whether an index of which a part failed raises although `raise_on_error` is off.
    """

    document_ids: Collection[str] | None = None
    file_ids: Collection[str] | None = None
    timeout: float | None = None
    raise_on_error: bool = True
    raise_on_partial_success: bool = False

    @property
    def everything(self) -> bool:
        """Whether everything in the index counts, because nothing was named."""
        return self.document_ids is None and self.file_ids is None


async def wait_for_ingestion(found: FoundIndex, awaited: Awaited) -> ManagedIngestionStatus:
    """Wait until documents, files and then the whole index are ingested.

    Args:
        found: The index.
        awaited: What to wait for.

    Returns:
        The index's final status.

    Raises:
        IngestionError: Documents or files failed; each is named with its reason.
        JobFailedError: The index itself failed.
        JobCancelledError: Its ingestion was cancelled.
        JobDeadlineError: It was not done in time; it goes on and can be waited for again.
    """
    deadline = None if awaited.timeout is None else time.monotonic() + awaited.timeout
    looking = _Looking(found, deadline)
    named = [
        *await looking.until_done(awaited.document_ids, DOCUMENT_INGESTION, DOCUMENT_COUNTS),
        *await looking.until_done(awaited.file_ids, FILE_INGESTION, FILE_COUNTS),
    ]
    status = ManagedIngestionStatus(await looking.watch(PIPELINE_INGESTION, found.pipeline_id))
    failures: list[FailedItem] = []
    if status.failed or any(map(_has_failures, named)) or (awaited.everything and await _counts_failures(found)):
        failures = await _failures(found, awaited)
    _conclude(found, awaited, status, failures)
    return status


class _Looking:
    def __init__(self, found: FoundIndex, deadline: float | None) -> None:
        self._found = found
        self._deadline = deadline

    async def watch(self, kind: JobKind, job_id: str) -> JobRecord:
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        try:
            return await watcher_for(self._found.connection, kind).wait(job_id, timeout=left)
        except JobDeadlineError as error:
            raise JobDeadlineError(
                f"index {self._found.pipeline_id} was still being ingested at the deadline",
                product="ingestion",
                job_id=self._found.pipeline_id,
                status=error.status,
                job=error.job,
                hint="It goes on: wait_for_completion() waits again; timeout= allows more time.",
            ) from error

    async def until_done(self, ids: Collection[str] | None, single: JobKind, counts: JobKind) -> list[JobRecord]:
        if not ids:
            return []
        if len(ids) > _FEW:
            return [await self._counted(counts, len(set(ids)))]
        job_ids = [f"{self._found.pipeline_id}/{one}" for one in ids]
        return list(await asyncio.gather(*(self.watch(single, job_id) for job_id in job_ids)))

    async def _counted(self, counts: JobKind, fewest: int) -> JobRecord:
        record = await self.watch(counts, self._found.pipeline_id)
        for pause in _COUNTS_LAG:
            if sum(as_integer(count) or 0 for count in as_mapping(record.get("counts")).values()) >= fewest:
                break
            await asyncio.sleep(pause)
            record = await self.watch(counts, self._found.pipeline_id)
        return record


def _has_failures(record: JobRecord) -> bool:
    return str(record.get("status") or "").upper() in (*_FAILED, "PARTIAL_SUCCESS")


async def _counts_failures(found: FoundIndex) -> bool:
    """Whether the counts know of failures: an index may call itself a success with a file in it that failed."""
    for read in (pipeline_documents.status_counts, pipeline_files.status_counts):
        try:
            counts = as_mapping((await read(found.connection, found.pipeline_id)).get("counts"))
        except NotFoundError:  # an older deployment
            continue
        if any(as_integer(count) for status, count in counts.items() if str(status).upper() in _FAILED):
            return True
    return False


def _conclude(
    found: FoundIndex, awaited: Awaited, status: ManagedIngestionStatus, failures: Sequence[FailedItem]
) -> None:
    """Raise or log what failed."""
    facts: dict[str, Any] = {
        "product": "ingestion",
        "job_id": found.pipeline_id,
        "status": status.status,
        "job": status.raw,
    }
    reasons = "; ".join(dict.fromkeys(filter(None, (error.message for error in status.errors)))) or None
    error: LlamaCloudError | None = None
    if failures:
        error = IngestionError(failures=failures, hint="Mend or delete them, then insert them again.", **facts)
    elif status.status == "CANCELLED":
        error = JobCancelledError(reason=reasons, **facts)
    elif status.failed and (awaited.everything or status.status != "PARTIAL_SUCCESS"):
        error = JobFailedError(reason=reasons, **facts)
    if error is None:
        return
    if awaited.raise_on_error or (awaited.raise_on_partial_success and status.status == "PARTIAL_SUCCESS"):
        raise error
    logger.warning("%s", error)


async def _failures(found: FoundIndex, awaited: Awaited) -> list[FailedItem]:
    """The documents and files that failed, each with the service's reason."""
    failures: list[FailedItem] = []
    if awaited.everything or awaited.file_ids is not None:
        failures += await _failed_files(found, awaited.file_ids)
    if awaited.everything or awaited.document_ids is not None:
        failures += await _failed_documents(found, awaited.document_ids)
    return failures


async def _failed_files(found: FoundIndex, wanted: Collection[str] | None) -> list[FailedItem]:
    failed = [
        record
        async for record in pipeline_files.list_files(found.connection, found.pipeline_id, statuses=list(_FAILED))
        if str(record.get("status") or "").upper() in _FAILED
        and (wanted is None or record.get("file_id") in wanted or record.get("id") in wanted)
    ]

    async def read(record: dict[str, Any], ask: bool) -> FailedItem:
        file_id = str(record.get("file_id") or record.get("id"))
        status = await _status(pipeline_files.status, found, file_id) if ask else None
        return _failed_item(as_text(record.get("name")) or file_id, file_id, status, record)

    return await _in_turn(read, failed)


async def _failed_documents(found: FoundIndex, wanted: Collection[str] | None) -> list[FailedItem]:
    """Listed with their status where the service tells it there; where it does not, those waited for are asked for."""
    failed: list[str] = []
    told = False
    async for record in pipeline_documents.list_documents(found.connection, found.pipeline_id):
        document_id = str(record.get("id"))
        status = as_text(as_mapping(record.get("status_metadata")).get("status"))
        told = told or status is not None
        # The document of a file that failed is told of with its file.
        if status is not None and status.upper() in _FAILED and (wanted is None or document_id in wanted):
            failed.append(document_id)
    if not told and wanted is not None:
        failed = list(wanted)

    async def read(document_id: str, ask: bool) -> FailedItem | None:
        status = await _status(pipeline_documents.status, found, document_id) if ask or not told else None
        if status is not None and not status.failed and status.status not in _FAILED:
            return None
        return _failed_item(document_id, document_id, status, None)

    return [item for item in await _in_turn(read, failed) if item is not None]


async def _status(read: Any, found: FoundIndex, identifier: str) -> ManagedIngestionStatus | None:
    try:
        return ManagedIngestionStatus(await read(found.connection, found.pipeline_id, identifier))
    except NotFoundError:
        return None


async def _in_turn(read: Callable[[Any, bool], Awaitable[Any]], records: Sequence[Any]) -> list[Any]:
    """Read each, a few at a time; all but the first are told not to ask for a reason."""
    limit = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    async def one(place: int, record: Any) -> Any:
        async with limit:
            return await read(record, place < _MOST_REASONS)

    return list(await asyncio.gather(*(one(place, record) for place, record in enumerate(records))))


def _failed_item(
    source: str, identifier: str, status: ManagedIngestionStatus | None, record: dict[str, Any] | None
) -> FailedItem:
    reasons = "; ".join(filter(None, (error.message for error in status.errors))) if status is not None else ""
    error = JobFailedError(
        product="ingestion",
        job_id=identifier,
        status=status.status if status is not None else "ERROR",
        reason=reasons or "the service gives no reason",
        file=source,
    )
    return FailedItem(source, error, record)
