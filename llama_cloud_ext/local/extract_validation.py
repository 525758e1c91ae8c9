"""Checks of what clients want extracted, with the answers that the service gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.engine.page_selection import selected_pages
from llama_cloud_ext.local.request_errors import RequestError, invalid
from llama_cloud_ext.local.validation import problems_of

_NUMBERED = re.compile(r"\d+(\.\d+)*", re.ASCII)
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def check_extract_configuration(given: Any, place: list[str | int]) -> dict[str, Any]:
    """Check an extract configuration.

    Args:
        given: The decoded JSON.
        place: Where in the request it is.

    Returns:
        The same without None entries, and with the types that it should have.

    Raises:
        RequestError: 422 with the place of each problem.

    Example:
        >>> schema = {"type": "object", "properties": {"total": {"type": "number"}}}
        >>> check_extract_configuration({"data_schema": schema, "tier": None}, ["body", "configuration"])
        {'data_schema': {'type': 'object', 'properties': {'total': {'type': 'number'}}}}
    """
    # Its models cost pydantic time that only this check needs.
    from llama_cloud_ext.wire.models.extract_configuration import ExtractConfiguration

    if not isinstance(given, dict):
        raise invalid(place, "Input should be a valid dictionary", given, "dict_type")
    values = {name: value for name, value in given.items() if value is not None}
    if "data_schema" not in values:
        raise invalid([*place, "data_schema"], "Field required", given, "missing")
    try:
        configuration = ExtractConfiguration(**values)
    except ConfigurationError as error:
        raise RequestError(422, problems_of(error, values, place)) from error
    problems = [
        _problem([*place, *_option_in(sentence, values)], sentence, values)
        for sentence in configuration.contradictions()
    ]
    problems += _malformed(values, place)
    problems += schema_problems_in(values["data_schema"], [*place, "data_schema"])
    if problems:
        raise RequestError(422, problems)
    return configuration.to_body()


def check_schema(given: Any, place: list[str | int]) -> dict[str, Any]:
    """Check a data schema.

    Args:
        given: The decoded JSON.
        place: Where in the request it is.

    Returns:
        The same.

    Raises:
        RequestError: 422 with the path of each problem.
    """
    if not isinstance(given, dict):
        raise invalid(place, "Input should be a valid dictionary", given, "dict_type")
    if problems := schema_problems_in(given, place):
        raise RequestError(422, problems)
    return given


def schema_problems_in(schema: Mapping[str, Any], place: list[str | int]) -> list[dict[str, Any]]:
    """What the service refuses in a data schema, in the form of its answers."""
    from llama_cloud_ext.wire.models.extract_schema import schema_problems

    return [
        _problem(
            [*place, *([problem.path] if problem.path else [])],
            f"{problem.path}: {problem.message}. {problem.hint}".removeprefix(": "),
            None,
        )
        for problem in schema_problems(schema)
    ]


def _malformed(values: Mapping[str, Any], place: list[str | int]) -> Iterator[dict[str, Any]]:
    if (version := values.get("version")) is not None and not _is_version(version):
        message = "Input should be a version such as '2.5', 'latest', or a date as YYYY-MM-DD"
        yield _problem([*place, "version"], message, version)
    if (target := values.get("target_pages")) is not None:
        try:
            selected_pages(1, target_pages=target)
        except ValueError as error:
            yield _problem([*place, "target_pages"], str(error), target)


def _is_version(version: str) -> bool:
    if _DATED.fullmatch(version):
        try:
            date.fromisoformat(version)
        except ValueError:
            return False
        return True
    return version == "latest" or _NUMBERED.fullmatch(version) is not None


def _option_in(sentence: str, values: Mapping[str, Any]) -> list[str | int]:
    """The option that a sentence about contradictions names first."""
    return next(([word] for word in re.findall(r"\w+", sentence) if word in values), [])


def _problem(loc: list[str | int], message: str, value: Any) -> dict[str, Any]:
    return {"type": "value_error", "loc": loc, "msg": message, "input": value}
