"""What pyproject.toml promises: everything imported is declared, in ranges, and everything declared is imported."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Distributions whose module is not their name with underscores.
MODULES = {"llama-index-core": "llama_index", "markdown-it-py": "markdown_it", "pillow": "PIL"}
# Used where it happens to be installed, with a message where it is not.
OPTIONAL = {"pandas"}
# Imported by others, who do not declare it.
IMPORTED_BY_OTHERS = {"sniffio"}
# A part of pydantic, which requires exactly the one that belongs to it.
PART_OF_ANOTHER = {"pydantic_core"}


def _modules(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\s<>=!~\[;]", requirement, maxsplit=1)[0] for requirement in requirements}
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def _imports(path: Path) -> Iterator[str]:
    """The foreign top-level modules that a module of the package imports at run time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for branch in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if isinstance(branch.test, ast.Name) and branch.test.id == "TYPE_CHECKING":
            branch.body = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "llama_cloud_ext":
                yield top


def _imported(part: str) -> set[str]:
    package = REPOSITORY / "llama_cloud_ext"
    folders = {"cli": [package / "cli"], "local": [package / "local"]}
    paths = folders.get(part) or [path for path in package.iterdir() if path.name not in folders]
    return (
        {
            name
            for path in paths
            for module in ([path] if path.suffix == ".py" else path.rglob("*.py") if path.is_dir() else [])
            for name in _imports(module)
        }
        - OPTIONAL
        - PART_OF_ANOTHER
    )


CORE = _modules(PROJECT["dependencies"])


@pytest.mark.parametrize(
    ("part", "declared"),
    [
        ("core", CORE),
        ("cli", CORE | _modules(EXTRAS["cli"])),
        ("local", CORE | _modules(EXTRAS["local"] + EXTRAS["office"])),
    ],
)
def test_what_is_imported_is_declared(part: str, declared: set[str]) -> None:
    """Ensure no part of the package leans on a package that only something else happens to bring."""
    assert _imported(part) <= declared


def test_what_is_declared_is_imported() -> None:
    """Ensure nobody installs what the package does not use."""
    used = _imported("core") | _imported("cli") | _imported("local")
    assert CORE | _modules(EXTRAS["cli"] + EXTRAS["local"] + EXTRAS["office"]) <= used | IMPORTED_BY_OTHERS


@pytest.mark.parametrize(
    "requirement", [r for name in (None, *EXTRAS) for r in (EXTRAS[name] if name else PROJECT["dependencies"])]
)
def test_requirements_are_ranges(requirement: str) -> None:
    """Ensure every requirement has a lowest version and none is pinned, so that other packages fit beside this one."""
    if requirement.startswith("llama-cloud-ext["):
        return
    assert ">=" in requirement
    assert "==" not in requirement.partition(";")[0]
    assert "~=" not in requirement
