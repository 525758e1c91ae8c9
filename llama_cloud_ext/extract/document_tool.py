"""A LlamaIndex tool about one document, whose failures are answers that an agent can act on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput

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
        arguments = self._arguments(args, kwargs)
        try:
            return self._output(arguments, *run(self._answer, **arguments))
        except Exception as error:
            return self._failure(arguments, error)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """The asynchronous twin of `call`."""
        arguments = self._arguments(args, kwargs)
        try:
            return self._output(arguments, *await run_async(self._answer, **arguments))
        except Exception as error:
            return self._failure(arguments, error)

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        # Some agents hand over a single argument without its name.
        schema = self.metadata.fn_schema
        names = list(schema.model_fields) if schema is not None else []
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def _output(self, arguments: dict[str, Any], text: str, result: Any) -> ToolOutput:
        return ToolOutput(
            content=text, tool_name=self.metadata.get_name(), raw_input={"kwargs": arguments}, raw_output=result
        )

    def _failure(self, arguments: dict[str, Any], error: Exception) -> ToolOutput:
        if isinstance(error, LlamaCloudError):
            text = f"Error: {error}"
        elif isinstance(error, TypeError) and not arguments.keys() <= set(self._names()):
            text = f"Error: the arguments are {', '.join(self._names())}, not {', '.join(arguments)}"
        else:
            logger.error("the tool %s failed", self.metadata.get_name(), exc_info=error)
            text = f"Error: {type(error).__name__}: {error}"
        return ToolOutput(
            content=text,
            tool_name=self.metadata.get_name(),
            raw_input={"kwargs": arguments},
            raw_output=text,
            is_error=True,
        )

    def _names(self) -> list[str]:
        return list(self.metadata.fn_schema.model_fields) if self.metadata.fn_schema is not None else []
