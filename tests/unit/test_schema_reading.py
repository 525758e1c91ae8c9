"""From the service's object back to the user's class: what is read for what it means, and what is a fault."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import Required, TypedDict

from llama_cloud_ext.errors import ExtractValidationError, JobError
from llama_cloud_ext.extract.data_schema import DataSchema


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


class Card(BaseModel):
    """Paid by card."""

    kind: Literal["card"] = "card"
    digits: str
    tries: int = 1


class Cash(BaseModel):
    """Paid in cash."""

    kind: Literal["cash"] = "cash"
    change: float = 0.0


class Line(BaseModel):
    """A line of an invoice."""

    amount: Decimal = Field(ge=0, decimal_places=2)
    quantity: int = 1
    day: date | None


class Invoice(BaseModel):
    """An invoice with its lines."""

    number: str
    lines: list[Line]
    tags: list[str] = Field(default_factory=list)
    currency: Currency | None = Currency.EURO
    payment: Card | Cash | None = None
    seller: str | None


TEMPORAL = (date, datetime, time, timedelta)
LINE = {"amount": 12.5, "quantity": 2, "day": "2024-05-31"}
INVOICE = {"number": "INV-1", "lines": [LINE], "tags": ["paid"], "currency": "USD", "payment": None, "seller": None}


def read(annotation: Any, value: Any, field: Any = ...) -> Any:
    """A field of a type, read from what the service found."""
    return DataSchema.of(create_model("Probe", value=(annotation, field))).read({"value": value}).value


def problems(model: Any, data: Any) -> dict[str, str]:
    """What does not fit, by path; the error holds the very data."""
    with pytest.raises(ExtractValidationError) as caught:
        DataSchema.of(model).read(data)
    assert caught.value.data is data
    assert caught.value.hint
    return caught.value.problems


def test_answer_becomes_an_instance_and_stays_as_it_was() -> None:
    """Ensure an object is read into the user's class, dates and enums included, and is not changed."""
    before = copy.deepcopy(INVOICE)
    invoice = DataSchema.of(Invoice).read(INVOICE)
    assert before == INVOICE
    assert isinstance(invoice, Invoice)
    assert invoice.lines == [Line(amount=Decimal("12.5"), quantity=2, day=date(2024, 5, 31))]
    assert (invoice.currency, invoice.tags, invoice.seller) == (Currency.DOLLAR, ["paid"], None)


@pytest.mark.parametrize("absent", ["null", "missing"])
def test_defaults_are_put_in_at_every_depth(absent: str) -> None:
    """Ensure null, or nothing at all, is the default in the root, in items of lists and in alternatives of unions."""
    data: dict[str, Any] = {
        "number": "INV-1",
        "lines": [{"amount": 1, "quantity": None, "day": None}],
        "tags": None,
        "currency": None,
        "payment": {"kind": None, "digits": "1234", "tries": None},
        "seller": None,
    }
    if absent == "missing":
        data = {key: value for key, value in data.items() if value is not None}
        data["lines"] = [{"amount": 1}]
        data["payment"] = {"digits": "1234"}
    invoice = DataSchema.of(Invoice).read(data)
    assert invoice.lines == [Line(amount=Decimal(1), quantity=1, day=None)]
    assert (invoice.tags, invoice.currency, invoice.seller) == ([], Currency.EURO, None)
    assert invoice.payment == Card(digits="1234", tries=1)


@pytest.mark.parametrize(
    ("annotation", "value", "meant"),
    [
        (str, 75001, "75001"),
        (str, 12.5, "12.5"),
        (str | None, 75001, "75001"),
        (list[str], ["a", 1], ["a", "1"]),
        (tuple[str, str], [1, 2], ("1", "2")),
        (int, 3.0, 3),
        (int, "3", 3),
        (float, "12.5", 12.5),
        (float, 3, 3.0),
        (Decimal, "12.50", Decimal("12.50")),
        (Decimal, 12.5, Decimal("12.5")),
        (Decimal, 0.1, Decimal("0.1")),
        (bool, "true", True),
        (date, "2024-05-31", date(2024, 5, 31)),
        (date, "2024-05-31T00:00:00", date(2024, 5, 31)),
        (datetime, "2024-05-31T10:00:00Z", datetime(2024, 5, 31, 10, tzinfo=timezone.utc)),
        (time, "10:30", time(10, 30)),
        (timedelta, "PT90M", timedelta(minutes=90)),
        (UUID, "00000000-0000-0000-0000-000000000005", UUID(int=5)),
        (Path, "a/b", Path("a/b")),
        (bytes, "abc", b"abc"),
        (Json[list[int]], "[1, 2]", [1, 2]),
        (Currency, "EUR", Currency.EURO),
        (Stars, 2, Stars.TWO),
        (Stars, 2.0, Stars.TWO),
        (Literal["a", 1, None], None, None),
        (set[int], [1, 2, 2], {1, 2}),
        (Point, [1, 2.5], Point(1, 2.5)),
        (int | str, 5, 5),
        (int | str, "5", "5"),
        (date | str, 5, "5"),
        (date | str, "2024-05-31", date(2024, 5, 31)),
        (bool | str, True, True),
        (list[int] | str, [1.0], [1]),
    ],
    ids=str,
)
def test_neighbouring_values_are_read_for_what_they_mean(annotation: Any, value: Any, meant: Any) -> None:
    """Ensure a number for a text, a text for a number and ISO 8601 for dates are read, also by a strict model."""
    given = read(annotation, value)
    assert given == meant
    assert type(given) is type(meant)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        *(
            (kind, value)
            for kind in (date, datetime, time, timedelta)
            for value in (20240531, 1717113600.5, "20240531")
        ),
        *((kind | None, 0) for kind in (date, datetime, time, timedelta)),
        (list[date], [20240531]),
        (date | datetime, 20240531),
        (int, True),
        (float, False),
        (Decimal, True),
        (str, True),
        (str, ["a"]),
        (str, {"a": 1}),
        (int, 3.5),
        (int, "three"),
        (Decimal, "1,234.50"),
        (date, "31/05/2024"),
        (bool, 2),
        (Currency, "eur"),
        (list[int], 5),
        (Card, "1234"),
    ],
    ids=str,
)
def test_nothing_is_read_into_a_value(annotation: Any, value: Any) -> None:
    """Ensure a number is no date, true is no number, and what could mean two things is a fault that names it."""
    with pytest.raises(ExtractValidationError) as caught:
        read(annotation, value)
    ((path, text),) = caught.value.problems.items()
    assert path == ("value[0]" if isinstance(value, list) and annotation == list[date] else "value")
    assert "Input should be" in text


