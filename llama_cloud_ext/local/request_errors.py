"""Errors that become HTTP answers, in the two shapes the service uses.

`detail` is a sentence, or (422) a list of `{type, loc, msg, input}`, as the REST guide of Parse v2 describes it.
"""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """A request that gets an error answer.

    Args:
        status: The HTTP status.
        detail: The `detail` of the JSON body.

    Example:
        >>> RequestError(404, "Parse job not found").status
        404
    """

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def invalid(loc: list[str | int], message: str, value: Any = None, kind: str = "value_error") -> RequestError:
    """Build the structured 422 for one field.

    Args:
        loc: Where the field is, outermost name first.
        message: What is wrong with it, with the accepted values.
        value: What was sent.
        kind: The error type, e.g. `value_error` or `missing`.

    Returns:
        The error, to be raised.

    Example:
        >>> invalid(["tier"], "Unsupported tier: x", "x").detail[0]["loc"]
        ['tier']
    """
    return RequestError(422, [{"type": kind, "loc": loc, "msg": message, "input": value}])
