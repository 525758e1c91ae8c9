"""Batches by way of a ledger: what was done before is taken from it, what was begun is gone on with, the rest begun.

Results are kept by content and configuration, as those of single jobs are, though not under the same entries: a batch
goes by a preset or a saved configuration, which the service may understand otherwise tomorrow, and a reader by options.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from llama_cloud_ext.batch.collecting import BatchCollector, Deliver, is_final
from llama_cloud_ext.batch.configurations import BatchConfiguration
from llama_cloud_ext.batch.filling import BatchFiller
from llama_cloud_ext.batch.handle import BatchFile, StartedBatch
from llama_cloud_ext.batch.noted import NotedBatch, NotedBatches
from llama_cloud_ext.batch.product_work import ProductWork
from llama_cloud_ext.batch.starting import BatchStarter, Upload, failed, looked_at, unique_id_of
from llama_cloud_ext.errors import FailedItem, LlamaCloudError, NotFoundError
from llama_cloud_ext.jobs.ledger import Hold, LeaseLostError, Ledger, Looks, entry_key, harmless
from llama_cloud_ext.jobs.ledger_records import EntryRecords
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.inputs import Input
from llama_cloud_ext.wire.models.batch import MOST_FILES, BatchProduct
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.url_fetching import fetched

logger = logging.getLogger(__name__)

_PRODUCTS = {"parse_v2": "parse", "extract_v2": "extract"}


class LedgeredBatches:
    """The ledger's part in one call of a reader.

    Args:
        ledger: The ledger.
        connection: Where the batches are.
        work: What is done with the files.
        group: What decides a result besides the content: service, project, product, configuration; hashed.
        starter: Gives what sends uploads and creates; asked only where something has to be sent.
        collector: Gives what collects a batch, for work whose results are kept.
        deliver: Takes what became of each file, as soon as it is known.
        at_once: Files that are looked at, uploads, and kept results, under way at the same time.
    """

    def __init__(
        self,
        ledger: Ledger,
        connection: Connection,
        work: ProductWork,
        group: str,
        *,
        starter: Callable[[], Awaitable[BatchStarter]],
        collector: Callable[[ProductWork], BatchCollector],
        deliver: Deliver,
        at_once: int,
    ) -> None:
        self._ledger = ledger
        self._connection = connection
        self._work = work
        self._group = group
        self._starter = starter
        self._collector = collector
        self._deliver = deliver
        self._at_once = at_once
        self._notes = NotedBatches(ledger.store, group, connection.settings.host)
        self._filling = asyncio.Lock()
        self._uploads: dict[str, list[Upload]] = {}
        self._settled: set[int] = set()

    @classmethod
    async def of(
        cls,
        ledger: Ledger,
        connection: Connection,
        configuration: BatchConfiguration,
        work: ProductWork,
        **options: Any,
    ) -> LedgeredBatches:
        """Settle what the files are worked on by.

        Args:
            ledger: The ledger.
            connection: Where the batches are.
            configuration: By which the files are worked on; a saved one counts by what it says now.
            work: What is done with the files.
            **options: As for the class.
        """
        settings = connection.settings
        group = entry_key(
            product=f"batch {work.product}",
            host=settings.host,
            organization=settings.organization_id,
            project=settings.project_id,
            configuration=await configuration.digest(connection),
        )
        return cls(ledger, connection, work, group, **options)

    async def run(self, inputs: Sequence[Input]) -> None:
        """Deliver a result or a FailedItem for each input."""
        await concurrently(self._look_at, inputs, at_once=self._at_once)
        pending = set(self._uploads)
        while pending:
            await concurrently(self._take_kept, sorted(pending), at_once=self._at_once)
            pending = {entry for entry in pending if not self._is_settled(entry)}
            batches = await self._planned(pending) if pending else []
            await self._worked_on(batches, pending)
            # What another process was collecting is kept by now; what has vanished from the service is begun anew.
            pending = {entry for entry in pending if not self._is_settled(entry)}

    # Files

    async def _look_at(self, item: Input) -> None:
        source = await looked_at(item)
        try:
            if not isinstance(source, FailedItem):
                # A ledger knows a file by its content. One behind a URL is fetched again for its upload: thousands
                # of open copies would be too many.
                content = await (await fetched(source, self._connection.settings)).sha256()
        except LlamaCloudError as error:
            source = failed(item, error)
        if isinstance(source, FailedItem):
            await self._settle(item.index, source.source, source)
            return
        entry = entry_key(group=self._group, content=content, suffix=PurePath(source.name).suffix.lower())
        self._uploads.setdefault(entry, []).append(Upload(item, source, unique_id_of(source)))

    async def _take_kept(self, entry: str) -> None:
        response = await self._records(entry).kept()
        if response is not None:
            await self._settle_all(self._uploads[entry], response)

    async def _is_kept(self, entry: str) -> bool:
        return await self._records(entry).kept() is not None

    async def _settle_all(self, uploads: Iterable[Upload], response: dict[str, Any]) -> None:
        """Make the results of files of one content."""
        for upload in uploads:
            file = upload.file("")
            try:
                outcome = await self._work.made(response, file)
            except LlamaCloudError as error:
                outcome = failed(upload.item, error)
            await self._settle(file.index, file.label, outcome)

    async def _settle(self, index: int, label: str, outcome: Any) -> None:
        self._settled.add(index)
        await self._deliver(index, label, outcome)

    def _is_settled(self, entry: str) -> bool:
        return self._uploads[entry][0].item.index in self._settled

    def _records(self, entry: str) -> EntryRecords:
        source = self._uploads[entry][0].source
        product = _PRODUCTS[self._work.product]
        about = {"product": product, "file": source.label, "host": self._connection.settings.host}
        return EntryRecords(self._ledger.store, entry, about)

    # Batches

    async def _planned(self, pending: Iterable[str]) -> list[NotedBatch]:
        """The batches from which the results come: those that are noted, and new ones for what is in none."""
        looks = Looks()
        while True:
            # Nobody else plans meanwhile, so that no file gets into two batches.
            async with self._ledger.leases.held(f"plans/{self._group}") as lease:
                if lease is not None:
                    noted = [batch for batch in await self._notes.all() if batch.claimed & set(pending)]
                    claimed = {entry for batch in noted for entry in batch.claimed}
                    unclaimed = [entry for entry in self._uploads if entry in pending and entry not in claimed]
                    # Another process may have kept their results, and forgotten the batch, since the last look. They
                    # are handed on later, as nobody else can plan before those that are have been taken.
                    are_kept = await concurrently(self._is_kept, unclaimed, at_once=self._at_once)
                    new = self._new([entry for entry, kept in zip(unclaimed, are_kept, strict=True) if not kept])
                    for batch in new:
                        if not await lease.is_held():
                            break
                        await self._notes.write(batch)
                    else:
                        return [*noted, *new]
            await looks.pause()

    def _new(self, entries: Sequence[str]) -> list[NotedBatch]:
        portions = [entries[start : start + MOST_FILES] for start in range(0, len(entries), MOST_FILES)]
        # Two contents under one name are two files.
        return [
            NotedBatch.new({entry: f"{self._uploads[entry][0].unique_id}-{entry[:12]}" for entry in portion})
            for portion in portions
        ]

    async def _worked_on(self, batches: Sequence[NotedBatch], pending: set[str]) -> None:
        tasks = [asyncio.create_task(self._work_on(batch, batch.claimed & pending)) for batch in batches]
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            logger.warning("what was begun is in the ledger %s: the same call goes on with it", self._ledger.location)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work_on(self, noted: NotedBatch, entries: set[str]) -> None:
        try:
            batch = await self._started(noted, entries)
        except LlamaCloudError as error:
            for entry in entries:
                await self._fail(entry, error)
            return
        if batch is not None:
            await self._collect(batch, entries & batch.claimed, is_new=noted.batch_id is None)

    async def _started(self, noted: NotedBatch, entries: set[str]) -> NotedBatch | None:
        """A batch with its id, here or in another process; None where there is nothing of it any more."""
        looks = Looks()
        batch: NotedBatch | None = noted
        failures: dict[str, LlamaCloudError] = {}
        while batch is not None and batch.batch_id is None:
            # One batch after the other is filled, while those before are waited for.
            async with self._filling, self._ledger.leases.held(noted.place) as lease:
                # Between the look and the lease another process may have gone on.
                batch = await self._notes.read(noted.key)
                if lease is not None and batch is not None and batch.batch_id is None:
                    filler = BatchFiller(self._notes, await self._starter())
                    uploads = {
                        entry: replace(self._uploads[entry][0], unique_id=batch.unique_ids[entry])
                        for entry in sorted(entries)
                    }
                    try:
                        batch, failures = await filler.fill(batch, Hold(lease, self._notes.write), uploads)
                    except LeaseLostError:
                        continue
                    break
            if batch is not None and batch.batch_id is None:
                await looks.pause()
                batch = await self._notes.read(noted.key)
        for entry, error in failures.items():
            await self._fail(entry, error)
        return batch

    async def _collect(self, batch: NotedBatch, entries: set[str], *, is_new: bool) -> None:
        by_index = {self._uploads[entry][0].item.index: entry for entry in sorted(entries)}
        files = tuple(self._uploads[entry][0].file(batch.file_ids[entry]) for index, entry in sorted(by_index.items()))
        kept = _KeptWork(
            self._work,
            {index: self._records(entry) for index, entry in by_index.items()},
            shared={index for index, entry in by_index.items() if len(self._uploads[entry]) > 1},
        )
        started = StartedBatch(str(batch.batch_id), str(batch.directory_id), self._work.product, files)
        over = set()

        async def deliver(index: int, label: str, outcome: Any) -> None:
            entry = by_index[index]
            is_failed = isinstance(outcome, FailedItem)
            if index in kept.kept or (is_failed and is_final(outcome.error)):
                over.add(entry)
            if is_failed and isinstance(outcome.error, NotFoundError) and not is_new:
                return  # what has vanished from the service is begun anew
            await self._settle(index, label, outcome)
            others = self._uploads[entry][1:]
            response = kept.shared.pop(index, None)
            if response is not None:
                await self._settle_all(others, response)
            else:
                for upload in others:
                    await self._settle(upload.item.index, upload.item.label, failed(upload.item, outcome.error))

        await self._collector(kept).collect(started, deliver)
        await self._forget(batch, over)

    async def _forget(self, batch: NotedBatch, over: set[str]) -> None:
        """Take files off a batch from which nothing is to come for them any more; the last ones with the batch."""
        await harmless(self._forgotten(batch.key, over))

    async def _forgotten(self, key: str, over: set[str]) -> None:
        # As it is now: another process may have taken others off it.
        batch = await self._notes.read(key)
        if batch is None or not over:
            return
        left = {entry: file_id for entry, file_id in batch.file_ids.items() if entry not in over}
        if left:
            await self._notes.write(replace(batch, file_ids=left))
        else:
            await self._notes.drop(batch)

    async def _fail(self, entry: str, error: LlamaCloudError) -> None:
        for upload in self._uploads[entry]:
            await self._settle(upload.item.index, upload.item.label, failed(upload.item, error))


class _KeptWork:
    """Work whose results are kept before anything is cleared away.

    Args:
        work: The work itself.
        records: Where the result of each file is kept, by the file's place among the inputs.
        shared: Places of files whose answers are asked for again, as others have the same content.

    Attributes:
        kept: Places of the files whose results are kept.
        shared: The answers that were asked to be remembered.
    """

    def __init__(self, work: ProductWork, records: Mapping[int, EntryRecords], *, shared: Collection[int]) -> None:
        self.product: BatchProduct = work.product
        self.title = work.title
        self.gate = work.gate
        self.kept: set[int] = set()
        self.shared: dict[int, dict[str, Any]] = {}
        self._shared = shared
        self._work = work
        self._records = records

    async def result(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> Any:
        """Wait for the job of a file, fetch its result and keep it."""
        return await self.made(await self.response(job_id, file, handing_on), file)

    async def response(self, job_id: str, file: BatchFile, handing_on: AsyncExitStack) -> dict[str, Any]:
        """What the service says of a job, or has said before."""
        records = self._records[file.index]
        async with AsyncExitStack() as reading:
            await reading.enter_async_context(self.gate)
            response = await records.kept()
            if response is not None:
                self.kept.add(file.index)
                await handing_on.enter_async_context(reading.pop_all())
        if response is None:
            response = await self._work.response(job_id, file, handing_on)
            await harmless(self._keep(records, job_id, response, file))
        if file.index in self._shared:
            self.shared[file.index] = response
        return response

    async def _keep(self, records: EntryRecords, job_id: str, response: dict[str, Any], file: BatchFile) -> None:
        await records.keep(job_id, response)
        self.kept.add(file.index)

    async def made(self, response: dict[str, Any], file: BatchFile) -> Any:
        """Make a file's result of what the service said."""
        return await self._work.made(response, file)
