"""LlamaIndex instrumentation as all products use it: spans around calls, on the caller's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index_instrumentation import get_dispatcher

dispatcher = get_dispatcher(__name__)

_Method = TypeVar("_Method", bound=Callable[..., Any])


def span(method: _Method) -> _Method:
    """Make each call a span, as `dispatcher.span` does; editors and type checkers keep the method's signature."""
    return cast("_Method", dispatcher.span(method))
