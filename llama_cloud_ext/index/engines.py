"""Query and chat engines over an index: settings go to the retriever or to the engine, and none gets lost."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import explain_unknown_name

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.chat_engine.types import BaseChatEngine

    from llama_cloud_ext.index.named_index import NamedIndex


def query_engine(index: NamedIndex, llm: Any, settings: Mapping[str, Any]) -> BaseQueryEngine:
    """A `RetrieverQueryEngine` over an index; see `LlamaCloudIndex.as_query_engine`."""
    from llama_index.core.query_engine.retriever_query_engine import RetrieverQueryEngine

    retriever, engine = _sort_out(index, settings, RetrieverQueryEngine.from_args)
    return RetrieverQueryEngine.from_args(index.as_retriever(**retriever), llm=_llm(index, llm), **engine)


def chat_engine(index: NamedIndex, mode: Any, llm: Any, settings: Mapping[str, Any]) -> BaseChatEngine:
    """A chat engine over an index; see `LlamaCloudIndex.as_chat_engine`."""
    from llama_index.core.chat_engine import (
        CondensePlusContextChatEngine,
        CondenseQuestionChatEngine,
        ContextChatEngine,
        SimpleChatEngine,
    )
    from llama_index.core.query_engine.retriever_query_engine import RetrieverQueryEngine

    mode = str(getattr(mode, "value", mode))
    if mode == "simple":
        _, engine = _sort_out(index, settings, SimpleChatEngine.from_defaults)
        return SimpleChatEngine.from_defaults(llm=_llm(index, llm), **engine)
    if mode == "condense_question":
        makers = (CondenseQuestionChatEngine.from_defaults, RetrieverQueryEngine.from_args)
        retriever, engine = _sort_out(index, settings, *makers)
        for_query = {name: engine[name] for name in _parameters(makers[1]) if name in engine}
        for_chat = {name: engine[name] for name in _parameters(makers[0]) if name in engine}
        return CondenseQuestionChatEngine.from_defaults(
            query_engine=query_engine(index, llm, {**retriever, **for_query}), llm=_llm(index, llm), **for_chat
        )
    kinds: dict[str, Any] = {
        "context": ContextChatEngine,
        "condense_plus_context": CondensePlusContextChatEngine,
        "best": CondensePlusContextChatEngine,
    }
    if mode not in kinds:
        raise ConfigurationError(
            f"there is no chat mode {mode!r} here",
            option="chat_mode",
            hint=f"Use one of {', '.join([*kinds, 'condense_question', 'simple'])}; "
            "for agents, make a QueryEngineTool of as_query_engine().",
        )
    retriever, engine = _sort_out(index, settings, kinds[mode].from_defaults)
    made: BaseChatEngine = kinds[mode].from_defaults(
        retriever=index.as_retriever(**retriever), llm=_llm(index, llm), **engine
    )
    return made


def _llm(index: NamedIndex, llm: Any) -> Any:
    from llama_index.core.llms.utils import resolve_llm
    from llama_index.core.settings import Settings

    return resolve_llm(llm, callback_manager=index._callback_manager) if llm else Settings.llm


def _sort_out(index: NamedIndex, settings: Mapping[str, Any], *makers: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of the settings is for the retriever, and what for the engine.

    Raises:
        ConfigurationError: A setting is for neither.
    """
    for_retriever = (*index.RETRIEVER_SETTINGS, "object_map", "objects")
    retriever = {name: value for name, value in settings.items() if name in for_retriever}
    engine = {name: value for name, value in settings.items() if name not in for_retriever}
    known = {name for maker in makers for name in _parameters(maker)}
    for name in engine:
        if name not in known:
            raise ConfigurationError(explain_unknown_name(name, [*index.RETRIEVER_SETTINGS, *known]), option=name)
    return retriever, engine


def _parameters(maker: Any) -> list[str]:
    mine = ("retriever", "query_engine", "llm", "kwargs")
    return [name for name in inspect.signature(maker).parameters if name not in mine]
