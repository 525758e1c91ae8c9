"""Extraction with an LLM: its answers in any wrapping, one repair, quotes to citations, long documents in parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llama_cloud_ext.local.extraction import ExtractionFailed, ExtractionRequest, SourcePage, extract
from tests.local.answering_llm import AnsweringLLM
from tests.local.scripted_llm import ScriptedLLM, calls, says

BOX = {"x": 50.0, "y": 47.0, "w": 163.0, "h": 17.0}
PAGE = SourcePage(
    1,
    "Acme GmbH\nTotal due: 1,250.00 EUR",
    items=[
        {"type": "heading", "value": "Acme GmbH", "bbox": [{"x": 1, "y": 1, "w": 1, "h": 1}]},
        {"type": "text", "value": "Total due: 1,250.00 EUR", "bbox": [BOX]},
    ],
    width=595.0,
    height=842.0,
)
SCHEMA = {
    "type": "object",
    "properties": {
        "vendor": {"type": "string"},
        "total": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}


def answered(data: Any, **quotes: str) -> str:
    """An answer as it is asked for."""
    listed = [{"path": path.replace("__", "."), "quote": quote} for path, quote in quotes.items()]
    return json.dumps({"data": data, "quotes": listed})


def request(schema: Any = SCHEMA, **options: Any) -> ExtractionRequest:
    """A request that wants all that can be known."""
    return ExtractionRequest(schema, cite_sources=True, confidence_scores=True, **options)


def test_a_quote_becomes_a_citation_with_its_box() -> None:
    """Ensure the quote of a value is found in the items, and cited with the page's size."""
    llm = AnsweringLLM(answered({"vendor": "Acme GmbH", "total": 1250}, total="Total due:  1,250.00 EUR"))
    extraction = extract([PAGE], request(), llm=llm)
    assert extraction.data == {"vendor": "Acme GmbH", "total": 1250.0, "lines": []}
    leaf = extraction.field_metadata["document_metadata"]["total"]
    assert leaf["citation"] == [
        {
            "page": 1,
            "matching_text": "Total due: 1,250.00 EUR",
            "bounding_boxes": [BOX],
            "page_dimensions": {"width": 595.0, "height": 842.0},
        }
    ]
    assert leaf["confidence"] == 0.95
    assert extraction.notes["extractor"] == "answering"
    assert extraction.notes["llm_calls"] == 1
    assert "answering read this document in 1 question." in extraction.notes["extractor_note"]


def test_a_quote_that_the_document_does_not_hold_cites_nothing() -> None:
    """Ensure such a value is kept, without a place and with little confidence."""
    llm = AnsweringLLM(answered({"vendor": "Acme", "total": 7}, total="Sum: 7"))
    metadata = extract([PAGE], request(), llm=llm).field_metadata["document_metadata"]
    assert "citation" not in metadata["total"]
    assert metadata["total"]["confidence"] == 0.4
    assert metadata["vendor"]["citation"][0]["matching_text"] == "Acme"


@pytest.mark.parametrize(
    "wrapped",
    ["```json\n{}\n```", "Here you are:\n\n{}\n\nAnything else?", "```\n{}\n```", "{}"],
    ids=["fenced", "with words", "plain fence", "alone"],
)
def test_json_is_found_in_its_wrapping(wrapped: str) -> None:
    """Ensure fences and words around the JSON do not count."""
    llm = AnsweringLLM(wrapped.replace("{}", answered({"total": "12.5"})))
    assert extract([PAGE], request(), llm=llm).data == {"vendor": None, "total": 12.5, "lines": []}


@pytest.mark.parametrize(
    "broken", ['{"data": {"total": 1', "I cannot do that.", answered({"total": "much"}), answered([]), ""]
)
def test_a_broken_answer_is_repaired_once(broken: str) -> None:
    """Ensure the LLM is told what is wrong and asked again."""
    llm = AnsweringLLM(broken, answered({"total": 3}))
    extraction = extract([PAGE], request(), llm=llm)
    assert isinstance(extraction.data, dict)
    assert extraction.data["total"] == 3.0
    assert extraction.notes["llm_calls"] == 2
    assert "That is not valid: " in llm.asked[1]


