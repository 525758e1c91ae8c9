"""Whether an answer is one to its request: the worst that could come of a mistake is another file's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.paging import path_with

if TYPE_CHECKING:
    from llama_cloud_ext.wire.query import Params
    from llama_cloud_ext.wire.transport import Connection


async def get_by_id(
    connection: Connection,
    collection: str,
    asked: str,
    *,
    params: Params,
    record_of: Callable[[Any], dict[str, Any]] = as_mapping,
) -> dict[str, Any]:
    """What the service says of one thing, and of no other.

    Args:
        connection: Where to ask.
        collection: The path that the id follows.
        asked: The id.
        params: The query.
        record_of: Finds the thing's record, which has its id, in the answer.

    Returns:
        The whole answer.
    """
    return as_mapping(
        await connection.request(
            "GET",
            path_with(f"{collection}/", asked),
            params=params,
            is_answer=lambda answer: is_about(record_of(answer), asked),
        )
    )


def is_about(record: Mapping[str, Any], asked: str) -> bool:
    """Whether a record is the one that was asked for, or says nothing of which one it is.

    Args:
        record: What the service answered.
        asked: The id in the request. The service may know it with another prefix, or in other letters.

    Example:
        >>> is_about({"id": "pjb-1"}, "pjb-1"), is_about({"id": "pjb-2"}, "pjb-1"), is_about({}, "pjb-1")
        (True, False, True)
    """
    answered, asked = str(record.get("id") or asked).casefold(), asked.casefold()
    return answered.endswith(asked) or asked.endswith(answered)


def carries(record: Mapping[str, Any], name: str, sent: str | None) -> bool:
    """Whether a record can be what a create has made: a field that only this create has is the same, or not shown.

    Args:
        record: What the service answered.
        name: The field.
        sent: What the create sent in it; None where it sent nothing.

    Example:
        >>> carries({"id": "1", "tag": "a"}, "tag", "a"), carries({"id": "1"}, "tag", "a")
        (True, True)
        >>> carries({"id": "2", "tag": "b"}, "tag", "a"), carries({"items": []}, "tag", "a")
        (False, False)
    """
    is_list = "id" not in record and isinstance(record.get("items"), list)
    return not is_list and (sent is None or as_mapping(record).get(name) in (None, sent))
