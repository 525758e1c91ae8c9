"""LlamaParseTransform: parsing as a step of an ingestion pipeline, on one machine or on many."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.schema import BaseNode, Document, MetadataMode, NodeRelationship, TransformComponent
from pydantic import ConfigDict, Field, PrivateAttr

from llama_cloud_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    FailedItem,
    LedgerError,
    PartialFailureError,
    PermissionDeniedError,
    PlanLimitError,
    QuotaError,
    SourceError,
    TransportError,
)
from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.parse.reader import LlamaParseReader
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.file_listing import list_inputs
from llama_cloud_ext.wire.inputs import FilesInput, Input
from llama_cloud_ext.wire.io_loop import in_thread, run_async
from llama_cloud_ext.wire.source_locations import Local, locate
from llama_cloud_ext.wire.sources import resolve_source

logger = logging.getLogger(__name__)

_LOCATIONS = ("file_path", "path", "url", "source_url")
"""Where documents say which file they stand for: what LlamaIndex's readers write, and what people do."""

_NOT_OF_A_FILE = (
    AuthenticationError,
    ConfigurationError,
    LedgerError,
    PermissionDeniedError,
    PlanLimitError,
    QuotaError,
    TransportError,
)
"""What every other file would fail of, too. A SourceError, though a ConfigurationError, is of one file."""


