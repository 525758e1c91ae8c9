"""From a Pydantic class to what the service takes: what becomes of each feature, and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    computed_field,
    create_model,
)
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.extract.data_schema import DataSchema

NULL = {"type": "null"}
Item = TypeVar("Item")


class Currency(Enum):
    """What is paid with."""

    EURO = "EUR"
    DOLLAR = "USD"


class Stars(IntEnum):
    """How good it was."""

    ONE = 1
    TWO = 2


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


class Line(BaseModel):
    """A line of an invoice."""

    amount: Decimal = Field(ge=0, max_digits=8, decimal_places=2)
    note: str = ""


class Card(BaseModel):
    """Paid by card."""

    kind: Literal["card"] = "card"
    digits: str


class Cash(BaseModel):
    """Paid in cash."""

    kind: Literal["cash"] = "cash"


class Page(BaseModel, Generic[Item]):
    """A page of something."""

    items: list[Item]


class Invoice(BaseModel):
    """An invoice."""

    number: str = Field(description="Its number")
    lines: list[Line]


@dataclass
class Address:
    """Where somebody lives."""

    city: str
    lines: list[str] = dataclass_field(default_factory=list)


class Contact(TypedDict, total=False):
    """How to reach somebody."""

    email: str


class Tree(BaseModel):
    """A tree of accounts."""

    name: str
    branches: list[Tree] = []


class Company(BaseModel):
    """A company with its accounts."""

    accounts: Tree


def sent(annotation: Any, field: Any = ...) -> dict[str, Any]:
    """What is sent for a field of a type."""
    schema = DataSchema.of(create_model("Probe", value=(annotation, field))).json_schema
    assert schema["required"] == ["value"]
    value: dict[str, Any] = schema["properties"]["value"]
    return value


def nullable(schema: dict[str, Any], **around: Any) -> dict[str, Any]:
    """A schema that null also fits."""
    return {"anyOf": [schema, NULL], **around}


LINE = {
    "type": "object",
    "title": "Line",
    "description": "A line of an invoice.",
    "properties": {
        "amount": {"type": "number", "description": "At least 0. At most 8 digits. At most 2 decimal places."},
        "note": nullable({"type": "string"}),
    },
    "required": ["amount", "note"],
}


def test_whole_model_is_sent_with_nested_ones_written_out() -> None:
    """Ensure a model becomes one schema without references, every field required, those with defaults nullable."""
    assert DataSchema.of(Invoice).json_schema == {
        "type": "object",
        "title": "Invoice",
        "description": "An invoice.",
        "properties": {
            "number": {"type": "string", "description": "Its number"},
            "lines": {"type": "array", "items": LINE},
        },
        "required": ["number", "lines"],
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Decimal, {"type": "number"}),
        (bytes, {"type": "string"}),
        (SecretStr, {"type": "string"}),
        (date, {"type": "string", "description": "A date as YYYY-MM-DD."}),
        (datetime, {"type": "string", "description": "A date and time in ISO 8601, as YYYY-MM-DDTHH:MM:SS."}),
        (time, {"type": "string", "description": "A time as HH:MM:SS."}),
        (timedelta, {"type": "string", "description": "A duration in ISO 8601, such as P3DT4H30M."}),
        (UUID, {"type": "string", "description": "A UUID."}),
        (Path, {"type": "string", "description": "A file path."}),
        (Base64Bytes, {"type": "string", "description": "Encoded in base64."}),
        (Json[list[int]], {"type": "string", "description": "Text of the type application/json."}),
        (
            Currency,
            {"type": "string", "enum": ["EUR", "USD"], "title": "Currency", "description": "What is paid with."},
        ),
        (Stars, {"type": "integer", "title": "Stars", "description": "How good it was. One of: 1, 2."}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1, True], {"anyOf": [{"type": t} for t in ("string", "integer", "boolean")]}),
        (Literal["a", None], nullable({"type": "string", "enum": ["a"]})),
        (int | None, nullable({"type": "integer"})),
        (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}, NULL]}),
        (None, NULL),
        (Literal[None], NULL),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "description": "No item twice."}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "description": "Exactly 2 items."}),
        (Point, {"type": "array", "items": {"type": "number"}}),
        (list[Line | None], {"type": "array", "items": nullable(LINE)}),
        (Line | None, nullable(LINE)),
        (RootModel[list[int]], {"type": "array", "items": {"type": "integer"}, "title": "RootModel[list[int]]"}),
        (Annotated[str, WithJsonSchema({"type": "string", "format": "email"})], {"type": "string"}),
        (Annotated[str, WithJsonSchema({"type": "string", "format": "vin"})], {"type": "string"}),
    ],
    ids=str,
)
def test_each_type_has_its_schema(annotation: Any, schema: dict[str, Any]) -> None:
    """Ensure each type that Pydantic knows is sent as the JSON type that holds it, with its format in words."""
    given = sent(annotation)
    words = {
        "email": "An e-mail address.",
        "vin": "Format: vin.",
        "Literal['a', 1": "One of: a, 1, true.",
        "Point": "Exactly 2 items. In this order: x, y.",
    }
    for part, description in words.items():
        if part in str(annotation):
            schema = {**schema, "description": description}
    assert given == schema


@pytest.mark.parametrize(
    ("annotation", "description"),
    [
        (Annotated[int, Field(ge=1, le=5)], "At least 1. At most 5."),
        (Annotated[float, Field(gt=0.5, lt=2, multiple_of=0.25)], "More than 0.5. Less than 2. A multiple of 0.25."),
        (Annotated[Decimal, Field(gt=0, max_digits=5)], "More than 0. At most 5 digits."),
        (Annotated[str, Field(min_length=1, max_length=40)], "At least 1 character. At most 40 characters."),
        (Annotated[str, StringConstraints(min_length=3, max_length=3)], "Exactly 3 characters."),
        (Annotated[str, Field(pattern="^INV-")], "Matches the regular expression ^INV-"),
        (Annotated[list[str], Field(min_length=2)], "At least 2 items."),
        (Annotated[str, Field(examples=["INV-1", "INV-2"])], "Examples: INV-1, INV-2."),
        (Annotated[int, Field(description="How many?", ge=0, examples=[3])], "How many? At least 0. Examples: 3."),
        (Annotated[int, Field(description="How many", ge=0)], "How many. At least 0."),
        (Annotated[Annotated[int, Field(ge=0)] | None, Field(description="How many")], "How many. At least 0."),
    ],
    ids=str,
)
def test_constraints_are_said_in_words(annotation: Any, description: str) -> None:
    """Ensure a constraint, which the service does not read, follows the field's own description as a sentence."""
    given = sent(annotation)
    assert given["description"] == description
    assert set(given) <= {"type", "items", "anyOf", "description"}


