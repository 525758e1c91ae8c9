"""Making schemas: from the fields that a prompt names, from a document's labels, and by an LLM."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llama_cloud_ext.local.extraction import ExtractionFailed, SourcePage, generate_schema
from llama_cloud_ext.wire.models.extract_schema import schema_problems
from tests.local.answering_llm import AnsweringLLM


def generated(prompt: str | None = None, **options: Any) -> dict[str, Any]:
    """A schema, within the service's limits."""
    schema = generate_schema(**{"prompt": prompt, "pages": None, "data_schema": None, "llm": None, **options})
    assert schema_problems(schema) == []
    return schema


def types(schema: dict[str, Any]) -> dict[str, str]:
    """The type or the format of each property."""
    nodes = {name: node.get("anyOf", [node])[0] for name, node in schema["properties"].items()}
    return {name: node.get("format", node["type"]) for name, node in nodes.items()}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "Extract the vendor name, total amount and date from the invoice.",
            {"vendor_name": "string", "total_amount": "number", "date": "date"},
        ),
        (
            "- name\n- is paid\n- amount (number)\n- tags (list)",
            {"name": "string", "is_paid": "boolean", "amount": "number", "tags": "array"},
        ),
        (
            "Name: string\nAge: integer\nHas kids: boolean",
            {"name": "string", "age": "integer", "has_kids": "boolean"},
        ),
        (
            "Rechnungsnummer, Fälligkeitsdatum und Betrag",
            {"rechnungsnummer": "string", "faelligkeitsdatum": "date", "betrag": "number"},
        ),
        ("contact e-mail; phone number", {"contact_e_mail": "email", "phone_number": "string"}),
    ],
)
def test_a_prompt_names_fields(prompt: str, expected: dict[str, str]) -> None:
    """Ensure names are told apart and their types guessed from their words."""
    assert types(generated(prompt)) == expected


def test_a_prompt_names_lists_of_objects() -> None:
    """Ensure "items with a, b and c" is a list of objects, and what follows is no part of it."""
    schema = generated("invoice number, line items with description, quantity and unit price, and the total")
    assert list(schema["properties"]) == ["invoice_number", "line_items", "total"]
    assert list(schema["properties"]["line_items"]["items"]["properties"]) == ["description", "quantity", "unit_price"]


def test_a_documents_labels_are_its_fields() -> None:
    """Ensure labels and the header of a table give fields, typed by what stands beside and below them."""
    page = SourcePage(
        1,
        "Invoice number: RE-17\nIssued: 2026-05-12\nTotal due: 12.50 EUR\nContact: a@b.org",
        items=[{"type": "table", "rows": [["Item", "Price"], ["Oak", 5.0], ["Elm", 7.5]]}],
    )
    schema = generated(pages=[page])
    assert types(schema) == {
        "invoice_number": "string",
        "issued": "date",
        "total_due": "number",
        "contact": "email",
        "rows": "array",
    }
    assert list(schema["properties"]["rows"]["items"]["properties"]) == ["item", "price"]


def test_a_given_schema_is_extended() -> None:
    """Ensure its fields stay as they are and new ones are added."""
    given = {"type": "object", "title": "Invoice", "properties": {"total": {"type": "string"}}, "required": ["total"]}
    schema = generated("total, due date", data_schema=given)
    assert schema["title"] == "Invoice"
    assert schema["properties"]["total"] == {"type": "string"}
    assert schema["required"] == ["total", "due_date"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "give a prompt, a file, or both"), ({"prompt": " "}, "give a prompt"), ({"prompt": "!?"}, "name the fields")],
)
def test_nothing_to_make_a_schema_of_fails(options: dict[str, Any], said: str) -> None:
    """Ensure the failure says what to give."""
    with pytest.raises(ExtractionFailed, match=said) as caught:
        generated(**options)
    assert caught.value.code == "NO_SCHEMA"


def test_an_llm_writes_a_schema_within_the_limits() -> None:
    """Ensure a schema beyond the limits is sent back with what is wrong, and the corrected one is taken."""
    wrong = {"type": "object", "properties": {"total": {"type": "number", "default": 3}}}
    right = {"type": "object", "properties": {"total": {"type": "number"}}}
    llm = AnsweringLLM(json.dumps({"data_schema": wrong}), json.dumps({"data_schema": right}))
    assert generated("what matters", pages=[SourcePage(1, "Total: 5")], llm=llm) == right
    assert "Total: 5" in llm.asked[0]
    assert "total" in llm.asked[1].split("That is not valid")[1]


def test_an_llm_that_writes_no_schema_fails() -> None:
    """Ensure two answers that are no schema end in a failure that names the LLM."""
    with pytest.raises(ExtractionFailed, match="answering answered no valid JSON"):
        generated("what matters", llm=AnsweringLLM("{}", '{"data_schema": {"type": "array"}}'))
