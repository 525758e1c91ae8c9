"""Results of extractions: data, what is said of fields, documents, and their way to disk."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode
from pydantic import BaseModel

from llama_cloud_ext import ConfigurationError, ExtractResult, ExtractValidationError
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.jobs.source_identity import SourceIdentity

SOURCE = SourceIdentity("a.pdf", "file:/data/a.pdf", path="/data/a.pdf", extra_info={"team": "x"})


class Line(BaseModel):
    """A line of an invoice."""

    text: str | None
    amount: float | None = None


class Invoice(BaseModel):
    """What most tests here extract."""

    vendor: str | None
    lines: list[Line] = []
    tags: list[str] = []


def said(page: int, text: str = "", confidence: float = 0.9) -> dict[str, Any]:
    """What the service says of one field."""
    return {"citation": [{"page": page, "matching_text": text}], "confidence": confidence}


DATA = {"vendor": "Amber", "lines": [{"text": "Saw", "amount": 3}, {"text": None, "amount": 4}], "tags": ["a", "b"]}
ABOUT = {
    "vendor": said(1, "Amber Ltd."),
    "lines": [{"text": said(2, "Saw"), "amount": said(2, "3.00", 0.5)}, {"text": {"reasoning": "no text"}}],
    "tags": [said(3), said(4)],
}


def result_of(
    data: Any, about: Any = None, *, schema: Any = Invoice, part: str = "document_metadata", **job: Any
) -> ExtractResult[Any]:
    """A result with what is said of its fields."""
    record = {
        "id": "ext-1",
        "status": "COMPLETED",
        "extract_result": data,
        "extract_metadata": {"field_metadata": {part: about}},
        **job,
    }
    return ExtractResult(record, source=SOURCE, schema=DataSchema.of(schema))


def names(*fields: str) -> dict[str, Any]:
    """A JSON schema with these texts."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in fields}}


# Fields


def test_fields_are_found_by_their_paths() -> None:
    """Ensure nested objects and lists are walked through in the order of the data, each with what is said of it."""
    fields = result_of(DATA, ABOUT).fields
    assert list(fields) == [
        "vendor",
        "lines[0].text",
        "lines[0].amount",
        "lines[1].text",
        "lines[1].amount",
        "tags[0]",
        "tags[1]",
    ]
    assert (fields["vendor"].page, fields["vendor"].citations[0].text) == (1, "Amber Ltd.")
    assert (fields["lines[0].amount"].value, fields["lines[0].amount"].confidence) == (3, 0.5)
    assert (fields["lines[1].text"].value, fields["lines[1].text"].reasoning) == (None, "no text")
    assert (fields["lines[1].amount"].citations, fields["lines[1].amount"].page) == ([], None)
    assert [fields[f"tags[{place}]"].page for place in (0, 1)] == [3, 4]


def test_one_statement_may_be_of_a_whole_list_or_object() -> None:
    """Ensure what is said of a whole stands under its path, and the elements are there all the same."""
    fields = result_of(DATA, {"tags": said(7), "lines": [{**said(8), "text": said(2)}]}).fields
    assert fields["tags"].page == 7
    assert fields["tags[0]"].page is None
    assert fields["lines[0]"].page == 8
    assert fields["lines[0].text"].page == 2


def test_fields_may_be_called_like_what_is_said_of_them() -> None:
    """Ensure a schema with fields named "citation" and "confidence", at any depth, is read as what it is."""
    schema = {
        "type": "object",
        "properties": {**names("citation", "confidence", "reasoning")["properties"], "paper": names("citation")},
    }
    data = {"citation": "Smith 2020", "confidence": "high", "reasoning": None, "paper": {"citation": "Jones"}}
    about = {"citation": said(1), "confidence": said(2, "high"), "paper": {"citation": said(3), "confidence": 0.4}}
    result = result_of(data, about, schema=schema)
    fields = result.fields
    assert result.data == data
    assert {path: field.page for path, field in fields.items()} == {
        "citation": 1,
        "confidence": 2,
        "paper": None,
        "paper.citation": 3,
    }
    assert fields["confidence"].value == "high"
    assert fields["confidence"].confidence == 0.9
    assert fields["paper"].confidence == 0.4


def test_lists_of_objects_have_their_place_in_front() -> None:
    """Ensure fields of pages and rows are told apart by the place of their object."""
    for part in ("page_metadata", "row_metadata"):
        result = result_of([{"vendor": "a"}, {"vendor": "b"}], [{"vendor": said(4)}, {"vendor": said(6)}], part=part)
        assert {path: field.page for path, field in result.fields.items()} == {"[0].vendor": 4, "[1].vendor": 6}
        assert [one.vendor for one in result.data] == [one.vendor for one in result.objects] == ["a", "b"]
    assert result_of(DATA).objects == [Invoice(**DATA)]


# Documents


