"""Extraction without a model: labels, forms of values, sections, lists and tables; null for everything else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llama_cloud_ext.local.extraction import ExtractionRequest, SourcePage, extract

DATE = {"type": "string", "format": "date"}


def read(text: str, items: list[dict[str, Any]] | None = None, **properties: Any) -> dict[str, Any]:
    """What is read on a page; a property is its type or its schema."""
    schema = {name: {"type": of} if isinstance(of, str) else of for name, of in properties.items()}
    page = SourcePage(1, text, items=items or [])
    data = extract([page], ExtractionRequest({"type": "object", "properties": schema}), llm=None).data
    assert isinstance(data, dict)
    return data


def value(text: str, name: str, of: Any) -> Any:
    """What is read for one property."""
    return read(text, **{name: of})[name]


@pytest.mark.parametrize(
    ("text", "name", "of", "expected"),
    [
        ("Invoice number: RE-17", "invoice_number", "string", "RE-17"),
        ("Invoice No. RE-17", "invoiceNumber", "string", "RE-17"),
        ("Rechnungs-Nr.: 2026/001", "invoice_number", "string", "2026/001"),
        ("Invoice #\n4711", "invoice_number", "string", "4711"),
        ("TOTAL      12.50", "total", "number", 12.5),
        ("Total due: EUR 1,250.00", "total", "number", 1250.0),
        ("Gesamtbetrag: 1.250,00 €", "total_amount", "number", 1250.0),
        ("Betrag: 3,50\nSumme: 1.250", "sum", "number", 1250.0),
        ("Credit: -5.00 USD", "credit", "number", -5.0),
        ("VAT 19% (100.00 EUR): 19.00 EUR", "vat_amount", "number", 19.0),
        ("VAT rate: 19 %", "vat_rate", "number", 19.0),
        ("Pages: 12", "pages", "integer", 12),
        ("Pages: 12.5", "pages", "integer", None),
        ("Due date: 12 May 2026", "due_date", DATE, "2026-05-12"),
        ("Due date: May 12th, 2026", "due_date", DATE, "2026-05-12"),
        ("Fällig bis: 12. Mai 2026", "due_date", DATE, "2026-05-12"),
        ("Due: 2026-05-12 10:30", "due", {"type": "string", "format": "date-time"}, "2026-05-12T10:30:00"),
        ("Due date: 05/12/2026", "due_date", DATE, None),
        ("Due date: 05/12/2026", "due_date", "string", "05/12/2026"),
        ("Due date: 05/12/2026\nPaid on 31/12/2026", "due_date", DATE, "2026-12-05"),
        ("Time: 5:15 pm", "time", {"type": "string", "format": "time"}, "17:15:00"),
        ("E-mail: a.b@example.org", "email", "string", "a.b@example.org"),
        ("Tel.: +49 (89) 123-456", "phone", "string", "+49 (89) 123-456"),
        ("Web: https://example.org/a.", "website", "string", "https://example.org/a"),
        ("IBAN: DE89 3704 0044 0532 0130 00 BIC: COBADEFFXXX", "iban", "string", "DE89 3704 0044 0532 0130 00"),
        ("Paid: yes", "paid", "boolean", True),
        ("Paid: ☐ yes ☒ no", "paid", "boolean", False),
        ("Paid: [x]", "paid", "boolean", True),
        ("Paid: YES NO", "paid", "boolean", None),
        ("Status: payment OPEN", "status", {"enum": ["Paid", "Open"]}, "Open"),
        ("Branch: ARMY NAVY", "branch", {"enum": ["Army", "Navy"]}, None),
        ("Branch: ☐ ARMY ☒ NAVY", "branch", {"enum": ["Army", "Navy"]}, "Navy"),
        ("Author: Ada Lovelace", "author", "string", "Ada Lovelace"),
        ("Tags: red, green; blue", "tags", {"type": "array", "items": {"type": "string"}}, ["red", "green", "blue"]),
        ("Sizes: 1, 2, big", "sizes", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("Numéro de facture : F-17", "invoice_number", "string", "F-17"),
        ("T O T A L     1 8 . 5 0", "total", "number", 18.5),
        ("Total: Kč28,200.00", "total", "number", 28200.0),
        ("Total: Kč28,200.00", "currency", "string", "CZK"),
        ("Total: $5", "currency", "string", "$"),
        ("Invoice #      INV-42", "invoice_number", "string", "INV-42"),
        ("Date 2026-07-27", "invoice_date", DATE, "2026-07-27"),
        ("Text\n\nCustomer\nAda Lovelace\n\nText", "customer", "string", "Ada Lovelace"),
    ],
)
def test_labelled_values(text: str, name: str, of: Any, expected: Any) -> None:
    """Ensure a value beside, below or after its label is read in the field's type, and what is in doubt is null."""
    assert value(text, name, of) == expected


