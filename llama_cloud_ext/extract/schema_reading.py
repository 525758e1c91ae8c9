"""From the service's object back to the user's class: nulls to defaults, neighbouring types, and a path for each fault.

What comes back was written by a language model or by rules: a number for a postcode, a null for what it did not find.
Both are read for what they plainly mean. Nothing is read into them: where Pydantic would take a number for the seconds
since 1970, that is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llama_cloud_ext.errors import ExtractValidationError
from llama_cloud_ext.extract.constraint_words import TEMPORAL_FORMATS
from llama_cloud_ext.extract.model_schema import model_schema
from llama_cloud_ext.wire.models.schema_references import field_path

_HINT = "Make the fields optional, or widen their types; the extracted data are in the error's `.data`."


class ModelReader:
    """Makes instances of a class from extracted objects.

    Args:
        model: A Pydantic model, a dataclass or a `TypedDict`.

    Raises:
        InliningError: On a recursive model.

    Example:
        >>> from pydantic import BaseModel
        >>> class Address(BaseModel):
        ...     postcode: str
        ...     country: str = "FR"
        >>> ModelReader(Address).read({"postcode": 75001, "country": None})
        Address(postcode='75001', country='FR')
    """

    def __init__(self, model: type[Any]) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(model)
        self._schema = model_schema(self._adapter)

    def read(self, data: Mapping[str, Any]) -> Any:
        """An instance of the class.

        Args:
            data: What the service extracted; never changed.

        Raises:
            ExtractValidationError: With the data, and the path of each fault in them.
        """
        reading = _Reading()
        fitted = reading.fit(data, self._schema, "")
        try:
            # As JSON, since a strict model takes "2024-05-31" for a date from JSON only; by alias and by name, since a
            # field whose alias leads into an object is sent under its name. Half an emoji becomes a question mark.
            text = json.dumps(fitted, ensure_ascii=False).encode(errors="replace")
            instance = self._adapter.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as error:
            problems = _merged(reading.problems, error, data)
            raise ExtractValidationError(data=data, problems=problems, hint=_HINT) from error
        except Exception as error:
            # A validator of the user's own; the data are paid for and must not go with it.
            problems = {"": f"a validator of the model raised {type(error).__name__}: {error}"}
            raise ExtractValidationError(data=data, problems=problems, hint="Mend the validator.") from error
        if reading.problems:
            raise ExtractValidationError(data=data, problems=reading.problems, hint=_HINT)
        return instance


class _Reading:
    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def fit(self, value: Any, schema: Mapping[str, Any], path: str) -> Any:
        schema = _alternative(value, schema)
        kind = schema.get("type")
        if isinstance(value, Mapping):
            return self._fields(value, schema, path) if kind == "object" else value
        if isinstance(value, list) and kind == "array":
            return [self.fit(item, _item_schema(schema, place), f"{path}[{place}]") for place, item in enumerate(value)]
        if kind == "string":
            return self._text(value, schema, path)
        if kind in ("number", "integer") and isinstance(value, bool):
            self.problems[path] = f"Input should be a number, not true or false (got {value})"
        if kind == "integer" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def _fields(self, value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        fields = schema.get("properties", {})
        fitted = dict(value)
        for name, field in fields.items():
            required = name in schema.get("required", ())
            if value.get(name) is not None:
                fitted[name] = self.fit(value[name], field, field_path(path, name))
            elif not required:
                fitted.pop(name, None)  # so that the default is put in
            elif _takes_null(field):
                fitted[name] = None
        return fitted

    def _text(self, value: Any, schema: Mapping[str, Any], path: str) -> Any:
        if schema.get("format") in TEMPORAL_FORMATS:
            if _is_number(value) or (isinstance(value, str) and _is_numeric(value)):
                self.problems[path] = f"Input should be a text in ISO 8601, not a number (got {value!r})"
            return value
        return str(value) if _is_number(value) else value


def _alternative(value: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a union that the value is meant for; Pydantic has the last word."""
    alternatives: Sequence[Mapping[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or ()
    if not alternatives:
        return schema
    known = [_alternative(value, alternative) for alternative in alternatives]
    if isinstance(value, Mapping):
        objects = [schema for schema in known if schema.get("type") == "object"]
        return max(objects, key=lambda schema: _likeness(value, schema), default={})
    wanted = _json_types(value)
    fitting = [schema for kind in wanted for schema in known if schema.get("type") == kind]
    plain = [schema for schema in fitting if schema.get("format") not in TEMPORAL_FORMATS]
    return next(iter(plain or fitting), {})


def _json_types(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return ("array",)
    if isinstance(value, bool):
        return ("boolean", "integer", "number")
    return ("integer", "number", "string") if _is_number(value) else ("string",)


def _likeness(value: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[int, int, int]:
    fields: Mapping[str, Any] = schema.get("properties", {})
    contradicted = [name for name, field in fields.items() if _contradicts(value.get(name), field)]
    missing = [name for name in schema.get("required", ()) if value.get(name) is None]
    return -len(contradicted), len(fields.keys() & value.keys()), -len(missing)


def _contradicts(value: Any, field: Mapping[str, Any]) -> bool:
    choices = field["enum"] if "enum" in field else [field["const"]] if "const" in field else None
    return value is not None and choices is not None and value not in choices


def _item_schema(schema: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    positions = schema.get("prefixItems", ())
    item: Mapping[str, Any] = positions[place] if place < len(positions) else schema.get("items") or {}
    return item


def _takes_null(schema: Mapping[str, Any]) -> bool:
    alternatives = schema.get("anyOf") or schema.get("oneOf") or ()
    return (
        schema.get("type") == "null"
        or None in schema.get("enum", ())
        or any(_takes_null(each) for each in alternatives)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _merged(found: Mapping[str, str], error: ValidationError, data: Any) -> dict[str, str]:
    problems = dict(found)
    for fault in error.errors(include_url=False):
        path = _data_path(fault["loc"], data, missing=fault["type"] == "missing")
        if path in found:
            continue
        text = fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        given = fault["input"]
        if fault["type"] != "missing" and not isinstance(given, Mapping | list):
            text += f" (got {given!r})" if len(repr(given)) <= 80 else f" (got {repr(given)[:79]}…)"
        # Of a union, each alternative has its own fault at the same place.
        problems[path] = f"{problems[path]}; {text}" if path in problems and text not in problems[path] else text
    return problems


def _data_path(location: Sequence[int | str], data: Any, *, missing: bool) -> str:
    # Pydantic's location also names alternatives of unions and validators, which no data have.
    path, here = "", data
    for place, step in enumerate(location):
        if isinstance(here, Mapping) and step in here:
            path, here = field_path(path, str(step)), here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            path, here = f"{path}[{step}]", here[step]
        elif missing and place == len(location) - 1:
            path = f"{path}[{step}]" if isinstance(step, int) else field_path(path, step)
    return path
