"""Checks of what clients send, with the answers that the service gives."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.parse_versions import TIERS, VERSIONS
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.store import timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

METADATA_ENTRIES = 50
METADATA_KEY_LENGTH = 128
METADATA_VALUE_LENGTH = 1024
"""The service has limits on `user_metadata` but does not publish them; these are ours."""

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000
LARGEST_NUMBER = 2**63 - 1
"""What SQLite can count to."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(body: bytes) -> dict[str, Any]:
    """Decode a JSON object.

    Raises:
        RequestError: 422 when it is not one.
    """
    value = load_json(body)
    if not isinstance(value, dict):
        raise invalid(["body"], "Input should be a valid dictionary", value, "dict_type")
    return value


def parse_json_list(body: bytes) -> list[Any]:
    """Decode a JSON array.

    Raises:
        RequestError: 422 when it is not one.
    """
    value = load_json(body)
    if not isinstance(value, list):
        raise invalid(["body"], "Input should be a valid list", None, "list_type")
    return value


def load_json(body: bytes) -> Any:
    """Decode JSON, without the liberties that Python takes: NaN, and halves of characters, which SQLite cannot store.

    Raises:
        RequestError: 422 when it is no JSON.
    """
    try:
        value = json.loads(body, parse_constant=_refused)
        if _ESCAPED_SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise invalid(["body"], f"JSON decode error: {error}", kind="json_invalid") from error
    return value


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def check_configuration(body: dict[str, Any]) -> dict[str, Any]:
    """Check the body of a parse request.

    Args:
        body: The decoded JSON.

    Returns:
        The same without None entries and without what webhooks hold.

    Raises:
        RequestError: 422 with the place of each problem.
    """
    # Its models cost pydantic time that only this check needs.
    from llama_cloud_ext.wire.models.parse_configuration import ParseConfiguration

    body = {name: value for name, value in body.items() if value is not None}
    for name in ("tier", "version"):
        if name not in body:
            raise invalid([name], "Field required", body, "missing")
    tier, version = body["tier"], body["version"]
    if tier not in TIERS:
        raise invalid(["tier"], f"Unsupported tier: {tier}. Must be one of: {', '.join(TIERS)}", tier)
    if version != "latest" and version not in VERSIONS[tier]:
        accepted = ", ".join(("latest", *VERSIONS[tier]))
        message = f"Unsupported version for tier {tier}: {version}. Must be one of: {accepted}"
        raise invalid(["version"], message, version)
    _check_metadata(body.get("user_metadata"))
    if "source_url" in body:
        _check_url(body["source_url"])
    try:
        ParseConfiguration(**body)
    except ConfigurationError as error:
        raise RequestError(422, problems_of(error, body, [])) from error
    if webhooks := body.get("webhook_configurations"):
        # Nothing is delivered from here, so that their addresses, headers and secrets need not be kept.
        body["webhook_configurations"] = [{} for _ in webhooks]
    return body


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise invalid(["user_metadata"], "Input should be an object of strings", metadata)
    if len(metadata) > METADATA_ENTRIES:
        raise invalid(["user_metadata"], f"Must have at most {METADATA_ENTRIES} entries", len(metadata))
    for key, value in metadata.items():
        if not key or len(key) > METADATA_KEY_LENGTH:
            raise invalid(["user_metadata", key], f"Keys must have 1 to {METADATA_KEY_LENGTH} characters", key)
        if len(value) > METADATA_VALUE_LENGTH:
            raise invalid(["user_metadata", key], f"Values must have at most {METADATA_VALUE_LENGTH} characters", value)


def _check_url(url: Any) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except (ValueError, AttributeError):
        valid = False
    if not valid:
        raise invalid(["source_url"], "Must be an http or https URL", url)


def problems_of(error: ConfigurationError, body: Any, place: list[str | int]) -> list[dict[str, Any]]:
    """The detail of a 422 for what a request model refused.

    Args:
        error: What the model raised.
        body: What it was made of.
        place: Where that is in the request.
    """
    if not isinstance(error.__cause__, ValidationError):
        return [{"type": "value_error", "loc": place, "msg": str(error), "input": body}]
    return list(_problems(error.__cause__, place))


