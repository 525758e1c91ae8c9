"""The endpoints of uploaded files, one function each. All run on the I/O loop and return decoded JSON.

The service's own reference: https://developers.llamaindex.ai/reference/resources/files/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.answers import may_be_of_create
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import iterate_pages, path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.parse import Recover
    from llama_cloud_ext.wire.sources import Source
    from llama_cloud_ext.wire.transport import Connection

_FILES = "/api/v1/beta/files"


async def upload(
    connection: Connection,
    source: Source,
    *,
    purpose: str = "parse",
    external_file_id: str | None = None,
    recover: Recover | None = None,
) -> dict[str, Any]:
    """Upload a file.

    Args:
        connection: Where to ask.
        source: The file.
        purpose: "user_data", "parse", "extract", "classify", "split", "sheet" or "agent_app"; it decides how
            long the file is kept.
        external_file_id: The caller's own id of it.
        recover: Called before an upload whose answer was lost is repeated.

    Returns:
        The file's record.
    """
    from llama_cloud_ext.wire.multipart import MultipartBody

    fields = [("purpose", purpose)]
    if external_file_id is not None:
        fields.append(("external_file_id", external_file_id))
    form = MultipartBody(fields, "file", source)

    def is_answer(answer: Any) -> bool:
        record = as_mapping(answer)
        return may_be_of_create(record, sent=external_file_id, shown=record.get("external_file_id"))

    return as_mapping(await connection.request("POST", _FILES, body=form, recover=recover, is_answer=is_answer))


async def get(connection: Connection, file_id: str, *, expand: Sequence[str] = ()) -> dict[str, Any]:
    """A file's record.

    Args:
        connection: Where to ask.
        file_id: The file.
        expand: Parts to add to the record.

    Returns:
        The record.
    """
    return as_mapping(
        await connection.request("GET", path_with(f"{_FILES}/", file_id), params={"expand": list(expand)})
    )


async def list_files(
    connection: Connection,
    *,
    file_ids: Sequence[str] | None = None,
    file_name: str | None = None,
    external_file_id: str | None = None,
    order_by: str | None = None,
    page_size: int | None = None,
    expand: Sequence[str] = (),
) -> AsyncIterator[dict[str, Any]]:
    """The records of the project's files.

    Args:
        connection: Where to ask.
        file_ids: Only these; an empty list gives nothing.
        file_name: Only files of exactly this name.
        external_file_id: Only files uploaded with this id.
        order_by: "name" or "id" (ascending), or "created_at" (descending).
        page_size: Records in one answer; the service's default is 50, its maximum 1,000.
        expand: Parts to add to each record.

    Yields:
        One record a file.
    """
    if file_ids is not None and not file_ids:
        return
    params = {
        "expand": list(expand),
        "external_file_id": external_file_id,
        "file_ids": file_ids,
        "file_name": file_name,
        "order_by": order_by,
        "page_size": page_size,
    }
    async for file in iterate_pages(connection, _FILES, params=params):
        yield file


async def query(
    connection: Connection,
    filters: Mapping[str, Any] | None = None,
    *,
    order_by: str | None = None,
    page_size: int | None = None,
    page_token: str | None = None,
) -> dict[str, Any]:
    """One page of the project's files, by a filter in the body. The service has deprecated it for `list_files`.

    Args:
        connection: Where to ask.
        filters: `file_name`, `file_ids`, `external_file_id`, `data_source_id`, `project_id`, `only_manually_uploaded`.
        order_by: Names of fields, separated by commas; "field desc" for the other direction.
        page_size: Records in the answer.
        page_token: `next_page_token` of the page before.

    Returns:
        `{"items": […], "next_page_token": …}`.
    """
    body = {"filter": filters, "order_by": order_by, "page_size": page_size, "page_token": page_token}
    sent = {name: value for name, value in body.items() if value is not None}
    return as_mapping(await connection.request("POST", f"{_FILES}/query", json=sent, idempotent=True))


async def delete(connection: Connection, file_id: str) -> None:
    """Delete a file.

    Args:
        connection: Where to ask.
        file_id: The file.
    """
    await connection.request("DELETE", path_with(f"{_FILES}/", file_id))


async def content(connection: Connection, file_id: str, *, expires_at_seconds: int | None = None) -> dict[str, Any]:
    """Where to download a file's content.

    Args:
        connection: Where to ask.
        file_id: The file.
        expires_at_seconds: How long the address is to work, seconds.

    Returns:
        `{"url": …, "expires_at": …}`.
    """
    path = path_with(f"{_FILES}/", file_id, "/content")
    return as_mapping(await connection.request("GET", path, params={"expires_at_seconds": expires_at_seconds}))
