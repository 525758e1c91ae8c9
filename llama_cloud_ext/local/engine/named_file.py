"""A file under a name with the right suffix: the parsers go by it, but uploads are stored without one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def with_suffix(path: Path, suffix: str) -> Iterator[Path]:
    """The file, or a link to it whose name ends as its content asks.

    Args:
        path: The file; it is never changed.
        suffix: With its dot.

    Example:
        >>> with with_suffix(Path("tests/data/bali.jpg"), ".jpg") as named:
        ...     named.name
        'bali.jpg'
    """
    if path.suffix.lower() == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="llama-cloud-ext-") as folder:
        named = Path(folder) / f"document{suffix}"
        try:
            named.symlink_to(path.absolute())
        except OSError:  # links need a privilege on Windows
            shutil.copyfile(path, named)
        yield named