def test_each_fault_is_named_by_its_path_once() -> None:
    """Ensure all faults are found in one go, each at its place in the data, with what came."""
    data = {
        "number": None,
        "lines": [{"amount": -1, "quantity": True, "day": 20240531}, {"quantity": "x", "day": "soon"}, None],
        "currency": "GBP",
        "payment": {"kind": "cheque", "digits": "1"},
    }
    assert problems(Invoice, data) == {
        "lines[0].quantity": "Input should be a number, not true or false (got True)",
        "lines[0].day": "Input should be a text in ISO 8601, not a number (got 20240531)",
        "number": "Input should be a valid string (got None)",
        "lines[0].amount": "Input should be greater than or equal to 0 (got -1)",
        "lines[1].amount": "Field required",
        "lines[1].quantity": "Input should be a valid integer, unable to parse string as an integer (got 'x')",
        "lines[1].day": "Input should be a valid date or datetime, input is too short (got 'soon')",
        "lines[2]": "Input should be an object (got None)",
        "currency": "Input should be 'EUR' or 'USD' (got 'GBP')",
        "payment.kind": "Input should be 'card' (got 'cheque'); Input should be 'cash' (got 'cheque')",
    }


def test_missing_field_that_may_be_null_is_null() -> None:
    """Ensure only a field that the model requires, and that null does not fit, must be there."""
    assert DataSchema.of(Line).read({"amount": 1}).day is None
    assert problems(Line, {"day": None}) == {"amount": "Field required"}
    assert problems(create_model("Pair", value=(tuple[int, int], ...)), {"value": [1]}) == {
        "value[1]": "Field required"
    }


def test_long_values_are_cut_in_the_report() -> None:
    """Ensure a fault quotes the beginning of a long text, and not an object, which stands in the data."""
    model = create_model("Probe", text=(Annotated[str, Field(max_length=5)], ...), count=(int, ...))
    found = problems(model, {"text": "x" * 500, "count": {"a": 1}})
    assert found["text"].startswith("String should have at most 5 characters (got 'xxx")
    assert found["text"].endswith("x…)")
    assert len(found["text"]) < 150
    assert found["count"] == "Input should be a valid integer"


def test_constraints_are_checked_after_extraction() -> None:
    """Ensure what the service is told in words alone is enforced by the model."""
    assert problems(Line, {"amount": "1.234", "day": None})["amount"].startswith(
        "Decimal input should have no more than 2"
    )
    closed = create_model("Closed", __config__=ConfigDict(extra="forbid"), value=(int, ...))
    assert problems(closed, {"value": 1, "other": 2}) == {"other": "Extra inputs are not permitted (got 2)"}


def test_union_takes_the_alternative_that_fits() -> None:
    """Ensure constants tell alternatives apart, and without them the fields do, defaults put in either way."""
    tagged = create_model("Tagged", payment=(Annotated[Card | Cash, Field(discriminator="kind")], ...))
    for model in (Invoice, tagged):
        schema = DataSchema.of(model)
        base = INVOICE if model is Invoice else {}
        assert schema.read({**base, "payment": {"kind": "cash", "change": None}}).payment == Cash()
        assert schema.read({**base, "payment": {"kind": "card", "digits": 1234}}).payment == Card(digits="1234")
    # Neither constant came: what is there decides.
    assert DataSchema.of(Invoice).read({**INVOICE, "payment": {"change": 0.5}}).payment == Cash(change=0.5)
    assert problems(tagged, {"payment": {"digits": "1"}}) == {
        "payment": "Unable to extract tag using discriminator 'kind'"
    }


