"""Lists that come page by page."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.tolerant import as_elements, as_integer, as_mapping, as_objects

if TYPE_CHECKING:
    from llama_cloud_ext.wire.transport import Connection, Scope


async def iterate_pages(
    connection: Connection,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Mapping[str, Any] | None = None,
    scoped: bool = True,
    budget: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Every object of a list endpoint, following `next_page_token`.

    Ends when no token comes, or one that came before: a list that moves under a caller must not become endless.

    Args:
        connection: Where to ask.
        path: The list's path.
        params: The filters; sent again with each page.
        json: The filters of a list that takes them in the body of a POST, in which the page is asked for as well.
        scoped: Whether project and organization are added to the query.
        budget: Seconds for each page with its retries; None for the settings'.

    Yields:
        The objects as the service sent them; what is no object is passed over.
    """
    seen: set[str] = set()
    token: str | None = None
    while True:
        asked: dict[str, Any]
        if json is None:
            asked = {"params": {**(params or {}), "page_token": token}}
        else:
            body = {name: value for name, value in {**json, "page_token": token}.items() if value is not None}
            asked = {"params": params, "json": body, "idempotent": True}
        method = "GET" if json is None else "POST"
        page = as_mapping(await connection.request(method, path, scoped=scoped, budget=budget, **asked))
        for item in as_objects(page.get("items")):
            yield item
        following = page.get("next_page_token")
        if not isinstance(following, str) or not following or following in seen:
            return
        seen.add(following)
        token = following


async def iterate_offsets(
    connection: Connection,
    path: str,
    *,
    key: str,
    offset: str,
    params: Mapping[str, Any],
    page_size: int,
    scoped: Scope = True,
) -> AsyncIterator[dict[str, Any]]:
    """Every object of an older list endpoint, which counts from an offset.

    Ends with an empty page, at the total where one is told, and where a page comes again: a deployment that ignores the
    offset must not become endless. A short page ends nothing, as deployments have limits of their own.

    Args:
        connection: Where to ask.
        path: The list's path.
        key: Where the objects are in the answer; a bare list is read as well.
        offset: What the service calls the number of objects to pass over.
        params: The filters; sent again with each page.
        page_size: Objects in one answer.
        scoped: As for `Connection.request`.

    Yields:
        The objects as the service sent them; what is no object is passed over.
    """
    passed = 0
    seen: set[str] = set()
    while True:
        query = {**params, offset: passed, "limit": page_size}
        answer = await connection.request("GET", path, params=query, scoped=scoped)
        elements = as_elements(answer if isinstance(answer, list) else as_mapping(answer).get(key))
        items = list(as_objects(elements))
        page = jsonlib.dumps([item.get("id", item) for item in items], sort_keys=True, default=str)
        if not elements or page in seen:
            return
        for item in items:
            yield item
        seen.add(page)
        passed += len(elements)
        told = as_mapping(answer)
        total = as_integer(told.get("total_count", told.get("total_size")))
        if total is not None and passed >= total:
            return


async def first(records: AsyncIterator[dict[str, Any]], limit: int | None) -> AsyncIterator[dict[str, Any]]:
    """The first records of a list, without asking for a page beyond them.

    Args:
        records: The list.
        limit: The most records, or None for all.

    Yields:
        The records.
    """
    left = limit
    if left is not None and left <= 0:
        return
    async for record in records:
        yield record
        if left is not None:
            left -= 1
            if left == 0:
                return


def path_with(prefix: str, identifier: str, suffix: str = "") -> str:
    """A path that ends in an id, with the id encoded so that it cannot mean anything else.

    Args:
        prefix: What stands before the id, with its slash.
        identifier: The id, as the service gave it.
        suffix: What follows the id.

    Raises:
        ConfigurationError: When this cannot be an id.

    Example:
        >>> path_with("/api/v2/parse/", "a/b", "/cancel")
        '/api/v2/parse/a%2Fb/cancel'
    """
    if not isinstance(identifier, str) or identifier.strip(". ") == "":
        raise ConfigurationError(
            f"{identifier!r} is not an id", hint="Ids are the strings that the service gave, such as job.id."
        )
    return f"{prefix}{quote(identifier, safe='')}{suffix}"