@pytest.mark.parametrize(
    ("text", "name", "of"),
    [
        ("Subtotal: 5.00", "total", "number"),
        ("Total without VAT: 5.00", "total", "number"),
        ("Date: 2026-01-02", "due_date", DATE),
        ("Order number: 7", "invoice_number", "string"),
        ("Name:\nStreet:\nCity:", "name", "string"),
        ("Name ________", "name", "string"),
        ("First name      Last name", "first_name", "string"),
        ("Email:\nPlease write to help@example.org if you have any questions about this.", "email", "string"),
        ("We have no total here, only 5 apples.", "total", "number"),
        ("a@example.org  b@example.org", "email", "string"),
        ("EUR 5 and USD 6", "currency", "string"),
        ("Total: $5", "currency", {"type": "string", "description": "ISO code"}),
        ("Invoice number: None", "invoice_number", "string"),
        ("Battery No. 1 stood there", "invoice_number", "string"),
        ("Name       Profession     Age", "name", "string"),
        ("", "total", "number"),
    ],
)
def test_what_is_not_there_is_null(text: str, name: str, of: Any) -> None:
    """Ensure labels of other meaning, blank fields and several candidates give nothing."""
    assert value(text, name, of) is None


def test_values_of_an_unmistakable_form_need_no_label() -> None:
    """Ensure the only e-mail address, currency and time of a document are found."""
    data = read(
        "Acme\nhello@acme.org\n19:00\n5.00 EUR", email="string", currency="string", time="string", name="string"
    )
    assert data == {"email": "hello@acme.org", "currency": "EUR", "time": "19:00:00", "name": None}


def test_sections_tell_parties_apart() -> None:
    """Ensure fields of an object are read below its label, in its column."""
    text = "Bill to:           Ship to:\nCity: Rome         City: Oslo\nTax ID: 111        Tax ID: 222"
    party = {"type": "object", "properties": {"city": {"type": "string"}, "tax_id": {"type": "string"}}}
    data = read(text, bill_to=party, ship_to=party)
    assert data == {"bill_to": {"city": "Rome", "tax_id": "111"}, "ship_to": {"city": "Oslo", "tax_id": "222"}}


def test_objects_without_sections_need_their_name_in_the_label() -> None:
    """Ensure "City" is neither party's where no section says whose."""
    party = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert read("City: Rome\nSeller city: Oslo", seller=party, buyer=party) == {
        "seller": {"city": "Oslo"},
        "buyer": {"city": None},
    }


def test_a_heading_labels_the_text_under_it() -> None:
    """Ensure a paragraph under a heading that names its field is read, and the first heading is the title."""
    items = [
        {"type": "heading", "value": "Annual report"},
        {"type": "heading", "value": "Summary"},
        {"type": "text", "value": "It was a good year. Nothing broke, and nobody left."},
    ]
    data = read("Annual report\n\nSummary\nIt was a good year.", items, summary="string", title="string")
    assert data == {"summary": "It was a good year. Nothing broke, and nobody left.", "title": "Annual report"}


ROW = {
    "type": "object",
    "properties": {"item": {"type": "string"}, "qty": {"type": "integer"}, "price": {"type": "number"}},
}
ROWS = {"type": "array", "items": ROW}
OAK_AND_ELM = [{"item": "Oak", "qty": 2, "price": 5.0}, {"item": "Tall elm", "qty": 1, "price": 7.5}]


@pytest.mark.parametrize(
    "text",
    [
        "Item        Qty    Price\nOak         2      5.00\nTall elm    1      7.50\nTotal              17.50",
        "Item Qty Price\nOak 2 5.00\nTall elm 1 7.50\n\nThank you",
        "Pos. Artikel   Menge Preis\nOak 2 5,00 EUR\nTall elm 1 7,50 EUR\nGesamt: 17,50 EUR",
        "| Item | Qty | Price |\n|---|---|---|\n| Oak | 2 | 5.00 |\n| Tall elm | 1 | 7.50 |",
    ],
    ids=["lined up", "single spaces", "German", "bars"],
)
def test_tables_of_text(text: str) -> None:
    """Ensure rows below a header line become objects, down to the total."""
    data = read(text, items=None, lines=ROWS) if "Artikel" not in text else read(text, lines=ROWS)
    assert data["lines"] == OAK_AND_ELM


def test_tables_of_cells() -> None:
    """Ensure a table item's rows become objects, and cited with its box; what is no cell of theirs is left out."""
    table = {
        "type": "table",
        "rows": [["Notes", None, None, None], ["Price", "Colour", "Item", "Qty"], [5.0, "red", "Oak", 2.0]],
        "csv": "Notes,,,\nPrice,Colour,Item,Qty\n5.00,red,Oak,2\n7.50,,Tall elm,1\nTotal,,,3",
        "bbox": [{"x": 1, "y": 2, "w": 3, "h": 4}],
    }
    page = SourcePage(1, "", items=[table], width=100, height=100)
    request = ExtractionRequest({"properties": {"lines": ROWS}}, cite_sources=True)
    extraction = extract([page], request, llm=None)
    assert extraction.data == {"lines": OAK_AND_ELM}
    leaf = extraction.field_metadata["document_metadata"]["lines"][0]["price"]
    assert leaf["citation"][0]["matching_text"] == "5.00"
    assert leaf["citation"][0]["bounding_boxes"] == [{"x": 1, "y": 2, "w": 3, "h": 4}]


