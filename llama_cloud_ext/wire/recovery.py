"""Create recovery: a create whose answer was lost is looked up before it is repeated, so nothing is paid for twice.

Every parse create carries a tag of its own in `user_metadata`. When the answer does not arrive (a timeout, a reset, a
5xx after sending), the jobs created since are listed and the tagged one, if there, is taken as the answer. Extract jobs
and batches have no tags: they are recognised by input, configuration and time. Acceptance can surface late, so the
look-up is repeated with growing pauses before the create is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter, ValidationError

from llama_cloud_ext.errors import BadRequestError, UnprocessableError
from llama_cloud_ext.wire import batch_processing, batches, extract, files, parse
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import first
from llama_cloud_ext.wire.transport import Connection

logger = logging.getLogger(__name__)

# Pauses before each look. Four looks within three seconds find what the service accepted but shows late.
_LOOK_UP_PAUSES = (0.1, 0.4, 0.9, 1.6)
# The service's clock and ours may differ; the tag is what identifies, the time only keeps the list short.
_CLOCK_TOLERANCE = timedelta(minutes=10)
# Without an echoed tag a job is recognised by name and time, so the time must be close.
_CLOSE_IN_TIME = timedelta(seconds=30)
_MOST_JOBS_LOOKED_THROUGH = 2000
_PAGE_SIZE = 100
_TIME = TypeAdapter(datetime)


def new_tag() -> str:
    """A value that no other create request carries."""
    return uuid.uuid4().hex


async def look_up_repeatedly(
    find: Callable[[], Awaitable[dict[str, Any] | None]], pauses: tuple[float, ...] = _LOOK_UP_PAUSES
) -> dict[str, Any] | None:
    """Call `find` after each of the pauses (seconds) until it finds something; None when it never does."""
    for pause in pauses:
        await asyncio.sleep(pause)
        found = await find()
        if found is not None:
            return found
    return None


@dataclass
class _Account:
    """What is known of one account's jobs: whether tags come back, and which jobs have an owner here already."""

    tags_echoed: bool | None = None
    claimed: dict[str, None] = field(default_factory=dict)
    warned: bool = False

    def claim(self, job_id: str) -> None:
        self.claimed[job_id] = None
        while len(self.claimed) > _MOST_JOBS_LOOKED_THROUGH:
            self.claimed.pop(next(iter(self.claimed)))

    def note_echo(self, record: dict[str, Any]) -> None:
        if RECOVERY_KEY in as_mapping(record.get("user_metadata")):
            self.tags_echoed = True
        elif self.tags_echoed is None:
            self.tags_echoed = False


_accounts: WeakKeyDictionary[Any, _Account] = WeakKeyDictionary()


def _account_of(connection: Connection) -> _Account:
    return _accounts.setdefault(connection.pool, _Account())


@dataclass
class ParseCreateRecovery:
    """Finds the parse job of one create request whose answer was lost. Pass it as `recover=`.

    Args:
        connection: Where the create was sent.
        tag: The value under `RECOVERY_KEY` in the request's `user_metadata`.
        name: The file name, by which the job is recognised where a deployment does not return `user_metadata`; None
            where only the tag will do, because the job may belong to another process.
        started: When the create began, seconds since 1970.
        until: When the job was created at the latest, for a create of long ago; then all jobs of that time are looked
            through, however many came since.
    """

    connection: Connection
    tag: str
    name: str | None
    started: float = field(default_factory=time.time)
    until: float | None = None

    async def __call__(self) -> dict[str, Any] | None:
        """The job's record, or None when the service shows none after several looks."""
        found = await look_up_repeatedly(self._find) or await self._find(by_our_clock=False)
        if found is not None:
            logger.info("the answer to a create request was lost; found its parse job %s", found.get("id"))
        return found

    def answered(self, record: dict[str, Any]) -> None:
        """Note the record that the create, or the look-up, ended with."""
        self._account.note_echo(record)
        self._account.claim(str(record.get("id")))

    @property
    def _account(self) -> _Account:
        return _account_of(self.connection)

    async def _find(self, *, by_our_clock: bool = True) -> dict[str, Any] | None:
        since = datetime.fromtimestamp(self.started, timezone.utc)
        untagged: list[dict[str, Any]] = []
        newest = None if self.until is None else datetime.fromtimestamp(self.until, timezone.utc) + _CLOCK_TOLERANCE
        # Where one of the clocks is wrong by hours, the job is among the newest all the same.
        most = (_MOST_JOBS_LOOKED_THROUGH if newest is None else None) if by_our_clock else _PAGE_SIZE
        records = parse.list_jobs(
            self.connection,
            created_at_on_or_after=since - _CLOCK_TOLERANCE if by_our_clock else None,
            created_at_on_or_before=newest if by_our_clock else None,
            page_size=_PAGE_SIZE,
        )
        async for record in first(records, most):
            metadata = as_mapping(record.get("user_metadata"))
            if metadata.get(RECOVERY_KEY) == self.tag:
                self._account.tags_echoed = True
                return record
            if RECOVERY_KEY in metadata:
                self._account.tags_echoed = True
            elif not metadata:
                untagged.append(record)
        return None if self._account.tags_echoed else self._recognise(untagged, since)

    def _recognise(self, untagged: list[dict[str, Any]], since: datetime) -> dict[str, Any] | None:
        """Without echoed tags: the job of this name, created just then, that nobody here has claimed."""
        account = self._account
        if untagged and not account.warned:
            account.warned = True
            logger.warning(
                "this deployment does not return user_metadata; lost answers are recognised by file name and time, "
                "and jobs of processes that were killed not at all"
            )
        if self.name is None:
            return None
        for record in untagged:
            created = _parse_time(record.get("created_at"))
            if (
                record.get("name") == self.name
                and str(record.get("id")) not in account.claimed
                and created is not None
                and created >= since - _CLOSE_IN_TIME
            ):
                account.claim(str(record.get("id")))
                return record
        return None