class LlamaParseTransform(TransformComponent):
    """Parses the files that documents stand for, as a step of an `IngestionPipeline`.

    What comes in are documents with a path or URL in their metadata, such as `file_documents` makes. What goes out are
    the documents of these files, with the metadata of what stood for them, and with it as their source: when a file
    changes, a pipeline with a docstore and a vector store replaces what was made of its older state.

    It holds no connection and can be pickled, so that a pipeline may run it in worker processes (`num_workers`), and
    `RayIngestionPipeline` on as many machines as there are. With a reader that has a `ledger`, which all of them
    share, no file is paid for twice, whoever parses it. Among the fields of the reader, its key is left out where
    LlamaIndex writes the transform down, as for its cache.

    A file that fails ends the run, once the others of its batch are done; with `on_error="skip"` of the reader it is
    logged and left out. What worker processes have in `reader.failures` is gone with them, so for them there is
    `failed_files="keep"`: the document that stands for the file goes on, with the reason as `parse_error` in its
    metadata. A docstore counts either as done: delete the document there to have the next run try again. A pipeline's
    cache is passed over with `on_error="skip"`, so that it keeps no failure; the ledger is what saves parsing anew.

    Example:
        ```python
        from llama_index.core.ingestion import IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter

        from llama_cloud_ext import LlamaParseReader, LlamaParseTransform

        reader = LlamaParseReader(tier="cost_effective", ledger="./ledger")
        pipeline = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader), SentenceSplitter()])
        nodes = pipeline.run(documents=LlamaParseTransform.file_documents("./data"))
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reader: LlamaParseReader = Field(default_factory=LlamaParseReader, description="What parses the files, and how.")
    location_key: str | None = Field(
        default=None, description="Metadata with the path or URL; None for file_path, path, url or source_url."
    )
    without_location: Literal["raise", "keep"] = Field(
        default="raise", description="What a node without a path does: raise, or stay as it is."
    )
    failed_files: Literal["drop", "keep"] = Field(
        default="drop",
        description='With on_error="skip" of the reader: leave out files that failed, or keep what stands for them, '
        "with the reason as parse_error in its metadata.",
    )

    _uncached: str | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that editors keep offering the fields as arguments.
        def __init__(self, **options: Any) -> None:
            for name in ("class_name", "uncached"):  # what is written down is handed back
                options.pop(name, None)
            super().__init__(**options)

    @classmethod
    def class_name(cls) -> str:
        """Give the name under which LlamaIndex serialises transforms of this class."""
        return "LlamaParseTransform"

    @staticmethod
    def file_documents(files: FilesInput, fs: Any = None) -> list[Document]:
        """Documents that stand for files: with their paths, and with what tells when a file has changed.

        Args:
            files: A folder with its sub-folders, a pattern such as "reports/**/*.pdf", an fsspec URL of either, any
                other path or URL, or a list of these.
            fs: The fsspec filesystem of the paths. The transform finds the files by their URLs, wherever it runs.

        Returns:
            One document a file. Its id is the same in every run.

        Raises:
            SourceError: There is no file. One that is empty or cannot be read fails by itself, when it is parsed.

        Example:
            ```python
            from llama_cloud_ext import LlamaParseTransform

            print(LlamaParseTransform.file_documents("./data")[0].metadata)
            ```
        """
        documents = []
        for item in list_inputs(files, None, fs):
            location, identity, changes = _looked_at(item)
            metadata = {"file_path": location, **changes}
            hidden = list(changes)
            documents.append(
                Document(
                    text=location,
                    id_=stable_id(identity),
                    metadata=metadata,
                    excluded_embed_metadata_keys=hidden,
                    excluded_llm_metadata_keys=hidden,
                )
            )
        return documents

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Write the transform down, as caches of pipelines do to know it again.

        Args:
            **kwargs: As LlamaIndex has it.
        """
        data: dict[str, Any] = super().to_dict(**kwargs)
        if self.reader.on_error == "skip":
            # What a cache has may lack files that failed for a reason that has passed.
            return {**data, "uncached": uuid.uuid4().hex}
        return data if self._uncached is None else {**data, "uncached": self._uncached}

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Parse the files of nodes.

        Args:
            nodes: Nodes that stand for files; several for one file, as readers make of pages, count once.
            **kwargs: What pipelines pass to every transform; not used.

        Returns:
            The documents of the files, in the order of the nodes.

        Raises:
            ConfigurationError: A node has no path.
            PartialFailureError: Some files failed, and the reader has no `on_error="skip"`; or all did, for a reason
                that is no file's own, such as a wrong key.
        """
        groups = self._groups(nodes)
        locations, metadata = self._asked(groups)
        results: Sequence[ParseResult | FailedItem]
        try:
            results = self.reader.parse(locations, metadata)
        except PartialFailureError as error:
            results = self._skipped(error)
        return self._answered(groups, results)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The asynchronous twin of calling it."""
        groups = self._groups(nodes)
        locations, metadata = self._asked(groups)
        results: Sequence[ParseResult | FailedItem]
        try:
            results = await self.reader.aparse(locations, metadata)
        except PartialFailureError as error:
            results = self._skipped(error)
        return await run_async(in_thread, self._answered, groups, results)

    def _skipped(self, error: PartialFailureError) -> list[FailedItem]:
        """The failures of a batch without any success: who chose its files was the pipeline, not the user."""
        if self.reader.on_error == "raise":
            raise error
        reasons = [failure.error for failure in error.failures]
        if any(isinstance(reason, _NOT_OF_A_FILE) and not isinstance(reason, SourceError) for reason in reasons):
            raise error
        return error.failures

    def _groups(self, nodes: Sequence[BaseNode]) -> dict[str | int, BaseNode]:
        """The first node of each file by its location, and nodes that stay by their places, in their order."""
        if self._uncached is None and not any(node.get_content(MetadataMode.ALL) for node in nodes):
            logger.warning(
                "documents without text all look alike to the cache of a pipeline, which is passed over from here on: "
                "use file_documents(), or give each its path as its text"
            )
            self._uncached = uuid.uuid4().hex
        groups: dict[str | int, BaseNode] = {}
        for place, node in enumerate(nodes):
            location = self._location(node)
            groups.setdefault(place if location is None else location, node)
        return groups

    def _location(self, node: BaseNode) -> str | None:
        keys = _LOCATIONS if self.location_key is None else (self.location_key,)
        location = next((str(found) for key in keys if (found := node.metadata.get(key))), None)
        if location is None and self.without_location == "raise":
            raise ConfigurationError(
                f"node {node.node_id} does not say which file it stands for",
                option="location_key",
                hint=f"Its metadata needs {' or '.join(keys)}; location_key= names another one, and "
                'without_location="keep" lets such nodes pass.',
            )
        return location

    @staticmethod
    def _asked(groups: Mapping[str | int, BaseNode]) -> tuple[list[str], list[dict[str, Any]]]:
        files = [(location, node) for location, node in groups.items() if isinstance(location, str)]
        return [location for location, _ in files], [dict(node.metadata) for _, node in files]

    def _answered(
        self, groups: Mapping[str | int, BaseNode], results: Sequence[ParseResult | FailedItem]
    ) -> list[BaseNode]:
        found = iter(results)
        answered: list[BaseNode] = []
        for location, node in groups.items():
            if not isinstance(location, str):
                answered.append(node)
            elif isinstance(result := next(found), ParseResult):
                answered += self._documents(result, node)
            else:
                logger.warning("skipped %s", result)
                if self.failed_files == "keep":
                    # Whoever gave the node may use it again.
                    answered.append(node.model_copy(update={"metadata": {**node.metadata, "parse_error": str(result)}}))
        return answered

    def _documents(self, result: ParseResult, node: BaseNode) -> list[Document]:
        documents = self.reader.documents_of(result)
        source = node.source_node or node.as_related_node_info()
        for document in documents:
            document.relationships[NodeRelationship.SOURCE] = source
            for kept, given in (
                (document.excluded_embed_metadata_keys, node.excluded_embed_metadata_keys),
                (document.excluded_llm_metadata_keys, node.excluded_llm_metadata_keys),
            ):
                kept += [key for key in given if key not in kept]
        return documents


def _looked_at(item: Input) -> tuple[str, str, dict[str, Any]]:
    """The location of a file, its identity, and what tells when it has changed, as far as it can be looked at."""
    try:
        source = resolve_source(item.file, fs=item.fs)
    except SourceError:
        if not isinstance(item.file, str | os.PathLike):
            raise
        place = locate(os.fsdecode(item.file), item.fs)
        if isinstance(place, Local):
            return place.path, "file:" + Path(place.path).as_posix(), {}
        return place.identity, place.identity, {}
    location = source.url or source.path
    if location is None:
        raise ConfigurationError(
            f"{item.label} is no file that another process could find",
            option="files",
            hint="Give paths or URLs; content at hand is parsed by LlamaParseReader.",
        )
    changes = {"file_size": source.size, "last_modified": source.modified}
    return location, source.identity, {key: value for key, value in changes.items() if value is not None}
