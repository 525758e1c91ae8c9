"""Whatever a model is made of, what is sent describes its data, and its data come back as they were."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model

from llama_cloud_ext.errors import ExtractValidationError
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.wire.models.extract_schema import schema_problems

# Making a model takes a millisecond or two, and more on a busy machine.
MODELS = settings(deadline=None, max_examples=50)


class Currency(Enum):
    """What is paid with."""

    EURO = "EUR"
    DOLLAR = "USD"


class Cheque(BaseModel):
    """Paid by cheque."""

    kind: Literal["cheque"] = "cheque"
    bank: str


class Cash(BaseModel):
    """Paid in cash."""

    kind: Literal["cash"] = "cash"
    change: int = 0


@dataclass(frozen=True)
class Kind:
    """A type, and a strategy for what it holds."""

    annotation: Any
    values: st.SearchStrategy[Any]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
WHOLE = st.integers(-(2**53), 2**53)
MONEY = st.decimals(-10_000, 10_000, places=2)
PAYMENT = Cheque | Cash
PAID = st.builds(Cheque, bank=TEXT) | st.builds(Cash, change=WHOLE)

LEAVES = [
    Kind(str, TEXT),
    Kind(int, WHOLE),
    Kind(float, st.floats(allow_nan=False, allow_infinity=False)),
    Kind(bool, st.booleans()),
    Kind(Decimal, MONEY),
    Kind(date, st.dates()),
    Kind(datetime, st.datetimes()),
    Kind(time, st.times()),
    Kind(timedelta, st.timedeltas(timedelta(0), timedelta(999))),
    Kind(UUID, st.uuids()),
    Kind(Currency, st.sampled_from(Currency)),
    Kind(Literal["a", "b"], st.sampled_from(["a", "b"])),
    Kind(Literal[1, "a"], st.sampled_from([1, "a"])),
    Kind(Annotated[int, Field(ge=0, le=9, description="A digit")], st.integers(0, 9)),
    Kind(Annotated[str, Field(min_length=1, pattern="^[A-Z]+$")], st.from_regex(r"\A[A-Z]{1,5}\Z")),
    Kind(PAYMENT, PAID),
    Kind(Annotated[PAYMENT, Field(discriminator="kind")], PAID),
    Kind(int | str, WHOLE | TEXT),
]


def containers(kinds: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    """Lists, sets of texts, pairs and optional values of other types."""
    return st.one_of(
        kinds.map(lambda kind: Kind(list[kind.annotation], st.lists(kind.values, max_size=3))),
        kinds.map(lambda kind: Kind(tuple[kind.annotation, kind.annotation], st.tuples(kind.values, kind.values))),
        kinds.map(lambda kind: Kind(kind.annotation | None, st.none() | kind.values)),
        models(kinds).map(lambda model: Kind(model, instances(model))),
    )


@st.composite
def models(draw: Callable[..., Any], kinds: st.SearchStrategy[Kind]) -> type[BaseModel]:
    """A model of some fields: required, with a default or a factory for one, under their names or under aliases."""
    fields: dict[str, Any] = {}
    strategies: dict[str, st.SearchStrategy[Any]] = {}
    for number, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=4))):
        options: dict[str, Any] = {"alias": f"theField{number}"} if draw(st.booleans()) else {}
        values = kind.values
        if (way := draw(st.sampled_from(["required", "default", "factory"]))) != "required":
            default = draw(values)
            options |= (
                {"default": default} if way == "default" else {"default_factory": partial(copy.deepcopy, default)}
            )
            # What is null is the default, so that null itself does not come back.
            values = values.filter(lambda value: value is not None)
        fields[f"field_{number}"] = (kind.annotation, Field(**options))
        strategies[f"field_{number}"] = values
    model = create_model("Model", __config__=ConfigDict(validate_by_name=True, validate_by_alias=True), **fields)
    model.strategies = strategies
    return model


@st.composite
def instances(draw: Callable[..., Any], model: Any) -> Any:
    """Instances of a model made by `models`."""
    return model(**{name: draw(values) for name, values in model.strategies.items()})


ANY_MODEL = models(st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4))


WRITERS: dict[type, Callable[[Any], Any]] = {
    Enum: lambda value: value.value,
    Decimal: float,
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
    timedelta: lambda value: f"PT{value.total_seconds():f}S",
    UUID: str,
}


def answer(value: Any) -> Any:
    """What the service would write of a value: JSON, and numbers for decimals."""
    if isinstance(value, BaseModel):
        names = {name: field.alias or name for name, field in type(value).model_fields.items()}
        return {names[name]: answer(item) for name, item in value}
    if isinstance(value, list | tuple):
        return [answer(item) for item in value]
    write = WRITERS.get(Enum if isinstance(value, Enum) else type(value))
    return write(value) if write else value


SCALARS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is what a schema that was sent describes."""
    if "anyOf" in schema:
        return any(fits(value, alternative) for alternative in schema["anyOf"])
    if schema["type"] == "object":
        fields = schema["properties"]
        complete = isinstance(value, dict) and set(schema["required"]) <= set(value)
        return complete and all(name in fields and fits(item, fields[name]) for name, item in value.items())
    if schema["type"] == "array":
        return isinstance(value, list) and all(fits(item, schema["items"]) for item in value)
    right = isinstance(value, SCALARS[schema["type"]]) and isinstance(value, bool) == (schema["type"] == "boolean")
    return right and value in schema.get("enum", [value])


