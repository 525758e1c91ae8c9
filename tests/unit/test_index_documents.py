"""LlamaIndex Documents as an index stores them, and back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.schema import NodeRelationship

from llama_cloud_ext import ConfigurationError
from llama_cloud_ext.index import documents as module
from llama_cloud_ext.index.documents import batches, cloud_document, fingerprint, llama_document, page_documents


def stored(**changes: Any) -> dict[str, Any]:
    """A record of three pages, as the service returns it."""
    return {
        "id": "d",
        "text": "one\ntwo\nthree",
        "metadata": {"file_name": "a.pdf"},
        "excluded_embed_metadata_keys": ["file_name"],
        "excluded_llm_metadata_keys": [],
        "page_positions": [0, 4, 8],
        **changes,
    }


# As sent


def test_a_document_as_sent() -> None:
    """Ensure id, text, metadata and hidden keys go along and nothing else."""
    document = Document(
        text="Hello.", id_="d", metadata={"a": 1, "b": None, "c": [True, 0.5]}, excluded_llm_metadata_keys=["a"]
    )
    assert cloud_document(document) == {
        "id": "d",
        "text": "Hello.",
        "metadata": {"a": 1, "b": None, "c": [True, 0.5]},
        "excluded_embed_metadata_keys": [],
        "excluded_llm_metadata_keys": ["a"],
    }


def test_the_caller_keeps_its_document() -> None:
    """Ensure what is sent shares nothing that can be changed with the Document."""
    document = Document(text="x", metadata={"a": [1]}, excluded_llm_metadata_keys=["a"])
    sent = cloud_document(document)
    sent["metadata"]["a"].append(2)
    sent["excluded_llm_metadata_keys"].append("b")
    assert document.metadata == {"a": [1]}
    assert document.excluded_llm_metadata_keys == ["a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 12, 30), "2024-02-29 12:30:00"),
        (PurePosixPath("a/b"), "a/b"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=7), str(uuid.UUID(int=7))),
        ((1, 2), [1, 2]),
        ({"day": date(2024, 2, 29)}, {"day": "2024-02-29"}),
    ],
)
def test_plain_objects_in_metadata_travel_as_text(value: Any, expected: Any) -> None:
    """Ensure dates, paths, decimals and the like have a form in JSON."""
    document = Document(text="x", metadata={"a": value})
    assert cloud_document(document)["metadata"]["a"] == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {("a", "b"): 1}])
def test_what_has_no_form_in_json_is_refused(value: Any) -> None:
    """Ensure the document and the key are named."""
    with pytest.raises(ConfigurationError, match=r"document d.*'weight'") as caught:
        cloud_document(Document(text="x", id_="d", metadata={"weight": value}))
    assert caught.value.hint


@pytest.mark.parametrize("given", ["text", None, 7, ("id_", "x"), {"text": "x"}])
def test_what_is_no_document_is_refused(given: Any) -> None:
    """Ensure the kind of what was given is named, also where one Document stands for several."""
    with pytest.raises(ConfigurationError, match=type(given).__name__):
        cloud_document(given)
    with pytest.raises(ConfigurationError, match="tuple"):
        list(batches(Document(text="x")))  # type: ignore[arg-type]  # the mistake that is meant


@pytest.mark.parametrize("document_id", ["", " ", ".", "..", ". ."])
def test_ids_that_no_url_can_hold_are_refused(document_id: str) -> None:
    """Ensure a document that could never be asked for or deleted does not go in."""
    with pytest.raises(ConfigurationError, match="id"):
        cloud_document(Document(text="x", id_=document_id))


# Batches


def test_batches_are_bounded_in_number() -> None:
    """Ensure no batch has more than a hundred documents, and all come in order."""
    made = list(batches(Document(text="x", id_=str(number)) for number in range(250)))
    assert [len(batch) for batch in made] == [100, 100, 50]
    assert [document["id"] for batch in made for document in batch] == [str(number) for number in range(250)]


def test_batches_are_bounded_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure texts and metadata count, and a document that is too large goes alone."""
    monkeypatch.setattr(module, "BATCH_BYTES", 1000)
    sizes = [400, 400, 400, 5000, 10, 10]
    made = list(batches(Document(text="x" * size) for size in sizes))
    assert [[len(document["text"]) for document in batch] for batch in made] == [[400, 400], [400], [5000], [10, 10]]
    heavy = [Document(text="x", metadata={"a": "y" * 600}) for _ in range(3)]
    assert [len(batch) for batch in batches(heavy)] == [1, 1, 1]


