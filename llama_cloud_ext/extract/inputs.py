"""What users extract from: files of every kind, texts, uploads, and what a parse job made of a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.inputs import ExtraInfo, Input, sort_out
from llama_cloud_ext.wire.io_loop import in_thread
from llama_cloud_ext.wire.source_names import choose_name
from llama_cloud_ext.wire.sources import FileInput, Source

_FILE_ID = re.compile(r"dfl-[0-9A-Za-z-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PARSE_JOB = "parse-job"
_PARSE_JOB_ID = re.compile(r"pjb-[0-9A-Za-z-]+", re.ASCII)


@dataclass(frozen=True)
class SourceText:
    """A text to extract from, or a file with a name of your choice.

    Args:
        text_content: The text.
        file: A file of any kind that `LlamaParseReader` takes, instead of a text.
        filename: Its name; the suffix tells the service what it is. By default the file's own, or "text.txt".

    Raises:
        ConfigurationError: Not exactly one of text and file is given, or there is nothing in it.

    Example:
        ```python
        from llama_cloud_ext import SourceText

        source = SourceText(text_content="Name: Jane Doe\\nSkills: Python, SQL")
        print(source.filename)
        ```
    """

    text_content: str | None = None
    file: FileInput | None = None
    filename: str | None = None

    def __post_init__(self) -> None:
        if (self.text_content is None) == (self.file is None):
            raise ConfigurationError(
                "SourceText takes a text or a file",
                option="text_content",
                hint="Give text_content=…, or file=… with filename=….",
            )
        if self.text_content is not None and not self.text_content.strip():
            raise ConfigurationError("the text is blank", option="text_content")
        if self.text_content is not None and self.filename is None:
            object.__setattr__(self, "filename", "text.txt")

    def content(self) -> FileInput:
        """What is uploaded."""
        return self.file if self.file is not None else str(self.text_content).encode()


ExtractFile = FileInput | SourceText | ParseResult | ParseJob
"""One thing to extract from."""

ExtractFiles = ExtractFile | Iterable[ExtractFile]
"""One thing to extract from, or several of them."""


@dataclass(frozen=True)
class ExtractSource:
    """One input that has been looked at.

    Attributes:
        label: What messages call it.
        identity: What gives its Documents their ids and metadata.
        source: What is uploaded; None where the service has it already.
        file_input: The id of a file or parse job that the service has.
        parse_job: The parse job to wait for first.
        is_parse_job: Whether `file_input` is a parse job.
    """

    label: str
    identity: SourceIdentity
    source: Source | None = None
    file_input: str | None = None
    parse_job: ParseJob | None = None
    is_parse_job: bool = False


@dataclass(frozen=True)
class ExtractInput:
    """One input of a call, not looked at yet."""

    given: ExtractFile
    index: int
    extra_info: Mapping[str, Any] | None = None
    fs: Any = None

    @property
    def label(self) -> str:
        """What messages call it before it has been looked at."""
        if isinstance(self.given, (ParseResult, ParseJob)):
            return self.given.source.path or self.given.source.name
        return self._input().label

    async def resolve(self) -> ExtractSource:
        """Look at it: what the service has already, and what is uploaded."""
        if isinstance(self.given, ParseResult):
            return self._parsed(self.given)
        if isinstance(self.given, ParseJob):
            identity = self._identity(self.given.source)
            return ExtractSource(
                self.label, identity, file_input=self.given.job_id, parse_job=self.given, is_parse_job=True
            )
        kind = _kind_of_id(self.given) if isinstance(self.given, str) and self.fs is None else None
        if isinstance(self.given, str) and kind and not await in_thread(os.path.exists, self.given):
            identity = self._identity(SourceIdentity(name=self.given, identity=f"{kind}:{self.given}"))
            return ExtractSource(self.given, identity, file_input=self.given, is_parse_job=kind == _PARSE_JOB)
        source = await self._input().resolve()
        if isinstance(self.given, SourceText) and self.given.filename:
            source = replace(source, name=_name(self.given.filename, source.name))
        return ExtractSource(source.label, SourceIdentity.of(source), source=source)

    def _parsed(self, result: ParseResult) -> ExtractSource:
        if not result.job_id:
            raise ConfigurationError(
                "this parse result does not know its job, and the service extracts from parse jobs",
                hint="Extract from the file itself.",
            )
        return ExtractSource(self.label, self._identity(result.source), file_input=result.job_id, is_parse_job=True)

    def _identity(self, identity: SourceIdentity) -> SourceIdentity:
        info = {**identity.extra_info, **(self.extra_info or {})}
        return SourceIdentity(identity.name, identity.identity, identity.path, info)

    def _input(self) -> Input:
        info = dict(self.extra_info or {})
        if isinstance(self.given, SourceText):
            if self.given.filename:
                info["file_name"] = self.given.filename
            return Input(self.given.content(), self.index, info, self.fs)
        return Input(self.given, self.index, info or None, self.fs)  # type: ignore[arg-type]  # parse results are resolved


def sort_out_inputs(
    files: ExtractFiles | None, extra_info: ExtraInfo = None, fs: Any = None
) -> tuple[list[ExtractInput], bool]:
    """The inputs of a call, and whether it was given a single one (and so returns a single result).

    Raises:
        ConfigurationError: No files are given, or not one mapping of `extra_info` for each.
    """
    if files is None:
        raise ConfigurationError(
            "no files to extract from",
            option="files",
            hint='Pass files="report.pdf", or a list of files, by its name: the second argument is config.',
        )
    one = isinstance(files, ParseResult)  # it can be iterated over, page by page
    inputs, single = sort_out([files] if one else files, extra_info, fs)  # type: ignore[arg-type, list-item]  # sorted out whatever they are
    return [ExtractInput(item.file, item.index, item.extra_info, item.fs) for item in inputs], one or single


def _name(chosen: str, own: str) -> str:
    """The name that was chosen for a file, with the suffix of its own where it has none."""
    return choose_name([chosen], lambda: PurePosixPath(own).suffix or None) or own


def _kind_of_id(text: str) -> str | None:
    if _PARSE_JOB_ID.fullmatch(text):
        return _PARSE_JOB
    return "file-id" if _FILE_ID.fullmatch(text) else None