def test_strict_model_reads_json() -> None:
    """Ensure a model that takes no neighbouring types of its own accord still takes what JSON can only write so."""
    fields: Any = {
        "day": (date, ...),
        "count": (int, ...),
        "zip": (str, ...),
        "kind": (Currency, ...),
        "ids": (set[int], ...),
    }
    strict = create_model("Strict", __config__=ConfigDict(strict=True), **fields)
    data = {"day": "2024-05-31", "count": 3.0, "zip": 75001, "kind": "EUR", "ids": [1, 2]}
    read = DataSchema.of(strict).read(data).model_dump()
    assert read == {"day": date(2024, 5, 31), "count": 3, "zip": "75001", "kind": Currency.EURO, "ids": {1, 2}}


def test_aliases_and_hidden_fields_are_read() -> None:
    """Ensure each name that was sent leads back to its field, and a hidden field has its default."""

    class Aliased(BaseModel):
        a: int = Field(alias="theA")
        b: int = Field(validation_alias=AliasChoices("bee", "be"))
        c: int = Field(validation_alias=AliasPath("inner", "c"))
        d: int = Field(serialization_alias="dee")
        e: SkipJsonSchema[dict[str, int]] = Field(default_factory=dict)

    schema = DataSchema.of(Aliased)
    data = dict.fromkeys(schema.json_schema["properties"], 7)
    assert schema.read(data) == Aliased(theA=7, bee=7, inner={"c": 7}, d=7)
    assert problems(Aliased, {**data, "theA": "x"}).keys() == {"theA"}


def test_dataclasses_and_typed_dictionaries_are_read() -> None:
    """Ensure classes other than models come back as what they are."""

    @dataclass
    class Address:
        city: str
        lines: list[str] = dataclass_field(default_factory=list)

    class Contact(TypedDict, total=False):
        name: Required[str]
        phone: str

    assert DataSchema.of(Address).read({"city": "Paris", "lines": None}) == Address("Paris")
    assert DataSchema.of(Contact).read({"name": "Ada", "phone": None}) == {"name": "Ada"}


def test_faults_of_validators_of_ones_own_keep_the_data() -> None:
    """Ensure a validator's refusal is a problem like any other, and its crash does not lose what was paid for."""

    class Checked(BaseModel):
        value: int

        @field_validator("value")
        @classmethod
        def not_one(cls, value: int) -> int:
            if value == 1:
                raise ValueError("one is taken")
            return {2: value, 3: value}[value]

        @model_validator(mode="after")
        def not_three(self) -> Checked:
            if self.value == 3:
                raise ValueError("three is too many")
            return self

    assert problems(Checked, {"value": 1}) == {"value": "one is taken (got 1)"}
    assert problems(Checked, {"value": 3}) == {"": "three is too many"}
    assert problems(Checked, {"value": 4}) == {"": "a validator of the model raised KeyError: 4"}


def test_list_of_objects_is_read_item_by_item() -> None:
    """Ensure one object a page or a row gives a list, and a fault names the place in it."""
    line = Line(amount=Decimal("12.5"), quantity=2, day=date(2024, 5, 31))
    assert DataSchema.of(Line).read([LINE, LINE]) == [line, line]
    assert DataSchema.of(Line).read([]) == []
    faulty = [LINE, {"day": None}, None]
    assert problems(Line, faulty) == {"[1].amount": "Field required", "[2]": "Input should be an object (got None)"}


@pytest.mark.parametrize("data", [None, "text", 5])
def test_answer_without_an_object_is_a_fault(data: Any) -> None:
    """Ensure neither nothing nor a text passes for an object, with a class or without."""
    for schema in (Line, {"type": "object", "properties": {"a": {"type": "string"}}}):
        assert problems(schema, data) == {"": f"Input should be an object (got {data!r})"}


def test_half_an_emoji_does_not_cost_the_result() -> None:
    """Ensure a text with a surrogate alone, as cut off answers of models have, is read but for that character."""
    assert read(str, "fine \ud83d") == "fine ?"


def test_json_schema_gives_back_what_came() -> None:
    """Ensure without a class the extracted objects are handed out as they are, whatever they hold."""
    schema = DataSchema.of({"type": "object", "properties": {"a": {"type": "string"}}})
    data = {"a": 5, "b": [None]}
    assert schema.read(data) is data
    assert schema.read([data]) == [data]


def test_error_says_what_does_not_fit_and_crosses_processes() -> None:
    """Ensure the error is one of the job's, lists its problems, and keeps data and problems through pickle."""
    with pytest.raises(JobError) as caught:
        DataSchema.of(Invoice).read({"number": "1", "lines": [{}] * 7})
    error = caught.value.with_context(file="a.pdf", job_id="job-1")
    assert str(error).splitlines() == [
        "a.pdf: extract job job-1 found data that do not fit the model",
        *(f"  lines[{number}].amount: Field required" for number in range(5)),
        "  … and 2 more (see .problems)",
        "→ Make the fields optional, or widen their types; the extracted data are in the error's `.data`.",
    ]
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ExtractValidationError)
    assert (again.data, again.problems, str(again)) == (error.data, error.problems, str(error))
