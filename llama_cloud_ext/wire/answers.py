"""Whether an answer is one to its request: the worst that could come of a mistake is another file's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def may_be_of_create(record: Mapping[str, Any], *, sent: str | None, shown: object) -> bool:
    """Whether a record can be what a create has made: what only this create has sent is the same in it, or not shown.

    Args:
        record: What the service answered.
        sent: What only this create has sent; None where there is no such thing.
        shown: What the record has in its place.

    Example:
        >>> job = {"id": "pjb-1"}
        >>> [may_be_of_create(job, sent="a", shown=shown) for shown in ("a", None, "b")]
        [True, True, False]
        >>> may_be_of_create({"items": []}, sent="a", shown=None)
        False
    """
    is_list = "id" not in record and isinstance(record.get("items"), list)
    return not is_list and (sent is None or shown in (None, sent))