@dataclass
class _InputCreateRecovery(ABC):
    """Finds what one create request, whose answer was lost, has made of its input. Pass it as `recover=`.

    Args:
        connection: Where the create was sent.
        body: The request's body: what it made has its input, and what it says of the configuration.
        fresh_input: Whether the input was made for this request alone, so that nothing else can be on it.
    """

    connection: Connection
    body: dict[str, Any]
    fresh_input: bool = False
    started: float = field(default_factory=time.time)

    made: ClassVar[str]
    """What messages call it."""
    input_field: ClassVar[str]
    """What holds the input, in the request as in the records."""

    async def __call__(self) -> dict[str, Any] | None:
        """The record, or None when the service shows none after several looks."""
        found = await look_up_repeatedly(self._find)
        if found is not None:
            logger.info("the answer to a create request was lost; found its %s %s", self.made, found.get("id"))
        return found

    def answered(self, record: dict[str, Any]) -> None:
        """Note the record that the create, or the look-up, ended with."""
        _account_of(self.connection).claim(str(record.get("id")))

    @abstractmethod
    async def _find(self) -> dict[str, Any] | None:
        """One look."""

    @abstractmethod
    def _is_of_this_request(self, record: dict[str, Any]) -> bool:
        """Whether a record may be this request's: where the service returns what was sent, it is the same."""

    async def _find_in(self, records: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
        account = _account_of(self.connection)
        since = datetime.fromtimestamp(self.started, timezone.utc) - _CLOSE_IN_TIME
        async for record in first(records, _PAGE_SIZE):
            created = _parse_time(record.get("created_at"))
            # A service that ignores the filter lists everybody's.
            same_input = record.get(self.input_field) == self.body[self.input_field]
            if (
                same_input
                and str(record.get("id")) not in account.claimed
                and (self.fresh_input or ((created is None or created >= since) and self._is_of_this_request(record)))
            ):
                account.claim(str(record.get("id")))
                return record
        return None


class ExtractCreateRecovery(_InputCreateRecovery):
    """Finds the extract job of one create request: it has its `file_input`."""

    made = "extract job"
    input_field = "file_input"

    async def _find(self) -> dict[str, Any] | None:
        try:
            return await self._find_in(self._listed(["configuration"]))
        except (BadRequestError, UnprocessableError):
            return await self._find_in(self._listed([]))  # a deployment that adds nothing to its lists

    def _listed(self, expand: list[str]) -> AsyncIterator[dict[str, Any]]:
        file_input = self.body["file_input"]
        return extract.list_jobs(self.connection, file_input=file_input, expand=expand, page_size=_PAGE_SIZE)

    def _is_of_this_request(self, record: dict[str, Any]) -> bool:
        for name in ("configuration_id", "configuration"):
            sent, returned = self.body.get(name), record.get(name)
            if sent and returned and not _holds(returned, sent):
                return False
        return True


class BatchCreateRecovery(_InputCreateRecovery):
    """Finds the batch of one create request: it has its `source_directory_id`."""

    made = "batch"
    input_field = "source_directory_id"

    async def _find(self) -> dict[str, Any] | None:
        directory_id = self.body["source_directory_id"]
        listed = batches.list_batches(self.connection, source_directory_id=directory_id, page_size=_PAGE_SIZE)
        return await self._find_in(listed)

    def _is_of_this_request(self, record: dict[str, Any]) -> bool:
        returned = record.get("config")
        return not returned or _holds(returned, self.body["config"])


class BatchProcessingCreateRecovery(_InputCreateRecovery):
    """Finds the batch of one create request of the beta API: it has its `directory_id`.

    The records do not say how files are parsed, so that of several batches over a directory, created within seconds,
    another one's may be taken for it.
    """

    made = "batch"
    input_field = "directory_id"

    async def _find(self) -> dict[str, Any] | None:
        return await self._find_in(
            batch_processing.list_batches(self.connection, directory_id=self.body["directory_id"])
        )

    def _is_of_this_request(self, record: dict[str, Any]) -> bool:
        return record.get("job_type") in (None, "parse")


def _holds(returned: Any, sent: Any) -> bool:
    """Whether the service's value is the one that was sent, to which it may have added its defaults."""
    if isinstance(returned, dict) and isinstance(sent, dict):
        return all(name in returned and _holds(returned[name], value) for name, value in sent.items())
    if isinstance(returned, list) and isinstance(sent, list):
        return len(returned) == len(sent) and all(map(_holds, returned, sent))
    return bool(returned == sent)


def recover_upload(connection: Connection, external_file_id: str) -> Callable[[], Awaitable[dict[str, Any] | None]]:
    """A look-up for an upload whose answer was lost: by the unique `external_file_id` that it carried."""

    async def find() -> dict[str, Any] | None:
        async for record in files.list_files(connection, external_file_id=external_file_id):
            if record.get("external_file_id") == external_file_id:
                return record
        return None

    async def recover() -> dict[str, Any] | None:
        return await look_up_repeatedly(find)

    return recover


def _parse_time(value: object) -> datetime | None:
    try:
        moment = _TIME.validate_python(value)
    except ValidationError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
