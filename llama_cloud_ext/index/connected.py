"""The base of `LlamaCloudIndex`: which index is meant, and what the service says of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.index.connection import DEFAULT_APP_URL, connection_options, index_reference
from llama_cloud_ext.index.ingestion import Awaited
from llama_cloud_ext.index.named_index import DEFAULT_INGESTION_TIMEOUT, NamedIndex, refuse_local_work
from llama_cloud_ext.progress import ShowProgress
from llama_cloud_ext.wire.io_loop import run, run_async

if TYPE_CHECKING:
    from llama_index.core.callbacks.base import CallbackManager
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments

logger = logging.getLogger(__name__)

ARGUMENTS = ("project_name", "app_url", "show_progress", "ingestion_timeout", "callback_manager")
"""What an index is made with, besides its name or id and the connection."""


class ConnectedIndex(NamedIndex):
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
        reference = index_reference(
            options,
            name=name,
            ids={"id": id, "index_id": index_id, "pipeline_id": pipeline_id},
            project_name=project_name,
        )
        super().__init__(
            reference,
            show_progress=show_progress,
            ingestion_timeout=ingestion_timeout,
            callback_manager=callback_manager,
        )
        self._app_url = app_url or os.environ.get("LLAMA_CLOUD_APP_URL") or DEFAULT_APP_URL

    @property
    def pipeline(self) -> dict[str, Any]:
        """The index's record: its configuration and preset retrieval parameters. Looked up at first use."""
        return run(self.reference.record)

    async def apipeline(self) -> dict[str, Any]:
        """The asynchronous twin of `pipeline`."""
        return await run_async(self.reference.record)

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