def test_each_row_and_each_page() -> None:
    """Ensure the other targets give lists, with metadata in their shape."""
    pages = [SourcePage(1, "Item Qty Price\nOak 2 5.00"), SourcePage(2, "Item Qty Price\nTall elm 1 7.50")]
    rows = extract(pages, ExtractionRequest(ROW, target="per_table_row", confidence_scores=True), llm=None)
    assert rows.data == OAK_AND_ELM
    assert [set(row) for row in rows.field_metadata["row_metadata"]] == [{"item", "qty", "price"}] * 2
    schema = {"properties": {"total": {"type": "number"}}}
    per_page = extract(
        [SourcePage(1, "Total: 5"), SourcePage(2)], ExtractionRequest(schema, target="per_page"), llm=None
    )
    assert per_page.data == [{"total": 5.0}, {"total": None}]
    assert per_page.field_metadata == {"page_metadata": [{"total": {}}, {}]}


def test_the_note_says_that_no_model_read_it() -> None:
    """Ensure the job's metadata name the extractor, what it found and what it left null."""
    schema = {"properties": {"total": {"type": "number"}, "name": {"type": "string"}, "lines": ROWS}}
    notes = extract([SourcePage(1, "Total: 5")], ExtractionRequest(schema), llm=None).notes
    assert notes["extractor"] == "rule-based"
    assert notes["extractor_note"].startswith("No model read this document")
    assert "Found: total. Left null: name, lines." in notes["extractor_note"]
    assert (notes["fields_found"], notes["fields_left_null"]) == (["total"], ["name", "lines"])


def test_citations_and_confidence_only_where_wanted() -> None:
    """Ensure metadata have what was asked for: places, confidence, both or neither."""
    schema = {"properties": {"total": {"type": "number"}}}
    pages = [SourcePage(3, "Total: 5")]

    def leaf(**wanted: bool) -> set[str]:
        return set(
            extract(pages, ExtractionRequest(schema, **wanted), llm=None).field_metadata["document_metadata"]["total"]
        )

    assert leaf() == set()
    assert leaf(cite_sources=True) == {"citation", "reasoning"}
    assert leaf(confidence_scores=True) == {"confidence", "extraction_confidence", "reasoning"}


def test_another_value_elsewhere_lowers_the_confidence() -> None:
    """Ensure a document that contradicts itself is read with less confidence, and the reasoning says so."""
    schema = {"properties": {"name": {"type": "string"}}}

    def leaf(text: str) -> dict[str, Any]:
        request = ExtractionRequest(schema, confidence_scores=True)
        found: dict[str, Any] = extract([SourcePage(1, text)], request, llm=None).field_metadata["document_metadata"]
        return dict(found["name"])

    once, twice = leaf("Name: Ada"), leaf("Name: Ada\nName: Bob")
    assert twice["confidence"] < once["confidence"]
    assert twice["reasoning"].endswith("Other places say something else.")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": {"type": "string"}},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"type": "array"}, "b": {"type": "object"}, "c": {"anyOf": []}, "d": None, "": {}}},
        {"properties": []},
        {"properties": {"a": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}}}},
    ],
)
def test_odd_schemas_give_empty_answers(schema: dict[str, Any]) -> None:
    """Ensure recursive, free-form and broken schemas never raise."""
    data = extract([SourcePage(1, "a: 1\nb: 2")], ExtractionRequest(schema), llm=None).data
    assert isinstance(data, dict)


def test_a_long_document_takes_well_under_a_second() -> None:
    """Ensure ten dense pages and thirty fields are read fast."""
    line = "Field {0}: value {0}      Amount {0}   {0}.50 EUR"
    pages = [SourcePage(page, "\n".join(line.format(number) for number in range(60))) for page in range(1, 11)]
    words = ("alpha", "beta", "total", "date", "email", "phone", "number", "amount", "due", "field")
    schema = {"properties": {f"{word}_{letter}": {"type": "string"} for word in words for letter in "xyz"}}
    start = time.process_time()
    extract(pages, ExtractionRequest(schema, cite_sources=True), llm=None)
    assert time.process_time() - start < 2.0  # a tenth of it where nothing else runs


def test_the_only_date_is_not_taken_from_another_label() -> None:
    """Ensure a date that the page calls something else does not become the document's own for being the only one."""
    schema = {"type": "object", "properties": {"invoice_date": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    request = ExtractionRequest(schema, "per_doc", None, cite_sources=True, confidence_scores=True)
    found = {
        text: extract([SourcePage(1, text, text, [], None, None)], request, llm=None).data["invoice_date"]
        for text in ("Expiration Date: 01/31/2009", "Issued: 31/01/2009", "31/01/2009")
    }
    assert list(found.values()) == [None, "2009-01-31", "2009-01-31"]
