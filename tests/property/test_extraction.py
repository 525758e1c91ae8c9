"""Whatever the document and the schema: extraction by rules answers in the schema's shape and cites what it says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.local.extraction import ExtractionRequest, SourcePage, extract
from tests.benchmarks.extraction import cited, leaves, traceable_paths

_NAMES = """
    invoice_number date due_date total email phone time currency name vat_id paid items description quantity status
    bill_to title iban note tags website x
"""
NAMES = st.sampled_from(_NAMES.split())
SCALARS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "time"},
        {"type": "number"},
        {"type": "integer"},
        {"type": "boolean"},
        {"anyOf": [{"type": "number"}, {"type": "null"}]},
        {"type": ["string", "null"], "description": "Total due, VAT included"},
        {"enum": ["Paid", "Open", 3, None]},
        {"type": "string", "enum": ["EUR", "USD"]},
        {},
        {"type": "null"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
    ]
)


def _objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, max_size=6).map(lambda found: {"type": "object", "properties": found})


SCHEMAS = _objects(
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(_objects(inner), inner.map(lambda of: {"type": "array", "items": of})),
        max_leaves=8,
    )
)
_WORDS = """
    Invoice Number: No. Date: Due date Total TOTAL due 12.50 1.234,56 EUR $5 31/01/2026 02-03-2026 2026-05-12 19:00
    a@b.org +49 89 123456 Name Email Phone Status: Paid Open x yes no Items Description Quantity 2 3 Bill to: IBAN
    DE89370400440532013000 T O T A L 1 8 5 . 8 0 Note: Tags: red, green; | ☒ ☐ [x] [ ] --- 50% -10 (5) Feb. 22, 2019 "
"""
WORDS = st.sampled_from(_WORDS.split())
GAPS = st.sampled_from([" ", "  ", "     ", "\t", " | ", ": ", "\n", "\n\n", " - "])
TEXTS = st.one_of(
    st.lists(st.tuples(WORDS, GAPS), max_size=40).map(lambda parts: "".join(word + gap for word, gap in parts)),
    st.text(max_size=80),
)
TABLES = st.lists(st.lists(WORDS, min_size=2, max_size=3), min_size=1, max_size=4).map(
    lambda rows: {"type": "table", "rows": rows}
)
PAGES = st.builds(
    lambda text, tables: SourcePage(
        1, text, items=[{"type": "heading", "value": "Note"}, {"type": "text", "value": text}, *tables]
    ),
    TEXTS,
    st.lists(TABLES, max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(page=PAGES, schema=SCHEMAS, target=st.sampled_from(["per_doc", "per_page", "per_table_row"]))
def test_every_value_is_cited_and_the_page_has_its_text(page: SourcePage, schema: dict[str, Any], target: Any) -> None:
    """Ensure extraction by rules never raises, and that no value is without a citation that its page holds."""
    request = ExtractionRequest(schema, target=target, cite_sources=True, confidence_scores=True)
    extraction = extract([page], request, llm=None)
    assert {path for path, _ in leaves(extraction.data)} == traceable_paths([page], extraction)
    (metadata,) = extraction.field_metadata.values()
    assert all(citation["page"] == 1 for _, citation in cited(metadata))


@settings(max_examples=100, deadline=None)
@given(page=PAGES, schema=SCHEMAS)
def test_answers_have_the_schemas_shape(page: SourcePage, schema: dict[str, Any]) -> None:
    """Ensure every property is answered, objects by objects and arrays by arrays."""
    data = extract([page], ExtractionRequest(schema), llm=None).data
    assert isinstance(data, dict)
    assert list(data) == list(schema["properties"])
    for name, node in schema["properties"].items():
        if node.get("type") == "array":
            assert isinstance(data[name], list)
        if node.get("type") == "object":
            assert isinstance(data[name], dict)


@settings(max_examples=100, deadline=None)
@given(
    schema=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["type", "properties", "items", "enum", "anyOf", "$ref", "description", "const", "format"]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_no_schema_makes_extraction_raise(schema: Any) -> None:
    """Ensure even what is no schema at all gives an answer."""
    given_schema = schema if isinstance(schema, dict) else {"properties": schema}
    extract([SourcePage(1, "Total: 5 EUR\nDate: 2026-01-02")], ExtractionRequest(given_schema), llm=None)
