"""Query engines, chat engines and tools over LlamaCloudIndex, on local LlamaCloud and with an LLM that repeats."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import Document, PromptTemplate
from llama_index.core.base.response.schema import Response
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.settings import Settings
from llama_index.core.tools import QueryEngineTool

from llama_cloud_ext import ConfigurationError, LlamaCloudIndex

OTTERS = "Otters hold hands when they sleep."
MODES = ["best", "condense_plus_context", "context", "condense_question"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud that these tests only read."""
    return f"local:{tmp_path_factory.mktemp('engines') / 'cloud'}"


@pytest.fixture(scope="module")
def index(address: str) -> LlamaCloudIndex:
    """An index of animals."""
    texts = {"otters": OTTERS, "seals": "Seals clap their flippers.", "crabs": "Crabs walk sideways."}
    documents = [Document(id_=name, text=text) for name, text in texts.items()]
    return LlamaCloudIndex.from_documents(documents, "animals", base_url=address)


def test_a_query_engine_answers_from_what_was_found(index: LlamaCloudIndex) -> None:
    """Ensure the LLM is asked with the retrieved text, and the answer has its source nodes; sync and async."""
    engine = index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=1)
    for answer in (engine.query("What do otters do?"), asyncio.run(engine.aquery("What do otters do?"))):
        assert isinstance(answer, Response)
        assert OTTERS in str(answer)
        assert [node.node.ref_doc_id for node in answer.source_nodes] == ["otters"]


def test_settings_reach_retriever_and_engine(index: LlamaCloudIndex) -> None:
    """Ensure settings of the retriever, of the engine and of the synthesis all arrive where they belong."""
    template = PromptTemplate("Mind this: {context_str} and answer {query_str}")
    engine = index.as_query_engine(
        llm=MockLLM(),
        dense_similarity_top_k=3,
        enable_reranking=False,
        text_qa_template=template,
        response_mode="compact",
        node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=2.0)],
    )
    assert engine.retriever.settings["enable_reranking"] is False  # type: ignore[attr-defined]  # ours has it
    assert engine.query("otters").source_nodes == []  # type: ignore[union-attr]  # it is a Response
    engine = index.as_query_engine(llm=MockLLM(), text_qa_template=template, streaming=True)
    assert "Mind this:" in str(engine.query("otters"))


def test_the_llm_of_the_settings_is_the_default(index: LlamaCloudIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure the LLM comes from LlamaIndex's settings where none is given."""
    monkeypatch.setattr(Settings, "_llm", MockLLM(max_tokens=3))
    assert len(str(index.as_query_engine().query("otters")).split()) == 3


@pytest.mark.parametrize("mode", MODES)
def test_every_chat_mode_answers_from_what_was_found(index: LlamaCloudIndex, mode: Any) -> None:
    """Ensure each mode retrieves for each message, sync, async and streaming."""
    engine = index.as_chat_engine(chat_mode=mode, llm=MockLLM(), dense_similarity_top_k=1)
    first = engine.chat("What do otters do?")
    assert [node.node.ref_doc_id for node in first.source_nodes] == ["otters"]
    assert len(asyncio.run(engine.achat("And seals?")).source_nodes) == 1
    streamed = engine.stream_chat("And crabs?")
    assert "".join(streamed.response_gen)
    assert len(streamed.source_nodes) == 1
    assert len(engine.chat_history) == 6
    engine.reset()
    assert engine.chat_history == []


def test_the_simple_chat_mode_retrieves_nothing(index: LlamaCloudIndex) -> None:
    """Ensure the mode without retrieval works as well, and modes may be members of LlamaIndex's enum."""
    engine = index.as_chat_engine(chat_mode=ChatMode.SIMPLE, llm=MockLLM())
    assert engine.chat("Hello").source_nodes == []
    assert index.as_chat_engine(ChatMode.CONTEXT, llm=MockLLM()).chat("otters").source_nodes


@pytest.mark.parametrize("mode", ["react", "openai", "conversational"])
def test_chat_modes_that_are_not_there(index: LlamaCloudIndex, mode: Any) -> None:
    """Ensure a mode that does not exist raises with those that do."""
    with pytest.raises(ConfigurationError, match=r"condense_plus_context.*simple"):
        index.as_chat_engine(chat_mode=mode, llm=MockLLM())


def test_settings_of_chat_engines(index: LlamaCloudIndex) -> None:
    """Ensure settings of an engine reach it beside those of the retriever."""
    engine = index.as_chat_engine("context", llm=MockLLM(), system_prompt="Be brief.", alpha=1.0)
    assert "Be brief." in str(engine._prefix_messages) + str(engine.chat("otters"))  # type: ignore[attr-defined]
    question = index.as_chat_engine("condense_question", llm=MockLLM(), rerank_top_n=1, response_mode="compact")
    assert len(question.chat("otters").source_nodes) == 1


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [("dense_similarity_topk", "dense_similarity_top_k"), ("text_qa_templat", "text_qa_template"), ("name", "")],
)
def test_unknown_settings_raise(index: LlamaCloudIndex, setting: str, nearest: str) -> None:
    """Ensure a setting that neither retriever nor engine knows raises, with the nearest one's name."""
    with pytest.raises(ConfigurationError, match=f"{setting}.*{nearest}"):
        index.as_query_engine(llm=MockLLM(), **{setting: 1})
    for mode in (*MODES, "simple"):
        with pytest.raises(ConfigurationError, match=setting):
            index.as_chat_engine(chat_mode=mode, llm=MockLLM(), **{setting: 1})  # type: ignore[arg-type]  # a mode


def test_as_a_tool(index: LlamaCloudIndex) -> None:
    """Ensure a query engine works as an agent's tool."""
    tool = QueryEngineTool.from_defaults(index.as_query_engine(llm=MockLLM()), name="animals", description="Animals.")
    assert OTTERS in str(tool.call("otters"))
    assert OTTERS in str(asyncio.run(tool.acall("otters")))
