"""Asking an LLM for an answer of a given form: by its own structured prediction, or by JSON with one repair."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.extraction.request import ExtractionFailed

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.llms import LLM
    from pydantic import BaseModel

_FENCED = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_LONGEST_SHOWN = 500


@dataclass
class Asking:
    """Asks one LLM, and counts how often.

    Args:
        llm: Any LlamaIndex LLM.

    Attributes:
        calls: Questions so far.
    """

    llm: LLM
    calls: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        """The model's name, or the class's where it has none."""
        name = self.llm.metadata.model_name
        return name if name and name != "unknown" else type(self.llm).__name__

    def answer(self, instructions: str, document: str, model: type[BaseModel]) -> dict[str, Any]:
        """An answer of the model's form.

        Args:
            instructions: For the system message.
            document: For the user message.
            model: What to answer.

        Returns:
            The answer with the names of its JSON.

        Raises:
            ExtractionFailed: LLM_FAILED if the LLM raises; LLM_ANSWER_INVALID if it twice answers nothing of that form.
        """
        if self.llm.metadata.is_function_calling_model:
            answer = self._structured(instructions, document, model)
            if answer is not None:
                return answer
        return self.json_answer(instructions, document, model)

    def _structured(self, instructions: str, document: str, model: type[BaseModel]) -> dict[str, Any] | None:
        from llama_index.core.base.llms.types import ChatMessage, MessageRole
        from llama_index.core.prompts import ChatPromptTemplate
        from pydantic import BaseModel

        template = ChatPromptTemplate(
            [
                ChatMessage(role=MessageRole.SYSTEM, content="{instructions}"),
                ChatMessage(role=MessageRole.USER, content="{document}"),
            ]
        )
        self.calls += 1
        try:
            answer = self.llm.structured_predict(model, template, instructions=instructions, document=document)
        except ValueError:  # its tool call has not the form, or there is none: JSON may still work
            return None
        except Exception as error:
            raise self._failure(error) from error
        return answer.model_dump(by_alias=True, mode="json") if isinstance(answer, BaseModel) else None

    def json_answer(self, instructions: str, document: str, model: type[BaseModel]) -> dict[str, Any]:
        """An answer written as JSON, for LLMs without functions and for forms that are no function's.

        Args:
            instructions: For the system message.
            document: For the user message.
            model: What to answer; its validators' messages are what the LLM is asked to correct.

        Returns:
            The answer with the names of its JSON.

        Raises:
            ExtractionFailed: As for `answer`.
        """
        from llama_index.core.base.llms.types import ChatMessage, MessageRole

        schema = json.dumps(model.model_json_schema(), ensure_ascii=False)
        wanted = f"{instructions}\n\nAnswer with one JSON object of this JSON schema and nothing else:\n{schema}"
        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=wanted),
            ChatMessage(role=MessageRole.USER, content=document),
        ]
        text = self._chat(messages)
        answer, problem = _parsed(text, model)
        if answer is not None:
            return answer
        repair = f"That is not valid: {problem}\nAnswer with the corrected JSON alone."
        messages += [
            ChatMessage(role=MessageRole.ASSISTANT, content=text),
            ChatMessage(role=MessageRole.USER, content=repair),
        ]
        text = self._chat(messages)
        answer, problem = _parsed(text, model)
        if answer is not None:
            return answer
        raise ExtractionFailed(
            "LLM_ANSWER_INVALID",
            f"{self.name} answered no valid JSON, even when asked to correct it: {problem} "
            f"It said: {text[:_LONGEST_SHOWN]!r}. A larger model, or one that calls functions, does better.",
        )

    def _chat(self, messages: list[ChatMessage]) -> str:
        self.calls += 1
        try:
            return self.llm.chat(messages).message.content or ""
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> ExtractionFailed:
        return ExtractionFailed("LLM_FAILED", f"{self.name} failed: {type(error).__name__}: {error}")


def _parsed(text: str, model: type[BaseModel]) -> tuple[dict[str, Any] | None, str]:
    from pydantic import ValidationError

    try:
        answer = model.model_validate(json_in(text))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:10]]
        return None, "; ".join(problems)
    except ValueError as error:
        return None, f"{error}."
    return answer.model_dump(by_alias=True, mode="json"), ""


def json_in(text: str) -> Any:
    """The JSON in an answer: alone, in a fence, or with words around it.

    Raises:
        ValueError: There is none.

    Example:
        >>> json_in('Here it is:\\n```json\\n{"total": 5}\\n```')
        {'total': 5}
    """
    fenced = _FENCED.search(text)
    for candidate in ([fenced[1]] if fenced else []) + [text]:
        start = candidate.find("{")
        if start >= 0:
            try:
                return json.JSONDecoder().raw_decode(candidate[start:])[0]
            except (json.JSONDecodeError, RecursionError) as error:
                problem = f"the JSON breaks off or is broken ({error})"
    raise ValueError(problem if "{" in text else "there is no JSON object in it")
