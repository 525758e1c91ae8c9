"""Check an installed llama-cloud-ext: its imports, a conversion of a canned response, and a parse of a real file.

Usage: check_install.py DATA_FOLDER. Runs outside the repository, so that it is the installed package that is checked.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import llama_cloud_ext

assert "llama_index" not in sys.modules, "import llama_cloud_ext imports LlamaIndex"

from llama_index.core import Document, SimpleDirectoryReader  # noqa: E402  # after the check above

from llama_cloud_ext import LlamaParseReader, ParseResult  # noqa: E402  # after the check above
from llama_cloud_ext.jobs.source_identity import SourceIdentity  # noqa: E402  # after the check above

CANNED = {
    "job": {"id": "pjb-1", "project_id": "p", "status": "COMPLETED", "tier": "agentic"},
    "markdown": {"pages": [{"page_number": 1, "markdown": "# One", "success": True}]},
}

data = Path(sys.argv[1])
packages = ("llama-index-core", "httpx", "pydantic", "fsspec", "starlette", "typer")
sys.stdout.write(", ".join(f"{name} {version(name)}" for name in packages) + "\n")
assert not Path(llama_cloud_ext.__file__).is_relative_to(data.parent), "this is the repository, not the installation"

(document,) = ParseResult(CANNED, source=SourceIdentity("a.pdf", "file:/a.pdf")).documents()
assert isinstance(document, Document)
assert document.text == "# One"
assert document.metadata["page_number"] == 1

documents = SimpleDirectoryReader(
    input_files=[data / "latex-lorem.pdf"], file_extractor={".pdf": LlamaParseReader(base_url="local::memory:")}
).load_data(show_progress=False)
assert [found.metadata["page_number"] for found in documents] == [1, 2, 3, 4]

command = Path(sysconfig.get_path("scripts")) / "llama-cloud-ext"
printed = subprocess.run(  # noqa: S603  # our own script
    [command, "parse", data / "headings-lists-table.docx", "--local", ".llamacloud"],
    check=True,
    stdout=subprocess.PIPE,
    text=True,
).stdout
assert "# " in printed
