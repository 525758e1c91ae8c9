"""Calls as users write them. Nothing here runs: `mypy` checks it together with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.llms import MockLLM
from llama_index.core.schema import NodeWithScore
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from typing_extensions import assert_type

from llama_cloud_ext import (
    FolderRefresh,
    IndexFile,
    LlamaCloudCompositeRetriever,
    LlamaCloudIndex,
    LlamaCloudRetriever,
    LlamaParseReader,
    OutputOptions,
    ParseJob,
    ParseResult,
    list_indexes,
)


def options_may_be_dicts_or_models() -> None:
    LlamaParseReader(
        api_key="llx-...",
        tier="agentic",
        target_pages=[1, 3],
        images=["screenshot"],
        output_options={"markdown": {"tables": {"output_tables_as_markdown": True}}},
        crop_box={"top": 0.1},
        webhook_configurations=[{"webhook_url": "https://example.com/parsed"}],
    )
    LlamaParseReader(output_options=OutputOptions(markdown={"annotate_links": True}), target_pages=range(1, 4))


def mistakes_show_before_the_program_runs() -> None:
    LlamaParseReader(tierr="fast")  # type: ignore[call-arg]
    LlamaParseReader(tier="quick")  # type: ignore[arg-type]
    LlamaParseReader().load_data("report.pdf", fsystem=None)  # type: ignore[call-arg]


async def one_file_gives_one_result_and_several_a_list(reader: LlamaParseReader) -> None:
    assert_type(reader.parse("report.pdf"), ParseResult | Any)
    assert_type(reader.parse(b"%PDF-"), ParseResult | Any)
    assert_type(reader.parse(["report.pdf", Path("letter.pdf")]), list[ParseResult | Any])
    assert_type(reader.submit("report.pdf"), ParseJob | Any)
    assert_type(reader.submit(file for file in ("report.pdf", Path("letter.pdf"))), list[ParseJob | Any])
    assert_type(await reader.aparse("report.pdf"), ParseResult | Any)
    assert_type(await reader.asubmit(["report.pdf"]), list[ParseJob | Any])
    async for result in reader.astream(["report.pdf"]):
        print(result.job.id, len(result.pages))


def an_index_is_made_or_named(documents: list[Document]) -> None:
    assert_type(LlamaCloudIndex.create_index("handbook", transform_config={"chunk_size": 512}), LlamaCloudIndex)
    assert_type(LlamaCloudIndex.from_documents(documents, "handbook", project_name="Default"), LlamaCloudIndex)
    assert_type(LlamaCloudIndex.from_documents(iter(documents), "handbook", verbose=True), LlamaCloudIndex)
    LlamaCloudIndex("handbook", api_key="llx-...", organization_id="o", ingestion_timeout=None)
    LlamaCloudIndex(id="7", region="eu", show_progress=True)
    assert_type(list_indexes(project_name="Default"), list[dict[str, Any]])
    LlamaCloudIndex("handbook", project="Default")  # type: ignore[call-arg]
    LlamaCloudIndex("handbook", region="asia")  # type: ignore[arg-type]
    LlamaCloudRetriever("handbook", top_k=5)  # type: ignore[call-arg]
    LlamaCloudRetriever("handbook", retrieval_mode="pages")  # type: ignore[arg-type]
    LlamaCloudCompositeRetriever("all", mode="fastest")  # type: ignore[arg-type]


async def what_an_index_does(index: LlamaCloudIndex, document: Document) -> None:
    assert_type(index.refresh_ref_docs([document]), list[bool])
    assert_type(await index.arefresh_ref_docs([document]), list[bool])
    assert_type(index.upload_file("report.pdf", {"year": 2024}), str)
    assert_type(await index.aupload_files([Path("a.pdf"), b"%PDF-"], [{"year": 2024}, None]), list[str])
    assert_type(index.list_files(statuses=["ERROR"]), list[IndexFile])
    assert_type(index.refresh_folder("./data", leave_out=["./data/old"]), FolderRefresh)
    assert_type(index.documents(split_by_page=True), list[Document])
    assert_type(index.id, str)
    index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=5)
    index.as_chat_engine("condense_plus_context", llm=MockLLM())
    index.as_chat_engine("react")  # type: ignore[arg-type]
    index.insert(document, verbose="yes")  # type: ignore[arg-type]


async def retrieving(index: LlamaCloudIndex) -> None:
    filters = MetadataFilters(filters=[MetadataFilter(key="year", value=2024)])
    retriever = LlamaCloudRetriever("handbook", dense_similarity_top_k=5, alpha=0.5, filters=filters)
    assert_type(index.as_retriever(enable_reranking=False), LlamaCloudRetriever)
    assert_type(retriever.retrieve("How many days?"), list[NodeWithScore])
    assert_type(await retriever.aretrieve("How many days?"), list[NodeWithScore])
    composite = LlamaCloudCompositeRetriever("all", create_if_not_exists=True, mode="routing", rerank_top_n=3)
    composite.add_index(index, description="Rules.")
    assert_type(composite.remove_index("handbook"), bool)
    assert_type(composite.retrieve("How many days?"), list[NodeWithScore])