def test_documents_are_stable_and_flat() -> None:
    """Ensure one object is one Document, the same in every job, with plain fields as metadata that can be filtered."""
    (document,) = result_of(DATA).documents()
    (again,) = result_of(DATA, ABOUT, id="ext-2", usage={"credits": 3}).documents()
    assert (document.id_, document.hash) == (again.id_, again.hash)
    assert document.metadata == {
        "team": "x",
        "file_name": "a.pdf",
        "file_path": "/data/a.pdf",
        "schema": "Invoice",
        "vendor": "Amber",
    }
    assert document.text.splitlines() == [
        "vendor: Amber",
        "lines:",
        "  1.",
        "    text: Saw",
        "    amount: 3",
        "  2.",
        "    amount: 4",
        "tags: a, b",
    ]
    assert "Amber" in document.get_content(MetadataMode.LLM)
    other = result_of(DATA, schema=names("vendor")).documents()[0]
    assert other.id_ != document.id_


def test_the_callers_metadata_is_not_overwritten_by_fields() -> None:
    """Ensure a field called like a key of the file's stays in the text, and the key what it was."""
    (document,) = result_of({"team": "y", "file_name": "z"}, schema=names("team", "file_name")).documents()
    assert (document.metadata["team"], document.metadata["file_name"]) == ("x", "a.pdf")
    assert "team: y" in document.text


def test_documents_of_pages_know_their_pages() -> None:
    """Ensure pages are those that are cited, or count from 1, or are not told where pages were chosen."""
    data = [{"vendor": "a"}, {"vendor": "b"}]
    target = {"extraction_target": "per_page"}

    def pages(result: ExtractResult[Any]) -> list[Any]:
        return [document.metadata.get("page_number") for document in result.documents()]

    cited = [{"vendor": said(4)}, {"vendor": said(6)}]
    assert pages(result_of(data, cited, part="page_metadata", configuration=target)) == [4, 6]
    assert pages(result_of(data, configuration=target)) == [1, 2]
    assert pages(result_of(data, configuration={**target, "target_pages": "3-4"})) == [None, None]
    assert pages(result_of(data, [{}, {}], part="row_metadata")) == [None, None]
    ids = [document.id_ for document in result_of(data, configuration=target).documents()]
    assert len(set(ids)) == 2


def test_what_no_encoding_can_carry_is_written_as_escapes() -> None:
    """Ensure a lone surrogate, which a broken escape in JSON leaves behind, spoils neither text nor metadata."""
    (document,) = result_of({"vendor": "A\ud800", "b\ud801": 1}).documents()
    assert document.metadata["vendor"] == "A\\ud800"
    assert document.metadata["b\\ud801"] == 1
    document.get_content(MetadataMode.ALL).encode()


def test_documents_survive_a_small_splitter() -> None:
    """Ensure long values, names and many fields leave a splitter of 256 tokens enough room."""
    data = {f"field_{number}": "word " * (number * 4) for number in range(24)}
    schema = {"title": "A title " * 100, **names(*data)}
    documents = result_of(data, schema=schema).documents()
    chunks = SentenceSplitter(chunk_size=256, chunk_overlap=20).get_nodes_from_documents(documents)
    assert len(chunks) > 5
    assert all(isinstance(value, (str, int, float, bool)) for value in documents[0].metadata.values())
    texts = [chunk.get_content(MetadataMode.NONE) for chunk in chunks]
    assert any("field 23" in text for text in texts)
    assert min(len(text.split()) for text in texts[:-1]) > 60


# To disk and back


@pytest.mark.parametrize("data", [DATA, [DATA, DATA]], ids=["object", "list"])
def test_nothing_is_lost_on_the_way(data: Any) -> None:
    """Ensure pickles, copies and JSON give an equal result, and the class comes back with pickles and with_schema."""
    result = result_of(data, ABOUT, usage={"credits": 1.5}, newer="kept")
    for again in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
        assert again == result
        assert again.data == result.data
        assert again.job.credits == 1.5
    plain = ExtractResult.from_json(result.to_json())
    assert plain == result
    assert plain.data == data
    assert plain.raw["newer"] == "kept"
    assert plain.schema == result.schema
    assert plain.with_schema(Invoice).data == result.data
    assert ExtractResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert [one.id_ for one in plain.documents()] == [one.id_ for one in result.documents()]


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"response": 1}', '{"response": {}, "source": []}'])
def test_what_is_no_result_is_refused(text: str) -> None:
    """Ensure anything else raises what it is."""
    with pytest.raises(ConfigurationError):
        ExtractResult.from_json(text)


def test_data_that_do_not_fit_are_kept() -> None:
    """Ensure the raw data, fields and documents of a result that is not valid can be had all the same."""
    result = result_of({"vendor": "x", "lines": "none"}, {"vendor": said(1)})
    for _ in range(2):
        with pytest.raises(ExtractValidationError) as caught:
            _ = result.data
        assert caught.value.problems.keys() == {"lines"}
        assert (caught.value.job_id, caught.value.file) == ("ext-1", "/data/a.pdf")
    assert result.extracted == {"vendor": "x", "lines": "none"}
    assert result.fields["vendor"].page == 1
    assert result.documents()[0].metadata["vendor"] == "x"
    assert result.with_schema(names("vendor", "lines")).data == result.extracted
    assert bool(result)
    assert "ext-1" in repr(result)
