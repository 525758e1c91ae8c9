"""All indexes of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_cloud_ext.index.connection import connection_options
from llama_cloud_ext.index.reference import find_project
from llama_cloud_ext.wire import pipelines
from llama_cloud_ext.wire.io_loop import run, run_async
from llama_cloud_ext.wire.transport import connection_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments


def list_indexes(
    *, project_name: str | None = None, name: str | None = None, **connection: Unpack[ConnectionArguments]
) -> list[dict[str, Any]]:
    """List the indexes of a project.

    Args:
        project_name: The project, without regard to case; None for the key's default project.
        name: Only the index of this name.
        **connection: As for `LlamaCloudIndex`.

    Returns:
        The records of the indexes: `id`, `name`, `created_at`, their configuration.

    Raises:
        ConfigurationError: An argument is unknown or cannot work.

    Example:
        ```python
        from llama_cloud_ext import list_indexes

        for record in list_indexes():
            print(record["id"], record["name"])
        ```
    """
    return run(_list, dict(connection), project_name, name)


async def alist_indexes(
    *, project_name: str | None = None, name: str | None = None, **connection: Unpack[ConnectionArguments]
) -> list[dict[str, Any]]:
    """The asynchronous twin of `list_indexes`."""
    return await run_async(_list, dict(connection), project_name, name)


async def _list(connection: dict[str, Any], project_name: str | None, name: str | None) -> list[dict[str, Any]]:
    settings = connection_options(connection, known=("project_name", "name")).settings()
    if settings.project_id is None:
        settings = settings.scoped(project_id=str((await find_project(settings, project_name))["id"]))
    return await pipelines.list_pipelines(connection_for(settings), pipeline_name=name)
