"""Docstring examples run, and what is public is documented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import llama_cloud_ext
from tests.docs.python_examples import REPOSITORY, Block, docstrings, fenced_blocks, run_block

MODULES = sorted(
    ["llama_cloud_ext"]
    + [
        info.name
        for info in pkgutil.walk_packages(llama_cloud_ext.__path__, "llama_cloud_ext.")
        if not info.name.endswith("__main__")
    ]
)


EXAMPLES = [
    pytest.param(file, name, block, id=f"{file.stem}-{name or 'module'}-{block.line}")
    for file in sorted((REPOSITORY / "llama_cloud_ext").rglob("*.py"))
    for name, docstring in docstrings(file)
    for block in fenced_blocks(docstring, "python")
]


@pytest.mark.usefixtures("reader_of_the_docs")
@pytest.mark.parametrize("name", MODULES)
def test_interactive_examples_of_a_module_run(name: str) -> None:
    """Ensure every interactive example in a module's docstrings gives what it says."""
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0


@pytest.mark.usefixtures("indexes_of_the_docs")
@pytest.mark.parametrize(("file", "name", "block"), EXAMPLES)
def test_a_fenced_example_runs(file: Path, name: str, block: Block) -> None:
    """Ensure every fenced example in a docstring runs as it stands."""
    run_block(block, Path(f"{file.name}, {name} (docstring)"), {"__name__": "__main__"})


def test_no_example_is_overlooked() -> None:
    """Ensure every example that stands in the source is run by the tests above."""
    fenced = interactive = 0
    for file in (REPOSITORY / "llama_cloud_ext").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        fenced += text.count("```python\n")
        interactive += sum(line.lstrip().startswith(">>> ") for line in text.splitlines())
    found = [test for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name))]
    assert fenced == len(EXAMPLES) > 20
    assert interactive == sum(len(test.examples) for test in found) > 100


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