@pytest.mark.parametrize(
    ("annotation", "field"),
    [(int, 5), (int | None, None), (int | None, 5), (int, Field(default_factory=int)), (int, None)],
)
def test_field_with_a_default_is_nullable(annotation: Any, field: Any) -> None:
    """Ensure the service may answer null for every field that has a default, and is not told the default."""
    assert sent(annotation, field) == nullable({"type": "integer"})


def test_alternatives_are_told_apart_by_their_constants() -> None:
    """Ensure a union, with a discriminator or without, is sent as anyOf, and its constants are never null."""
    card = {
        "type": "object",
        "title": "Card",
        "description": "Paid by card.",
        "properties": {"kind": {"type": "string", "enum": ["card"]}, "digits": {"type": "string"}},
        "required": ["kind", "digits"],
    }
    cash = {
        "type": "object",
        "title": "Cash",
        "description": "Paid in cash.",
        "properties": {"kind": {"type": "string", "enum": ["cash"]}},
        "required": ["kind"],
    }
    assert sent(Card | Cash) == {"anyOf": [card, cash]}
    assert sent(Annotated[Card | Cash, Field(discriminator="kind")]) == {"anyOf": [card, cash]}
    assert sent(Card | Cash | None) == {"anyOf": [card, cash, NULL]}


def test_given_title_is_sent_and_made_one_is_not() -> None:
    """Ensure a title that says something new goes along, also beside null, but not one made from the name."""
    assert sent(int, Field(title="Sum")) == {"type": "integer", "title": "Sum"}
    assert sent(int | None, Field(title="Sum")) == nullable({"type": "integer"}, title="Sum")


def test_names_are_those_that_validation_takes() -> None:
    """Ensure aliases name the properties, and what is not validated or hidden from the schema is not sent."""

    class Aliased(BaseModel):
        model_config = ConfigDict(extra="forbid")
        a: int = Field(alias="theA")
        b: int = Field(validation_alias=AliasChoices("bee", "be"))
        c: int = Field(validation_alias=AliasPath("inner", "c"))
        d: int = Field(serialization_alias="dee")
        e: SkipJsonSchema[dict[str, Any]] = Field(default_factory=dict)

        @computed_field
        @property
        def f(self) -> int:
            return 1

    schema = DataSchema.of(Aliased).json_schema
    assert list(schema["properties"]) == ["theA", "bee", "c", "d"]
    assert schema["additionalProperties"] is False