def _problems(error: ValidationError, place: list[str | int]) -> Iterator[dict[str, Any]]:
    for problem in error.errors(include_url=False):
        loc = [*place, *problem["loc"]]
        inner = problem.get("ctx", {}).get("error")
        if isinstance(inner, ConfigurationError) and isinstance(inner.__cause__, ValidationError):
            yield from _problems(inner.__cause__, loc)
        else:
            message = problem["msg"].removeprefix("Value error, ")
            yield {"type": problem["type"], "loc": loc, "msg": message, "input": _jsonable(problem.get("input"))}


def _jsonable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def text_in(body: Mapping[str, Any], name: str, *, required: bool = True) -> str | None:
    """Read a text from a body; one that is required is not blank either.

    Args:
        body: The decoded JSON.
        name: The field.
        required: Whether it must be there; None is returned for one that need not be and is not.

    Raises:
        RequestError: 422 when it is missing or no text.
    """
    value = body.get(name)
    if value is None:
        if required:
            raise invalid(["body", name], "Field required", None, "missing")
        return None
    if not isinstance(value, str) or (required and not value.strip()):
        raise invalid(["body", name], "Input should be a string with at least one character", value, "string_type")
    return value


def split_values(values: Iterable[str]) -> list[str]:
    """Repeated and comma-separated query values as one list.

    Example:
        >>> split_values(["text,markdown", "items"])
        ['text', 'markdown', 'items']
    """
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def expansions(request: Request, known: Collection[str]) -> list[str]:
    """The values of `expand`.

    Args:
        request: The request.
        known: Those that there are.

    Raises:
        RequestError: 422 for another one.
    """
    values = split_values(request.query_params.getlist("expand"))
    for index, value in enumerate(values):
        if value not in known:
            message = f"Unsupported expand value: {value}. Must be one of: {', '.join(known)}"
            raise invalid(["query", "expand", index], message, value)
    return values


def number(request: Request, name: str, default: int, *, least: int = 0, most: int = LARGEST_NUMBER) -> int:
    """Read a whole number from the query.

    Args:
        request: The request.
        name: The parameter.
        default: Its value where it is not given.
        least: The smallest that is accepted.
        most: The largest that is accepted.

    Raises:
        RequestError: 422 unless it is such a number.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > len(str(LARGEST_NUMBER)) or not least <= int(text) <= most:
        raise invalid(["query", name], f"Input should be a number from {least} to {most}", text, "int_parsing")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Read a boolean from the query; not given is false.

    Raises:
        RequestError: 422 unless it is a boolean.
    """
    text = request.query_params.get(name, "false")
    if text.lower() not in _BOOLEANS:
        raise invalid(["query", name], "Input should be a valid boolean", text, "bool_parsing")
    return _BOOLEANS[text.lower()]


def page_size(text: str | None, *, largest: int = LARGEST_PAGE_SIZE) -> int:
    """Read `page_size`.

    Raises:
        RequestError: 422 unless it is a number from 1 to `largest`.
    """
    if text is None:
        return DEFAULT_PAGE_SIZE
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise invalid(["query", "page_size"], f"Input should be a number from 1 to {largest}", text)
    return int(text)


def moment(name: str, text: str | None) -> str | None:
    """Read a time in ISO 8601 into the form that records are sorted by; no offset means UTC.

    Raises:
        RequestError: 422 when it is not a time.
    """
    if text is None:
        return None
    try:
        # A plus sign that a client did not encode arrives as a space; 3.10 does not read a final Z.
        value = datetime.fromisoformat(text.replace(" ", "+", 1) if " " in text[19:] else text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid(["query", name], "Input should be a valid datetime", text, "datetime_parsing") from None
    return timestamp(value if value.tzinfo else value.replace(tzinfo=timezone.utc))


def write_cursor(position: list[Any]) -> str:
    """A page token for the place after a row, given as the row's values in the order of the list.

    Example:
        >>> read_cursor(write_cursor(["b.pdf", 7]), [str, int])
        ['b.pdf', 7]
    """
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def read_cursor(token: str | None, types: list[type]) -> list[Any] | None:
    """The place that a page token stands for.

    Args:
        token: What a client sent, or None.
        types: The types of a row's values.

    Raises:
        RequestError: 422 when it is not a token of this list.
    """
    if token is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        position = None
    if isinstance(position, list) and [type(value) for value in position] == types:
        return position
    raise invalid(["query", "page_token"], "Not a page token of this list", token)
