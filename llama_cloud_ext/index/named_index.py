"""The base of the index classes: which index is meant, and what the service says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.data_structs import IndexDict
from llama_index.core.indices.managed.base import BaseManagedIndex

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.configuration import SplitByTheService
from llama_cloud_ext.progress import ProgressReport, ShowProgress
from llama_cloud_ext.wire.io_loop import run, run_async

if TYPE_CHECKING:
    from llama_index.core.callbacks.base import CallbackManager

    from llama_cloud_ext.index.reference import IndexReference

DEFAULT_INGESTION_TIMEOUT = 7200.0
"""Seconds that a call waits for ingestion before it gives up waiting; the ingestion itself goes on."""


class NamedIndex(BaseManagedIndex):
    """An index on the service, known by name or id. `LlamaCloudIndex` says what the arguments mean.

    Attributes:
        RETRIEVER_SETTINGS: What `as_retriever` takes, so that engines can tell it from their own settings.
    """

    RETRIEVER_SETTINGS: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        reference: IndexReference,
        *,
        show_progress: ShowProgress,
        ingestion_timeout: float | None,
        callback_manager: CallbackManager | None,
    ) -> None:
        """Take which index is meant; nothing is sent yet."""
        self.reference = reference
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
        return f"{type(self).__name__}({self.reference.name or self.reference.index_id!r})"

    @property
    def id(self) -> str:
        """The index's id on the service. Looked up at first use where the index is given by name."""
        return run(self.reference.find).index_id

    async def aid(self) -> str:
        """The asynchronous twin of `id`."""
        return (await run_async(self.reference.find)).index_id

    @property
    def index_id(self) -> str:
        """The same as `id`."""
        return self.id

    @property
    def name(self) -> str:
        """The index's name. Looked up at first use where the index is given by id."""
        return self.reference.name or str(run(self.reference.record).get("name"))

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