def test_dataclasses_typed_dictionaries_and_generic_models_are_schemas() -> None:
    """Ensure classes other than plain models that Pydantic validates are taken too."""
    address = DataSchema.of(Address)
    assert address.name == "Address"
    assert address.json_schema["properties"]["lines"] == nullable({"type": "array", "items": {"type": "string"}})
    assert DataSchema.of(Contact).json_schema["properties"] == {"email": nullable({"type": "string"})}
    page = DataSchema.of(Page[Line])
    assert page.name == "Page[Line]"
    assert page.json_schema["properties"]["items"]["items"] == LINE
    assert DataSchema.of(RootModel[Line]).json_schema["properties"] == LINE["properties"]


DICT = "is a dict, and the service finds fields of fixed names only"
ANYTHING = "can be anything, so nobody knows what to look for"


@pytest.mark.parametrize(
    ("annotation", "path", "message"),
    [
        (dict[str, int], "", DICT),
        (dict, "", DICT),
        (dict[str, Any] | None, "", DICT),
        (Any, "", ANYTHING),
        (object, "", ANYTHING),
        (list[Any], "[]", ANYTHING),
        (list, "[]", ANYTHING),
        (int | list[Any], "[]", ANYTHING),
        (tuple[int, str], "", "is a tuple of different types"),
        (tuple[()], "[]", ANYTHING),
        (type[int], "", ANYTHING),
        (Callable[[], int], "", "has a type that JSON schema cannot describe (CallableSchema)"),
        (list[Callable[[], int]], "[]", "has a type that JSON schema cannot describe (CallableSchema)"),
        (Enum("Pairs", {"A": (1, 2)}), "", "is an enum of lists or objects"),
        (create_model("Empty"), "", "is an object without fields"),
        (Annotated[str, WithJsonSchema({"type": ["string", "null"]})], "", ANYTHING),
        (Tree, ".branches[] -> Tree", "contains itself, and the service takes no recursive schemas"),
    ],
    ids=str,
)
def test_refusal_names_the_path_and_the_next_step(annotation: Any, path: str, message: str) -> None:
    """Ensure what cannot be sent faithfully is refused where it stands, also deep inside, with a way out."""
    inner = create_model("Inner", value=(annotation, ...), fine=(int, ...))
    with pytest.raises(ConfigurationError) as caught:
        DataSchema.of(create_model("Outer", lines=(list[inner], ...)))
    assert caught.value.option == "data_schema"
    assert caught.value.message == f"Outer.lines[].value{path}: {message}"
    assert caught.value.hint


def test_every_refused_field_is_named_at_once() -> None:
    """Ensure one error lists all fields that must be changed, and each next step once."""
    model = create_model("Report", a=(Any, ...), b=(dict, ...), c=(dict, ...))
    with pytest.raises(ConfigurationError) as caught:
        DataSchema.of(model)
    assert caught.value.message == f"Report.a: {ANYTHING}; Report.b: {DICT}; Report.c: {DICT}"
    assert (caught.value.hint or "").count("Use a list of a model") == 1
    wide = create_model("Wide", **{f"f{number}": (Any, ...) for number in range(25)})
    with pytest.raises(ConfigurationError, match=r"Wide\.f9: [^;]*; and 15 more"):
        DataSchema.of(wide)


def test_recursive_model_is_named_by_the_way_back() -> None:
    """Ensure a model that contains itself is refused from the root and from within."""
    with pytest.raises(ConfigurationError, match=r"Tree\.branches\[\] -> Tree: contains itself"):
        DataSchema.of(Tree)
    with pytest.raises(ConfigurationError, match=r"Company\.accounts\.branches\[\] -> Tree: contains itself"):
        DataSchema.of(Company)


