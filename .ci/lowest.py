"""Print the lowest supported version of every package that `.[all]` installs directly, as pip constraints.

The floors of pyproject.toml are the only place where they are written down; this reads them from there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import tomllib

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["cli"], *extras["local"], *extras["office"]]:
    floor = re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", requirement)
    if floor is None:
        sys.exit(f"pyproject.toml: {requirement!r} has no lowest version")
    sys.stdout.write(f"{floor[1]}=={floor[2]}\n")
