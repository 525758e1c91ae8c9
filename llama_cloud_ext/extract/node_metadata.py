"""Extracted fields as metadata of nodes, in a LlamaIndex IngestionPipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.extractors import BaseExtractor
from llama_index.core.schema import BaseNode, MetadataMode
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_serializer

from llama_cloud_ext.errors import FailedItem, PartialFailureError
from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.extractor import LlamaExtract
from llama_cloud_ext.extract.inputs import SourceText
from llama_cloud_ext.jobs.source_identity import flatten
from llama_cloud_ext.wire.io_loop import run
from llama_cloud_ext.wire.models.strict import Given, invalid_options
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_unpicklable


class LlamaExtractMetadata(ConnectionOptions, BaseExtractor):
    """A transformation that extracts fields from the texts of nodes and adds them to the nodes' metadata.

    Nodes of one file are read together by default, so that a file costs one extraction and all of its nodes get the
    same fields. Nodes are of one file if they have the same `file_path`, else the same `file_name`, else the same
    source document. Values are flat, as vector stores want them: lists and objects become JSON text, nulls are left
    out.

    Example:
        ```python
        from llama_index.core.ingestion import IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from pydantic import BaseModel, Field

        from llama_cloud_ext import LlamaExtractMetadata, LlamaParseReader


        class About(BaseModel):
            author: str | None = Field(description="Who wrote it")
            date: str | None = Field(description="Date of writing")


        documents = LlamaParseReader().load_data("data/letter.pdf")
        pipeline = IngestionPipeline(transformations=[SentenceSplitter(), LlamaExtractMetadata(data_schema=About)])
        for node in pipeline.run(documents=documents):
            print(node.metadata.get("author"), node.text[:40])
        ```
    """

    model_config = ConfigDict(extra="forbid")

    data_schema: Any = Field(description="A Pydantic class or a JSON schema; serialised as JSON schema.")
    config: Given[ExtractConfig] | None = Field(
        default=None, description="Settings of the extractions; None for the service's defaults."
    )
    per: Literal["file", "node"] = Field(
        default="file", description='"file" reads all nodes of a file together, "node" each by itself.'
    )
    prefix: str = Field(default="", description="What the names of the fields begin with in the metadata.")
    num_workers: int = Field(default=32, ge=1, description="The most unfinished jobs that the service ever sees.")
    show_progress: bool = Field(default=False, description="A bar on stderr.")

    raise_on_error: bool = Field(
        default=True, description="Whether a file that cannot be extracted raises; else its nodes get no fields."
    )

    _schema: DataSchema | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            """Check the options, and the schema above all; nothing is sent yet."""
            # LlamaIndex writes it into every serialised component and hands it back.
            options.pop("class_name", None)
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise invalid_options(type(self), error) from error
            self._schema = DataSchema.of(self.data_schema)
            self.settings()

    @field_serializer("data_schema")
    def _json_schema(self, data_schema: Any) -> Any:
        return self._schema.json_schema if self._schema is not None else data_schema

    @field_serializer("config")
    def _settings_sent(self, config: ExtractConfig | None) -> Any:
        return None if config is None else config.to_body()

    @classmethod
    def class_name(cls) -> str:
        """Give the name under which LlamaIndex serialises extractors of this class."""
        return "LlamaExtractMetadata"

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(verify=self.verify, transport=self.transport)
        # LlamaIndex's own version would drop what does not pickle and say nothing.
        return BaseModel.__getstate__(self)

    def __setstate__(self, state: dict[Any, Any]) -> None:
        BaseModel.__setstate__(self, state)

    async def aextract(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        """Extract the fields for each node.

        Args:
            nodes: The nodes.

        Returns:
            One flat mapping a node.

        Raises:
            LlamaCloudError: A file could not be extracted; `raise_on_error=False` gives no fields instead.
        """
        groups = self._groups(nodes)
        texts = [_joined([nodes[place] for place in places]) for places in groups]
        asked = [index for index, text in enumerate(texts) if text.strip()]
        found: dict[int, dict[str, Any]] = {}
        if asked:
            results = await self._results([SourceText(text_content=texts[index]) for index in asked])
            found = {index: self._metadata(result) for index, result in zip(asked, results, strict=True)}
        metadata: list[dict[str, Any]] = [{} for _ in nodes]
        for index, places in enumerate(groups):
            for place in places:
                metadata[place] = dict(found.get(index, {}))
        return metadata

    def process_nodes(self, nodes: Sequence[BaseNode], *args: Any, **options: Any) -> list[BaseNode]:
        """Add the fields to the nodes' metadata, also inside a running event loop, as in a notebook."""
        return run(self.aprocess_nodes, nodes, *args, **options)

    def extract(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        """The synchronous twin of `aextract`."""
        return run(self.aextract, nodes)

    async def _results(self, texts: list[SourceText]) -> list[Any]:
        try:
            results = await self._extractor().aextract(self.data_schema, self.config, texts)
        except PartialFailureError as error:
            # Where all of them failed, even the lenient extractor raises.
            if self.raise_on_error:
                raise
            results = error.results
        return list(results)

    def _groups(self, nodes: Sequence[BaseNode]) -> list[list[int]]:
        """The places of the nodes that are read together."""
        groups: dict[Any, list[int]] = {}
        for place, node in enumerate(nodes):
            file = node.metadata.get("file_path") or node.metadata.get("file_name") or node.ref_doc_id
            groups.setdefault(node.node_id if self.per == "node" or not file else str(file), []).append(place)
        return list(groups.values())

    def _metadata(self, result: Any) -> dict[str, Any]:
        if isinstance(result, FailedItem):
            return {}
        data = result.data.model_dump(mode="json") if isinstance(result.data, BaseModel) else result.extracted
        fields: Iterable[tuple[str, Any]] = data.items() if isinstance(data, Mapping) else [("objects", data)]
        return flatten({f"{self.prefix}{name}": value for name, value in fields if value is not None})

    def _extractor(self) -> LlamaExtract:
        options = {name: getattr(self, name) for name in ConnectionOptions.model_fields}
        return LlamaExtract(
            **options,
            num_workers=self.num_workers,
            show_progress=self.show_progress,
            on_error="raise" if self.raise_on_error else "skip",
        )


def _joined(nodes: Sequence[BaseNode]) -> str:
    """The text of nodes that are read together, as it was before a splitter divided it.

    What two of them share is there once, and a number that was cut in two is whole again.
    """
    text = ""
    source: str | None = None
    end: int | None = None
    for node in nodes:
        part = node.get_content(MetadataMode.NONE)
        start = getattr(node, "start_char_idx", None)
        if source is None or node.ref_doc_id != source or start is None or end is None:
            text += f"\n\n{part}" if text else part
            end = None if start is None else start + len(part)
        else:
            text += part[end - start :] if start <= end else f"\n{part}"
            end = max(end, start + len(part))
        source = node.ref_doc_id
    return text
