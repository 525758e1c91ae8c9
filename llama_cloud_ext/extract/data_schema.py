"""The schema of what is extracted: from the user's class or JSON schema, to the service, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from llama_cloud_ext.errors import ConfigurationError, ExtractValidationError
from llama_cloud_ext.extract.model_schema import model_schema
from llama_cloud_ext.extract.schema_reading import ModelReader
from llama_cloud_ext.extract.schema_translation import translated
from llama_cloud_ext.wire.models.extract_schema import SchemaProblem, schema_problems
from llama_cloud_ext.wire.models.schema_references import InliningError, inline_references


@dataclass(frozen=True, eq=False)
class DataSchema:
    """What to extract, as it is sent, and the class to read it into.

    Make one with `DataSchema.of`. A JSON schema is checked and sent as it is, but for `$ref`, which is written out. Of
    a Pydantic class, the service is sent what it supports, and the rest is said in words and done after extraction:

    ============================================ ====================================== ================================
    in the class                                 is sent as                             when read
    ============================================ ====================================== ================================
    `str`, `int`, `float`, `bool`, lists, sets   its JSON type                          numbers become text for `str`
    nested models, dataclasses, `TypedDict`      an object, written out where used      the class
    `X | None`                                   `anyOf` with null                      null, or a missing field: `None`
    a default, a default factory                 `anyOf` with null, no default          null, or a missing field: it
    constraints, formats, examples               a sentence in the description          checked
    enums and `Literal` of texts                 `enum`                                 the member
    enums and `Literal` of anything else         its type, and a list in words          the member
    `Decimal`                                    a number                               the digits of the number
    dates, times, durations, UUIDs, paths, bytes a text, with its format in words       from ISO 8601, not from numbers
    unions, with a discriminator or without      `anyOf`                                the alternative that fits
    tuples of one type                           a list, with its length in words       the tuple
    aliases                                      the name that validation takes         by it, or by the field's name
    computed, private and excluded fields        nothing                                as the class has them
    ============================================ ====================================== ================================

    Refused, as they cannot be said without changing the data: recursive models, `dict` (keys without fixed names),
    `Any`, tuples of different types, types that JSON schema cannot describe, models without fields, and roots that are
    no objects.

    Attributes:
        name: The class's name, the JSON schema's title, or "data".
        json_schema: What is sent.
        model: The class to read into; None for plain dictionaries.

    Example:
        >>> from pydantic import BaseModel, Field
        >>> class Invoice(BaseModel):
        ...     total: float = Field(description="With tax", ge=0)
        ...     currency: str = "EUR"
        >>> schema = DataSchema.of(Invoice)
        >>> schema.json_schema["properties"]["total"]
        {'type': 'number', 'description': 'With tax. At least 0.'}
        >>> schema.read({"total": 12, "currency": None})
        Invoice(total=12.0, currency='EUR')
    """

    name: str
    json_schema: dict[str, Any]
    model: type[Any] | None = None

    @classmethod
    def of(cls, data_schema: type[Any] | Mapping[str, Any]) -> DataSchema:
        """The schema for a class or a JSON schema, checked against the service's limits.

        Args:
            data_schema: A Pydantic model, or a dataclass or `TypedDict`, as a class; or a JSON schema as a dictionary,
                which is never changed.

        Raises:
            ConfigurationError: On what the service cannot extract; with the path of each field, and the next step.

        Example:
            >>> DataSchema.of({"type": "object", "properties": {"total": {"type": "number"}}}).name
            'data'
        """
        if isinstance(data_schema, Mapping):
            title = data_schema.get("title")
            name = title if title and isinstance(title, str) else "data"
            _refuse(name, schema_problems(data_schema))
            return cls(name, inline_references(data_schema))
        if not isinstance(data_schema, type):
            raise ConfigurationError(**_not_a_schema(data_schema), option="data_schema")
        name = data_schema.__name__
        if any(parent.__module__.startswith("pydantic.v1.") for parent in data_schema.__mro__):
            hint = "Derive it from pydantic.BaseModel."
            raise ConfigurationError(f"{name} is a model of Pydantic 1", option="data_schema", hint=hint)
        try:
            json_schema, problems = translated(model_schema(TypeAdapter(data_schema)))
        except InliningError as error:
            raise _refused(name, [SchemaProblem(error.path, error.message, error.hint)]) from error
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            message = str(error).partition("\n")[0]
            raise ConfigurationError(f"{name}: {message}", option="data_schema", hint=_hint(name, error)) from error
        _refuse(name, problems or schema_problems(json_schema))
        return cls(name, json_schema, data_schema)

    def read(self, data: Any) -> Any:
        """What the service extracted, as an instance of the class; or as it is, for a JSON schema.

        Args:
            data: An extracted object, or a list of them (one a page or a table row). Never changed.

        Returns:
            The instance, or a list of them.

        Raises:
            ExtractValidationError: Where the data do not fit: with the data, and the path of each fault. No instance of
                a list is returned then.
        """
        if isinstance(data, list):
            return self._read_all(data)
        if not isinstance(data, Mapping):
            problems = {"": f"Input should be an object (got {data!r:.80})"}
            raise ExtractValidationError(data=data, problems=problems, hint="See what the job says of it.")
        return data if self._reader is None else self._reader.read(data)

    def _read_all(self, data: list[Any]) -> list[Any]:
        instances: list[Any] = []
        problems: dict[str, str] = {}
        hint = None
        for place, item in enumerate(data):
            try:
                instances.append(self.read(item))
            except ExtractValidationError as error:
                hint = error.hint
                problems |= {f"[{place}].{path}".rstrip("."): text for path, text in error.problems.items()}
        if problems:
            raise ExtractValidationError(data=data, problems=problems, hint=hint)
        return instances

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of what is sent; equal schemas have equal ones, whatever the order of their keys."""
        return hashlib.sha256(json.dumps(self.json_schema, sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.json_schema == other.json_schema if isinstance(other, DataSchema) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __getstate__(self) -> dict[str, Any]:
        # The reader does not pickle, and is made again.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _reader(self) -> ModelReader | None:
        return None if self.model is None else ModelReader(self.model)


# A schema that was written for something else has a problem in every field.
_SHOWN = 10


def _refuse(name: str, problems: Iterable[SchemaProblem]) -> None:
    if found := list(problems):
        raise _refused(name, found)


def _refused(name: str, problems: list[SchemaProblem]) -> ConfigurationError:
    shown = problems[:_SHOWN]
    texts = [f"{name}.{problem}" if problem.path else f"{name}: {problem}" for problem in shown]
    texts += [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    hints = dict.fromkeys(problem.hint for problem in shown)
    return ConfigurationError("; ".join(texts), option="data_schema", hint=" ".join(hints))


def _hint(name: str, error: PydanticUserError | PydanticUndefinedAnnotation) -> str:
    if error.code in ("class-not-fully-defined", "undefined-annotation"):
        return f"Call {name}.model_rebuild() where every type that it names is known."
    return "Give a Pydantic model, a dataclass or a TypedDict with types that Pydantic knows."


def _not_a_schema(given: object) -> dict[str, str]:
    if isinstance(given, BaseModel):
        kind = type(given).__name__
        return {"message": f"an object of {kind} is no schema", "hint": f"Give the class: data_schema={kind}."}
    if isinstance(given, str):
        hint = "Give a Pydantic model, or JSON schema as a dictionary: json.loads(…) makes one from text."
        return {"message": "a text is no schema", "hint": hint}
    hint = "Give a Pydantic model, or JSON schema as a dictionary. A list or a union goes into a field of a model."
    return {"message": f"{given!r:.80} is no schema", "hint": hint}