def test_limits_of_the_service_are_checked_on_what_is_sent() -> None:
    """Ensure a model that is too deep is refused before anything is uploaded, with the path of the level."""
    model: Any = create_model("Level8", value=(int, ...))
    for level in range(7, 0, -1):
        model = create_model(f"Level{level}", inner=(list[model], ...))
    with pytest.raises(ConfigurationError) as caught:
        DataSchema.of(model)
    assert caught.value.message == f"Level1.{'.'.join(['inner[]'] * 7)}: is on level 8, of 7 allowed"


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (Line(amount=Decimal(1)), "an object of Line is no schema", "Give the class: data_schema=Line."),
        ('{"type": "object"}', "a text is no schema", "json.loads"),
        (list[Line], "is no schema", "goes into a field of a model"),
        (None, "None is no schema", "Give a Pydantic model"),
        (RootModel[list[Line]], "RootModel[list[Line]]: the root is of type 'array'", "Wrap"),
        (int, "int: the root is of type 'integer'", "Wrap"),
        (Path, "Path: the root is of type 'string'", "Wrap"),
        (dict, "dict: is a dict", "list of a model"),
        (type("Plain", (), {}), "Plain: Unable to generate pydantic-core schema", "types that Pydantic knows"),
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused_with_what_would_be(given: Any, message: str, hint: str) -> None:
    """Ensure an object, a text or a list given for a schema says what to give instead."""
    with pytest.raises(ConfigurationError) as caught:
        DataSchema.of(given)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_model_with_names_that_are_not_known_yet_says_so() -> None:
    """Ensure an annotation that cannot be resolved is named, with the call that mends it."""
    later = create_model("Later", value=("Nowhere", ...))
    with pytest.raises(ConfigurationError) as caught:
        DataSchema.of(later)
    assert caught.value.hint == "Call Later.model_rebuild() where every type that it names is known."


def test_model_of_the_first_pydantic_is_refused() -> None:
    """Ensure a class of Pydantic 1 is told apart, as its fields would not be seen."""

    class Old:
        pass

    Old.__module__ = "pydantic.v1.main"
    with pytest.raises(ConfigurationError, match="Child is a model of Pydantic 1"):
        DataSchema.of(type("Child", (Old,), {}))


def test_json_schema_is_sent_as_it_is() -> None:
    """Ensure a JSON schema is copied with its unheeded keywords, its references written out, itself unchanged."""
    schema = {
        "title": "Receipt",
        "type": "object",
        "properties": {"day": {"$ref": "#/$defs/Day"}, "total": {"type": "number", "minimum": 0}},
        "$defs": {"Day": {"type": "string", "format": "date"}},
    }
    before = copy.deepcopy(schema)
    made = DataSchema.of(schema)
    assert schema == before
    assert made == DataSchema(
        "Receipt",
        {
            "title": "Receipt",
            "type": "object",
            "properties": {"day": {"type": "string", "format": "date"}, "total": {"type": "number", "minimum": 0}},
        },
    )
    assert (made.name, made.model) == ("Receipt", None)


def test_json_schema_is_refused_like_a_model() -> None:
    """Ensure a JSON schema's problems are named under its title, or as data."""
    with pytest.raises(ConfigurationError, match=r"data_schema: Receipt\.total: has the default 0"):
        DataSchema.of({"title": "Receipt", "type": "object", "properties": {"total": {"type": "number", "default": 0}}})
    with pytest.raises(ConfigurationError, match="data: the root has no type"):
        DataSchema.of({"properties": {}})


def test_equal_schemas_have_equal_fingerprints() -> None:
    """Ensure equality, hash and fingerprint go by what is sent, whatever the order of keys and the class."""
    given = DataSchema.of({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}})
    other = DataSchema.of({"properties": {"b": {"type": "integer"}, "a": {"type": "string"}}, "type": "object"})
    assert given == other
    assert hash(given) == hash(other)
    assert given.fingerprint == other.fingerprint
    assert len(given.fingerprint) == 64
    assert given != DataSchema.of(Line)
    assert given.fingerprint != DataSchema.of(Line).fingerprint
    assert given != given.json_schema


def test_schema_survives_pickle_with_its_class_by_reference() -> None:
    """Ensure a schema that has been used crosses process pools, and reads there as here."""
    schema = DataSchema.of(Invoice)
    data = {"number": "1", "lines": [{"amount": 2, "note": None}]}
    assert schema.read(data) == Invoice(number="1", lines=[Line(amount=Decimal(2))])
    again = pickle.loads(pickle.dumps(schema))
    assert again == schema
    assert again.model is Invoice
    assert again.read(data) == schema.read(data)


def test_class_that_does_not_pickle_gives_pickles_own_error() -> None:
    """Ensure a class defined inside a function fails in pickle by its name."""
    local = create_model("Local", value=(int, ...))
    with pytest.raises((AttributeError, pickle.PicklingError), match="Local"):
        pickle.dumps(DataSchema.of(local))