def test_batches_read_no_further_than_they_must() -> None:
    """Ensure an iterator is read as batches are asked for."""
    read = 0

    def documents() -> Iterator[Document]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield Document(text="x")

    made = batches(documents())
    assert read == 0
    next(made)
    assert read == 101


def test_no_documents_make_no_batch() -> None:
    """Ensure an empty iterator ends at once."""
    assert list(batches([])) == []


# Fingerprints


def test_fingerprints_tell_versions_apart() -> None:
    """Ensure text, metadata and hidden keys count; the order of keys and an id do not."""
    base = cloud_document(Document(text="x", id_="d", metadata={"a": 1, "b": 2}))
    same = [
        {**base, "id": "other"},
        {**base, "metadata": {"b": 2, "a": 1}},
        {**base, "status_metadata": {"status": "SUCCESS"}, "page_positions": [0]},
        json.loads(json.dumps(base)),
    ]
    different = [
        {**base, "text": "y"},
        {**base, "metadata": {"a": 1}},
        {**base, "metadata": {"a": 1, "b": "2"}},
        {**base, "metadata": {"a": 1, "b": 2, "c": None}},
        {**base, "excluded_llm_metadata_keys": ["a"]},
        {**base, "excluded_embed_metadata_keys": ["a"]},
    ]
    assert {fingerprint(one) for one in same} == {fingerprint(base)}
    assert len({fingerprint(one) for one in [base, *different]}) == 1 + len(different)
    hidden = {**base, "excluded_llm_metadata_keys": ["a", "b"]}
    assert fingerprint(hidden) == fingerprint({**hidden, "excluded_llm_metadata_keys": ["b", "a"]})


def test_what_the_service_adds_does_not_count() -> None:
    """Ensure ids that the service adds to metadata make no difference, unless the document has them itself."""
    sent = cloud_document(Document(text="x", metadata={"a": 1}))
    added = {**sent, "metadata": {"a": 1, "pipeline_id": "7", "file_id": "8"}}
    assert fingerprint(added, like=sent) == fingerprint(sent)
    assert fingerprint(added) != fingerprint(sent)
    own = cloud_document(Document(text="x", metadata={"a": 1, "file_id": "mine"}))
    assert fingerprint(added, like=own) != fingerprint(own)


# Back


def test_a_record_becomes_a_document() -> None:
    """Ensure a stored document comes back with id, text, metadata and hidden keys."""
    document = llama_document(stored())
    assert (document.id_, document.text, document.metadata) == ("d", "one\ntwo\nthree", {"file_name": "a.pdf"})
    assert document.excluded_embed_metadata_keys == ["file_name"]
    assert document.excluded_llm_metadata_keys == []


def test_pages_of_a_record() -> None:
    """Ensure each page is a Document of its own, with its number, an id that stays, and the whole as its source."""
    record = stored()
    pages = page_documents(record)
    assert [page.text for page in pages] == ["one", "two", "three"]
    assert [page.metadata["page_number"] for page in pages] == [1, 2, 3]
    assert {page.metadata["page_count"] for page in pages} == {3}
    assert [page.id_ for page in pages] == [page.id_ for page in page_documents(stored())]
    assert len({page.id_ for page in pages} | {"d"}) == 4
    for page in pages:
        assert page.relationships[NodeRelationship.SOURCE].node_id == "d"  # type: ignore[union-attr]  # one source
        assert page.excluded_embed_metadata_keys == ["file_name"]
    assert record == stored()


@pytest.mark.parametrize("positions", [None, [], "0", [4, 0], [0, 99], [-1, 3], ["0", "4"], {"0": 1}])
def test_positions_that_make_no_sense(positions: Any) -> None:
    """Ensure a record without usable positions is one Document."""
    (page,) = page_documents(stored(page_positions=positions))
    assert (page.id_, page.text) == ("d", "one\ntwo\nthree")
    assert "page_number" not in page.metadata


def test_blank_pages_keep_their_place() -> None:
    """Ensure a page without text is there, so that the numbers of the others are right."""
    pages = page_documents(stored(text="one\n\nthree", page_positions=[0, 4, 4]))
    assert [(page.metadata["page_number"], page.text) for page in pages] == [(1, "one"), (2, ""), (3, "three")]
