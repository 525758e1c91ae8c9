"""Whether an answer is one to its request: the worst that could come of a mistake is another file's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.wire.models.tolerant import as_mapping


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
