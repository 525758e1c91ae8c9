"""LlamaExtractMetadata in LlamaIndex's ingestion pipelines, on local LlamaCloud."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from pydantic import BaseModel, Field

from llama_cloud_ext import (
    ConfigurationError,
    LlamaCloudError,
    LlamaExtract,
    LlamaExtractMetadata,
    LlamaParseReader,
    PartialFailureError,
)


class Invoice(BaseModel):
    """What a supplier asks to be paid."""

    invoice_number: str | None = Field(description="Number of the invoice")
    total: float | None = Field(description="Amount due, with tax")


class Strict(BaseModel):
    """An invoice that must be one."""

    invoice_number: str = Field(description="Number of the invoice")


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud without any jobs."""
    return f"local:{tmp_path / 'cloud'}"


def invoice(number: int) -> Document:
    """A document of two parts, each of which has a label that the other lacks."""
    text = f"Invoice number: {number}\n\n{'Some words of no importance. ' * 40}\n\nTotal: {number}.50 EUR"
    return Document(text=text, id_=f"invoice-{number}", metadata={"file_name": f"{number}.txt"})


def pipeline(extraction: LlamaExtractMetadata, **options: Any) -> IngestionPipeline:
    """One that splits each document in several nodes."""
    splitter = SentenceSplitter(chunk_size=120, chunk_overlap=0)
    return IngestionPipeline(transformations=[splitter, extraction], **options)


def jobs(address: str) -> int:
    """How many extractions there were."""
    return len(LlamaExtract(base_url=address).list_jobs())


def fields(node: BaseNode) -> dict[str, Any]:
    """What was added to a node."""
    return {name: value for name, value in node.metadata.items() if name != "file_name"}


def test_a_file_is_one_extraction_and_all_of_its_nodes_get_the_fields(address: str) -> None:
    """Ensure nodes of one file are read together, and those of several files are not mixed up."""
    documents = [invoice(4711), invoice(4712)]
    nodes = pipeline(LlamaExtractMetadata(data_schema=Invoice, base_url=address)).run(documents=documents)
    assert len(nodes) > 4
    assert jobs(address) == 2
    for node in nodes:
        number = node.metadata["file_name"].removesuffix(".txt")
        assert fields(node) == {"invoice_number": number, "total": float(f"{number}.50")}


def test_each_node_can_be_read_by_itself(address: str) -> None:
    """Ensure per="node" gives a node what it says itself, and leaves out what it does not."""
    nodes = [TextNode(text="Invoice number: 4711"), TextNode(text="Total: 120.50 EUR")]
    extraction = LlamaExtractMetadata(data_schema=Invoice, per="node", base_url=address)
    assert [fields(node) for node in extraction(nodes)] == [{"invoice_number": "4711"}, {"total": 120.5}]
    assert jobs(address) == 2


def test_real_documents_keep_their_metadata(address: str, data_dir: Path) -> None:
    """Ensure what the reader says of a page stays beside what was extracted, under names of one's own."""
    reader = LlamaParseReader(result_type="text", base_url=address)
    documents = reader.load_data(data_dir / "extract" / "invoice-translation-en.pdf")
    extraction = LlamaExtractMetadata(data_schema=Invoice, prefix="invoice.", base_url=address)
    node = pipeline(extraction).run(documents=documents)[0]
    assert node.metadata["file_name"] == "invoice-translation-en.pdf"
    assert node.metadata["page_number"] == 1
    assert node.metadata["invoice.invoice_number"] == "BLT-0921"
    assert node.metadata["invoice.total"] == 2237.9


def test_values_are_flat(address: str) -> None:
    """Ensure lists and objects become JSON text, as vector stores want it, and a JSON schema works like a class."""
    line = {"type": "object", "properties": {"item": {"type": "string"}, "amount": {"type": "number"}}}
    schema = {
        "type": "object",
        "properties": {"lines": {"type": "array", "items": line}, "iban": {"type": "string"}},
    }
    text = "| Item | Amount |\n|---|---|\n| Bread | 2.50 |\n| Milk | 1.20 |\n"
    (node,) = LlamaExtractMetadata(data_schema=schema, base_url=address)([TextNode(text=text)])
    assert node.metadata.keys() == {"lines"}
    assert isinstance(node.metadata["lines"], str)
    assert json.loads(node.metadata["lines"])[0] == {"item": "Bread", "amount": 2.5}


def test_a_cache_extracts_nothing_again(address: str, tmp_path: Path) -> None:
    """Ensure a second run, also by a pipeline that was stored and loaded, has everything from the cache."""
    first = pipeline(LlamaExtractMetadata(data_schema=Invoice, base_url=address))
    before = [fields(node) for node in first.run(documents=[invoice(4711)])]
    first.persist(str(tmp_path / "pipeline"))
    again = pipeline(LlamaExtractMetadata(data_schema=Invoice, base_url=address))
    again.load(str(tmp_path / "pipeline"))
    assert [fields(node) for node in again.run(documents=[invoice(4711)])] == before
    assert jobs(address) == 1
    other = pipeline(LlamaExtractMetadata(data_schema=Invoice, prefix="i_", base_url=address), cache=again.cache)
    assert other.run(documents=[invoice(4711)])[0].metadata["i_total"] == 4711.5
    assert jobs(address) == 2


