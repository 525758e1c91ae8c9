"""Which index is meant, and what the service says of it: looked up on first use, once, for its retrievers too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError, NotFoundError
from llama_cloud_ext.wire import indexes, io_loop, pipelines, projects
from llama_cloud_ext.wire.transport import Connection, connection_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_cloud_ext.wire.settings import ConnectionOptions, Settings

DEFAULT_PROJECT = "Default"
# A message lists so many names of what there is instead.
_MOST_NAMES = 20


@dataclass(frozen=True)
class IndexKind:
    """One of the two kinds of index that the service has.

    Attributes:
        owner: The class for it, as messages name it.
        get: Reads the record of an index by its id.
        named: Lists the records of a project's indexes, at least those of a name.
    """

    owner: str
    get: Callable[[Connection, str], Awaitable[dict[str, Any]]]
    named: Callable[[Connection, str | None], Awaitable[list[dict[str, Any]]]]


async def _pipelines(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    return await pipelines.list_pipelines(connection, pipeline_name=name)


async def _directory_indexes(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    # There is no filter by name.
    return [record async for record in indexes.list_indexes(connection)]


PIPELINES = IndexKind("LlamaCloudIndex", pipelines.get, _pipelines)
"""Indexes of documents and files, which the service calls pipelines."""

DIRECTORY_INDEXES = IndexKind("LlamaCloudDirectoryIndex", indexes.get, _directory_indexes)
"""Indexes over directories."""


async def find_project(settings: Settings, name: str | None) -> dict[str, Any]:
    """The project of a name, or the key's default project. On the I/O loop.

    Names are matched exactly first, then without regard to case: the guides write "default", the service "Default".

    Args:
        settings: Where to look, as whom; a project id in them decides alone.
        name: The name, or None for the default project.

    Returns:
        The project's record.

    Raises:
        NotFoundError: There is no such project; the message lists those that there are.
        ConfigurationError: Several projects have this name.
    """
    connection = connection_for(settings)
    if settings.project_id is not None:
        return await projects.get(connection, settings.project_id)
    known = await projects.list_projects(connection, project_name=name)
    if name is not None and not _named(known, name):
        # The service's filter may mind the case.
        known = await projects.list_projects(connection)
    return _only(known, name, settings)


def _named(known: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Those of exactly this name, else those that differ in case only."""
    exact = [dict(project) for project in known if project.get("name") == name]
    return exact or [dict(one) for one in known if str(one.get("name", "")).casefold() == name.casefold()]


def _only(known: Sequence[dict[str, Any]], name: str | None, settings: Settings) -> dict[str, Any]:
    if name is not None:
        found = _named(known, name)
    else:
        found = (
            [project for project in known if project.get("is_default") is True]
            or _named(known, DEFAULT_PROJECT)
            or (list(known) if len(known) == 1 else [])
        )
    if len(found) == 1:
        return found[0]
    what = f"project {name!r}" if name is not None else "default project"
    if found:
        candidates = ", ".join(
            f"{project.get('id')} (organization {project.get('organization_id')})" for project in found
        )
        raise ConfigurationError(
            f"there are {len(found)} projects like {what}: {candidates}",
            option="project_name",
            hint="Pass project_id= or organization_id=.",
        )
    others = ", ".join(sorted(repr(str(project.get("name"))) for project in known)) or "none"
    raise NotFoundError(
        f"{settings.host} has no {what} that this key can see; there are: {others}",
        status=404,
        hint="Pass project_name= or project_id=, and organization_id= if the project belongs to another organization.",
    )


@dataclass(frozen=True)
class FoundIndex:
    """An index that was looked up.

    Attributes:
        settings: The connection, scoped to the index's project.
        index_id: The index's id.
        record: Its record, where it had to be read; None for an index given by id that nobody asked the record of.
    """

    settings: Settings
    index_id: str
    record: dict[str, Any] | None = None

    @property
    def pipeline_id(self) -> str:
        """The id as the endpoints of pipelines call it."""
        return self.index_id

    @property
    def pipeline(self) -> dict[str, Any] | None:
        """The record as the endpoints of pipelines call it."""
        return self.record

    @property
    def connection(self) -> Connection:
        """The connection to it. On the I/O loop."""
        return connection_for(self.settings)


