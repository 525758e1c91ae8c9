"""Every schema an agent tool: documents go in by name, validated objects with citations come out."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from pydantic import ConfigDict, Field, create_model
from pydantic_core import to_jsonable_python

from llama_cloud_ext.errors import ConfigurationError, FailedItem
from llama_cloud_ext.extract.agent_documents import AgentDocuments
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.document_tool import Answer, DocumentTool
from llama_cloud_ext.extract.extractor import Config, LlamaExtract
from llama_cloud_ext.extract.inputs import ExtractFile, SourceText
from llama_cloud_ext.extract.result import ExtractResult
from llama_cloud_ext.extract.rooted_files import RootedFile
from llama_cloud_ext.extract.tool_descriptions import describe_schema
from llama_cloud_ext.parse.job import ParseJob
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.io_loop import in_thread

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llama_cloud_ext.parse.reader import LlamaParseReader
    from llama_cloud_ext.wire.settings import ConnectionArguments

# As a model is best served: with a choice where it is short, in words where it is long.
_MOST_CHOICES = 30
_MOST_LISTED = 200
_READ_AT_ONCE = 20_000
_MOST_CITED_CHARACTERS = 200
# A model that gets an argument wrong is told so.
_STRICT = ConfigDict(extra="forbid")
_TOOL_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_TOOL_NAME = 64

Schema = type[Any] | Mapping[str, Any]


class LlamaExtractToolSpec(BaseToolSpec):
    """Tools with which an agent extracts data from documents, reads them, and sees which there are.

    One tool a schema, named `extract_NAME`, beside `parse_document` and `list_documents`. What a tool answers is JSON
    text for the model, with the quoted source of each field; `raw_output` has the `ExtractResult`, with the validated
    object in `data`. An agent that asks for the same document twice pays once.

    Args:
        schemas: The schemas by name: Pydantic classes or JSON schemas.
        roots: Folders whose files may be read; nothing outside of them.
        documents: Documents by name: paths, bytes, `SourceText`, parse results, … as `LlamaExtract.extract` takes.
        allow_urls: Whether the agent may have http(s) URLs fetched. An agent that reads what strangers wrote can be
            talked into fetching from your own network, so the default is no.
        config: Settings of the extractions; by default `cite_sources=True`.
        extractor: The extractor to use; or else
        reader: The reader behind `parse_document`; one with the same connection and the tier `cost_effective` by
            default. What it has parsed is not parsed again for an extraction.
        **connection: `api_key`, `base_url`, `region`, … for an extractor of its own; see `LlamaExtract`.

    Raises:
        ConfigurationError: A schema cannot be extracted, or there is nothing that could be read.

    Example:
        ```python
        from pydantic import BaseModel, Field

        from llama_cloud_ext import LlamaExtractToolSpec


        class Invoice(BaseModel):
            '''What a supplier asks to be paid.'''

            invoice_number: str | None = Field(description="Number of the invoice")
            total: float | None = Field(description="Amount due, with tax")


        spec = LlamaExtractToolSpec(schemas={"invoice": Invoice}, roots=["./data"])
        tools = spec.to_tool_list()
        print([tool.metadata.name for tool in tools])
        output = tools[0].call(document="invoice.pdf")
        print(output.content, output.raw_output)
        ```
    """

    def __init__(
        self,
        schemas: Mapping[str, Schema],
        roots: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] | None = None,
        documents: Mapping[str, ExtractFile] | None = None,
        *,
        allow_urls: bool = False,
        config: Config = None,
        extractor: LlamaExtract | None = None,
        reader: LlamaParseReader | None = None,
        **connection: Unpack[ConnectionArguments],
    ) -> None:
        if extractor is not None and connection:
            raise ConfigurationError(
                f"the extractor has a connection already, and {', '.join(connection)} would have no effect",
                option=next(iter(connection)),
            )
        if not isinstance(schemas, Mapping):
            raise ConfigurationError(
                "schemas are given by name", option="schemas", hint='Pass schemas={"invoice": Invoice}.'
            )
        self._documents = AgentDocuments(roots, documents, allow_urls=allow_urls)
        self._schemas = {name: DataSchema.of(schema) for name, schema in schemas.items()}
        self._given = dict(schemas)
        self._config = ExtractConfig(cite_sources=True) if config is None else ExtractConfig.of(config)
        self._extractor = extractor or LlamaExtract(**connection)
        self._own_reader = reader
        self._done: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self._tools = self._build()
        # What LlamaIndex's own loaders look at.
        self.spec_functions = list(self._tools)

    def to_tool_list(
        self,
        spec_functions: list[Any] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Give the tools, ready for `FunctionAgent`, `ReActAgent` and others.

        Args:
            spec_functions: Names of the tools to give; all by default.
            func_to_metadata_mapping: Other names, descriptions and arguments, by the tool's name.

        Raises:
            ConfigurationError: There is no tool of a name.
        """
        wanted = list(self._tools) if spec_functions is None else spec_functions
        unknown = [name for name in wanted if name not in self._tools]
        if unknown:
            raise ConfigurationError(
                f"there is no tool {unknown[0]!r}; there are {', '.join(self._tools)}", option="spec_functions"
            )
        changed = func_to_metadata_mapping or {}
        return [
            DocumentTool(self._tools[name]._answer, changed[name]) if name in changed else self._tools[name]
            for name in wanted
        ]

    def _build(self) -> dict[str, DocumentTool]:
        tools: dict[str, DocumentTool] = {}
        for name, schema in self._schemas.items():
            tool_name = _TOOL_NAME.sub("_", f"extract_{name}")[:_LONGEST_TOOL_NAME]
            if tool_name in tools:
                raise ConfigurationError(f"two schemas would both be the tool {tool_name}", option="schemas")
            description = describe_schema(name, schema, self._given[name])
            arguments = create_model(f"{tool_name}_arguments", __config__=_STRICT, document=self._document_argument())
            tools[tool_name] = DocumentTool(self._extraction(name), ToolMetadata(description, tool_name, arguments))
        reading = create_model(
            "parse_document_arguments",
            __config__=_STRICT,
            document=self._document_argument(),
            page=(int | None, Field(default=None, ge=1, description="Read this page alone, from 1. Default: all.")),
            offset=(
                int,
                Field(default=0, ge=0, description="Go on after so many characters, as the end of an answer says."),
            ),
        )
        tools["parse_document"] = DocumentTool(
            self._read,
            ToolMetadata(
                "Parse a document and read its text, page by page. Use it for questions that no extract tool answers.",
                "parse_document",
                reading,
            ),
        )
        listing = create_model(
            "list_documents_arguments",
            __config__=_STRICT,
            contains=(
                str | None,
                Field(default=None, description="Only names that contain this, without regard to case. Default: all."),
            ),
        )
        tools["list_documents"] = DocumentTool(
            self._list,
            ToolMetadata("List the names of the documents that can be read.", "list_documents", listing),
        )
        return tools

    def _document_argument(self) -> tuple[Any, Any]:
        names = self._documents.fixed_names
        if names is not None and len(names) <= _MOST_CHOICES:
            return Literal[tuple(names)], Field(description="The document's name.")
        return str, Field(description="The document's name, as list_documents gives it.")

    def _extraction(self, name: str) -> Callable[..., Awaitable[Answer]]:
        async def extract(document: str) -> Answer:
            file = await in_thread(self._documents.find, document)
            identity = await in_thread(_identity, file)
            result = await self._once(("extract", name, identity), self._extract, name, file, identity)
            return _extracted_text(document, result), result

        return extract

    async def _extract(self, name: str, file: ExtractFile | RootedFile, identity: Any) -> ExtractResult[Any]:
        parsed = self._parsed(identity)
        given = parsed if parsed is not None else await _opened(file)
        result = await self._extractor.aextract(self._given[name], self._config, given)
        if isinstance(result, FailedItem):
            raise result.error
        return cast("ExtractResult[Any]", result)

    def _parsed(self, identity: Any) -> ParseResult | None:
        """What `parse_document` has made of the document, if an extraction would parse it in the same way."""
        if self._config.parse_tier or self._config.parse_config_id or self._config.tier == "turbo":
            return None
        if self._config.spreadsheet_mode:
            return None
        task = self._done.get((os.getpid(), "parse", identity))
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return cast("ParseResult", task.result())

    async def _read(self, document: str, page: int | None = None, offset: int = 0) -> Answer:
        file = await in_thread(self._documents.find, document)
        identity = await in_thread(_identity, file)
        parsed: ParseResult = await self._once(("parse", identity), self._parse, file)
        pages = parsed.pages if page is None else [one for one in parsed.pages if one.number == page]
        if not pages:
            raise ConfigurationError(f"{document} has no page {page}: it has {len(parsed.pages)}", option="page")
        text = "\n\n".join(f"[page {one.number}]\n{one.markdown or one.text or ''}" for one in pages)
        part = text[offset : offset + _READ_AT_ONCE]
        left = len(text) - offset - len(part)
        more = f"\n\n[{left:,} characters more: go on with offset={offset + len(part)}]" if left > 0 else ""
        return part + more or f"[the text ends before offset={offset}]", part

    async def _parse(self, found: ExtractFile | RootedFile) -> ParseResult:
        file = await _opened(found)
        if isinstance(file, ParseResult):
            return file
        if isinstance(file, ParseJob):
            return await file.aresult()
        if isinstance(file, SourceText):
            info = {"file_name": file.filename} if file.filename else None
            result = await self._reader().aparse(file.content(), extra_info=info)
        else:
            result = await self._reader().aparse(file)
        if isinstance(result, FailedItem):
            raise result.error
        return cast("ParseResult", result)

    def _reader(self) -> LlamaParseReader:
        if self._own_reader is None:
            from llama_cloud_ext.parse.reader import LlamaParseReader

            options = {name: getattr(self._extractor, name) for name in _connection_fields()}
            self._own_reader = LlamaParseReader(tier="cost_effective", **options)
        return self._own_reader

    async def _list(self, contains: str | None = None) -> Answer:
        def names() -> list[str]:
            wanted = (contains or "").casefold()
            return [name for name in self._documents.names() if wanted in name.casefold()]

        found = await in_thread(names)
        more = (
            f"\n… and {len(found) - _MOST_LISTED} more: narrow it with contains." if len(found) > _MOST_LISTED else ""
        )
        return "\n".join(found[:_MOST_LISTED]) + more or "There are no such documents.", found

    async def _once(self, key: tuple[Any, ...], work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """What the work gives; asked for again, also at the same time, it is not done again. Failures are forgotten."""
        key = (os.getpid(), *key)
        task = self._done.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):

            async def do() -> Any:
                return await work(*arguments)

            task = self._done[key] = asyncio.create_task(do())
        # A caller that gives up must not take it from another one.
        return await asyncio.shield(task)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_tools"]
        return {**state, "_done": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tools = self._build()


def _connection_fields() -> list[str]:
    from llama_cloud_ext.wire.settings import ConnectionOptions

    return list(ConnectionOptions.model_fields)


async def _opened(file: ExtractFile | RootedFile) -> ExtractFile:
    return await in_thread(file.source) if isinstance(file, RootedFile) else file


def _identity(file: ExtractFile | RootedFile) -> Any:
    """What makes two requests mean the same content: a file that was written anew is another one."""
    if isinstance(file, RootedFile):
        return file.version()
    if isinstance(file, Path):
        stat = file.stat()
        return str(file), stat.st_size, stat.st_mtime_ns
    return id(file) if not isinstance(file, str) else file


def _extracted_text(document: str, result: ExtractResult[Any]) -> str:
    cited = {
        path: [
            {"page": citation.page, "text": _shortened(citation.text)} for citation in field.citations if citation.text
        ]
        for path, field in result.fields.items()
    }
    data = to_jsonable_python(result.data, by_alias=False, fallback=str)
    answer: dict[str, Any] = {"document": document, "data": data}
    if citations := {path: places for path, places in cited.items() if places}:
        answer["citations"] = citations
    return json.dumps(answer, ensure_ascii=False, default=str)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CITED_CHARACTERS else text[: _MOST_CITED_CHARACTERS - 1] + "…"
