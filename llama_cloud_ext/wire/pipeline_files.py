"""The endpoints of a pipeline's files, one function each. All run on the I/O loop and return decoded JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.paging import iterate_offsets, path_with
from llama_cloud_ext.wire.pipelines import pipeline_path

if TYPE_CHECKING:
    from llama_cloud_ext.wire.sources import Source
    from llama_cloud_ext.wire.transport import Connection

DEFAULT_PAGE_SIZE = 100


def _path(pipeline_id: str, file_id: str, suffix: str = "") -> str:
    return path_with(pipeline_path(pipeline_id, "/files/"), file_id, suffix)


async def add(connection: Connection, pipeline_id: str, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add uploaded files to a pipeline, which parses and ingests them.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        files: `{"file_id": …}` each, with `custom_metadata` where there is some.

    Returns:
        The files' records in the pipeline.
    """
    path = pipeline_path(pipeline_id, "/files")
    return list(as_objects(await connection.request("PUT", path, json=list(files), scoped="project")))


async def update(
    connection: Connection, pipeline_id: str, file_id: str, custom_metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Change the custom metadata of a file.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        file_id: The file.
        custom_metadata: The new metadata.

    Returns:
        The file's record in the pipeline.
    """
    body = {"custom_metadata": custom_metadata}
    return as_mapping(await connection.request("PUT", _path(pipeline_id, file_id), json=body, scoped="project"))


def list_files(
    connection: Connection,
    pipeline_id: str,
    *,
    statuses: Sequence[str] | None = None,
    file_name_contains: str | None = None,
    only_manually_uploaded: bool | None = None,
    data_source_id: str | None = None,
    order_by: str | None = None,
    page_size: int = DEFAULT_PAGE_SIZE,
) -> AsyncIterator[dict[str, Any]]:
    """The files of a pipeline.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        statuses: Only files in one of these: NOT_STARTED, IN_PROGRESS, SUCCESS, ERROR, CANCELLED.
        file_name_contains: Only files with this in their name.
        only_manually_uploaded: Only files that did not come from a data source.
        data_source_id: Only files of this data source.
        order_by: The order, as the service spells it.
        page_size: Files in one answer.

    Yields:
        One record a file.
    """
    params = {
        "statuses": statuses,
        "file_name_contains": file_name_contains,
        "only_manually_uploaded": only_manually_uploaded,
        "data_source_id": data_source_id,
        "order_by": order_by,
    }
    return iterate_offsets(
        connection,
        pipeline_path(pipeline_id, "/files2"),
        key="files",
        offset="offset",
        params=params,
        page_size=page_size,
        scoped="project",
    )


async def delete(connection: Connection, pipeline_id: str, file_id: str) -> None:
    """Take a file and its chunks out of a pipeline; the upload itself stays.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        file_id: The file.
    """
    await connection.request("DELETE", _path(pipeline_id, file_id), scoped="project")


async def status(connection: Connection, pipeline_id: str, file_id: str) -> dict[str, Any]:
    """How far a file's ingestion has come.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        file_id: The file.

    Returns:
        `{"status": …, "error": […], …}`.
    """
    return as_mapping(await connection.request("GET", _path(pipeline_id, file_id, "/status"), scoped="project"))


async def status_counts(
    connection: Connection,
    pipeline_id: str,
    *,
    data_source_id: str | None = None,
    only_manually_uploaded: bool | None = None,
) -> dict[str, Any]:
    """How many of a pipeline's files are in which status.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        data_source_id: Only files of this data source.
        only_manually_uploaded: Only files that did not come from a data source.

    Returns:
        `{"counts": {status: number}, "total_count": …}`.
    """
    path = pipeline_path(pipeline_id, "/files/status-counts")
    params = {"data_source_id": data_source_id, "only_manually_uploaded": only_manually_uploaded}
    return as_mapping(await connection.request("GET", path, params=params, scoped="project"))


async def import_metadata(connection: Connection, pipeline_id: str, source: Source) -> dict[str, Any]:
    """Upload a table that gives files of a pipeline their metadata.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
        source: The table.

    Returns:
        What the service says of it.
    """
    from llama_cloud_ext.wire.multipart import MultipartBody

    form = MultipartBody([], "upload_file", source)
    path = pipeline_path(pipeline_id, "/metadata")
    return as_mapping(await connection.request("PUT", path, body=form, scoped="project"))


async def delete_metadata(connection: Connection, pipeline_id: str) -> None:
    """Take back the metadata that tables gave the files of a pipeline.

    Args:
        connection: Where to ask.
        pipeline_id: The pipeline.
    """
    await connection.request("DELETE", pipeline_path(pipeline_id, "/metadata"), scoped="project")
