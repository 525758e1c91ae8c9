"""Files into an index: uploaded concurrently, attached in batches, each failure in its place. On the I/O loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import AuthenticationError, FailedItem, LlamaCloudError, PermissionDeniedError
from llama_cloud_ext.index.documents import plain_metadata
from llama_cloud_ext.wire import files, pipeline_files
from llama_cloud_ext.wire.concurrency import concurrently
from llama_cloud_ext.wire.models.tolerant import TolerantModel, as_integer, as_mapping, as_text, attribute
from llama_cloud_ext.wire.recovery import new_tag, recover_upload
from llama_cloud_ext.wire.url_fetching import fetch_url

if TYPE_CHECKING:
    from llama_cloud_ext.index.reference import FoundIndex
    from llama_cloud_ext.progress import ProgressReport
    from llama_cloud_ext.wire.inputs import Input
    from llama_cloud_ext.wire.sources import Source

_UPLOADS_AT_ONCE = 8
# One request attaches so many files.
_ATTACHED_AT_ONCE = 100


class IndexFile(TolerantModel):
    """A file of an index, as the service tells of it.

    Attributes:
        file_id: The file's id, which `delete_file` and `documents` take.
        name: Its name.
        status: "NOT_STARTED", "IN_PROGRESS", "SUCCESS", "ERROR" or "CANCELLED".
        custom_metadata: What was given with it.
        file_size: Its size in bytes.
        indexed_page_count: How many of its pages are in the index.
    """

    file_id = attribute(as_text)
    name = attribute(as_text)
    status = attribute(as_text)
    custom_metadata = attribute(as_mapping)
    file_size = attribute(as_integer)
    indexed_page_count = attribute(as_integer)

    def __repr__(self) -> str:
        return f"IndexFile(name={self.name!r}, file_id={self.file_id!r}, status={self.status!r})"


async def upload_files(
    found: FoundIndex, inputs: Sequence[Input], metadata: Sequence[Mapping[str, Any] | None], report: ProgressReport
) -> list[str | FailedItem]:
    """Upload files and attach them to an index.

    Args:
        found: The index.
        inputs: The files.
        metadata: Custom metadata for each.
        report: Told of each file.

    Returns:
        For each file its id, or a record of why it could not be uploaded.

    Raises:
        ConfigurationError: Something in the metadata has no JSON form; nothing was uploaded.
        AuthenticationError: The key is refused, as it would be for every file; no further one was sent.
        PermissionDeniedError: Likewise.
    """
    settled = [plain_metadata(given.label, extra or {}) for given, extra in zip(inputs, metadata, strict=True)]

    async def one(given: Input) -> str | FailedItem:
        try:
            uploaded = await _uploaded(found, given)
        except (LlamaCloudError, OSError) as error:
            if isinstance(error, (AuthenticationError, PermissionDeniedError)):
                raise
            if isinstance(error, LlamaCloudError):
                error.with_context(file=given.label)
            await report.finished(given.label, failed=True)
            return FailedItem(given.label, error, index=given.index)
        await report.finished(given.label)
        return uploaded

    outcomes = await concurrently(one, inputs, at_once=_UPLOADS_AT_ONCE)
    attached = [
        {"file_id": outcome, "custom_metadata": extra} if extra else {"file_id": outcome}
        for outcome, extra in zip(outcomes, settled, strict=True)
        if isinstance(outcome, str)
    ]
    for start in range(0, len(attached), _ATTACHED_AT_ONCE):
        await pipeline_files.add(found.connection, found.pipeline_id, attached[start : start + _ATTACHED_AT_ONCE])
    return outcomes


async def _uploaded(found: FoundIndex, given: Input) -> str:
    source: Source
    if isinstance(given.file, str) and given.file.startswith(("http://", "https://")):
        source = await fetch_url(given.file, name=(given.extra_info or {}).get("file_name"))
    else:
        source = await given.resolve()
    return await upload_source(found, source)


async def upload_source(found: FoundIndex, source: Source) -> str:
    """Upload one file, without attaching it to the index; its id."""
    tag = new_tag()
    record = await files.upload(
        found.connection,
        source,
        purpose="user_data",
        external_file_id=tag,
        recover=recover_upload(found.connection, tag),
    )
    return str(record["id"])


async def list_files(
    found: FoundIndex, *, statuses: Sequence[str] | None, name_contains: str | None
) -> list[IndexFile]:
    """The files of an index."""
    return [
        IndexFile(record)
        async for record in pipeline_files.list_files(
            found.connection, found.pipeline_id, statuses=statuses, file_name_contains=name_contains
        )
    ]
