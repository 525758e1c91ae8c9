"""The base of an index class: which index is meant, and what the service says of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.data_structs import IndexDict
from llama_index.core.indices.managed.base import BaseManagedIndex

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.configuration import SplitByTheService
from llama_cloud_ext.index.connection import DEFAULT_APP_URL, connection_options, index_reference
from llama_cloud_ext.index.ingestion import Awaited
from llama_cloud_ext.progress import ProgressReport, ShowProgress
from llama_cloud_ext.wire.io_loop import run, run_async

if TYPE_CHECKING:
    from llama_index.core.callbacks.base import CallbackManager
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

logger = logging.getLogger(__name__)

DEFAULT_INGESTION_TIMEOUT = 7200.0
"""Seconds that a call waits for ingestion before it gives up waiting; the ingestion itself goes on."""

ARGUMENTS = ("project_name", "app_url", "show_progress", "ingestion_timeout", "callback_manager")
"""What an index is made with, besides its name or id and the connection."""


class ConnectedIndex(BaseManagedIndex):
    """An index that is known by name or id. `LlamaCloudIndex` says what the arguments mean."""

    def __init__(
        self,
        name: str | None = None,
        *,
        id: str | None = None,
        index_id: str | None = None,
        pipeline_id: str | None = None,
        project_name: str | None = None,
        app_url: str | None = None,
        show_progress: ShowProgress = False,
        ingestion_timeout: float | None = DEFAULT_INGESTION_TIMEOUT,
        callback_manager: CallbackManager | None = None,
        nodes: Any = None,
        transformations: Any = None,
        **connection: Unpack[ConnectionArguments],
    ) -> None:
        """Settle which index is meant; nothing is sent yet."""
        refuse_local_work(nodes=nodes, transformations=transformations)
        options = connection_options(dict(connection), known=("name", "id", *ARGUMENTS))
        self.reference = index_reference(
            options,
            name=name,
            ids={"id": id, "index_id": index_id, "pipeline_id": pipeline_id},
            project_name=project_name,
        )
        self._app_url = app_url or os.environ.get("LLAMA_CLOUD_APP_URL") or DEFAULT_APP_URL
        self._progress = show_progress
        self._ingestion_timeout = ingestion_timeout
        super().__init__(
            index_struct=IndexDict(),
            show_progress=bool(show_progress),
            callback_manager=callback_manager,
            # Left out, LlamaIndex would build its default splitter, which takes a second and has nothing to do here.
            transformations=[SplitByTheService()],
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reference.name or self.reference.pipeline_id!r})"

    # What the service says of the index

    @property
    def id(self) -> str:
        """The index's id on the service. Looked up at first use where the index is given by name."""
        return run(self.reference.find).pipeline_id

    async def aid(self) -> str:
        """The asynchronous twin of `id`."""
        return (await run_async(self.reference.find)).pipeline_id

    @property
    def index_id(self) -> str:
        """The same as `id`."""
        return self.id

    @property
    def name(self) -> str:
        """The index's name. Looked up at first use where the index is given by id."""
        return self.reference.name or str(self.pipeline.get("name"))

    @property
    def pipeline(self) -> dict[str, Any]:
        """The index's record: its configuration and preset retrieval parameters. Looked up at first use."""
        return run(self.reference.record)

    async def apipeline(self) -> dict[str, Any]:
        """The asynchronous twin of `pipeline`."""
        return await run_async(self.reference.record)

    @property
    def project(self) -> dict[str, Any]:
        """The record of the index's project. Looked up at first use."""
        return run(self.reference.project)

    async def aproject(self) -> dict[str, Any]:
        """The asynchronous twin of `project`."""
        return await run_async(self.reference.project)

    @property
    def project_name(self) -> str:
        """The name of the index's project. Looked up at first use."""
        return str(self.project.get("name"))

    @property
    def url(self) -> str:
        """Where a person looks at the index in a browser."""
        record = self.pipeline
        return f"{self._app_url.rstrip('/')}/project/{record.get('project_id')}/deploy/{record.get('id')}"

    def _awaited(
        self,
        document_ids: Collection[str] | None = None,
        file_ids: Collection[str] | None = None,
        raise_on_error: bool = True,
        raise_on_partial_success: bool = False,
        timeout: float | None = None,
    ) -> Awaited:
        return Awaited(
            # A string is a collection as well, though of letters.
            [document_ids] if isinstance(document_ids, str) else document_ids,
            [file_ids] if isinstance(file_ids, str) else file_ids,
            self._ingestion_timeout if timeout is None else timeout,
            raise_on_error,
            raise_on_partial_success,
        )

    def _report(self, verbose: bool, total: int | None, title: str, unit: str) -> ProgressReport:
        return ProgressReport(self._progress or verbose, total, title, unit=unit)


def refuse_local_work(*, nodes: Any, transformations: Any) -> None:
    """Refuse what other indexes do on this machine.

    Raises:
        ConfigurationError: Nodes or transformations were given.
    """
    if nodes:
        raise ConfigurationError(
            "the service makes nodes of documents by itself",
            option="nodes",
            hint="Use from_documents(…), or insert_nodes(…) with an index that does not split.",
        )
    if transformations is not None:
        raise ConfigurationError(
            "the service splits and embeds by itself",
            option="transformations",
            hint="transform_config= and embedding_config= of create_index(…) say how.",
        )


def refuse_unknown(given: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that no one knows.

    Raises:
        ConfigurationError: There is one; the first is named.
    """
    for name in given:
        raise ConfigurationError("unknown option", option=name)
