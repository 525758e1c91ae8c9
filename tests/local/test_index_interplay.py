"""The index among the rest of LlamaIndex: directory readers, query engines, agents, ingestion pipelines, citations."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from llama_index.core import Document, SimpleDirectoryReader
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.tools import BaseTool, QueryEngineTool, RetrieverTool
from llama_index.core.vector_stores import SimpleVectorStore
from pydantic import PrivateAttr

from llama_cloud_ext import LlamaCloudIndex, LlamaParseReader
from tests.local.scripted_llm import ScriptedLLM, calls, says, told

_UNSPLIT = {"mode": "advanced", "chunking_config": {"mode": "none"}, "segmentation_config": {"mode": "none"}}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud for all tests here."""
    return f"local:{tmp_path_factory.mktemp('interplay') / 'cloud'}"


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """A folder of three real PDFs."""
    place = tmp_path / "papers"
    place.mkdir()
    for name in ("latex-lorem.pdf", "r-datasets-tables.pdf", "table-and-pictures.pdf"):
        shutil.copy(data_dir / name, place)
    return place


@pytest.fixture(scope="module")
def leave(address: str) -> LlamaCloudIndex:
    """An index of a small handbook."""
    documents = [
        Document(id_="leave", text="Employees have thirty days of leave a year.", metadata={"file_name": "leave.md"}),
        Document(id_="notice", text="The notice period is three months.", metadata={"file_name": "notice.md"}),
    ]
    return LlamaCloudIndex.from_documents(documents, "handbook", base_url=address)


def looks_up(asked: list[list[str]]) -> ScriptedLLM:
    """A model that calls the first tool with the user's question, then answers with what the tool said."""

    def next_step(messages: Sequence[ChatMessage], tools: Sequence[BaseTool]) -> ChatMessage:
        if said := told(messages):
            return says(f"I was told: {said[-1]}")
        question = next(m.content for m in reversed(messages) if m.role == MessageRole.USER)
        asked.append([str(tool.metadata.name) for tool in tools])
        return calls(str(tools[0].metadata.name), input=question)

    return ScriptedLLM(next_step)


# From a folder to an answer


def test_a_folder_of_pdfs_to_an_answer(folder: Path, address: str) -> None:
    """Ensure directory reader, parser, index and query engine fit together, and sources name file and page."""
    reader = LlamaParseReader(base_url=address)
    documents = SimpleDirectoryReader(folder, file_extractor={".pdf": reader}).load_data()
    index = LlamaCloudIndex.from_documents(documents, "papers", base_url=address)
    assert set(index.ref_doc_info) == {document.id_ for document in documents}
    engine = index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=3, sparse_similarity_top_k=3)
    response = engine.query("Which is better, explicit or implicit?")
    assert "Explicit is better than implicit." in str(response)
    best = response.source_nodes[0]
    assert (best.metadata["file_name"], best.metadata["page_number"]) == ("table-and-pictures.pdf", 1)
    assert best.node.ref_doc_id in {document.id_ for document in documents}


def test_reading_the_folder_again_changes_nothing(folder: Path, address: str) -> None:
    """Ensure parsing the same files anew gives Documents that the index knows already, and a changed file is told."""

    def read() -> list[Document]:
        reader = LlamaParseReader(base_url=address)
        return SimpleDirectoryReader(folder, file_extractor={".pdf": reader}, filename_as_id=False).load_data()

    index = LlamaCloudIndex.from_documents(read(), "papers-again", base_url=address)
    again = read()
    assert index.refresh_ref_docs(again) == [False] * len(again)
    again[0].set_content("Nothing is as it was.")
    assert index.refresh_ref_docs(again) == [True] + [False] * (len(again) - 1)


# Agents


@pytest.mark.parametrize(
    "tool",
    [
        lambda index: RetrieverTool.from_defaults(
            index.as_retriever(dense_similarity_top_k=1), name="handbook", description="The company's rules."
        ),
        lambda index: QueryEngineTool.from_defaults(
            index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=1),
            name="handbook",
            description="The company's rules.",
        ),
    ],
    ids=["RetrieverTool", "QueryEngineTool"],
)
async def test_an_agent_looks_things_up(leave: LlamaCloudIndex, tool: Callable[[LlamaCloudIndex], BaseTool]) -> None:
    """Ensure an agent can call an index through LlamaIndex's tools, and gets the passage back."""
    asked: list[list[str]] = []
    agent = FunctionAgent(tools=[tool(leave)], llm=looks_up(asked))
    answer = str(await agent.run("How many days of leave are there?"))
    assert answer.startswith("I was told:")
    assert "thirty days of leave" in answer
    assert "notice period" not in answer
    assert asked == [["handbook"]]