class IndexReference:
    """An index by name or by id. Picklable; holds no connection.

    Args:
        options: Where LlamaCloud is.
        kind: Which kind of index it is.
        name: The index's name within the project; or None.
        index_id: The index's id; or None.
        project_name: The project's name; None for the key's default project. Not asked for where a project id is set
            or the index is given by id.

    Raises:
        ConfigurationError: Not exactly one of name and id is given.
    """

    def __init__(
        self,
        options: ConnectionOptions,
        *,
        kind: IndexKind = PIPELINES,
        name: str | None = None,
        index_id: str | None = None,
        project_name: str | None = None,
    ) -> None:
        if bool(name) == bool(index_id):
            raise ConfigurationError(
                f"exactly one of name and id (or {'pipeline_id, ' if kind is PIPELINES else ''}index_id) says which "
                "index is meant",
                option="name",
                hint=f'Write {kind.owner}("my-index") or {kind.owner}(id="…").',
            )
        self.options = options
        self.kind = kind
        self.name = name or None
        self.index_id = index_id or None
        self.project_name = project_name
        self._found: FoundIndex | None = None
        self._project: dict[str, Any] | None = None
        # Callers that come while it is being looked up wait for the same look-up. It belongs to one event loop.
        self._search: tuple[asyncio.AbstractEventLoop, asyncio.Task[FoundIndex]] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name or self.index_id!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_search": None}

    def know(self, record: dict[str, Any], settings: Settings) -> None:
        """Take a record that the service just returned, which saves looking it up."""
        self._found = FoundIndex(settings, str(record["id"]), record)

    def forget(self) -> None:
        """Look it up anew at the next use: it was changed or deleted."""
        self._found = None

    @property
    def known_record(self) -> dict[str, Any] | None:
        """The index's record, if it was read already; no request."""
        return None if self._found is None else self._found.record

    async def project_settings(self) -> Settings:
        """The connection scoped to the project that a new index of this name belongs to. On the I/O loop."""
        settings = self.options.settings()
        if settings.project_id is None:
            self._project = await find_project(settings, self.project_name)
            settings = settings.scoped(project_id=str(self._project["id"]))
        return settings

    async def find(self) -> FoundIndex:
        """The index; no request where it is given by id, or was found before. On the I/O loop.

        Raises:
            NotFoundError: There is no such project or index.
        """
        if self._found is not None:
            return self._found
        if self.index_id is not None:
            return FoundIndex(self.options.settings(), self.index_id)
        return await self._look_up()

    async def record(self) -> dict[str, Any]:
        """The index's record: its name, project, configuration and preset retrieval parameters. On the I/O loop."""
        found = await self.find()
        if found.record is None:
            found = await self._look_up()
        return found.record or {}

    async def project(self) -> dict[str, Any]:
        """The record of the index's project. On the I/O loop."""
        if self._project is None:
            found = await self.find()
            project_id = found.settings.project_id or str((await self.record()).get("project_id") or "")
            self._project = await projects.get(connection_for(self.options.settings()), project_id)
        return self._project

    async def _look_up(self) -> FoundIndex:
        loop = asyncio.get_running_loop()
        if self._search is None or self._search[0] is not loop or self._search[1].done():
            self._search = (loop, io_loop.spawn(self._looked_up()))
        # One caller that gives up does not take the look-up from the others.
        return await asyncio.shield(self._search[1])

    async def _looked_up(self) -> FoundIndex:
        settings = self.options.settings()
        if self.index_id is not None:
            record = await self.kind.get(connection_for(settings), self.index_id)
        else:
            settings = await self.project_settings()
            record = await self._of_name(connection_for(settings))
        if settings.project_id is None and record.get("project_id"):
            settings = settings.scoped(project_id=str(record["project_id"]))
        self._found = FoundIndex(settings, str(record.get("id") or self.index_id), record)
        return self._found

    async def _of_name(self, connection: Connection) -> dict[str, Any]:
        known = await self.kind.named(connection, self.name)
        found = [record for record in known if record.get("name") == self.name]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(record.get("id")) for record in found)
            raise ConfigurationError(
                f"there are {len(found)} indexes {self.name!r}: {ids}", option="name", hint="Pass id= instead of name=."
            )
        others = {str(record.get("name")) for record in await self.kind.named(connection, None)}
        raise NotFoundError(
            f"{self.options.settings().host} has no index {self.name!r} in "
            f"{f'project {self.project_name!r}' if self.project_name else 'this project'}; "
            f"there are: {', '.join(map(repr, sorted(others)[:_MOST_NAMES])) or 'none'}"
            f"{f' and {len(others) - _MOST_NAMES} more' if len(others) > _MOST_NAMES else ''}",
            status=404,
            hint=f"Create it with {self.kind.owner}.create_index(…) or from_documents(…); "
            "project_name= or project_id= says where it is.",
        )
