"""Virtual environments for other packages: the official SDK as a judge, and the clients that benchmarks compare with.

They live in `.venvs/` of the checkout, each made once and then kept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venvs"
SDK = "llama-cloud==2.19.0"


def virtualenv(name: str, requirements: Sequence[str]) -> Path:
    """The Python of a virtual environment with these requirements, made on first use (seconds to a minute).

    Args:
        name: Folder name below `.venvs/`.
        requirements: As pip takes them; other requirements than last time make the environment anew.

    Returns:
        Path of its Python interpreter.

    Raises:
        RuntimeError: The installation failed; the message holds the installer's.
    """
    home = FOLDER / name
    python = home / "bin" / "python"
    wanted = f"{sys.version}\n" + "\n".join(requirements)
    installed = home / "installed.txt"
    with one_maker_of(name):
        if not (installed.is_file() and installed.read_text() == wanted and python.exists()):
            shutil.rmtree(home, ignore_errors=True)
            _make(home, python, requirements)
            installed.write_text(wanted)
    return python


def _make(home: Path, python: Path, requirements: Sequence[str]) -> None:
    uv = shutil.which("uv")
    if uv:
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(home))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *requirements)
    else:
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")


@contextmanager
def one_maker_of(name: str) -> Iterator[None]:
    """Let one test process at a time make this part of `.venvs/`; the others then find it made."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment for a child process: this one's, without settings of LlamaCloud, with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LLAMA_", "PYTHONPATH"))}
    return kept | variables