async def test_several_indexes_as_tools_of_one_agent(leave: LlamaCloudIndex, address: str) -> None:
    """Ensure each index stays its own tool, with its own name and description."""
    other = await LlamaCloudIndex.afrom_documents(
        [Document(text="The canteen opens at noon.")], "canteen", base_url=address
    )
    tools = [
        QueryEngineTool.from_defaults(index.as_query_engine(llm=MockLLM()), name=name, description=f"The {name}.")
        for name, index in (("canteen", other), ("handbook", leave))
    ]
    asked: list[list[str]] = []
    answer = str(await FunctionAgent(tools=tools, llm=looks_up(asked)).run("When does the canteen open?"))
    assert "opens at noon" in answer
    assert asked == [["canteen", "handbook"]]


# Ingestion pipelines


class CountingEmbedding(MockEmbedding):
    """Counts what it embeds."""

    _count: int = PrivateAttr(default=0)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._count += len(texts)
        return super()._get_text_embeddings(texts)


@pytest.mark.parametrize(
    ("make", "strategy"),
    # LlamaIndex upserts by source document, of which nodes share one: for them it compares hashes only with the other.
    [("documents", DocstoreStrategy.UPSERTS), ("nodes", DocstoreStrategy.DUPLICATES_ONLY)],
    ids=["documents", "nodes"],
)
def test_a_pipeline_embeds_unchanged_files_once(
    data_dir: Path, tmp_path: Path, address: str, make: str, strategy: DocstoreStrategy
) -> None:
    """Ensure an IngestionPipeline with a docstore, run again over files parsed again, embeds only what has changed."""
    path = tmp_path / "report.pdf"
    shutil.copy(data_dir / "latex-lorem.pdf", path)
    embedding = CountingEmbedding(embed_dim=8)
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=256, chunk_overlap=16), embedding],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore(),
        docstore_strategy=strategy,
        disable_cache=True,  # else the cache would answer, and not the docstore
    )

    def run() -> int:
        before = embedding._count
        result = LlamaParseReader(base_url=address).parse(path)
        if make == "documents":
            pipeline.run(documents=result.documents())
        else:
            pipeline.run(nodes=result.nodes())
        return embedding._count - before

    first = run()
    assert first > 0
    assert run() == 0
    # Other content under the same name is embedded.
    shutil.copy(data_dir / "table-and-pictures.pdf", path)
    assert run() > 0


# Citations


@pytest.fixture(scope="module")
def parsed_nodes(address: str, data_dir: Path) -> list[TextNode]:
    """The nodes of a real page with text, a picture and a table."""
    result = LlamaParseReader(base_url=address).parse(data_dir / "table-and-pictures.pdf")
    return [node for node in result.nodes() if node.text.strip()]


def _as_document(node: TextNode) -> Document:
    return Document(
        id_=node.node_id,
        text=node.text,
        metadata=node.metadata,
        excluded_embed_metadata_keys=node.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=node.excluded_llm_metadata_keys,
    )


def test_a_citation_leads_to_its_box(parsed_nodes: list[TextNode], address: str) -> None:
    """Ensure file, page, section and box of a node come back from the index as they went in, on the node found."""
    index = LlamaCloudIndex.from_documents(
        map(_as_document, parsed_nodes), "cited", base_url=address, transform_config=_UNSPLIT
    )
    response = index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=2).query("namespaces are one honking idea")
    cited = response.source_nodes[0].node
    (original,) = (node for node in parsed_nodes if node.node_id == cited.ref_doc_id)
    assert "Namespaces are one honking great idea" in cited.get_content()
    for key in ("file_name", "page_number", "item_type", "section", "bbox"):
        assert cited.metadata[key] == original.metadata[key], key
    place = json.loads(cited.metadata["bbox"])
    assert place["boxes"]
    for box in place["boxes"]:
        assert 0 <= box["x"] < box["x"] + box["w"] <= place["page_width"]
        assert 0 <= box["y"] < box["y"] + box["h"] <= place["page_height"]


def test_boxes_are_seen_by_no_model(parsed_nodes: list[TextNode], address: str) -> None:
    """Ensure the box reaches neither the embedding nor the LLM after the way through the index, and the page does."""
    index = LlamaCloudIndex.from_documents(
        map(_as_document, parsed_nodes), "hidden-boxes", base_url=address, transform_config=_UNSPLIT
    )
    retrieved = index.as_retriever(dense_similarity_top_k=20).retrieve("Continent, capital, currency, population")
    assert len(retrieved) == len(parsed_nodes)
    for one in retrieved:
        assert "bbox" in one.node.metadata
        assert "bbox" in one.node.excluded_embed_metadata_keys
        assert "bbox" in one.node.excluded_llm_metadata_keys
        assert "page_width" not in one.node.get_content(metadata_mode=MetadataMode.EMBED)
        assert "page_width" not in one.node.get_content(metadata_mode=MetadataMode.LLM)
    answer = str(index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=3).query("capital"))
    assert "Jakarta" in answer
    assert "page_width" not in answer
