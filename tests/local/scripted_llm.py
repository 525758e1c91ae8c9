"""A function-calling chat model whose every step is decided by a function: agents run offline, and always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic import PrivateAttr

NextStep = Callable[[Sequence[ChatMessage], Sequence[BaseTool]], ChatMessage]


def calls(name: str, **arguments: Any) -> ChatMessage:
    """A message that calls a tool."""
    call = {"id": f"call-{name}", "name": name, "arguments": arguments}
    return ChatMessage(role=MessageRole.ASSISTANT, content="", additional_kwargs={"tool_calls": [call]})


def says(text: str) -> ChatMessage:
    """A message that ends the run."""
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def told(messages: Sequence[ChatMessage]) -> list[str]:
    """What the tools have said so far."""
    return [message.content or "" for message in messages if message.role == MessageRole.TOOL]


class ScriptedLLM(FunctionCallingLLM):
    """Says what the function says."""

    _next_step: NextStep = PrivateAttr()

    def __init__(self, next_step: NextStep) -> None:
        super().__init__()
        self._next_step = next_step

    @property
    def metadata(self) -> LLMMetadata:
        """A chat model that calls functions."""
        return LLMMetadata(model_name="scripted", is_function_calling_model=True, is_chat_model=True)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        return {"messages": chat_history or [], "tools": tools}

    def _answer(self, messages: Sequence[ChatMessage], tools: Sequence[BaseTool]) -> ChatResponse:
        return ChatResponse(message=self._next_step(messages, tools))

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls of a message."""
        return [
            ToolSelection(tool_id=call["id"], tool_name=call["name"], tool_kwargs=call["arguments"])
            for call in response.message.additional_kwargs.get("tool_calls", [])
        ]

    def chat(self, messages: Sequence[ChatMessage], tools: Sequence[BaseTool] = (), **kwargs: Any) -> ChatResponse:
        """The next step."""
        return self._answer(messages, tools)

    async def achat(
        self, messages: Sequence[ChatMessage], tools: Sequence[BaseTool] = (), **kwargs: Any
    ) -> ChatResponse:
        """The next step."""
        return self._answer(messages, tools)

    async def astream_chat(
        self, messages: Sequence[ChatMessage], tools: Sequence[BaseTool] = (), **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """The next step, in one piece."""

        async def pieces() -> ChatResponseAsyncGen:
            yield self._answer(messages, tools)

        return pieces()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """What a query engine asks: the prompt back, which holds the passages."""
        return CompletionResponse(text=prompt)

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The same."""
        return CompletionResponse(text=prompt)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        """Agents do not ask for it."""
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        """Agents do not ask for it."""
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        """Agents do not ask for it."""
        raise NotImplementedError
