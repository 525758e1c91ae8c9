"""What the classes share that give typed access to one kind of thing of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from llama_cloud_ext.progress import ProgressReport, ShowProgress
from llama_cloud_ext.wire.models.strict import invalid_options
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_unpicklable
from llama_cloud_ext.wire.transport import Connection, connection_for


class ServiceAccess(ConnectionOptions):
    """Connection options, and how progress is shown. Can be used from any number of threads, copied, and pickled."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True)

    show_progress: ShowProgress = Field(
        default=False, exclude=True, description="True for a bar on stderr, or a callable that receives a Progress."
    )

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            """Check the options, and settle where they lead; nothing is sent yet."""
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise invalid_options(type(self), error) from error
            self.settings()

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(show_progress=self.show_progress)
        return super().__getstate__()

    def _connection(self) -> Connection:
        """The connection; on the I/O loop."""
        return connection_for(self.settings())

    def _report(self, total: int | None, title: str) -> ProgressReport:
        """What tells of the progress of a call; on the I/O loop."""
        limiter = self._connection().limiter
        return ProgressReport(self.show_progress, total, title, held_up=lambda: limiter.delay)
