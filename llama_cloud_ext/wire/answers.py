"""Whether an answer is one to its request: the worst that could come of a mistake is another file's result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TAG = re.compile(r"[0-9a-f]{32}")
"""What `recovery.new_tag` makes. Anything else is nobody's tag, but what a service has put there by itself."""


def may_be_of_create(record: Mapping[str, Any], *, sent: str | None, shown: object) -> bool:
    """Whether a record can be what a create has made: it does not show the tag of another one.

    Args:
        record: What the service answered.
        sent: The tag of this create; None where it has none.
        shown: What the record has in its place.

    Example:
        >>> job, one, other = {"id": "pjb-1"}, 32 * "a", 32 * "b"
        >>> [may_be_of_create(job, sent=one, shown=shown) for shown in (one, None, "string", other)]
        [True, True, True, False]
        >>> may_be_of_create({"items": []}, sent=one, shown=None)
        False
    """
    is_list = "id" not in record and isinstance(record.get("items"), list)
    is_anothers = sent is not None and shown != sent and _TAG.fullmatch(str(shown)) is not None
    return not is_list and not is_anothers
