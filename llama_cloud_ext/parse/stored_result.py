"""What a parse result is made of, and its way to disk and to other processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.jobs.stored_response import StoredResponse
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.models.parse_response import ParseResponse

if TYPE_CHECKING:
    from llama_cloud_ext.wire.settings import Settings
    from llama_cloud_ext.wire.transport import Connection


class StoredResult(StoredResponse):
    """A response, the file it belongs to, and the connection to fetch more with.

    Everything but the connection survives pickling and JSON; copies keep the connection too.

    Args:
        response: The JSON as the service sent it.
        source: The file it was parsed from.
        settings: The connection; None takes the environment's.
    """

    def __init__(self, response: dict[str, Any], *, source: SourceIdentity, settings: Settings | None = None) -> None:
        super().__init__(response, source=source)
        self._settings = settings

    def load(self, *expand: str) -> Self:
        """Fetch parts of the result that it was loaded without.

        Args:
            expand: What to fetch: "items", "markdown", "text", "metadata", "job_metadata", …

        Returns:
            The result itself, with those parts.
        """
        return io_loop.run(self._load, expand)

    async def aload(self, *expand: str) -> Self:
        """Do what `load` does, asynchronously."""
        return await io_loop.run_async(self._load, expand)

    def connect(self, settings: Settings | None = None, **options: Any) -> Self:
        """Choose the connection for later downloads.

        Args:
            settings: Settings of a reader, say; or else
            options: `api_key`, `base_url`, `region`, `headers`, … as a reader takes them.

        Returns:
            The result itself.

        Example:
            >>> stored = StoredResult({}, source=SourceIdentity("a.pdf", "x"))
            >>> stored.connect(base_url="local::memory:") is stored
            True
        """
        if settings is None:
            from llama_cloud_ext.wire.settings import Settings

            settings = Settings.resolve(**options)
        self._settings = settings
        return self

    @classmethod
    def _restored(cls, data: Mapping[str, Any], response: dict[str, Any], source: SourceIdentity) -> Self:
        return cls(response, source=source)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.raw, self.source)

    def __copy__(self) -> Self:
        return type(self)(dict(self.raw), source=self.source, settings=self._settings)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(deepcopy(self.raw, memo), source=deepcopy(self.source, memo), settings=self._settings)

    def _connection(self) -> Connection:
        """The connection for downloads; on the I/O loop only."""
        from llama_cloud_ext.wire.settings import Settings
        from llama_cloud_ext.wire.transport import connection_for

        if self._settings is None:
            self._settings = Settings.resolve()
        return connection_for(self._settings)

    def _job_id(self) -> str:
        return ParseResponse(self.raw).job.id

    async def _load(self, expand: Sequence[str]) -> Self:
        from llama_cloud_ext.wire import parse

        if not self._job_id():
            raise ConfigurationError("this result does not know its job", file=self.source.name)
        fetched = await parse.get(self._connection(), self._job_id(), expand=list(expand))
        self.raw = {**self.raw, **{name: value for name, value in fetched.items() if value is not None}}
        # What was read from the old response is read again.
        for name in [name for name in self.__dict__ if name not in ("raw", "source", "_settings")]:
            del self.__dict__[name]
        return self


def _rebuild(kind: type[StoredResult], response: dict[str, Any], source: SourceIdentity) -> StoredResult:
    return kind(response, source=source)
