"""Docstring examples run, and what is public is documented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import llama_cloud_ext
from tests.docs.python_examples import fenced_blocks, run_block

MODULES = sorted(
    ["llama_cloud_ext"]
    + [
        info.name
        for info in pkgutil.walk_packages(llama_cloud_ext.__path__, "llama_cloud_ext.")
        if not info.name.endswith("__main__")
    ]
)


@pytest.mark.usefixtures("reader_of_the_docs")
@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name: str) -> None:
    """Ensure every example in a module's docstrings gives what it says, interactive or fenced."""
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0
    for test in doctest.DocTestFinder(exclude_empty=False, recurse=True).find(module):
        for block in fenced_blocks(inspect.cleandoc(test.docstring or ""), "python"):
            run_block(block, Path(f"{test.name} (docstring)"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_for(name: str) -> None:
    """Ensure every module has a docstring."""
    assert inspect.getdoc(importlib.import_module(name))


@pytest.mark.parametrize("name", llama_cloud_ext.__all__)
def test_what_is_public_is_documented(name: str) -> None:
    """Ensure every public name, and every public method of it that is defined here, has a docstring of its own."""
    public = getattr(llama_cloud_ext, name)
    if inspect.isclass(public):
        undocumented = [
            f"{name}.{member}"
            for member, value in vars(public).items()
            if not member.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod)))
            and not inspect.getdoc(getattr(public, member))
        ]
        assert public.__doc__
        assert not undocumented
    elif callable(public):
        assert inspect.getdoc(public)


def test_all_is_sorted_and_complete() -> None:
    """Ensure `__all__` is sorted, every name of it exists, and `dir` shows each."""
    names = llama_cloud_ext.__all__
    assert list(names) == sorted(names)
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(llama_cloud_ext))
    for name in names:
        assert getattr(llama_cloud_ext, name) is not None


def test_every_error_is_exported() -> None:
    """Ensure whoever catches an error can import it from the top."""
    from llama_cloud_ext import errors

    public = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_")
    }
    assert len(public) > 20
    assert public <= set(llama_cloud_ext.__all__)
