"""What editors, notebooks and help() show of the classes."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel

from llama_cloud_ext import ExtractConfig, LlamaExtract, LlamaParseReader


@pytest.mark.parametrize("kind", [LlamaParseReader, LlamaExtract, ExtractConfig])
def test_signatures_name_every_option(kind: type[BaseModel]) -> None:
    """Ensure that help() and completion offer all options of a class, those of every class it is made of."""
    assert set(inspect.signature(kind).parameters) == set(kind.model_fields)


@pytest.mark.parametrize("name", ["load_data", "aload_data", "parse", "aparse", "submit", "asubmit", "stream"])
def test_methods_keep_their_signatures(name: str) -> None:
    """Ensure that tracing hides neither a method's arguments nor its docstring."""
    method = getattr(LlamaParseReader, name)
    assert list(inspect.signature(method).parameters) == ["self", "file", "extra_info", "fs"]
    assert method.__doc__


@pytest.mark.parametrize("name", ["extract", "aextract", "stream", "astream", "queue_extraction"])
def test_methods_of_the_extractor_keep_their_signatures(name: str) -> None:
    """Ensure the same of the extractor's methods, in the order of the existing class."""
    method = getattr(LlamaExtract, name)
    assert list(inspect.signature(method).parameters) == ["self", "data_schema", "config", "files", "extra_info", "fs"]
    assert method.__doc__
