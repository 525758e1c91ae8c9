"""Starting a batch: a directory for it alone, the uploads, the batch. Everything here runs on the I/O loop."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from llama_cloud_ext.batch.handle import BatchFile, StartedBatch
from llama_cloud_ext.errors import FailedItem, LlamaCloudError, NotFoundError, ServerError, TransportError
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.jobs.pipeline import id_in
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.wire import batches, directories, directory_files
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.inputs import Input
from llama_cloud_ext.wire.models.batch import BatchOptions, BatchProduct
from llama_cloud_ext.wire.models.directory import DirectoryFileOptions, DirectoryOptions
from llama_cloud_ext.wire.parse import Permit
from llama_cloud_ext.wire.recovery import BatchCreateRecovery, look_up_repeatedly
from llama_cloud_ext.wire.sources import Source
from llama_cloud_ext.wire.transport import Connection
from llama_cloud_ext.wire.url_fetching import fetched

logger = logging.getLogger(__name__)

_NOT_IMPLEMENTED = 501


@dataclass(frozen=True)
class Upload:
    """A file on its way into the directory."""

    item: Input
    source: Source
    unique_id: str

    def file(self, directory_file_id: str) -> BatchFile:
        """What it is once it is in there, under this id."""
        return BatchFile(directory_file_id, SourceIdentity.of(self.source), self.item.index)


@dataclass(frozen=True)
class BatchStarter:
    """Starts batches of one product.

    Attributes:
        connection: Where to.
        product: What is done with each file.
        configuration_id: By which saved configuration or preset.
        at_once: Uploads at the same time.
        directory_days: Days after which the service may clean up a directory that was left behind.
        webhooks: Whom the service tells when a batch changes: those options of `BatchOptions` that are given.
    """

    connection: Connection
    product: BatchProduct
    configuration_id: str
    at_once: int
    directory_days: float
    webhooks: Mapping[str, Any] = field(default_factory=dict)

    async def start(self, inputs: Sequence[Input]) -> tuple[StartedBatch | None, list[FailedItem]]:
        """Start one batch.

        Args:
            inputs: Its files, at most as many as a batch takes.

        Returns:
            The batch, or None where nothing could be put into it; and what failed before it was created.
        """
        sources = await concurrently(looked_at, inputs, at_once=self.at_once)
        failures = [source for source in sources if isinstance(source, FailedItem)]
        found = [(item, one) for item, one in zip(inputs, sources, strict=True) if isinstance(one, Source)]
        if not found:
            return None, failures
        try:
            directory_id = await self.directory()
        except LlamaCloudError as error:
            return None, [*failures, *(failed(item, error) for item, _ in found)]
        try:
            return await self._fill(directory_id, found, failures)
        except BaseException as error:
            if not may_have_started(error):
                await asyncio.shield(delete_directory(self.connection, directory_id))
            raise

    async def directory(self) -> str:
        """Make a directory for one batch alone; its id."""
        name = f"llama-cloud-ext batch {uuid.uuid4()}"
        expires_at = datetime.now(timezone.utc) + timedelta(days=self.directory_days)
        options = DirectoryOptions(name=name, type="ephemeral", expires_at=expires_at)
        record = await directories.create(self.connection, options)
        return id_in(record, of="directory", after="creating a directory", file=name)

    async def _fill(
        self, directory_id: str, found: list[tuple[Input, Source]], failures: list[FailedItem]
    ) -> tuple[StartedBatch | None, list[FailedItem]]:
        async def upload(one: Upload) -> BatchFile | FailedItem:
            try:
                return await self.upload(directory_id, one)
            except LlamaCloudError as error:
                return failed(one.item, error)

        uploaded = await concurrently(upload, _with_unique_ids(found), at_once=self.at_once)
        files = tuple(file for file in uploaded if isinstance(file, BatchFile))
        failures = [*failures, *(file for file in uploaded if isinstance(file, FailedItem))]
        if not files:
            await delete_directory(self.connection, directory_id)
            return None, failures
        try:
            batch_id = await self.create(directory_id)
        except LlamaCloudError as error:
            if may_have_started(error):
                error.hint = f"The batch may have started: its directory {directory_id} was kept, and expires."
            else:
                await delete_directory(self.connection, directory_id)
            by_index = {item.index: item for item, _ in found}
            return None, [*failures, *(failed(by_index[file.index], error) for file in files)]
        logger.info("created batch %s over %d files in directory %s", batch_id, len(files), directory_id)
        return StartedBatch(batch_id, directory_id, self.product, files), failures

    async def upload(self, directory_id: str, one: Upload) -> BatchFile:
        """Upload a file into the directory."""
        identity = SourceIdentity.of(one.source)
        options = DirectoryFileOptions(
            display_name=identity.name, unique_id=one.unique_id, metadata=identity.extra_info or None
        )
        source = await fetched(one.source, self.connection.settings)
        record = await directory_files.upload(self.connection, directory_id, source, options)
        file_id = id_in(record, of="file", after="uploading a file", file=one.source.label)
        return one.file(file_id)

    async def create(self, directory_id: str, permit: Permit | None = None) -> str:
        """Create the batch over all that is in the directory, if `permit` allows it when its turn has come; its id."""
        options = BatchOptions(
            source_directory_id=directory_id,
            product=self.product,
            configuration_id=self.configuration_id,
            **self.webhooks,
        )
        # Nobody else knows of the directory, so that a batch over it is this one.
        recovery = BatchCreateRecovery(self.connection, options.to_body(), fresh_input=True)
        record = await batches.create(self.connection, options, recover=recovery, permit=permit)
        recovery.answered(record)
        return id_in(record, of="batch", after="creating a batch", file=directory_id)

    async def find(self, directory_id: str) -> str | None:
        """The batch over a directory that was made for it, where one was created; its id."""

        async def look() -> dict[str, Any] | None:
            listed = batches.list_batches(self.connection, source_directory_id=directory_id)
            async for record in listed:
                # A service that ignores the filter lists everybody's.
                if record.get("source_directory_id") == directory_id:
                    return record
            return None

        found = await look_up_repeatedly(look)
        return None if found is None else str(found.get("id"))


async def delete_directory(connection: Connection, directory_id: str) -> None:
    """Delete a directory with its files. A failure is logged, not raised: it expires."""
    try:
        await directories.delete(connection, directory_id)
    except NotFoundError:
        logger.debug("directory %s was deleted already", directory_id)
    except LlamaCloudError as error:
        logger.warning("directory %s could not be deleted and stays until it expires: %s", directory_id, error)


def unique_id_of(source: SourceIdentity | Source) -> str:
    """What tells a file from others in its directory, without telling the service where it is."""
    return stable_id(source.identity)


def _with_unique_ids(found: list[tuple[Input, Source]]) -> list[Upload]:
    seen: Counter[str] = Counter()
    uploads = []
    for item, source in found:
        unique_id = unique_id_of(source)
        seen[unique_id] += 1
        again = f"-{seen[unique_id]}" if seen[unique_id] > 1 else ""
        uploads.append(Upload(item, source, unique_id + again))
    return uploads


async def looked_at(item: Input) -> Source | FailedItem:
    """A file's source, or why it has none."""
    try:
        return await item.resolve()
    except LlamaCloudError as error:
        return failed(item, error)


def failed(item: Input, error: LlamaCloudError) -> FailedItem:
    """The record of a file's failure."""
    # A copy, as one error may be the end of many files.
    return FailedItem(item.label, copy(error).with_context(file=item.label), getattr(error, "job", None), item.index)


def may_have_started(error: BaseException) -> bool:
    """Whether a create that raised this may have been accepted all the same."""
    return isinstance(error, TransportError) or (isinstance(error, ServerError) and error.status != _NOT_IMPLEMENTED)
