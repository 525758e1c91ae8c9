"""LlamaCloudDirectories: directories created, listed, changed, and filled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.directories.file_methods import DirectoryFileMethods
from llama_cloud_ext.directories.records import Directory, id_of
from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire import directories
from llama_cloud_ext.wire.io_loop import iterate, iterate_async, run, run_async
from llama_cloud_ext.wire.models.directory import DirectoryOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

DirectoryType = Literal["user", "ephemeral", "index"]
"""What kinds there are; "index" is what an index has made of another one, and nobody else creates such."""


class LlamaCloudDirectories(DirectoryFileMethods):
    """The directories of a project and the files in them.

    Batches work through a directory, and an index can be over one. Everything takes a directory and a file by its
    record or by its id.

    Args:
        **connection: Where LlamaCloud is: `api_key`, `base_url`, `region`, `project_id` and what else
            `LlamaParseReader` takes of it.

    Raises:
        ConfigurationError: An argument is unknown or cannot work, or no API key was found.

    Example:
        ```python
        from datetime import datetime, timedelta, timezone

        from llama_cloud_ext import LlamaCloudDirectories

        directories = LlamaCloudDirectories()
        expires_at = datetime.now(timezone.utc) + timedelta(days=2)
        directory = directories.create("invoices", type="ephemeral", expires_at=expires_at)
        directories.upload_file(directory, "report.pdf", unique_id="2024/report.pdf", metadata={"year": 2024})
        print([file.name for file in directories.list_files(directory)])
        ```
    """

    def __init__(self, **connection: Unpack[ConnectionArguments]) -> None:
        """Settle the connection; nothing is sent yet."""
        super().__init__(**connection)

    def create(
        self,
        name: str,
        *,
        type: Literal["user", "ephemeral"] | None = None,
        description: str | None = None,
        expires_at: datetime | str | None = None,
        connector_subscription_id: str | None = None,
        system_metadata: dict[str, Any] | None = None,
    ) -> Directory:
        """Create a directory, which is empty at first.

        Args:
            name: Its name, which need not be unique.
            type: "user", which stays, or "ephemeral", which the service may clean up; its default is "user".
            description: What people are shown of it.
            expires_at: When it may be cleaned up, as a moment or in ISO 8601; without a time zone it is UTC. The
                service's guide of batches has this, and the official SDK has not.
            connector_subscription_id: The subscription whose files come into it; left out for uploads by hand.
            system_metadata: Reserved by the service.

        Returns:
            The directory.

        Raises:
            ConfigurationError: An argument cannot work; nothing was sent.
        """
        options = DirectoryOptions(
            name=name,
            type=type,
            description=description,
            expires_at=expires_at,  # type: ignore[arg-type]  # pydantic reads text as well
            connector_subscription_id=connector_subscription_id,
            system_metadata=system_metadata,
        )
        return run(self._create, options)

    async def acreate(
        self,
        name: str,
        *,
        type: Literal["user", "ephemeral"] | None = None,
        description: str | None = None,
        expires_at: datetime | str | None = None,
        connector_subscription_id: str | None = None,
        system_metadata: dict[str, Any] | None = None,
    ) -> Directory:
        """The asynchronous twin of `create`."""
        options = DirectoryOptions(
            name=name,
            type=type,
            description=description,
            expires_at=expires_at,  # type: ignore[arg-type]  # pydantic reads text as well
            connector_subscription_id=connector_subscription_id,
            system_metadata=system_metadata,
        )
        return await run_async(self._create, options)

    def list_directories(
        self,
        *,
        name: str | None = None,
        types: Sequence[DirectoryType] | None = None,
        include_deleted: bool = False,
        page_size: int | None = None,
    ) -> Iterator[Directory]:
        """The directories of the project; pages are asked for as they are needed.

        Args:
            name: Only directories of this name.
            types: Only directories of these types.
            include_deleted: Whether deleted ones are listed, too.
            page_size: Directories in one answer; the service decides by default.

        Yields:
            One directory after the other.
        """
        yield from iterate(self._list_directories, name, types, include_deleted, page_size)

    async def alist_directories(
        self,
        *,
        name: str | None = None,
        types: Sequence[DirectoryType] | None = None,
        include_deleted: bool = False,
        page_size: int | None = None,
    ) -> AsyncIterator[Directory]:
        """The asynchronous twin of `list_directories`."""
        async with aclosing(iterate_async(self._list_directories, name, types, include_deleted, page_size)) as found:
            async for directory in found:
                yield directory

    def get(self, directory: Directory | str) -> Directory:
        """A directory as it is now.

        Args:
            directory: The directory, by its record or its id.

        Raises:
            NotFoundError: There is none.
        """
        return run(self._get, directory)

    async def aget(self, directory: Directory | str) -> Directory:
        """The asynchronous twin of `get`."""
        return await run_async(self._get, directory)

    def update(
        self, directory: Directory | str, *, name: str | None = None, description: str | None = None
    ) -> Directory:
        """Rename or describe a directory.

        Args:
            directory: The directory, by its record or its id.
            name: Its new name; None to keep it.
            description: Its new description; None to keep it.

        Returns:
            The directory as it is then.

        Raises:
            ConfigurationError: Nothing is to be changed.
            NotFoundError: There is no such directory.
        """
        return run(self._update, directory, name, description)

    async def aupdate(
        self, directory: Directory | str, *, name: str | None = None, description: str | None = None
    ) -> Directory:
        """The asynchronous twin of `update`."""
        return await run_async(self._update, directory, name, description)

    def delete(self, directory: Directory | str) -> None:
        """Delete a directory with its files. Results of batches over it stay.

        Args:
            directory: The directory, by its record or its id.

        Raises:
            NotFoundError: There is none.
        """
        run(self._delete, directory)

    async def adelete(self, directory: Directory | str) -> None:
        """The asynchronous twin of `delete`."""
        await run_async(self._delete, directory)

    # On the I/O loop

    async def _create(self, options: DirectoryOptions) -> Directory:
        return Directory(await directories.create(self._connection(), options))

    async def _list_directories(
        self, name: str | None, types: Sequence[str] | None, include_deleted: bool, page_size: int | None
    ) -> AsyncIterator[Directory]:
        listed = directories.list_directories(
            self._connection(), name=name, types=types, include_deleted=include_deleted or None, page_size=page_size
        )
        async for record in listed:
            yield Directory(record)

    async def _get(self, directory: Directory | str) -> Directory:
        return Directory(await directories.get(self._connection(), id_of(directory)))

    async def _update(self, directory: Directory | str, name: str | None, description: str | None) -> Directory:
        if name is None and description is None:
            raise ConfigurationError("nothing is to be changed", hint="Give a name or a description.")
        connection = self._connection()
        return Directory(await directories.update(connection, id_of(directory), name=name, description=description))

    async def _delete(self, directory: Directory | str) -> None:
        await directories.delete(self._connection(), id_of(directory))