def test_null_for_a_list_is_an_empty_one() -> None:
    """Ensure a model that answers null where it was asked for an empty list is not asked again."""
    llm = AnsweringLLM(answered({"vendor": "Acme GmbH", "total": None, "lines": None}))
    assert extract([PAGE], request(), llm=llm).data == {"vendor": "Acme GmbH", "total": None, "lines": []}


@pytest.mark.parametrize("number", ["NaN", "1e999", "[" * 5000])
def test_what_no_json_can_carry_is_repaired(number: str) -> None:
    """Ensure numbers without a value, and depths that Python does not read, are answers to be corrected."""
    broken = answered({"vendor": "Acme GmbH", "total": 0}).replace(": 0", f": {number}")
    llm = AnsweringLLM(broken, answered({"vendor": "Acme GmbH", "total": 1250}))
    assert extract([PAGE], request(), llm=llm).data["total"] == 1250


def test_broken_twice_fails() -> None:
    """Ensure the failure names the LLM, the problem and what it said."""
    with pytest.raises(ExtractionFailed, match=r"answering answered no valid JSON.*there is no JSON object") as caught:
        extract([PAGE], request(), llm=AnsweringLLM("no", "never"))
    assert caught.value.code == "LLM_ANSWER_INVALID"
    assert "'never'" in caught.value.message


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ConnectionError("refused"), ValueError("bad key")])
def test_an_error_of_the_llm_fails(error: Exception) -> None:
    """Ensure what an LLM raises becomes a failure that names it."""
    with pytest.raises(ExtractionFailed) as caught:
        extract([PAGE], request(), llm=AnsweringLLM(error))
    assert str(caught.value) == f"LLM_FAILED: answering failed: {type(error).__name__}: {error}"
    assert caught.value.__cause__ is error


def test_the_users_instructions_reach_the_llm() -> None:
    """Ensure the system prompt and the schema's descriptions are in what the LLM reads."""
    schema = {"properties": {"total": {"type": "number", "description": "VAT included"}}}
    llm = AnsweringLLM(answered({"total": 1}))
    extract([PAGE], request(schema, system_prompt="Amounts are in cents."), llm=llm)
    assert "Amounts are in cents." in llm.asked[0]
    assert "VAT included" in llm.asked[0]
    assert "--- page 1 ---" in llm.asked[0]