@MODELS
@given(st.data())
def test_data_of_any_model_come_back_as_they_were(data: st.DataObject) -> None:
    """Ensure an instance that the service found, written as what was sent describes, is read as an equal one."""
    model = data.draw(ANY_MODEL)
    instance = data.draw(instances(model))
    schema = DataSchema.of(model)
    found = json.loads(json.dumps(answer(instance)))
    assert schema_problems(schema.json_schema) == []
    assert fits(found, schema.json_schema)
    assert schema.read(found) == instance


@MODELS
@given(st.data())
def test_what_was_not_found_is_the_default(data: st.DataObject) -> None:
    """Ensure null or nothing for fields with defaults fits what was sent, and gives those defaults."""
    model = data.draw(ANY_MODEL)
    instance = data.draw(instances(model))
    schema = DataSchema.of(model)
    found = answer(instance)
    with_default = [name for name, field in model.model_fields.items() if not field.is_required()]
    absent = data.draw(st.sets(st.sampled_from(with_default))) if with_default else set()
    for name in absent:
        key = model.model_fields[name].alias or name
        found[key] = None
    assert fits(found, schema.json_schema)
    if data.draw(st.booleans()):
        found = {key: value for key, value in found.items() if value is not None}
    kept = {name: value for name, value in instance if name not in absent and value is not None}
    required = {name: None for name, field in model.model_fields.items() if field.is_required()}
    assert schema.read(found) == model(**{**required, **kept})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = [
    "type",
    "properties",
    "items",
    "anyOf",
    "enum",
    "required",
    "default",
    "description",
    "additionalProperties",
]
REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/properties/a", "#/$defs", "#/", "a", "#/$defs/a~1b"])
SCHEMAS = st.recursive(
    JSON | st.sampled_from(["object", "array", "string"]),
    lambda inner: (
        st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=5)
        | st.lists(inner, max_size=3)
        | REFERENCES.map(lambda reference: {"$ref": reference})
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, max_size=6))
def test_any_json_is_checked_without_a_fault(keywords: dict[str, Any]) -> None:
    """Ensure whatever is given for a schema is either fine or has problems with a next step, and is left alone."""
    schema = {"type": "object", **keywords}
    before = copy.deepcopy(schema)
    problems = schema_problems(schema)
    assert schema == before
    assert all(problem.message and problem.hint for problem in problems)
    if not problems:
        assert DataSchema.of(schema).json_schema["type"] == "object"


class Receipt(BaseModel):
    """A receipt, with something of everything that is looked at when read."""

    number: str
    day: date | None
    paid: list[Cheque | Cash] = []
    pair: tuple[int, int] = (1, 2)
    lines: list[list[str]] | str | None = None


RECEIPT = DataSchema.of(Receipt)


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: JSON | st.sampled_from([{"kind": "cash"}, [{"kind": "cash"}, 1], [1.0, "2"], "2024-05-31", [[1]]])
            for name in Receipt.model_fields
        },
    )
)
def test_any_answer_is_read_or_refused(found: dict[str, Any]) -> None:
    """Ensure nothing that the service could write raises anything but the error that holds it."""
    before = copy.deepcopy(found)
    problems: dict[str, str] | None = None
    try:
        receipt = RECEIPT.read(found)
    except ExtractValidationError as error:
        problems = error.problems
    assert found == before
    if problems is None:
        assert isinstance(receipt, Receipt)
    else:
        assert problems
        assert all(path.split("[")[0].split(".")[0] in Receipt.model_fields for path in problems)
