"""An LLM without functions that gives prepared answers, or raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.llms import CustomLLM
from pydantic import PrivateAttr


class AnsweringLLM(CustomLLM):
    """Gives its answers one after the other, and keeps what it was asked.

    Args:
        answers: Texts, or an error to raise.
        context_window: In tokens.
    """

    window: int = 3900
    _answers: list[str | Exception] = PrivateAttr()
    _asked: list[str] = PrivateAttr(default_factory=list)

    def __init__(self, *answers: str | Exception, context_window: int = 3900) -> None:
        super().__init__(window=context_window)
        self._answers = list(answers)

    @property
    def metadata(self) -> LLMMetadata:
        """A model that completes texts."""
        return LLMMetadata(model_name="answering", context_window=self.window)

    @property
    def asked(self) -> Sequence[str]:
        """The prompts so far."""
        return self._asked

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The next answer."""
        self._asked.append(prompt)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return CompletionResponse(text=answer)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The next answer as a whole."""
        yield self.complete(prompt)