def test_a_long_document_is_read_in_parts() -> None:
    """Ensure parts fit the LLM, the first value counts, and lists are joined without what is there twice."""
    pages = [SourcePage(number, f"page {number} " + "word " * 300) for number in (1, 2, 3)]
    llm = AnsweringLLM(
        answered({"lines": [{"name": "a"}]}),
        answered({"vendor": "Acme", "total": 5, "lines": [{"name": "a"}, {"name": "b"}]}, lines0name="x"),
        answered({"vendor": "Other", "total": None, "lines": [{"name": "c"}]}, **{"vendor": "page 3"}),
        context_window=1000,
    )
    extraction = extract(pages, request(), llm=llm)
    assert extraction.data == {"vendor": "Acme", "total": 5.0, "lines": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    assert [asked.count("--- page") for asked in llm.asked] == [1, 1, 1]
    assert extraction.pages_extracted == 3


def test_a_page_that_is_too_long_is_cut() -> None:
    """Ensure no question is longer than the LLM can read."""
    llm = AnsweringLLM(*[answered({"total": number}) for number in range(1, 6)], context_window=1000)
    assert extract([SourcePage(1, "word " * 1500)], request(), llm=llm).data["total"] == 1.0  # type: ignore[call-overload]
    assert len(llm.asked) == 4


def test_each_page_gives_an_object() -> None:
    """Ensure per_page asks about each page alone."""
    pages = [SourcePage(1, "Acme"), SourcePage(2, "Bolt")]
    llm = AnsweringLLM(answered({"vendor": "Acme"}, vendor="Acme"), answered({"vendor": "Bolt"}, vendor="Bolt"))
    extraction = extract(pages, request({"properties": {"vendor": {"type": "string"}}}, target="per_page"), llm=llm)
    assert extraction.data == [{"vendor": "Acme"}, {"vendor": "Bolt"}]
    cited = [page["vendor"]["citation"][0]["page"] for page in extraction.field_metadata["page_metadata"]]
    assert cited == [1, 2]


def test_each_row_gives_an_object() -> None:
    """Ensure per_table_row asks for a list, and finds the quotes of its rows however their paths are written."""
    page = SourcePage(1, "oak 21\nelm 17")
    data = [{"tree": "oak", "height": 21}, {"tree": "elm", "height": 17}]
    quotes = {"data[0].tree": "oak", "[1].tree": "elm", "1.height": "elm 17"}
    listed = [{"path": path, "quote": quote} for path, quote in quotes.items()]
    schema = {"properties": {"tree": {"type": "string"}, "height": {"type": "integer"}}}
    llm = AnsweringLLM(json.dumps({"data": data, "quotes": listed}))
    extraction = extract([page], request(schema, target="per_table_row"), llm=llm)
    assert extraction.data == data
    rows = extraction.field_metadata["row_metadata"]
    assert [row["tree"]["citation"][0]["matching_text"] for row in rows] == ["oak", "elm"]
    assert rows[1]["height"]["citation"][0]["matching_text"] == "elm 17"


def test_an_llm_with_functions_is_asked_by_structured_prediction() -> None:
    """Ensure the answer of a function call is taken as it is."""
    answer = {"data": {"vendor": "Acme GmbH", "total": 1250.0}, "quotes": [{"path": "vendor", "quote": "Acme GmbH"}]}
    llm = ScriptedLLM(lambda messages, tools: calls(tools[0].metadata.name or "", **answer))
    extraction = extract([PAGE], request(), llm=llm)
    assert extraction.data == {"vendor": "Acme GmbH", "total": 1250.0, "lines": []}
    assert extraction.field_metadata["document_metadata"]["vendor"]["citation"][0]["page"] == 1
    assert extraction.notes["llm_calls"] == 1


def test_an_llm_that_does_not_call_its_function_is_asked_for_json() -> None:
    """Ensure an LLM that claims functions and answers in words still extracts."""
    llm = ScriptedLLM(lambda messages, tools: says(answered({"vendor": "Acme"})))
    assert extract([PAGE], request(), llm=llm).data == {"vendor": "Acme", "total": None, "lines": []}


def test_odd_names_and_types_reach_the_llm_and_come_back() -> None:
    """Ensure names that are no identifiers, enums, free-form objects and lists of lists survive."""
    schema = {
        "properties": {
            "Total (EUR)": {"type": "number"},
            "model_config": {"type": "string"},
            "state": {"enum": ["open", "paid", None]},
            "extra": {"type": "object"},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "any": {},
        }
    }
    data = {
        "Total (EUR)": 5.5,
        "model_config": "x",
        "state": "paid",
        "extra": {"a": [1]},
        "grid": [[1, 2], [3]],
        "any": {"b": None},
    }
    assert extract([PAGE], request(schema), llm=AnsweringLLM(answered(data))).data == data


def test_a_document_without_text_asks_nothing() -> None:
    """Ensure nothing is asked about a document in which there is nothing to read."""
    llm = AnsweringLLM()
    assert extract([SourcePage(1)], request(), llm=llm).data == {"vendor": None, "total": None, "lines": []}
    assert llm.asked == []
