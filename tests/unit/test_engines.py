"""Which settings of an engine go to the retriever, and which to the engine."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    CondenseQuestionChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine.retriever_query_engine import RetrieverQueryEngine

from llama_cloud_ext import ConfigurationError, LlamaCloudIndex, LlamaCloudRetriever
from llama_cloud_ext.index.retriever import SETTINGS

MODES = {
    "best": CondensePlusContextChatEngine,
    "condense_plus_context": CondensePlusContextChatEngine,
    "context": ContextChatEngine,
    "condense_question": CondenseQuestionChatEngine,
    "simple": SimpleChatEngine,
}
RETRIEVAL: dict[str, Any] = {
    "dense_similarity_top_k": 7,
    "sparse_similarity_top_k": 0,
    "alpha": 0.0,
    "enable_reranking": False,
}


@pytest.fixture
def index() -> LlamaCloudIndex:
    """An index that nobody is asked about."""
    return LlamaCloudIndex(id="i-1", base_url="https://cloud.example.com", api_key="llx-test")


def test_a_query_engine_is_llamaindexs_own(index: LlamaCloudIndex) -> None:
    """Ensure the engine is LlamaIndex's, over our retriever with the settings that are its."""
    engine = index.as_query_engine(llm=MockLLM(), response_mode="tree_summarize", **RETRIEVAL)
    assert isinstance(engine, RetrieverQueryEngine)
    assert isinstance(engine.retriever, LlamaCloudRetriever)
    assert engine.retriever.settings == RETRIEVAL


@pytest.mark.parametrize("mode", MODES)
def test_a_chat_engine_is_llamaindexs_own(index: LlamaCloudIndex, mode: Any) -> None:
    """Ensure each mode, by its name or LlamaIndex's enum, gives LlamaIndex's engine."""
    assert type(index.as_chat_engine(mode, llm=MockLLM())) is MODES[mode]
    assert type(index.as_chat_engine(ChatMode(mode), llm=MockLLM())) is MODES[mode]


@pytest.mark.parametrize("mode", MODES)
def test_settings_of_each_mode_reach_it(index: LlamaCloudIndex, mode: Any) -> None:
    """Ensure settings of the retriever and of the engine may be mixed; "simple" takes the former for nothing."""
    memory = ChatMemoryBuffer.from_defaults(token_limit=99)
    engine: Any = index.as_chat_engine(mode, llm=MockLLM(), memory=memory, **RETRIEVAL)
    assert engine._memory is memory
    if mode == "condense_question":
        assert engine._query_engine.retriever.settings == RETRIEVAL
    elif mode != "simple":
        assert engine._retriever.settings == RETRIEVAL


def test_a_setting_that_two_engines_know_reaches_both(index: LlamaCloudIndex) -> None:
    """Ensure "condense_question" hands the settings of its inner query engine on."""
    template = PromptTemplate("Mind {context_str} for {query_str}")
    engine: Any = index.as_chat_engine("condense_question", llm=MockLLM(), text_qa_template=template, verbose=True)
    synthesizer = engine._query_engine._response_synthesizer
    assert synthesizer._text_qa_template is template
    assert engine._verbose is True


def test_a_setting_of_another_mode_is_refused(index: LlamaCloudIndex) -> None:
    """Ensure what one mode knows and another does not raises there."""
    index.as_chat_engine("context", llm=MockLLM(), context_template="{context_str}")
    for mode in ("simple", "condense_question"):
        with pytest.raises(ConfigurationError, match="context_template"):
            index.as_chat_engine(mode, llm=MockLLM(), context_template="{context_str}")  # type: ignore[arg-type]  # a mode


@pytest.mark.parametrize("name", ["retriever", "query_engine", "kwargs"])
def test_what_the_index_provides_cannot_be_given(index: LlamaCloudIndex, name: str) -> None:
    """Ensure the parts that an engine is made of come from the index."""
    for make in (index.as_query_engine, index.as_chat_engine):
        with pytest.raises(ConfigurationError, match=name):
            make(llm=MockLLM(), **{name: object()})


def test_settings_of_the_retriever_are_all_known(index: LlamaCloudIndex) -> None:
    """Ensure no setting of a retriever is taken for one of an engine, and wrong values raise as they do there."""
    for name in SETTINGS:
        index.as_query_engine(llm=MockLLM(), **{name: None})
    with pytest.raises(ConfigurationError, match="alpha"):
        index.as_query_engine(llm=MockLLM(), alpha=7)


def test_callbacks_are_the_indexs(index: LlamaCloudIndex) -> None:
    """Ensure engines report to the index's callback manager."""
    engine: Any = index.as_query_engine(llm=MockLLM())
    assert engine.retriever.callback_manager is index._callback_manager
    assert engine.callback_manager is index._callback_manager
