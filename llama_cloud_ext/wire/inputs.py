"""What users hand to a parse method, sorted out: one file or several, with their metadata."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.sources import FileInput, Source, resolve_source

FilesInput = FileInput | Iterable[FileInput]
"""One file, or several of them."""

ExtraInfo = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""Metadata for every file, or one mapping a file."""


@dataclass(frozen=True)
class Input:
    """One file of a call, not looked at yet."""

    file: FileInput
    index: int
    extra_info: Mapping[str, Any] | None = None
    fs: Any = None

    @property
    def label(self) -> str:
        """What messages call it before it has been looked at."""
        if isinstance(self.file, Source):
            return self.file.label
        if isinstance(self.file, (str, os.PathLike)):
            return os.fspath(self.file) if isinstance(self.file, str) else str(self.file)
        name = (self.extra_info or {}).get("file_name") or getattr(self.file, "name", None)
        return str(name) if name else f"<{type(self.file).__name__} {self.index}>"

    async def resolve(self) -> Source:
        """Look at the file: its name, identity and size."""
        if isinstance(self.file, Source) and not self.extra_info:
            return self.file
        return await in_thread(resolve_source, self.file, extra_info=self.extra_info, fs=self.fs)


def sort_out(files: FilesInput, extra_info: ExtraInfo = None, fs: Any = None) -> tuple[list[Input], bool]:
    """The inputs of a call, and whether it was given a single one (and so returns a single result).

    Raises:
        ConfigurationError: There is not one mapping of `extra_info` a file.
    """
    single = _is_one_file(files)
    items: list[Any] = [files] if single else list(files)  # type: ignore[arg-type]  # iterable when not single
    if extra_info is None or isinstance(extra_info, Mapping):
        infos: Sequence[Mapping[str, Any] | None] = [extra_info] * len(items)
    else:
        infos = list(extra_info)
        if len(infos) != len(items):
            raise ConfigurationError(
                f"{len(infos)} mappings for {len(items)} files",
                option="extra_info",
                hint="Pass one mapping for all files, or a list with one a file.",
            )
    return [Input(file, index, info, fs) for index, (file, info) in enumerate(zip(items, infos, strict=True))], single


def _is_one_file(files: Any) -> bool:
    # Open files and bytes are iterable too.
    return (
        isinstance(files, (str, bytes, bytearray, memoryview, os.PathLike, Source))
        or hasattr(files, "read")
        or not isinstance(files, Iterable)
    )
