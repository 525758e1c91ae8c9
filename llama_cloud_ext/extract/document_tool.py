"""A LlamaIndex tool about one document, whose failures are answers that an agent can act on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
from pydantic import ValidationError

from llama_cloud_ext.errors import LlamaCloudError
from llama_cloud_ext.wire.io_loop import run, run_async

logger = logging.getLogger(__name__)

Answer = tuple[str, Any]
"""What the model reads, and the object that a program gets."""


class DocumentTool(FunctionTool):
    """A tool that answers a model with text, and the program behind it with an object in `raw_output`.

    What fails becomes a `ToolOutput` with `is_error`: the reason and the next step in words, never a traceback.

    Args:
        answer: Does the work, on the I/O loop.
        metadata: Name, description and arguments.
    """

    def __init__(self, answer: Callable[..., Awaitable[Answer]], metadata: ToolMetadata) -> None:
        self._answer = answer

        def fn(**arguments: Any) -> Any:
            return run(answer, **arguments)[1]

        async def async_fn(**arguments: Any) -> Any:
            return (await run_async(answer, **arguments))[1]

        super().__init__(fn=fn, async_fn=async_fn, metadata=metadata)

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do the work and wait for it."""
        try:
            return self._output(args, kwargs, *run(self._answer, **self._arguments(args, kwargs)))
        except Exception as error:
            return self._failure(args, kwargs, error)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """The asynchronous twin of `call`."""
        try:
            return self._output(args, kwargs, *await run_async(self._answer, **self._arguments(args, kwargs)))
        except Exception as error:
            return self._failure(args, kwargs, error)

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the work takes them: by name, checked, and numbers made of words."""
        schema = self.metadata.fn_schema
        if schema is None:
            return kwargs
        # Some agents hand over a single argument without its name.
        return schema(**{**dict(zip(schema.model_fields, args, strict=False)), **kwargs}).model_dump()

    def _output(self, args: tuple[Any, ...], kwargs: dict[str, Any], text: str, result: Any) -> ToolOutput:
        return ToolOutput(
            content=text,
            tool_name=self.metadata.get_name(),
            raw_input={"args": args, "kwargs": kwargs},
            raw_output=result,
        )

    def _failure(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> ToolOutput:
        if isinstance(error, LlamaCloudError):
            text = f"Error: {error}"
        elif isinstance(error, ValidationError):
            text = "Error: " + "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors(include_url=False)
            )
        else:
            logger.error("the tool %s failed", self.metadata.get_name(), exc_info=error)
            text = f"Error: {type(error).__name__}: {error}"
        output = self._output(args, kwargs, text, text)
        output.is_error = True
        return output