def test_a_docstore_extracts_only_what_has_changed(address: str) -> None:
    """Ensure a re-run with a docstore extracts from new and changed documents alone."""
    extraction = LlamaExtractMetadata(data_schema=Invoice, base_url=address)
    keeping = pipeline(
        extraction,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
        disable_cache=True,
    )
    keeping.run(documents=[invoice(4711), invoice(4712)])
    assert keeping.run(documents=[invoice(4711), invoice(4712)]) == []
    assert jobs(address) == 2
    changed = Document(text="Invoice number: 9", id_="invoice-4712", metadata={"file_name": "4712.txt"})
    (node,) = keeping.run(documents=[invoice(4711), changed])
    assert fields(node) == {"invoice_number": "9"}
    assert jobs(address) == 3


def test_serialised_it_keeps_everything_but_the_key(address: str) -> None:
    """Ensure to_dict is JSON without the key, tells settings apart, and from_dict extracts the same, into dicts."""
    options: dict[str, Any] = {"data_schema": Invoice, "config": {"cite_sources": True}, "prefix": "i_"}
    extraction = LlamaExtractMetadata(**options, base_url=address, api_key="llx-secret")
    stored = json.dumps(extraction.to_dict())
    assert "llx-secret" not in stored
    assert stored != json.dumps(LlamaExtractMetadata(**options, per="node", base_url=address).to_dict())
    restored = LlamaExtractMetadata.from_dict(json.loads(stored))
    assert restored.config is not None
    assert restored.config.cite_sources
    (node,) = restored([TextNode(text="Invoice number: 4711")])
    assert node.metadata == {"i_invoice_number": "4711"}


def test_it_survives_pickling(address: str) -> None:
    """Ensure a pipeline can be sent to another process, key and class included."""
    extraction = LlamaExtractMetadata(data_schema=Invoice, base_url=address, api_key="llx-secret")
    copy = pickle.loads(pickle.dumps(extraction))
    assert copy.data_schema is Invoice
    assert copy.api_key == extraction.api_key
    (node,) = copy([TextNode(text="Invoice number: 4711")])
    assert node.metadata == {"invoice_number": "4711"}


async def test_it_works_inside_a_running_loop(address: str) -> None:
    """Ensure a notebook can call it without nest_asyncio, and await it, with the same outcome."""
    extraction = LlamaExtractMetadata(data_schema=Invoice, base_url=address)
    (now,) = extraction([TextNode(text="Invoice number: 4711")])
    (later,) = await extraction.acall([TextNode(text="Invoice number: 4711")])
    assert now.metadata == later.metadata == {"invoice_number": "4711"}
    nodes = await pipeline(extraction).arun(documents=[invoice(4712)])
    assert nodes[0].metadata["total"] == 4712.5


def test_a_failure_raises_unless_it_may_not(address: str) -> None:
    """Ensure data that do not fit raise by default, and otherwise leave only their own nodes without fields."""
    nodes = [TextNode(text="Invoice number: 4711"), TextNode(text="Nothing of the kind.")]
    with pytest.raises(PartialFailureError):
        LlamaExtractMetadata(data_schema=Strict, base_url=address)(list(nodes))
    lenient = LlamaExtractMetadata(data_schema=Strict, raise_on_error=False, base_url=address)
    assert [fields(node) for node in lenient(list(nodes))] == [{"invoice_number": "4711"}, {}]


@pytest.mark.parametrize("count", [1, 2])
def test_where_all_fail_the_lenient_one_still_goes_on(address: str, count: int) -> None:
    """Ensure raise_on_error=False never raises for documents, however many of them fail; the strict one does."""
    nodes = [TextNode(text="Nothing of the kind.") for _ in range(count)]
    lenient = LlamaExtractMetadata(data_schema=Strict, raise_on_error=False, base_url=address)
    assert [fields(node) for node in lenient(list(nodes))] == [{}] * count
    with pytest.raises(LlamaCloudError):
        LlamaExtractMetadata(data_schema=Strict, base_url=address)(list(nodes))


def test_nodes_without_text_cost_nothing(address: str) -> None:
    """Ensure blank nodes are not sent, and get no fields; nor does an empty list do any harm."""
    extraction = LlamaExtractMetadata(data_schema=Invoice, base_url=address)
    blank, full = extraction([TextNode(text=" \n"), TextNode(text="Invoice number: 4711")])
    assert (fields(blank), fields(full)) == ({}, {"invoice_number": "4711"})
    assert extraction([]) == []
    assert jobs(address) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"data_schema": {"type": "object", "properties": {"when": {"type": "moment"}}}}, "when"),
        ({"data_schema": Invoice, "config": {"tier": "agnetic"}}, "agentic"),
        ({"data_schema": Invoice, "prefx": "a"}, "prefix"),
        ({}, "data_schema"),
    ],
)
def test_what_cannot_work_is_refused_at_once(address: str, options: dict[str, Any], named: str) -> None:
    """Ensure a wrong schema, setting or option raises where it is written, naming it."""
    with pytest.raises(ConfigurationError, match=named):
        LlamaExtractMetadata(**options, base_url=address)
