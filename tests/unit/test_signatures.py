"""What editors, notebooks and help() show of the reader."""

from __future__ import annotations

import inspect

import pytest

from llama_cloud_ext import LlamaParseReader


def test_the_readers_signature_names_every_option() -> None:
    """Ensure that help() and completion offer all options of the reader, those of every class it is made of."""
    offered = set(inspect.signature(LlamaParseReader).parameters)
    assert offered == set(LlamaParseReader.model_fields)


@pytest.mark.parametrize("name", ["load_data", "aload_data", "parse", "aparse", "submit", "asubmit", "stream"])
def test_methods_keep_their_signatures(name: str) -> None:
    """Ensure that tracing hides neither a method's arguments nor its docstring."""
    method = getattr(LlamaParseReader, name)
    assert list(inspect.signature(method).parameters) == ["self", "file", "extra_info", "fs"]
    assert method.__doc__
