"""The ``llama-cloud-ext`` command.

What lives here: turning command-line arguments into calls of :mod:`llama_cloud_ext.parse` (and of
:mod:`llama_cloud_ext.local` for ``serve``), and their results into files and standard output.
What may not: anything that a Python program would want too. Results go to standard output and nothing else does;
progress and errors go to standard error.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, the entry point of the ``llama-cloud-ext`` script.

    Raises:
        SystemExit: Always. 0: all went well; 1: a file or job failed; 2: the command was used wrongly.
    """
    try:
        from llama_cloud_ext.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit('The command line needs one more package:\n  pip install "llama-cloud-ext[cli]"')
    app()
